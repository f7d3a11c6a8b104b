/** Owns a run from end to end: load and nemesis at once, then healing, and every check. */
import { Explained } from '../../tools/explained.ts'
import {
  areAllPaid,
  checkErased,
  checkReconciled,
  haveAllEnded,
  haveAllRead,
  waitFor,
} from './aftermath.ts'
import { register } from './accounts.ts'
import { beginRecord } from './applied.ts'
import { planBlows, type Struck } from './blows.ts'
import { readBooks, type Books } from './books.ts'
import { checkEvents } from './checks/events.ts'
import { checkMoney } from './checks/money.ts'
import { checkStock } from './checks/stock.ts'
import { checkTold } from './checks/told.ts'
import type { Violation } from './checks/violation.ts'
import type { Street } from './customer.ts'
import type { StruckBlow } from './history.ts'
import { startLoad, type Load } from './load.ts'
import { startNemesis, type Nemesis } from './nemesis.ts'
import type { ChaosOptions } from './options.ts'
import { createPace } from './pace.ts'
import type { Stage } from './stage.ts'
import { watchStock } from './stock-watch.ts'
import type { Story } from './story.ts'
import { findVictims } from './victims.ts'

export type RunOptions = Pick<ChaosOptions, 'orders' | 'kills' | 'seed' | 'customers' | 'gapMs'> & {
  signal: AbortSignal
  /** Aborts what customers still wait for. */
  giveUp: () => void
  /** A line of what is going on. */
  tell: (line: string) => void
  /** Called while the load goes on. */
  watch: (progress: { load: Load; nemesis: Nemesis }) => { stop: () => void }
}

export type Outcome = {
  /** Load and blows, until the last blow was over. */
  tookMs: number
  /** From then until every order had ended and every customer knew; undefined: not within the limit. */
  healedMs: number | undefined
  stories: Story[]
  books: Books
  struck: StruckBlow[]
  lostCommits: Map<string, number>
  stockSamples: number
  violations: Violation[]
}

const ENDED_WITHIN_MS = 60_000
const READ_WITHIN_MS = 90_000

export async function run(stage: Stage, options: RunOptions): Promise<Outcome> {
  const { superuser, shelves, asker, at } = stage
  const begun = await beginRecord(superuser)
  const stock = watchStock(superuser, shelves)
  const street: Street = {
    asker,
    shelves,
    stories: [],
    admin: () => at.admin,
    newAccount: (n) => register(asker, n, `leaver-${n}`),
    erased: [],
  }
  const startedMs = performance.now()
  const ending = new AbortController()
  options.signal.addEventListener('abort', () => ending.abort())
  const { load, nemesis } = start(stage, street, { ...options, signal: ending.signal })
  const watching = options.watch({ load, nemesis })
  await within(nemesis.done, options).catch(async (error: unknown) => {
    ending.abort()
    watching.stop()
    await stock.stop()
    await nemesis.done // which lets go on what it has stopped
    throw error
  })
  const tookMs = performance.now() - startedMs
  const healedMs = await heal(stage, options, load)
  await load.done
  watching.stop()
  const found = await settle(stage, options, street)
  await stock.stop()
  options.tell('Comparing the books')
  const books = await readBooks(at, superuser, begun)
  const late: Violation[] =
    healedMs === undefined
      ? [{ promise: 'ends', detail: `not all had ended ${ENDED_WITHIN_MS / 1000} s after healing` }]
      : []
  const checked = check(street.stories, books, stage)
  return {
    tookMs,
    healedMs,
    stories: street.stories,
    books,
    struck: nemesis.struck,
    lostCommits: nemesis.lostCommits,
    stockSamples: stock.samples(),
    violations: [...late, ...stock.violations, ...found, ...checked],
  }
}

function start(stage: Stage, street: Street, options: RunOptions) {
  const { seed, orders, kills, customers: buyers, gapMs, signal } = options
  const { at, nats, superuser, accounts } = stage
  const victims: Struck[] = ['users', 'products', 'orders', 'payments', 'gateway']
  victims.push('provider', 'postgres', ...(nats === undefined ? [] : (['nats'] as const)))
  const blows = planBlows({ seed, orders, kills, gapMs, victims })
  const pace = createPace(
    blows.map(({ afterOrders }) => afterOrders),
    2 * Math.ceil(orders / Math.max(1, kills)),
  )
  signal.addEventListener('abort', pace.over)
  const load = startLoad({ seed, orders, buyers, accounts, street, pace, signal })
  const finders = findVictims(at.shop, nats)
  const nemesis = startNemesis({ blows, victims: finders, nats, superuser, pace, signal })
  return { load, nemesis }
}

/** Waits for it, but not for ever. */
async function within(
  done: Promise<void>,
  { orders, kills, signal, giveUp }: RunOptions,
): Promise<void> {
  const limitMs = 60_000 + 20 * orders + 4_000 * kills
  const timer = AbortSignal.timeout(limitMs)
  await Promise.race([
    done,
    new Promise<never>((_resolve, reject) => {
      const stop = (why: string) => () => reject(new Explained(why))
      signal.addEventListener('abort', stop('The run was stopped.'))
      timer.addEventListener('abort', () => {
        giveUp()
        stop(`Load and blows took longer than ${limitMs / 1000} s.`)()
      })
    }),
  ])
}

/** Nobody strikes any more. Gives how long it takes until all orders have ended and all customers know. */
async function heal(
  { superuser }: Stage,
  { giveUp, tell }: RunOptions,
  load: Load,
): Promise<number | undefined> {
  tell('No more blows: waiting until all orders have ended')
  const fromMs = performance.now()
  let isOver = false
  void load.done.then(() => (isOver = true))
  const ended = async () => isOver && (await haveAllEnded(superuser))
  const hasHealed = await waitFor(ended, ENDED_WITHIN_MS)
  if (hasHealed) return performance.now() - fromMs
  giveUp()
  return undefined
}

async function settle(
  { superuser, asker, at, shelves }: Stage,
  { tell }: RunOptions,
  street: Street,
): Promise<Violation[]> {
  tell('Waiting for the readers of events')
  const isQuiet = async () => (await areAllPaid(superuser)) && (await haveAllRead(superuser))
  const found: Violation[] = []
  if (!(await waitFor(isQuiet, READ_WITHIN_MS))) {
    const detail = `not every event was read, or payment ended, within ${READ_WITHIN_MS / 1000} s`
    found.push({ promise: 'events', detail })
  }
  found.push(...(await checkErased(asker, street.erased, shelves)))
  tell('Reconciling')
  return [...found, ...(await checkReconciled(at.shop))]
}

function check(stories: Story[], books: Books, { shelves }: Stage): Violation[] {
  return [
    ...checkTold(stories, books),
    ...checkMoney(stories, books),
    ...checkStock(shelves, books),
    ...checkEvents(books),
  ]
}
