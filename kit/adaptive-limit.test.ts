/** Proves the limit against a simulated server: what it lets in under load, and that it sheds nobody without need. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createAdaptiveLimit,
  type AdaptiveLimit,
  type Kind,
  type Ticket,
} from './adaptive-limit.ts'

const TARGET_MS = 500
const PER_SECOND = 3_000
/** What a request takes when nobody else is there. */
const ALONE_MS = 20
/** The part of a request's work that it costs to turn one away. */
const SHED_COST = 0.02

const unlimited: AdaptiveLimit = {
  enter: (kind) => ({ kind, startedMs: 0, era: 0 }),
  leave: () => {},
  current: () => Infinity,
  underWay: () => 0,
}

type Request = { ticket: Ticket; atMs: number }
type Second = { done: number; shed: number; p99Ms: number; browsingShed: number; limit: number }

/**
 * A server that does 3,000 requests a second, first come, first served, and fewer the more are under
 * way (a tenth less at 1,100), as a real one does. Time goes by in milliseconds of its own.
 */
function simulate(limited = true) {
  let nowMs = 0
  const limit = limited
    ? createAdaptiveLimit({ clock: { now: () => nowMs } }, { targetMs: TARGET_MS })
    : unlimited
  const queue: Request[] = []
  let credit = 0
  let stalledUntilMs = 0
  let owed = 0
  const waits: number[] = []
  const count = { shed: 0, browsingShed: 0 }

  function arrive(kind: Kind): void {
    const ticket = limit.enter(kind)
    if (ticket !== undefined) return void queue.push({ ticket, atMs: nowMs })
    count.shed += 1
    if (kind === 'browsing') count.browsingShed += 1
    credit -= SHED_COST
  }

  function work(): void {
    credit += PER_SECOND / 1_000 / (1 + queue.length / 10_000)
    if (nowMs < stalledUntilMs) credit = Math.min(credit, 0)
    while (credit >= 1 && queue[0] !== undefined && nowMs - queue[0].atMs >= ALONE_MS) {
      const { ticket, atMs } = queue[0]
      queue.shift()
      credit -= 1
      waits.push(nowMs - atMs)
      limit.leave(ticket, true)
    }
    if (queue.length === 0 || nowMs - (queue[0]?.atMs ?? 0) < ALONE_MS) credit = Math.min(credit, 1)
  }

  /** A second in which so many arrive, or in which so many clients each ask as soon as answered. */
  function second({ offered = 0, clients = 0, browsing = 0 }, stallMs = 0): Second {
    waits.length = 0
    Object.assign(count, { shed: 0, browsingShed: 0 })
    if (stallMs > 0) stalledUntilMs = nowMs + stallMs
    for (let ms = 0; ms < 1_000; ms += 1) {
      for (owed += offered / 1_000; owed >= 1; owed -= 1) {
        arrive(Math.floor(owed * 7_919 + ms) % 100 < browsing ? 'browsing' : 'work')
      }
      const missing = clients - queue.length
      for (let n = 0; n < missing; n += 1) arrive('work')
      work()
      nowMs += 1
    }
    const sorted = waits.toSorted((a, b) => a - b)
    const p99Ms = sorted[Math.floor(sorted.length * 0.99)] ?? 0
    return { done: waits.length, ...count, p99Ms, limit: limit.current() }
  }

  return {
    second,
    seconds: (n: number, load: { offered?: number; clients?: number; browsing?: number }) =>
      Array.from({ length: n }, () => second(load)),
  }
}

/** What the server does at its best: every load it can bear is tried. */
const peak = Math.max(
  ...[2_000, 2_500, 2_800, 2_900].map(
    (offered) => simulate(false).seconds(5, { offered })[4]?.done ?? 0,
  ),
)

test('at five times the load the server does at least 0.8 of its best, in time', () => {
  const seconds = simulate().seconds(30, { offered: 5 * PER_SECOND })
  for (const [n, { done, p99Ms, limit }] of seconds.entries()) {
    if (n < 3) continue
    assert.ok(done >= 0.8 * peak, `second ${n}: ${done} of ${peak}, limit ${limit}`)
    assert.ok(p99Ms <= 2 * TARGET_MS, `second ${n}: p99 ${p99Ms} ms, limit ${limit}`)
  }
})

test('without a limit the same load is served too late', () => {
  const seconds = simulate(false).seconds(6, { offered: 5 * PER_SECOND })
  assert.ok((seconds[5]?.p99Ms ?? 0) > 2_000)
})

test('after an overload all is as before within 2 s', () => {
  const server = simulate()
  server.seconds(20, { offered: 5 * PER_SECOND })
  server.seconds(2, { offered: 2_500 })
  for (const { done, shed, p99Ms } of server.seconds(10, { offered: 2_500 })) {
    assert.equal(shed, 0)
    assert.ok(done >= 2_490 && p99Ms < TARGET_MS)
  }
})

test('512 clients that ask as soon as they are answered are not shed while they are answered in time', () => {
  const server = simulate()
  for (const { shed, p99Ms } of server.seconds(20, { clients: 512 })) {
    assert.equal(shed, 0)
    assert.ok(p99Ms < TARGET_MS)
  }
})

test('a pause that passes sheds nobody', () => {
  const server = simulate()
  server.seconds(2, { clients: 512 })
  for (let n = 0; n < 10; n += 1) {
    assert.equal(server.second({ clients: 512 }, 400).shed, 0)
  }
})

test('browsing is shed before work is', () => {
  const server = simulate()
  const seconds = server.seconds(20, { offered: 1.4 * PER_SECOND, browsing: 50 }).slice(3)
  const of = (pick: (second: Second) => number) =>
    seconds.reduce((sum, each) => sum + pick(each), 0)
  assert.ok(of((each) => each.browsingShed) > 10_000)
  assert.equal(
    of((each) => each.shed - each.browsingShed),
    0,
  )
})

test('requests whose time says nothing leave the limit as it is', () => {
  let nowMs = 0
  const limit = createAdaptiveLimit({ clock: { now: () => nowMs } }, { targetMs: TARGET_MS })
  const before = limit.current()
  for (const counts of [false, true]) {
    for (let n = 0; n < 20; n += 1) {
      const tickets = Array.from({ length: 20 }, () => limit.enter('work'))
      nowMs += 5_000
      for (const ticket of tickets) if (ticket !== undefined) limit.leave(ticket, counts)
      nowMs += 100
    }
    assert.equal(limit.underWay(), 0)
    assert.equal(limit.current() < before, counts, 'only time that counts shrinks it')
  }
})
