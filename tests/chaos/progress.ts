/** Owns the line that is told while a run goes on: the same in a terminal and in a log. */
import type { Load } from './load.ts'
import type { Nemesis } from './nemesis.ts'

const EVERY_MS = 5_000
const number = new Intl.NumberFormat('en-US')

export function tellProgress(
  { load, nemesis }: { load: Load; nemesis: Nemesis },
  { orders, kills }: { orders: number; kills: number },
  tell: (line: string) => void,
): { stop: () => void } {
  let before = 0
  const timer = setInterval(() => {
    const over = load.over()
    const perSecond = ((over - before) / EVERY_MS) * 1000
    before = over
    const last = nemesis.struck.at(-1)
    tell(
      `${number.format(over)} of ${number.format(orders)} orders over, ` +
        `${number.format(load.begun() - over)} under way, ${perSecond.toFixed(0)}/s · ` +
        `${nemesis.fallen()} of ${kills} blows${last === undefined ? '' : `, the last: ${last.what}`}`,
    )
  }, EVERY_MS)
  return { stop: () => clearInterval(timer) }
}
