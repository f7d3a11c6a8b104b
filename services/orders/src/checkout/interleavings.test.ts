import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batcher } from '@quartet/kit/batch'
import { createTestWorld } from '@quartet/kit/testing'
import type { World } from '@quartet/kit/world'
import fc from 'fast-check'
import type { Settlement } from '../actions.ts'
import { readConfig, type Config } from '../config.ts'
import { isSettled, type Order } from '../domain.ts'
import { createFakePayments, createFakeProducts } from '../testing/neighbours.ts'
import { anOrder } from '../testing/orders.ts'
import { testEnvironment } from '../testing/environment.ts'
import { drive, write, type Lanes } from './driver.ts'
import { turnBack, type Payment, type Reservation } from './saga.ts'

// One order, its row, two neighbours that keep their rules, and any number of drivers at once. Every
// command may be lost before it arrives, or its answer after it took effect; all arrive in any order.

type Fate = 'arrives' | 'late' | 'lost' | 'answer lost'

// A late command is overtaken by this many other happenings.
const LATE_TURNS = 12

const noDatabase = {
  query: () => Promise.reject(new Error('no database here')),
  transaction: () => Promise.reject(new Error('no database here')),
  listen: () => () => {},
  close: () => Promise.resolve(),
}

function createStage(scheduler: fc.Scheduler, fates: Fate[], placed: Partial<Order>) {
  let row = anOrder(placed)
  const confirmed: Order[] = []
  const products = createFakeProducts({ prd_desk: { name: 'Desk', amount: 500, stock: 10 } })
  const payments = createFakePayments()
  const item = { order_id: row.id, owner_id: row.ownerId }

  const lane = <Item, Outcome>(
    label: string,
    act: (item: Item) => Outcome,
    unknown?: Outcome,
  ): Batcher<Item, Outcome> => ({
    queued: () => 0,
    add: async (subject) => {
      const fate = unknown === undefined ? 'arrives' : (fates.pop() ?? 'arrives')
      const turns = fate === 'late' ? LATE_TURNS : 1
      for (let turn = 0; turn < turns; turn += 1) {
        await scheduler.schedule(Promise.resolve(), `${label} goes`)
      }
      const outcome = fate === 'lost' ? unknown : act(subject)
      await scheduler.schedule(Promise.resolve(), `${label} answers`)
      return fate === 'answer lost' && unknown !== undefined ? unknown : (outcome as Outcome)
    },
  })

  const noPayment: Payment = {
    outcome: 'unknown',
    paymentId: null,
    amountReceived: 0,
    amountCapturable: 0,
    code: null,
    nextAction: null,
  }
  const lost = { done: false, refunded: 0 }
  const lanes: Lanes = {
    reserve: lane<Order, Reservation>(
      'reserve',
      (order) => {
        const answer = products.reserve({ ...item, lines: order.lines })
        if (answer.outcome !== 'reserved') return { outcome: answer.outcome as 'released' }
        const lines = order.lines.map((line) => ({ ...line, name: 'Desk', unit_price: 500 }))
        return { outcome: 'reserved', lines, currency: 'USD' }
      },
      { outcome: 'unknown' },
    ),
    pay: lane(
      'pay',
      ({ order, totals }) => {
        const amount = { amount: totals.total, currency: 'USD' }
        const { paymentMethod: payment_method, captureMethod: capture_method } = order
        const answer = payments.pay({ ...item, amount, payment_method, capture_method })
        return {
          outcome: answer.outcome as Payment['outcome'],
          paymentId: answer.payment_id,
          amountReceived: answer.amount_received,
          amountCapturable: answer.amount_capturable,
          code: answer.code,
          nextAction: answer.next_action,
        }
      },
      noPayment,
    ),
    release: lane(
      'release',
      () => ({ done: products.release(item).outcome === 'released', refunded: 0 }),
      lost,
    ),
    void: lane('void', () => ({ done: true, refunded: payments.void(item).amount_refunded }), lost),
    settle: lane('settle', ({ order, from }: Settlement) => {
      if (row.status !== from) return undefined
      row = order
      if (order.status === 'confirmed') confirmed.push(order)
      return order
    }),
    postpone: lane('postpone', () => undefined),
    read: lane('read', () => row),
  }
  return { row: () => row, confirmed, products, payments, lanes }
}

const noLease = (attempts: number) => ({ attempts, until: new Date(0) })

type Stage = ReturnType<typeof createStage>

