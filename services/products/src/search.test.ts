import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toTextQuery } from './search.ts'

test('every word must occur; the last may be a beginning', () => {
  assert.equal(toTextQuery('walnut des'), 'walnut & des:*')
  assert.equal(toTextQuery('Größe 42'), 'Größe & 42:*')
})

test('nothing that is typed is an operator', () => {
  assert.equal(toTextQuery(`a & b | !c <-> 'd':* ( \\`), 'a & b & c & d:*')
  assert.equal(toTextQuery('&|!'), '')
})
