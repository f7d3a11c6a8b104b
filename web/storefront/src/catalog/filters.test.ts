/** Proves that an address is read as a search, whatever somebody has made of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countFilters, priceError, toSearch, withParameters } from './filters.ts'

const search = (query: string, category?: string) => toSearch(new URLSearchParams(query), category)

test('the address says what is looked for', () => {
  assert.deepEqual(search('q=lamp&sort=-price&min=20&max=99.50&stock=1', 'Lighting'), {
    q: 'lamp',
    category: 'Lighting',
    sort: '-price',
    min_price: '2000',
    max_price: '9950',
    in_stock: 'true',
  })
  assert.deepEqual(search(''), {})
})

test('what makes no sense in an address is left out', () => {
  assert.deepEqual(search('q=%20&sort=worst&min=cheap&max=-5&stock=2'), {})
  assert.equal(search(`q=${'x'.repeat(500)}`).q?.length, 200)
})

test('prices that cannot be are told', () => {
  assert.equal(priceError('', ''), undefined)
  assert.equal(priceError('10', '20'), undefined)
  assert.match(priceError('ten', '') ?? '', /number/)
  assert.match(priceError('30', '20') ?? '', /above/)
})

test('changing one parameter keeps the others; an empty one leaves', () => {
  const changed = withParameters(new URLSearchParams('q=lamp&min=5'), { min: '', sort: 'name' })
  assert.equal(changed.toString(), 'q=lamp&sort=name')
  assert.equal(countFilters(new URLSearchParams('q=lamp&min=5&stock=1')), 2)
})
