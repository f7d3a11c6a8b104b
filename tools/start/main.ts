/** Owns `npm start`: the shop in this terminal until a signal ends it. */
import { runProgram } from '../explained.ts'
import { readStartOptions } from './options.ts'
import { buildPages, STOREFRONT, type Pages } from './pages.ts'
import { showEvent, showShop } from './screen.ts'
import { startShop, type Shop } from './shop.ts'

// Under `exec` in an npm script Ctrl-C arrives twice: from the terminal, and from npm.
const SAME_SIGNAL_MS = 1_000

async function main(): Promise<void> {
  const startedMs = performance.now()
  const options = readStartOptions(process.argv.slice(2))
  if (options === undefined) return
  process.stdout.on('error', () => {}) // a closed terminal must not stop an orderly end
  process.stderr.on('error', () => {})
  const abort = new AbortController()
  let shop: Shop | undefined
  const stopAsked = onStopSignal(
    () => {
      console.log('\nStopping: gateway, orders, the other services, then PostgreSQL ...')
      abort.abort()
    },
    () => shop,
  )
  try {
    const { pages, ...asked } = options
    shop = await startShop({
      ...asked,
      ...(pages ? { pages: builtPages } : {}),
      onEvent: showEvent,
      signal: abort.signal,
    })
  } catch (error) {
    if (!abort.signal.aborted) throw error
    return process.exit(130)
  }
  showShop(shop, (performance.now() - startedMs) / 1000)
  await stopAsked
  await shop.stop()
  console.log('Stopped. The data is kept; npm start goes on from here.')
  process.exit(0)
}

function builtPages(signal: AbortSignal | undefined): Promise<Pages> {
  const onBuild = () => showEvent({ type: 'progress', text: "Building the shop's pages" })
  return buildPages({ ...STOREFRONT, onBuild, signal })
}

/** Resolves at the first signal; a second one, unless it is the same keystroke, ends everything at once. */
function onStopSignal(onFirst: () => void, shop: () => Shop | undefined): Promise<void> {
  return new Promise((resolve) => {
    let firstMs: number | undefined
    const take = () => {
      if (firstMs === undefined) {
        firstMs = performance.now()
        onFirst()
        resolve()
      } else if (performance.now() - firstMs > SAME_SIGNAL_MS) {
        for (const { kill } of shop()?.processes.values() ?? []) kill('SIGKILL')
        process.exit(130) // PostgreSQL's guard sees us go, and stops it
      }
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, take)
  })
}

await runProgram(main)
