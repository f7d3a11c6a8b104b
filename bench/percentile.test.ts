import assert from 'node:assert/strict'
import { test } from 'node:test'
import { percentile } from './percentile.ts'

test('a percentile is one of the values, whatever order they came in', () => {
  const values = Array.from({ length: 100 }, (_, n) => 100 - n)
  assert.equal(percentile(values, 0.5), 50)
  assert.equal(percentile(values, 0.99), 99)
  assert.equal(percentile(values, 1), 100)
  assert.equal(percentile([7], 0.99), 7)
})

test('of no values a percentile is 0', () => {
  assert.equal(percentile([], 0.5), 0)
})
