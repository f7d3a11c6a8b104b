/** Proves what a cart does: it adds up, keeps its limits, survives whatever was stored, and gives up what was ordered. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  acceptPrice,
  addLine,
  countOf,
  EMPTY,
  MAX_QUANTITY,
  parseCart,
  removeLine,
  setQuantity,
  takeOut,
  type Cart,
} from './cart.ts'

const usd = (amount: number) => ({ amount, currency: 'USD' })
const line = (product_id: string, quantity = 1, amount = 1_000) => ({
  product_id,
  quantity,
  seen_price: usd(amount),
})
const cartOf = (...lines: Cart['lines']): Cart => ({ ...EMPTY, lines })

test('the same product again makes its line longer, and the price is the one seen last', () => {
  const cart = addLine(cartOf(line('a', 1, 1_000)), line('a', 2, 1_200))
  assert.deepEqual(cart.lines, [line('a', 3, 1_200)])
  assert.equal(countOf(addLine(cart, line('b'))), 4)
})

test('a line has a limit, and a quantity of nothing is no line', () => {
  const cart = cartOf(line('a', 90))
  assert.equal(addLine(cart, line('a', 50)).lines[0]?.quantity, MAX_QUANTITY)
  assert.equal(setQuantity(cart, 'a', 1_000).lines[0]?.quantity, MAX_QUANTITY)
  assert.deepEqual(setQuantity(cart, 'a', 0).lines, [])
  assert.deepEqual(removeLine(cart, 'a').lines, [])
})

test('a cart has at most a hundred lines', () => {
  const full = cartOf(...Array.from({ length: 100 }, (_, index) => line(`p${index}`)))
  assert.equal(addLine(full, line('one-more')).lines.length, 100)
})

test('accepting a price changes that line alone', () => {
  const cart = acceptPrice(cartOf(line('a'), line('b')), 'b', usd(2_000))
  assert.deepEqual(cart.lines, [line('a'), line('b', 1, 2_000)])
})

test('what was ordered leaves the cart; what another tab has added meanwhile stays', () => {
  const order = { line_items: [{ product_id: 'a', quantity: 2 }] }
  const attempt = { key: 'k', owner_id: 'usr_1', order }
  const cart = { ...cartOf(line('a', 3), line('b')), attempt }
  const left = takeOut(cart, order, 'ord_1')
  assert.deepEqual(left, {
    lines: [line('a', 1), line('b')],
    attempt: null,
    last_order_id: 'ord_1',
  })
})

test('a cart that was kept is the same cart', () => {
  const order = { line_items: [{ product_id: 'a', quantity: 2 }] }
  const cart = {
    ...cartOf(line('a', 2)),
    attempt: { key: 'k', owner_id: 'usr_1', order },
    last_order_id: 'ord_0',
  }
  assert.deepEqual(parseCart(JSON.stringify(cart)), cart)
})

test('what was kept and is no cart, is an empty one: never a page that fails', () => {
  for (const text of [null, '', 'null', '{', '[]', '{"lines":5}', '{"lines":[null,{},7]}', '"x"']) {
    assert.deepEqual(parseCart(text), EMPTY, String(text))
  }
  const bad = [line('a', 1.5), line('b', -1), { ...line('c'), seen_price: null }, line('d')]
  assert.deepEqual(parseCart(JSON.stringify({ lines: bad })).lines, [line('d')])
})
