/** Proves that wrong options of npm run chaos are refused in a sentence. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Explained } from '../../tools/explained.ts'
import { readChaosOptions } from './options.ts'

test('options are read, and have defaults', () => {
  const options = readChaosOptions(['--orders', '20000', '--kills', '200', '--seed', '7'])
  assert.deepEqual([options?.orders, options?.kills, options?.seed], [20_000, 200, 7])
  assert.equal(readChaosOptions([])?.orders, 2_000)
})

test('a wrong option is told with what it wants', () => {
  const refusals: [string[], RegExp][] = [
    [['--orders', 'many'], /--orders wants a whole number from 1 to 200000, not "many"/],
    [['--orders', ''], /--orders wants/],
    [['--kills', '1.5'], /--kills wants/],
    [['--seed=-1'], /--seed wants/],
    [['--customers', '0'], /--customers wants/],
    [['--bogus'], /Unknown option '--bogus'.*npm run chaos -- --help/],
    [['seven'], /Unexpected argument 'seven'/],
  ]
  for (const [args, pattern] of refusals) {
    assert.throws(
      () => readChaosOptions(args),
      (error) => error instanceof Explained && pattern.test(error.message),
      args.join(' '),
    )
  }
})
