import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  decideReservations,
  depletedBy,
  fingerprintOf,
  movementsOf,
  RELEASE,
  RESERVATION_STATES,
  SALE,
  type Shelf,
} from './domain.ts'

const lines = [{ product_id: 'prd_desk', quantity: 2 }]

test('rule 11: what an undo and a sale do in every state', () => {
  const effect = (table: typeof RELEASE) =>
    RESERVATION_STATES.map((state) => {
      const [movement] = movementsOf(table[state], 'ord_1', lines)
      return [state, table[state].to, movement?.stockedDelta ?? 0, movement?.reservedDelta ?? 0]
    })
  assert.deepEqual(effect(RELEASE), [
    ['none', 'released', 0, 0],
    ['reserved', 'released', 0, -2],
    ['refused', 'refused', 0, 0],
    ['released', 'released', 0, 0],
    ['sold', 'returned', 2, 0],
    ['returned', 'returned', 0, 0],
  ])
  assert.deepEqual(effect(SALE), [
    ['none', 'none', 0, 0],
    ['reserved', 'sold', -2, -2],
    ['refused', 'refused', 0, 0],
    ['released', 'released', 0, 0],
    ['sold', 'sold', 0, 0],
    ['returned', 'returned', 0, 0],
  ])
})

test('rule 2: a fingerprint is owner and lines, in whatever order they are sent', () => {
  const a = { product_id: 'a', quantity: 1 }
  const b = { product_id: 'b', quantity: 2 }
  const of = (owner_id: string, ...wanted: (typeof a)[]) =>
    fingerprintOf({ owner_id, lines: wanted })
  assert.equal(of('usr_1', a, b), of('usr_1', b, a))
  assert.notEqual(of('usr_1', a, b), of('usr_2', a, b))
  assert.notEqual(of('usr_1', a, b), of('usr_1', a))
  assert.notEqual(of('usr_1', a), of('usr_1', { ...a, quantity: 2 }))
})

const product = (changes: object = {}) =>
  ({ name: 'Desk', priceAmount: 500, priceCurrency: 'USD', status: 'active', ...changes }) as const

const shelf = (available: Record<string, number>): Shelf => ({
  products: new Map([
    ['prd_desk', product()],
    ['prd_lamp', product({ name: 'Lamp' })],
    ['prd_old', product({ status: 'archived' })],
    ['prd_euro', product({ priceCurrency: 'EUR' })],
  ]),
  available: new Map(Object.entries(available)),
})

const order = (order_id: string, ...wanted: [string, number][]) => ({
  order_id,
  owner_id: 'usr_1',
  lines: wanted.map(([product_id, quantity]) => ({ product_id, quantity })),
})

test('orders of a batch are served in turn, all lines or none', () => {
  const answers = decideReservations(
    [
      order('1', ['prd_desk', 3], ['prd_lamp', 1]),
      order('2', ['prd_desk', 1], ['prd_lamp', 1]),
      order('3', ['prd_desk', 1]),
    ],
    shelf({ prd_desk: 4, prd_lamp: 1 }),
  )
  assert.deepEqual(
    answers.map(({ outcome }) => outcome),
    ['reserved', 'insufficient_stock', 'reserved'],
  )
  assert.deepEqual(answers[1], { outcome: 'insufficient_stock', product_ids: ['prd_lamp'] })
})

test('one product on two lines is counted once, in sum', () => {
  const [answer] = decideReservations(
    [order('1', ['prd_desk', 2], ['prd_desk', 2])],
    shelf({ prd_desk: 3 }),
  )
  assert.equal(answer?.outcome, 'insufficient_stock')
})

test('what is unknown, archived or in another currency than the first line is not available', () => {
  const answers = decideReservations(
    [
      order('1', ['prd_none', 1]),
      order('2', ['prd_old', 1]),
      order('3', ['prd_desk', 1], ['prd_euro', 1]),
    ],
    shelf({ prd_old: 9, prd_desk: 9, prd_euro: 9 }),
  )
  assert.deepEqual(answers, [
    { outcome: 'product_unavailable', product_ids: ['prd_none'] },
    { outcome: 'product_unavailable', product_ids: ['prd_old'] },
    { outcome: 'product_unavailable', product_ids: ['prd_euro'] },
  ])
})

test('a product is depleted by who takes its last available unit, and by nobody else', () => {
  const level = (stocked: number, reserved: number) => ({ stocked, reserved })
  const levels = new Map([
    ['desk', level(10, 7)],
    ['lamp', level(3, 3)],
    ['sofa', level(5, 0)],
  ])
  const move = (productId: string, stockedDelta: number, reservedDelta: number) => ({
    productId,
    kind: 'Allocation' as const,
    stockedDelta,
    reservedDelta,
    orderId: null,
    note: null,
  })
  assert.deepEqual(depletedBy([move('desk', 0, 2), move('desk', 0, 1)], levels), ['desk'])
  assert.deepEqual(depletedBy([move('desk', 0, 2)], levels), [])
  assert.deepEqual(depletedBy([move('desk', -3, 0)], levels), ['desk'])
  assert.deepEqual(depletedBy([move('lamp', 0, -1), move('sofa', 0, 5)], levels), ['sofa'])
  assert.deepEqual(depletedBy([move('lamp', 0, 0)], levels), []) // was depleted before
})
