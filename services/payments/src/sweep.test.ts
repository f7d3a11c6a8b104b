/** Proves that the sweep asks about a payment when its time comes, however seldom it looks by itself. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { anOrder, createTestPayments, pay, type TestPayments } from './testing/shop.ts'

let at: TestPayments
const folder = mkdtempSync(path.join(tmpdir(), 'sweep-'))
before(async () => {
  const secret = path.join(folder, 'secret')
  writeFileSync(secret, 'whsec_0123456789abcdef')
  // It looks every 30 s; webhooks are expected, so that a buyer is asked about after as long, and none come.
  at = await createTestPayments({ LEASE_MS: '60000', WEBHOOK_SECRET_FILE: secret })
  await at.meanwhile(at.clock.timers.sleep(1_000)) // its first look
})
after(async () => {
  await at.close()
  rmSync(folder, { recursive: true })
})

test('an answer that was lost is asked for in a moment, also where the same batch has what may wait for long', async () => {
  const items = ['pm_card_lostAnswer', 'pm_card_threeDSecureRequired'].map((payment_method) =>
    anOrder({ payment_method }),
  )
  const first = await pay(at, items)
  assert.deepEqual(
    first.map(({ outcome }) => outcome),
    ['processing', 'requires_action'],
  )
  const askedMs = at.clock.now()
  for (let outcome = 'processing'; outcome === 'processing';) {
    await at.meanwhile(at.clock.timers.sleep(100))
    const [lost] = await pay(at, items)
    outcome = lost?.outcome ?? ''
    assert.ok(at.clock.now() - askedMs < 3_000, `${outcome} after ${at.clock.now() - askedMs} ms`)
  }
})
