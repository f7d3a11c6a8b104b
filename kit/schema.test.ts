/** Proves what the schemas of every contract let in, and what they refuse. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from '@hono/zod-openapi'
import { currency, id, MAX_AMOUNT, money, page, pageQuery, text, timestamp } from './schema.ts'

const takes = (schema: z.ZodType, value: unknown) => schema.safeParse(value).success

test('text has a length, and holds only what PostgreSQL can store', () => {
  for (const value of ['a', 'abc', '😀', 'a\nb']) assert.ok(takes(text(3), value), value)
  for (const value of ['', 'abcd', 'a\0b', '\ud800', 'x\udc00', 7, null, undefined, ['a']]) {
    assert.ok(!takes(text(3), value), String(value))
  }
  assert.ok(takes(text(3, 0), ''))
})

test('an id is 1 to 64 characters of letters, digits, _ and -', () => {
  for (const value of ['a', 'usr_01-Z', 'x'.repeat(64)]) assert.ok(takes(id(), value), value)
  for (const value of ['', 'x'.repeat(65), 'a b', 'a\n', 'ä', 'a/b', 'a\0', '..', 5]) {
    assert.ok(!takes(id(), value), String(value))
  }
})

test('money is a whole amount of minor units in a known currency, and nothing else', () => {
  assert.deepEqual(money().parse({ amount: 1999, currency: 'USD' }), {
    amount: 1999,
    currency: 'USD',
  })
  assert.ok(takes(money(), { amount: 0, currency: 'JPY' }))
  assert.ok(takes(money(), { amount: MAX_AMOUNT, currency: 'USD' }))
  for (const amount of [-1, 1.5, MAX_AMOUNT + 1, Infinity, NaN, '1', null, 1e300]) {
    assert.ok(!takes(money(), { amount, currency: 'USD' }), String(amount))
  }
  assert.ok(!takes(money(1), { amount: 0, currency: 'USD' }))
  assert.ok(!takes(money(), { amount: 1, currency: 'USD', nanos: 5 }))
})

test('a currency is a code of ISO 4217 in capitals', () => {
  for (const code of ['USD', 'EUR', 'KWD']) assert.ok(takes(currency(), code), code)
  for (const code of ['usd', 'US', 'XXXX', 'ABC', '', '__proto__']) {
    assert.ok(!takes(currency(), code), code)
  }
})

test('a timestamp is ISO 8601 in UTC', () => {
  assert.ok(takes(timestamp(), '2030-01-01T00:00:00.000Z'))
  for (const value of ['2030-01-01', '2030-01-01T00:00:00+01:00', '2030-13-01T00:00:00Z', 0]) {
    assert.ok(!takes(timestamp(), value), String(value))
  }
})

test('the query of a page is text that means a number from 1 to 100', () => {
  const query = z.object(pageQuery)
  assert.deepEqual(query.parse({}), { limit: 20 })
  assert.deepEqual(query.parse({ limit: '100', cursor: 'abc' }), { limit: 100, cursor: 'abc' })
  for (const limit of ['0', '101', '-1', '1.5', 'ten', '', 'Infinity', ['1', '2']]) {
    assert.ok(!takes(query, { limit }), String(limit))
  }
  assert.ok(!takes(query, { cursor: 'x'.repeat(513) }))
})

test('a page is data and a cursor or null', () => {
  assert.ok(takes(page(z.int()), { data: [1, 2], next_cursor: null }))
  assert.ok(!takes(page(z.int()), { data: ['1'], next_cursor: null }))
  assert.ok(!takes(page(z.int()), { data: [] }))
})
