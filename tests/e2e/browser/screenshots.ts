/** Owns `npm run screenshots`: the pictures of the shop in the documents, taken from the shop as it is. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { Explained, runProgram } from '../../../tools/explained.ts'
import { chromiumPath } from './chromium.ts'
import { SCENES } from './scenes.ts'
import { raiseStage } from './visit.ts'

const DOCUMENTS = path.resolve(import.meta.dirname, '../../../web/storefront/pictures')

const DESKTOP = { width: 1280, height: 800 }
const PHONE = { width: 390, height: 780 }

/** The ones that documents show. */
const SHOWN = [
  { scene: 'home', file: 'home-desktop', viewport: DESKTOP, colorScheme: 'light' },
  { scene: 'category', file: 'category-phone', viewport: PHONE, colorScheme: 'light' },
  { scene: 'product', file: 'product-phone-dark', viewport: PHONE, colorScheme: 'dark' },
  { scene: 'order-confirmed', file: 'order-phone', viewport: PHONE, colorScheme: 'light' },
] as const

const VIEWS = [1440, 390].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({
    name: `${width}-${colorScheme}`,
    viewport: { width, height: width === 390 ? 844 : 900 },
    colorScheme,
  })),
)

/** Without a folder: those of the documents. With one: every scene, in both sizes and both looks. */
async function main(): Promise<void> {
  if (chromiumPath() === undefined) throw new Explained('Chromium is not installed.')
  const [folder] = process.argv.slice(2)
  const wanted =
    folder === undefined
      ? SHOWN.map(({ scene, file, ...view }) => ({ scene, file, ...view }))
      : SCENES.flatMap(({ name: scene }) =>
          VIEWS.map(({ name, ...view }) => ({ scene, file: `${scene}-${name}`, ...view })),
        )
  const target = folder ?? DOCUMENTS
  mkdirSync(target, { recursive: true })
  const { stage, close } = await raiseStage()
  try {
    for (const { scene, file, ...view } of wanted) {
      const { page } = await stage.visitor(view)
      await SCENES.find(({ name }) => name === scene)?.show(page, stage)
      await page.evaluate('document.activeElement?.blur(); window.scrollTo(0, 0)')
      await page.waitForLoadState('networkidle')
      await page.screenshot({
        path: path.join(target, `${file}.png`),
        fullPage: folder !== undefined,
      })
      await page.context().close()
      console.log(`${file}.png`)
    }
  } finally {
    await close()
  }
}

await runProgram(main)
