/** Proves on real processes that a short run of chaos breaks no promise, and that what is struck is really struck. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeRun } from './report.ts'
import { run } from './run.ts'
import { openStage } from './stage.ts'
import { describeViolations } from './violation-history.ts'

const OPTIONS = {
  orders: 600,
  kills: 14,
  seed: 7,
  customers: 32,
  gapMs: 600,
  reportFile: undefined,
  write: false,
  keep: false,
}

test('while processes are killed, frozen and slowed, no order, no cent and no unit is lost or doubled', async (t) => {
  const patience = new AbortController()
  const stage = await openStage({ ...OPTIONS, signal: t.signal, patience: patience.signal })
  try {
    const outcome = await run(stage, {
      ...OPTIONS,
      signal: t.signal,
      giveUp: () => patience.abort(),
      tell: (line) => t.diagnostic(line),
      watch: () => ({ stop() {} }),
    })
    for (const line of describeRun(OPTIONS, stage, outcome)) t.diagnostic(line)
    const broken = await describeViolations(stage, outcome)
    assert.equal(broken.join('\n'), '')
    assert.equal(outcome.struck.length, OPTIONS.kills)
    assert.ok(outcome.stockSamples > 10, `${outcome.stockSamples} looks at stock`)
  } finally {
    patience.abort()
    await stage.close(false)
  }
})
