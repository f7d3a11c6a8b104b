/** Proves that ids sort by their time, and that derived ones repeat. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { createIds, derivedId } from './ids.ts'
import { realRandom } from './random.ts'

test('ids made later sort later, whatever their random part', () => {
  let nowMs = 0
  const ids = createIds({ now: () => nowMs }, realRandom)
  const times = [
    0,
    1,
    31,
    32,
    1023,
    1024,
    Date.UTC(2030, 0, 1),
    Date.UTC(2030, 0, 1) + 1,
    2 ** 48 - 1,
  ]
  const made = times.map((ms) => {
    nowMs = ms
    return ids.next('thg')
  })
  assert.deepEqual([...made].sort(), made)
})

test('ids hold a prefix and 26 characters that no reader mistakes', () => {
  const ids = createIds({ now: () => Date.UTC(2030, 0, 1) }, realRandom)
  const made = Array.from({ length: 500 }, () => ids.next('thg'))
  for (const id of made) assert.match(id, /^thg_[0-9a-hjkmnp-tv-z]{26}$/)
  assert.equal(new Set(made).size, 500)
})

test('the time stands in an id as ULID writes it', () => {
  const ids = createIds({ now: () => 1_469_918_176_385 }, realRandom)
  assert.equal(ids.next('thg').slice(0, 14), 'thg_01aryz6s41') // an example of ulid's README
})

test('a derived id is the same for the same digest, and another for another', () => {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  assert.equal(derivedId('thg', digest('a')), derivedId('thg', digest('a')))
  assert.notEqual(derivedId('thg', digest('a')), derivedId('thg', digest('b')))
  assert.match(derivedId('thg', digest('a')), /^thg_[0-9a-hjkmnp-tv-z]{26}$/)
})
