import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toTextQuery } from './search.ts'

test('every word must occur; the last may be a beginning', () => {
  assert.equal(toTextQuery('walnut des'), 'walnut & des:*')
  assert.equal(toTextQuery('Größe 425'), 'Größe & 425:*')
})

test('a beginning of one or two letters is looked for in names and categories alone', () => {
  assert.equal(toTextQuery('w'), 'w:*AB')
  assert.equal(toTextQuery('walnut d'), 'walnut & d:*AB')
  assert.equal(toTextQuery('to des'), 'to & des:*')
})

test('nothing that is typed is an operator', () => {
  assert.equal(toTextQuery(`a & b | !c <-> 'd':* ( \\`), 'a & b & c & d:*AB')
  assert.equal(toTextQuery('&|!'), '')
})
