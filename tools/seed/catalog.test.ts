/** Owns the proof that the demo catalog is one that products accepts and a shop can show. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog } from './catalog.ts'

test('60 or more products in 6 or more categories, each with an id of its own', () => {
  const products = catalog()
  assert.ok(products.length >= 60)
  assert.ok(new Set(products.map(({ category }) => category)).size >= 6)
  assert.equal(new Set(products.map(({ id }) => id)).size, products.length)
})

test('each has a valid id, a price in cents, stock, and a description of two sentences', () => {
  for (const { id, name, description, price, stock } of catalog()) {
    assert.match(id, /^prd_[a-z0-9-]{1,60}$/)
    assert.ok(name.length > 0 && stock > 0, id)
    assert.ok(price.currency === 'USD' && price.amount >= 100, id)
    assert.equal(description.split(/(?<=\.) (?=[A-Z0-9])/).length, 2, description)
  }
})
