/** Proves that the checks of a run can fail: on books and stories that are right they find nothing, and each promise that is broken is told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Books, Entry, EventRow } from '../books.ts'
import type { Shelves } from '../intents.ts'
import { hearOrder, hearRefusal, newStory, type Story } from '../story.ts'
import { checkEvents } from './events.ts'
import { checkMoney } from './money.ts'
import { checkSample, checkStock } from './stock.ts'
import { checkTold } from './told.ts'
import type { Promised, Violation } from './violation.ts'

const shelves: Shelves = { plenty: [{ id: 'p', price: 100, stock: 10 }], scarce: [] }
const line = { product_id: 'p', quantity: 2 }
const order = (id: string, status: string) => ({
  id,
  status,
  total: { amount: 200, currency: 'USD' },
})

type World = { stories: Story[]; books: Books }

/** Two customers: one order was confirmed, the other declined. */
function aRightWorld(): World {
  const bought = { ...newStory(1, 'buys', 'usr_1'), isOver: true }
  hearOrder(bought, order('ord_1', 'confirmed'), 0)
  const declined = { ...newStory(2, 'isDeclined', 'usr_2'), isOver: true }
  hearRefusal(declined, { code: 'payment_declined', order_id: 'ord_2' })
  const row = { lines: [line], total: 200, cancel_reason: null }
  const log = (events: EventRow[]) => ({ newest: events.length, unnumbered: 0, events })
  const step = { tx: '1', source: 'orders', from: 0, to: 4, subject: null, part: null }
  return {
    stories: [bought, declined],
    books: {
      orders: [
        { ...row, id: 'ord_1', owner_id: 'usr_1', idempotency_key: 'chaos-1', status: 'confirmed' },
        { ...row, id: 'ord_2', owner_id: 'usr_2', idempotency_key: 'chaos-2', status: 'canceled' },
      ],
      openOrders: [],
      payments: [
        {
          id: 'pay_1',
          order_id: 'ord_1',
          status: 'succeeded',
          amount: 200,
          amount_received: 200,
          amount_refunded: 0,
        },
      ],
      reservations: [
        { order_id: 'ord_1', state: 'sold' },
        { order_id: 'ord_2', state: 'released' },
      ],
      stock: [{ product_id: 'p', stocked: 8, reserved: 0 }],
      ledger: [{ payment_id: 'pay_1', charged: 200, refunded: 0 }],
      ledgerSum: 0,
      record: [charge('ord_1', 'pay_1', 200)],
      shown: {
        levels: [{ product_id: 'p', stocked: 8, reserved: 0, available: 8 }],
        ledger: { charged: 200, refunded: 0, sumOfBalances: 0 },
      },
      logs: {
        users: log([]),
        products: log([]),
        payments: log([]),
        orders: log([
          event(1, 'placed', 'ord_1'),
          event(2, 'placed', 'ord_2'),
          event(3, 'confirmed', 'ord_1'),
          event(4, 'canceled', 'ord_2'),
        ]),
      },
      subscriptions: [
        {
          reader: 'products',
          source: 'orders',
          begun: 0,
          applied: [step, { ...step, from: null, to: null, subject: 'ord_1', part: 'p' }],
        },
      ],
    },
  }
}

const event = (sequence: number, what: string, subject: string): EventRow => ({
  sequence,
  type: `order.${what}.v1`,
  subject,
})

const entry = (type: string, [order_id, payment_id]: [string, string], amount: number): Entry => ({
  type,
  amount,
  metadata: { order_id, payment_id },
})
const charge = (orderId: string, paymentId: string, amount: number) =>
  entry('charged', [orderId, paymentId], amount)

function checkAll({ stories, books }: World): Violation[] {
  return [
    ...checkTold(stories, books),
    ...checkMoney(stories, books),
    ...checkStock(shelves, books),
    ...checkEvents(books),
  ]
}

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index]
  assert.ok(item !== undefined)
  return item
}

test('where every promise is kept nothing is told', () => {
  assert.deepEqual(checkAll(aRightWorld()), [])
})

