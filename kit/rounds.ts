/** Owns rounds: work that is looked for again and again, one round at a time, sooner when some is due. */
import { ConnectionLost } from './postgres.ts'
import type { World } from './world.ts'

export type Rounds = {
  start: () => void
  /** Begins no further round; gives the one that runs, if any. */
  stop: () => Promise<void>
  /** Something is due then: the next round comes no later. */
  wakeAt: (timeMs: number) => void
}

export type RoundsOptions = {
  /** Named in the log when a round fails. */
  name: string
  /** One round: does what is due, and says when the next is, as far as it knows. */
  run: () => Promise<Date | null>
  /** Between rounds, at most: what nobody announced is found within this time. */
  pollMs: number
  /** Between rounds, at least. */
  minWaitMs: number
}

/** Rounds that go on, whatever one of them throws, until they are stopped. */
export function createRounds(
  { clock, timers, log }: Pick<World<unknown>, 'clock' | 'timers' | 'log'>,
  { name, run, pollMs, minWaitMs }: RoundsOptions,
): Rounds {
  let stopped = true
  let running: Promise<void> | undefined
  let wakeMs = 0
  let cancelTimer = () => {}

  async function round(): Promise<void> {
    wakeMs = clock.now() + pollMs
    try {
      const due = await run()
      wakeMs = Math.min(clock.now() + pollMs, wakeMs, due?.getTime() ?? Infinity)
    } catch (error) {
      const level = error instanceof ConnectionLost ? 'warn' : 'error'
      log[level]({ error, round: name }, 'a round failed; what is due waits for the next')
    }
  }

  function schedule(): void {
    cancelTimer()
    if (stopped || running !== undefined) return
    const waitMs = Math.max(minWaitMs, wakeMs - clock.now())
    cancelTimer = timers.after(waitMs, () => {
      running = round().finally(() => {
        running = undefined
        schedule()
      })
    })
  }

  return {
    start() {
      stopped = false
      schedule()
    },
    async stop() {
      stopped = true
      cancelTimer()
      await running
    },
    wakeAt(timeMs) {
      wakeMs = Math.min(wakeMs, timeMs)
      schedule()
    },
  }
}
