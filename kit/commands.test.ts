/** Proves that a command is answered within its budget, and before its caller gives up. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { answerItems } from './commands.ts'
import { silentLog } from './log.ts'
import { createTestClock } from './testing.ts'

/** Answers two items, of which one is never done; `deadlineMs` from now. */
function answer(deadlineMs?: number) {
  const clock = createTestClock()
  const add = (item: string) =>
    item === 'a' ? Promise.resolve('done') : new Promise<string>(() => {})
  const answers = answerItems({ clock, timers: clock.timers, log: silentLog }, ['a', 'b', 3], {
    schema: z.string(),
    batcher: { add, queued: () => 0 },
    budgetMs: 2_000,
    ...(deadlineMs === undefined ? {} : { deadlineMs: clock.now() + deadlineMs }),
    undecided: (_, outcome) => outcome,
  })
  let isAnswered = false
  void answers.then(() => (isAnswered = true))
  return { clock, answers, isAnswered: () => isAnswered }
}

test('rule 4: what is not finished within the budget is processing, and what cannot be read invalid', async () => {
  const { clock, answers, isAnswered } = answer()
  await clock.advance(1_999)
  assert.equal(isAnswered(), false)
  await clock.advance(1)
  assert.deepEqual(await answers, ['done', 'processing', 'invalid'])
})

test('a caller that gives up sooner is answered sooner', async () => {
  const { clock, answers, isAnswered } = answer(1_000)
  await clock.advance(949)
  assert.equal(isAnswered(), false)
  await clock.advance(1)
  assert.deepEqual(await answers, ['done', 'processing', 'invalid'])
})
