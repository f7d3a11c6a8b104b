/** Owns `npm run build`: the shop's pages, as the first start builds them; nothing else wants building. */
import { Explained, runProgram } from '../explained.ts'
import { buildPages, STOREFRONT } from './pages.ts'

async function main(): Promise<void> {
  const onBuild = () => console.log("Building the shop's pages ...")
  const { folder, ...why } = await buildPages({ ...STOREFRONT, onBuild })
  if (folder !== undefined) return console.log(`The shop's pages are built: ${folder}`)
  const more = 'logFile' in why ? `\nAll that the builder said: ${why.logFile}` : ''
  throw new Explained(`The shop's pages could not be built: ${why.reason}.${more}`)
}

await runProgram(main)
