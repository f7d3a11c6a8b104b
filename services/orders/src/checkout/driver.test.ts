import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batcher } from '@quartet/kit/batch'
import { createTestWorld } from '@quartet/kit/testing'
import { readConfig } from '../config.ts'
import { priceLines, type Order } from '../domain.ts'
import { testEnvironment } from '../testing/environment.ts'
import { anOrder } from '../testing/orders.ts'
import { drive, type Lanes } from './driver.ts'
import type { Payment, Reservation } from './saga.ts'

const noDatabase = {
  query: () => Promise.reject(new Error('no database here')),
  transaction: () => Promise.reject(new Error('no database here')),
  listen: () => () => {},
  close: () => Promise.resolve(),
}
const config = readConfig(await testEnvironment())

type Setting = {
  /** Undefined: whoever placed the order drives it. */
  attempts?: number | undefined
  expiresInMs?: number
  fraction?: number
  stored?: Partial<Order>
}

/** Drives an order whose neighbours answer so; gives in how many milliseconds it is driven again. */
async function waitOf(
  { reservation, payment }: { reservation: Reservation; payment?: Partial<Payment> },
  { attempts, expiresInMs = 1_800_000, fraction = 0, stored = {} }: Setting = {},
): Promise<number> {
  const world = createTestWorld({ config, db: noDatabase })
  const random = { ...world.random, fraction: () => fraction }
  const nowMs = world.clock.now()
  const waits: number[] = []
  const lane = <Item, Outcome>(act: (item: Item) => Outcome): Batcher<Item, Outcome> => ({
    queued: () => 0,
    add: (item) => Promise.resolve(act(item)),
  })
  const unexpected = () => {
    throw new Error('not asked for')
  }
  const paid = { paymentId: null, amountReceived: 0, amountCapturable: 0, code: null }
  const lanes: Lanes = {
    reserve: lane(() => reservation),
    pay: lane(() => ({ ...paid, outcome: 'unknown', nextAction: null, ...payment })),
    release: lane(unexpected),
    void: lane(unexpected),
    settle: lane(({ order, driveAt }) => {
      waits.push(driveAt.getTime() - nowMs)
      return order
    }),
    postpone: lane(({ driveAt }) => void waits.push(driveAt.getTime() - nowMs)),
    read: lane(unexpected),
  }
  const order = anOrder({ ...stored, expiresAt: new Date(nowMs + expiresInMs) })
  const lease = attempts === undefined ? undefined : { attempts, until: new Date(nowMs + 10_000) }
  await drive({ ...world, random }, lanes, order, lease)
  assert.equal(waits.length, 1)
  return waits[0] ?? 0
}

const reserved: Reservation = {
  outcome: 'reserved',
  currency: 'USD',
  lines: [{ product_id: 'prd_desk', quantity: 2, name: 'Desk', unit_price: 500 }],
}

test('what is unknown is asked again ever later, spread out, 5 s at most', async () => {
  const unknown: Reservation = { outcome: 'unknown' }
  const wait = (attempts: number, fraction: number) =>
    waitOf({ reservation: unknown }, { attempts, fraction })
  assert.deepEqual([await wait(0, 0), await wait(0, 0.98)], [50, 99])
  assert.deepEqual([await wait(3, 0), await wait(3, 0.98)], [400, 792])
  assert.deepEqual([await wait(1_000, 0), await wait(1_000, 0.98)], [2_500, 4_950])
})

const action: Partial<Payment> = { outcome: 'requires_action', paymentId: 'pay_1' }
const totals = priceLines([{ product_id: 'x', name: 'x', quantity: 2, unit_price: 500 }], 'USD')
const waiting = {
  paymentStatus: 'requires_action',
  paymentId: 'pay_1',
  totals: totals ?? null,
}

test('rule 12: an order sleeps until the time to pay is over once a look finds it as it was stored', async () => {
  const answers = { reservation: reserved, payment: action }
  const wait = (stored: Partial<Order>, attempts?: number) =>
    waitOf(answers, { attempts, expiresInMs: 60_000, stored })
  assert.equal(await wait({}, 10), 50, 'found anew: written, and looked at once more')
  assert.equal(await wait({ ...waiting, paymentStatus: 'requires_payment_method' }, 10), 50)
  assert.equal(await wait({ ...waiting, nextAction: { type: 'x', url: 'x' } }, 10), 50)
  assert.equal(await wait(waiting, 10), 60_000)
  assert.equal(
    await wait(waiting),
    50,
    'without a lease nobody knows whether it was woken meanwhile',
  )
})

test('rule 12: who waits for somebody else than the buyer is asked again, whenever its time is over', async () => {
  const processing = { reservation: reserved, payment: { outcome: 'processing' } as const }
  assert.equal(await waitOf(processing, { attempts: 10, expiresInMs: 1_000 }), 2_500)
})
