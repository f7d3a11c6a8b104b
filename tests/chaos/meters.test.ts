/** Proves that the longest outage is what customers felt: time in which somebody asked and nobody was answered. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMeters } from './meters.ts'

test('silence is counted while somebody waits, and not while nobody asks', () => {
  let nowMs = 0
  const meters = createMeters(() => nowMs)
  const first = meters.begin('first')
  nowMs = 100
  const second = meters.begin('another')
  nowMs = 300
  second(true)
  assert.equal(meters.longestSilenceMs(), 300, 'the first has waited since 0')
  nowMs = 350
  first(true)
  assert.equal(meters.longestSilenceMs(), 300)
  assert.deepEqual(meters.longestRequest(), { what: 'first', tookMs: 350 })
  nowMs = 5_000
  const third = meters.begin('another')
  nowMs = 5_010
  third(true)
  assert.equal(meters.longestSilenceMs(), 300, 'nobody asked for a long time')
})

test('who gives up was not answered', () => {
  let nowMs = 0
  const meters = createMeters(() => nowMs)
  const end = meters.begin('another')
  nowMs = 900
  end(false)
  assert.deepEqual([meters.longestSilenceMs(), meters.longestRequest().tookMs], [0, 0])
})

test('outcomes are counted by name', () => {
  const meters = createMeters(() => 0)
  for (const what of ['GET 200', 'GET 200', 'GET no answer']) meters.count(what)
  assert.deepEqual(
    [...meters.outcomes],
    [
      ['GET 200', 2],
      ['GET no answer', 1],
    ],
  )
})
