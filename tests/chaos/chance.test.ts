/** Proves that chance follows from the seed, and is spread as it says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chanceOf } from './chance.ts'

const draw = (seed: number, subject: number) => chanceOf(seed, 'order', subject).fraction()

test('the same seed and subject draw the same numbers, another seed or subject draws others', () => {
  const drawn = Array.from({ length: 100 }, (_, n) => draw(7, n))
  assert.deepEqual(
    Array.from({ length: 100 }, (_, n) => draw(7, n)),
    drawn,
  )
  assert.equal(new Set(drawn).size, 100)
  assert.notEqual(draw(8, 0), draw(7, 0))
})

test('numbers are spread evenly, also the first ones of neighbouring subjects', () => {
  const tenths = Array.from({ length: 10 }, () => 0)
  for (let n = 0; n < 10_000; n += 1) {
    const tenth = Math.floor(draw(1, n) * 10)
    tenths[tenth] = (tenths[tenth] ?? 0) + 1
  }
  for (const count of tenths) assert.ok(count > 850 && count < 1_150, tenths.join(' '))
})

test('weights are kept, and whole numbers include both ends', () => {
  const chance = chanceOf(3, 'weights')
  const counts = { often: 0, seldom: 0, never: 0 }
  const numbers = new Set<number>()
  for (let n = 0; n < 10_000; n += 1) {
    counts[chance.weighted({ often: 9, seldom: 1, never: 0 })] += 1
    numbers.add(chance.between(2, 4))
  }
  assert.ok(counts.seldom > 850 && counts.seldom < 1_150, JSON.stringify(counts))
  assert.equal(counts.never, 0)
  assert.deepEqual(numbers, new Set([2, 3, 4]))
})
