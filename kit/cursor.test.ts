/** Proves that cursors carry sort values, and that a forged one is a 400 and never reaches SQL. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeCursor, encodeCursor, toPage } from './cursor.ts'
import { Problem } from './problem.ts'

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('a cursor gives back its sort values', () => {
  const values: [string, number] = ['Ärmel "a"', 42]
  assert.deepEqual(decodeCursor(encodeCursor(values), 'string', 'number'), values)
  assert.match(encodeCursor(values), /^[\w-]+$/)
})

test('a forged cursor is a 400 that names the field', () => {
  const forged = {
    nothing: '',
    'no base64': '%%%',
    'no JSON': Buffer.from('[1').toString('base64url'),
    'no array': encoded({ 0: 'a', 1: 1, length: 2 }),
    'too few values': encoded(['a']),
    'too many values': encoded(['a', 1, 2]),
    'another type': encoded(['a', '1']),
    'a fraction': encoded(['a', 1.5]),
    'a number past 2^53': encoded(['a', 2 ** 60]),
    infinity: Buffer.from('["a",1e999]').toString('base64url'),
    null: encoded(['a', null]),
    NUL: encoded(['a\0', 1]),
    'a lone surrogate': Buffer.from('["\\ud800",1]').toString('base64url'),
    'deep nesting': Buffer.from('['.repeat(100_000)).toString('base64url'),
  }
  for (const [what, cursor] of Object.entries(forged)) {
    assert.throws(
      () => decodeCursor(cursor, 'string', 'number'),
      (error) =>
        error instanceof Problem &&
        error.status === 400 &&
        error.options.errors?.[0]?.field === 'cursor',
      what,
    )
  }
})

test('a page has a cursor to the next only when there is one', () => {
  const cursorOf = (row: number) => [row]
  const text = (row: number) => `row ${row}`
  const more = toPage([9, 8, 7], 2, text, cursorOf)
  assert.deepEqual(more.data, ['row 9', 'row 8'])
  assert.deepEqual(decodeCursor(more.next_cursor ?? '', 'number'), [8])
  assert.deepEqual(toPage([7], 2, text, cursorOf), { data: ['row 7'], next_cursor: null })
  assert.deepEqual(toPage([8, 7], 2, text, cursorOf).next_cursor, null)
  assert.deepEqual(toPage([], 2, text, cursorOf), { data: [], next_cursor: null })
})