const booksOf = (world: World) => world.books
const breaks: [string, Promised, RegExp, (world: World) => void][] = [
  [
    'an order that goes on for ever',
    'ends',
    /it is pending/,
    ({ books }) => void (at(books.orders, 0).status = 'pending'),
  ],
  [
    'an order that is still driven',
    'ends',
    /ord_1 is still driven/,
    ({ books }) => void books.openOrders.push('ord_1'),
  ],
  [
    'a confirmed order that is gone',
    'trueForEver',
    /not there/,
    ({ books }) => void books.orders.shift(),
  ],
  [
    'a confirmed order that was canceled by nobody',
    'trueForEver',
    /nobody canceled it, and it is canceled/,
    ({ books }) => void (at(books.orders, 0).status = 'canceled'),
  ],
  [
    'a refused order that was confirmed',
    'trueForEver',
    /refused \(payment_declined\), and is confirmed/,
    ({ books }) => void (at(books.orders, 1).status = 'confirmed'),
  ],
  [
    'another total than was told',
    'trueForEver',
    /total 200 was told, 300 is written/,
    ({ books }) => void (at(books.orders, 0).total = 300),
  ],
  [
    'a status that goes backwards',
    'trueForEver',
    /told pending after/,
    ({ stories }) => hearOrder(at(stories, 0), order('ord_1', 'pending'), 1),
  ],
  [
    'a refusal after a confirmation',
    'trueForEver',
    /refused \(order_canceled\) after it had been confirmed/,
    ({ stories }) => hearRefusal(at(stories, 0), { code: 'order_canceled', order_id: 'ord_1' }),
  ],
  [
    'an order of somebody else',
    'trueForEver',
    /belongs to usr_9/,
    ({ books }) => void (at(books.orders, 0).owner_id = 'usr_9'),
  ],
  [
    'a customer who was never answered',
    'definite',
    /still waits/,
    ({ stories }) => void (at(stories, 0).isOver = false),
  ],
  [
    'two ids under one key',
    'oneEffect',
    /one key named ord_1 and ord_9/,
    ({ stories }) => hearOrder(at(stories, 0), order('ord_9', 'confirmed'), 0),
  ],
  [
    'two orders under one key',
    'oneEffect',
    /chaos-1 made ord_1 and ord_9/,
    ({ books }) => void books.orders.push({ ...at(books.orders, 0), id: 'ord_9' }),
  ],
  [
    'an order that nobody asked for',
    'oneEffect',
    /nobody's/,
    ({ books }) =>
      void books.orders.push({ ...at(books.orders, 1), id: 'ord_9', idempotency_key: 'other' }),
  ],
  [
    'a confirmed order that was charged twice',
    'chargedOnce',
    /charged 2 times/,
    ({ books }) => void books.record.push(charge('ord_1', 'pay_1', 200)),
  ],
  [
    'a confirmed order that was never charged',
    'chargedOnce',
    /never charged/,
    ({ books }) => void books.record.pop(),
  ],
  [
    'a charge of another amount',
    'chargedOnce',
    /150 was charged for a total of 200/,
    ({ books }) => void (at(books.record, 0).amount = 150),
  ],
  [
    'money given back that nobody wanted back',
    'chargedOnce',
    /50 was given back of it, 0 was to be/,
    ({ books }) => void books.record.push(entry('refunded', ['ord_1', 'pay_1'], 50)),
  ],
  [
    'a canceled order whose money is kept',
    'chargedOnce',
    /canceled, and 200 is kept/,
    ({ books }) => void books.record.push(charge('ord_2', 'pay_2', 200)),
  ],
  [
    'a canceled order whose money is held',
    'chargedOnce',
    /canceled, and 200 is held/,
    ({ books }) => void books.record.push(entry('authorized', ['ord_2', 'pay_2'], 200)),
  ],
  [
    'a charge for an order that is not there',
    'chargedOnce',
    /keeps 200 for ord_9, which is no order/,
    ({ books }) => void books.record.push(charge('ord_9', 'pay_9', 200)),
  ],
  [
    'an order that was told as paid, and was not',
    'chargedOnce',
    /told as paid/,
    ({ stories }) => void (at(stories, 1).isPaid = true),
  ],
  [
    'a ledger that does not sum to zero',
    'ledger',
    /sum to 5/,
    ({ books }) => void (books.ledgerSum = 5),
  ],
  [
    'a charge that the ledger does not know',
    'ledger',
    /took 200 and gave 0, the ledger 0 and 0/,
    ({ books }) => void books.ledger.pop(),
  ],
  [
    'a payment that says less than was charged',
    'ledger',
    /payments 100 and 0/,
    ({ books }) => void (at(books.payments, 0).amount_received = 100),
  ],
  [
    'a balance that is shown as another than what was charged',
    'ledger',
    /tells 100 and 0, sum 0; the provider 200 and 0/,
    ({ books }) => void (books.shown.ledger.charged = 100),
  ],
  [
    'a level that is shown as another than is written',
    'units',
    /8 and 0 are written, .*"available":9/,
    ({ books }) => void (at(books.shown.levels, 0).available = 9),
  ],
  [
    'a unit that is gone',
    'units',
    /2 sold, 0 held, 7 available of 10/,
    ({ books }) => void (at(books.stock, 0).stocked = 7),
  ],
  [
    'units that are held for nobody',
    'needed',
    /2 are held/,
    ({ books }) => void (at(books.stock, 0).reserved = 2),
  ],
  [
    'a reservation of a canceled order',
    'needed',
    /it is canceled, its reservation reserved/,
    ({ books }) => void (at(books.reservations, 1).state = 'reserved'),
  ],
  [
    'a reservation without an order',
    'needed',
    /it is not there, its reservation sold/,
    ({ books }) => void books.reservations.push({ order_id: 'ord_9', state: 'sold' }),
  ],
  [
    'a confirmed order whose units were never sold',
    'units',
    /its reservation released/,
    ({ books }) => void (at(books.reservations, 0).state = 'released'),
  ],
  [
    'an event that is missing in the log',
    'gapless',
    /3 stands where 2 should/,
    ({ books }) => void books.logs.orders.events.splice(1, 1),
  ],
  [
    'a newest event that is missing',
    'gapless',
    /4 events, and the counter says 5/,
    ({ books }) => void (books.logs.orders.newest = 5),
  ],
  [
    'an event without a number',
    'gapless',
    /1 events have no number/,
    ({ books }) => void (books.logs.payments.unnumbered = 1),
  ],
  [
    'an order that was told as confirmed twice',
    'events',
    /its events are: placed confirmed confirmed/,
    ({ books }) => {
      books.logs.orders.events.push(event(5, 'confirmed', 'ord_1'))
      books.logs.orders.newest = 5
      Object.assign(at(at(books.subscriptions, 0).applied, 0), { to: 5 })
    },
  ],
  [
    'a reader that left events out',
    'events',
    /a step from 1 to 4, after 0/,
    (world) => void Object.assign(at(appliedOf(world), 0), { from: 1 }),
  ],
  [
    'a reader that has not read all',
    'events',
    /has read up to 3 of 4/,
    (world) => void Object.assign(at(appliedOf(world), 0), { to: 3 }),
  ],
  [
    'an effect that was done twice',
    'events',
    /ord_1 p was done twice/,
    (world) => void appliedOf(world).push(at(appliedOf(world), 1)),
  ],
  [
    'an effect that was never done',
    'events',
    /ord_1 was not done/,
    (world) => void appliedOf(world).pop(),
  ],
  [
    'an effect in a commit of its own',
    'events',
    /in a commit that moved no position/,
    (world) => void Object.assign(at(appliedOf(world), 1), { tx: '2' }),
  ],
  [
    'an effect in the step of another event',
    'events',
    /event 3, was done in the step from 3 to 4/,
    (world) => {
      const [step, effect] = appliedOf(world)
      assert.ok(step !== undefined && effect !== undefined)
      const first = { ...step, tx: '0', to: 3 }
      appliedOf(world).splice(0, 2, first, { ...step, from: 3 }, effect)
    },
  ],
  [
    'an effect without an event',
    'events',
    /ord_2 p was done without an event/,
    (world) => void appliedOf(world).push({ ...at(appliedOf(world), 1), subject: 'ord_2' }),
  ],
]
const appliedOf = (world: World) => at(booksOf(world).subscriptions, 0).applied

for (const [what, promise, detail, break_] of breaks) {
  test(`${what} is told`, () => {
    const world = aRightWorld()
    break_(world)
    const found = checkAll(world).filter((each) => each.promise === promise)
    assert.ok(
      found.some((each) => detail.test(each.detail)),
      JSON.stringify(checkAll(world)),
    )
  })
}

test('levels that are below zero, or do not add up, are told at any moment', () => {
  const level = { product_id: 'p', stocked: 5, reserved: 2, sold: 5 }
  assert.deepEqual(checkSample(level, 10), [])
  for (const wrong of [{ reserved: 6 }, { reserved: -1 }, { sold: 4 }, { stocked: 6 }]) {
    assert.equal(checkSample({ ...level, ...wrong }, 10).length, 1, JSON.stringify(wrong))
  }
})
