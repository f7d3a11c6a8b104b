/** Owns what waits to be delivered: in order per key, again with back-off until it arrives, few at once. */
import type { Random } from '@quartet/kit/random'
import type { Clock, Timers } from '@quartet/kit/time'

/** Something that happened at a time, to be delivered not before another. */
export type Delivery = { key: string; sequence: number; atMs: number; dueAtMs: number }

export type QueueOptions = {
  clock: Clock
  timers: Timers
  random: Random
  /** Delivers; gives whether that is over. It is tried again until it is. Never rejects. */
  send: (delivery: Delivery) => Promise<boolean>
}

export type Queue = {
  add: (delivery: Delivery) => void
  /** Resolves when nothing waits for this key. */
  empty: (key: string) => Promise<void>
  waiting: () => number
  stop: () => void
}

const MAX_AT_ONCE = 16
const MIN_WAIT_MS = 200
const MAX_WAIT_MS = 30_000

export function createQueue({ clock, timers, random, send }: QueueOptions): Queue {
  const lanes = createLanes()
  const alarms = createAlarms(timers)
  const ready = new Set<string>()
  let underWay = 0
  let stopped = false

  function schedule(key: string): void {
    const head = lanes.head(key)
    if (head === undefined || stopped) return
    const waitMs = head.dueAtMs - clock.now()
    if (waitMs <= 0) ready.add(key)
    else alarms.set(waitMs, () => wake(key))
  }

  function wake(key: string): void {
    ready.add(key)
    pump()
  }

  function pump(): void {
    for (const key of ready) {
      if (underWay === MAX_AT_ONCE || stopped) return
      ready.delete(key)
      const head = lanes.head(key)
      if (head !== undefined) void deliver(head)
    }
  }

  async function deliver(head: Waiting): Promise<void> {
    underWay += 1
    const isOver = await send(head)
    underWay -= 1
    if (isOver) {
      lanes.shift(head.key)
    } else {
      head.tries += 1
      head.dueAtMs = clock.now() + backOffMs(head.tries, random.fraction())
    }
    schedule(head.key)
    pump()
  }

  return {
    add(delivery) {
      if (!lanes.push(delivery)) return
      schedule(delivery.key)
      pump()
    },
    empty: (key) => (stopped ? Promise.resolve() : lanes.empty(key)),
    waiting: lanes.waiting,
    stop() {
      stopped = true
      alarms.cancel()
      lanes.release()
    },
  }
}

// Half of it by chance, so that what failed together doesn't come back together.
function backOffMs(tries: number, fraction: number): number {
  const ceilingMs = Math.min(MAX_WAIT_MS, MIN_WAIT_MS * 2 ** Math.min(tries, 10))
  return ceilingMs * (0.5 + fraction / 2)
}

type Waiting = Delivery & { tries: number }

/** What waits, by key, in order; and who waits until nothing does. */
function createLanes() {
  const lanes = new Map<string, { waiting: Waiting[]; onEmpty: (() => void)[] }>()
  let count = 0
  return {
    waiting: () => count,
    head: (key: string) => lanes.get(key)?.waiting[0],
    /** Gives whether it is the first of its key. */
    push(delivery: Delivery): boolean {
      const lane = lanes.get(delivery.key) ?? { waiting: [], onEmpty: [] }
      lanes.set(delivery.key, lane)
      count += 1
      return lane.waiting.push({ ...delivery, tries: 0 }) === 1
    },
    shift(key: string): void {
      const lane = lanes.get(key)
      lane?.waiting.shift()
      count -= 1
      if (lane === undefined || lane.waiting.length > 0) return
      lanes.delete(key)
      for (const tell of lane.onEmpty) tell()
    },
    empty: (key: string) =>
      new Promise<void>((resolve) => {
        const lane = lanes.get(key)
        if (lane === undefined) resolve()
        else lane.onEmpty.push(resolve)
      }),
    /** Nobody waits any more. */
    release(): void {
      for (const { onEmpty } of lanes.values()) for (const tell of onEmpty) tell()
    },
  }
}

/** Timers that are canceled together. */
function createAlarms(timers: Timers) {
  const pending = new Set<() => void>()
  return {
    set(delayMs: number, action: () => void) {
      const cancel = timers.after(delayMs, () => {
        pending.delete(cancel)
        action()
      })
      pending.add(cancel)
    },
    cancel() {
      for (const cancel of pending) cancel()
    },
  }
}