function checkPromises({ row, confirmed, products, payments }: Stage): void {
  const { status, totals, paymentMethod } = row()
  const payment = payments.payments.get('ord_1')
  const kept = (payment?.received ?? 0) - (payment?.refunded ?? 0)
  const stock = products.prices['prd_desk']?.stock
  assert.ok(payments.charges.length <= 1, 'charged at most once')
  assert.ok(confirmed.length <= 1, 'confirmed at most once')
  if (status === 'confirmed') {
    assert.deepEqual([stock, kept, totals?.total], [8, 1000, 1000])
    return
  }
  assert.equal(status, 'canceled')
  assert.deepEqual([stock, kept], [10, 0], `all undone (${paymentMethod})`)
}

const anyFates = fc.array(fc.constantFrom<Fate>('arrives', 'late', 'lost', 'answer lost'), {
  maxLength: 20,
})

test('rules 1, 6, 7, 8: over every order of answers, losses and repeats, an order ends whole', async () => {
  const config: Config = readConfig(await testEnvironment())
  const world: World<Config> = createTestWorld({ config, db: noDatabase })
  const scenario = fc.record({
    drivers: fc.integer({ min: 1, max: 3 }),
    cancels: fc.integer({ min: 0, max: 2 }),
    paymentMethod: fc.constantFrom('pm_card_visa', 'pm_card_visa', 'pm_card_chargeDeclined'),
    fates: anyFates,
  })
  const property = fc.asyncProperty(fc.scheduler(), scenario, async (scheduler, chosen) => {
    const stage = createStage(scheduler, [...chosen.fates], { paymentMethod: chosen.paymentMethod })
    const cancel = async () => {
      await scheduler.schedule(Promise.resolve(), 'customer cancels')
      const order = stage.row()
      if (order.status !== 'pending' && order.status !== 'confirmed') return
      const turned = await write(world, stage.lanes, turnBack(order, 'requested_by_customer'))
      if (turned !== undefined) await drive(world, stage.lanes, turned)
    }
    const work = [
      ...Array.from({ length: chosen.drivers }, () => drive(world, stage.lanes, stage.row())),
      ...Array.from({ length: chosen.cancels }, cancel),
    ]
    await scheduler.waitFor(Promise.all(work))
    await driveToItsEnd(world, scheduler, stage)
    checkPromises(stage)
  })
  await fc.assert(property, { numRuns: 1_000 })
})

// What was left open is driven again, as recovery does, until it is settled.
async function driveToItsEnd(world: World<Config>, scheduler: fc.Scheduler, stage: Stage) {
  for (let tries = 0; !isSettled(stage.row().status); tries += 1) {
    assert.ok(tries < 40, 'recovery ends')
    await scheduler.waitFor(drive(world, stage.lanes, stage.row(), noLease(tries)))
  }
}

/** The neighbours as they are while an order waits: its stock is held, its payment is open. */
function openAt({ row, products, payments }: Stage): void {
  const { id, ownerId, lines, paymentMethod: payment_method, captureMethod } = row()
  const who = { order_id: id, owner_id: ownerId }
  const amount = { amount: 1_000, currency: 'USD' }
  products.reserve({ ...who, lines })
  payments.pay({ ...who, amount, payment_method, capture_method: captureMethod })
}

test('rules 8, 12: an order whose time to pay is over as its customer pays is confirmed, or all of it is given back', async () => {
  const config: Config = readConfig(await testEnvironment())
  const world: World<Config> = createTestWorld({ config, db: noDatabase })
  const ends = new Map<string, number>()
  const scenario = fc.record({
    drivers: fc.integer({ min: 1, max: 3 }),
    paymentMethod: fc.constantFrom(null, 'pm_card_threeDSecureRequired'),
    // Steps before the customer pays: with many the way back is walked first.
    hesitation: fc.integer({ min: 1, max: 12 }),
    fates: anyFates,
  })
  const property = fc.asyncProperty(fc.scheduler(), scenario, async (scheduler, chosen) => {
    const { paymentMethod, fates } = chosen
    const expiresAt = new Date(world.clock.now())
    const stage = createStage(scheduler, [...fates], { paymentMethod, expiresAt })
    openAt(stage)
    const drivers = Array.from({ length: chosen.drivers }, () =>
      drive(world, stage.lanes, stage.row()),
    )
    const pay = async () => {
      for (let step = 0; step < chosen.hesitation; step += 1) {
        await scheduler.schedule(Promise.resolve(), 'customer hesitates')
      }
      stage.payments.succeed('ord_1', 1_000)
    }
    await scheduler.waitFor(Promise.all([...drivers, pay()]))
    await driveToItsEnd(world, scheduler, stage)
    checkPromises(stage)
    const end = `${stage.row().status}, ${stage.payments.charges.length} charged`
    ends.set(end, (ends.get(end) ?? 0) + 1)
  })
  await fc.assert(property, { numRuns: 1_000 })
  const all = ['canceled, 0 charged', 'canceled, 1 charged', 'confirmed, 1 charged']
  assert.deepEqual([...ends.keys()].toSorted(), all, 'each way was gone')
})
