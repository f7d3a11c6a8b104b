/** Owns the proof of what each request answers: every way a charge can go, and what is refused. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { aCharge, openProvider, temporaryFolder } from './provider.fixture.ts'

const folder = temporaryFolder()
let provider: Awaited<ReturnType<typeof openProvider>>

before(async () => {
  provider = await openProvider({ dataFile: join(folder.path, 'record.jsonl') })
})
after(async () => {
  await provider.stop()
  folder.remove()
})

const card = (payment_method: string) => ({ payment_method })
const manual = { capture_method: 'manual' } as const

/** What a charge answers, reduced to what a test is about. */
async function statusOf(...args: Parameters<typeof aCharge>) {
  const [outcome] = await provider.charge(aCharge(...args))
  return outcome?.status
}

describe('charges', () => {
  test('a working card is charged in full', async () => {
    const [outcome] = await provider.charge(aCharge('visa'))
    assert.equal(outcome?.status, 'succeeded')
    assert.ok('amount_captured' in outcome)
    assert.equal(outcome.amount_captured, 1_999)
    assert.equal(await statusOf('mastercard', card('pm_card_mastercard')), 'succeeded')
  })

  for (const [token, code] of [
    ['pm_card_chargeDeclined', 'card_declined'],
    ['pm_card_chargeDeclinedInsufficientFunds', 'insufficient_funds'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card'],
    ['pm_card_chargeDeclinedFraudulent', 'fraudulent'],
    ['pm_card_nobody_knows', 'invalid_payment_method'],
    ['constructor', 'invalid_payment_method'],
  ] as const) {
    test(`${token} is declined with ${code}, for ever`, async () => {
      const request = aCharge(`declined-${token}`, card(token))
      const [first] = await provider.charge(request)
      assert.ok(first?.status === 'declined')
      assert.equal(first.decline_code, code)
      assert.deepEqual(await provider.charge(request), [first])
      assert.equal((await provider.cancel(request.key))?.status, 'declined')
    })
  }

  test('an amount of nothing is declined and harms no neighbour', async () => {
    const outcomes = await provider.charge(aCharge('zero', { amount: 0 }), aCharge('beside-zero'))
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['declined', 'succeeded'],
    )
  })

  test('the same key with another fingerprint is a conflict and charges nothing', async () => {
    const [first] = await provider.charge(aCharge('taken'))
    const others = [
      { amount: 2_000 },
      { currency: 'EUR' },
      card('pm_card_mastercard'),
      manual,
      { metadata: { payment_id: 'other' } },
      { metadata: { payment_id: 'taken', order_id: 'ord_1' } },
    ]
    const outcomes = await provider.charge(...others.map((change) => aCharge('taken', change)))
    assert.deepEqual(
      outcomes,
      others.map(() => ({ key: 'taken', status: 'conflict' })),
    )
    assert.deepEqual(await provider.lookup('taken'), [first])
  })

  test('20 copies at once, alone and in one batch, are one charge', async () => {
    const request = aCharge('copied')
    const batch = Array.from({ length: 20 }, () => request)
    const outcomes = await Promise.all([
      ...batch.map((copy) => provider.charge(copy)),
      provider.charge(...batch),
    ])
    const ids = outcomes.flat().map((outcome) => 'charge_id' in outcome && outcome.charge_id)
    assert.equal(ids.length, 40)
    assert.equal(new Set(ids).size, 1)
    const { data } = await provider.record()
    assert.equal(data.filter(({ charge_key }) => charge_key === 'copied').length, 1)
  })

  test('a slow card is processing, and succeeds or is declined 3 s later', async () => {
    const approved = aCharge('slow', card('pm_card_slow'))
    const declined = aCharge('slow-declined', card('pm_card_slowDeclined'))
    const held = aCharge('slow-manual', { ...card('pm_card_slow'), ...manual })
    const statuses = async () =>
      (await provider.charge(approved, declined, held)).map(({ status }) => status)
    assert.deepEqual(await statuses(), ['processing', 'processing', 'processing'])
    provider.advance(2_999)
    assert.deepEqual(await statuses(), ['processing', 'processing', 'processing'])
    provider.advance(1)
    assert.deepEqual(await statuses(), ['succeeded', 'declined', 'requires_capture'])
  })

  test('a slow card that was canceled in time is never charged', async () => {
    const request = aCharge('slow-canceled', card('pm_card_slow'))
    await provider.charge(request)
    assert.equal((await provider.cancel(request.key))?.status, 'canceled')
    provider.advance(10_000)
    assert.equal(await statusOf(request.key, request), 'canceled')
  })

  test('a lost answer is charged, left out once, and told when asked again', async () => {
    const lost = aCharge('lost-answer', card('pm_card_lostAnswer'))
    const first = await provider.charge(aCharge('beside-lost'), lost)
    assert.deepEqual(
      first.map(({ key }) => key),
      ['beside-lost'],
    )
    assert.equal((await provider.lookup(lost.key))[0]?.status, 'succeeded')
    assert.equal(await statusOf(lost.key, lost), 'succeeded')
  })

  test('a lost connection is charged, unanswered once, and told when asked again', async () => {
    const lost = aCharge('lost-connection', card('pm_card_lostConnection'))
    await assert.rejects(provider.charge(aCharge('with-lost'), lost), { code: 'ECONNRESET' })
    assert.deepEqual(
      (await provider.charge(aCharge('with-lost'), lost)).map(({ status }) => status),
      ['succeeded', 'succeeded'],
    )
  })

  test('a look-up of what was never seen finds nothing, and leaves nothing', async () => {
    const [outcome] = await provider.lookup('never-seen')
    assert.deepEqual(outcome, { key: 'never-seen', status: 'not_found' })
    assert.equal(await statusOf('never-seen'), 'succeeded')
  })
})

describe('captures', () => {
  test('an authorised charge is captured once, in part, and a repeat answers the same', async () => {
    assert.equal(await statusOf('held', manual), 'requires_capture')
    const captured = await provider.capture('held', 1_500)
    assert.ok(captured?.status === 'succeeded')
    assert.equal(captured.amount_captured, 1_500)
    assert.deepEqual(await provider.capture('held', 1_500), captured)
    const again = { key: 'held', status: 'invalid', reason: 'already_captured' }
    assert.deepEqual(await provider.capture('held', 499), again)
  })

  test('what cannot be captured is invalid, with the reason', async () => {
    await provider.charge(
      aCharge('held-more', manual),
      aCharge('not-held'),
      aCharge('held-asks', { ...manual, ...card('pm_card_threeDSecureRequired') }),
      aCharge('held-canceled', manual),
    )
    await provider.cancel('held-canceled')
    await provider.cancel('held-tombstone')
    for (const [key, amount, reason] of [
      ['held-more', 2_000, 'exceeds_authorized'],
      ['not-held', 1_999, 'already_captured'],
      ['held-asks', 1_999, 'not_capturable'],
      ['held-canceled', 1_999, 'not_capturable'],
      ['held-tombstone', 1_999, 'not_capturable'],
      ['held-unknown', 1, 'unknown_charge'],
    ] as const) {
      assert.deepEqual(await provider.capture(key, amount), { key, status: 'invalid', reason })
    }
  })
})

describe('cancels', () => {
  test('rule 8: a cancel before its charge leaves a tombstone that charges nothing', async () => {
    const tombstone = await provider.cancel('too-late')
    assert.equal(tombstone?.status, 'canceled')
    assert.deepEqual(await provider.charge(aCharge('too-late')), [tombstone])
    assert.deepEqual(await provider.cancel('too-late'), tombstone)
    const { data } = await provider.record()
    const types = data.filter(({ charge_key }) => charge_key === 'too-late').map(({ type }) => type)
    assert.deepEqual(types, ['tombstone'])
  })

  test('an authorised charge is released, and answers canceled from then on', async () => {
    await provider.charge(aCharge('released', manual))
    assert.equal((await provider.cancel('released'))?.status, 'canceled')
    assert.equal(await statusOf('released', manual), 'canceled')
  })

  test('a captured charge answers with its amounts: it wants a refund', async () => {
    await provider.charge(aCharge('captured'))
    const outcome = await provider.cancel('captured')
    assert.equal(outcome?.status, 'succeeded')
    assert.equal(outcome.amount_captured, 1_999)
  })
})

describe('refunds', () => {
  test('refunds are idempotent by key and never more than was captured', async () => {
    await provider.charge(aCharge('paid'))
    const first = await provider.refund('r1', 'paid', 1_500)
    assert.equal(first?.status, 'succeeded')
    assert.deepEqual(await provider.refund('r1', 'paid', 1_500), first)
    const tooMuch = await provider.refund('r2', 'paid', 500)
    assert.deepEqual([tooMuch?.status, tooMuch?.reason], ['failed', 'exceeds_captured'])
    assert.equal((await provider.refund('r3', 'paid', 499))?.status, 'succeeded')
    const [charge] = await provider.lookup('paid')
    assert.ok(charge?.status === 'succeeded')
    assert.equal(charge.amount_refunded, 1_999)
  })

  test('copies of a refund at once give the money back once', async () => {
    await provider.charge(aCharge('paid-once'))
    const copies = Array.from({ length: 20 }, () => provider.refund('once', 'paid-once', 100))
    const ids = (await Promise.all(copies)).map((outcome) => outcome?.refund_id)
    assert.equal(new Set(ids).size, 1)
    const [charge] = await provider.lookup('paid-once')
    assert.ok(charge?.status === 'succeeded')
    assert.equal(charge.amount_refunded, 100)
  })

  test('the key of a refund belongs to its charge and amount', async () => {
    await provider.charge(aCharge('paid-a'), aCharge('paid-b'))
    await provider.refund('mine', 'paid-a', 10)
    assert.equal((await provider.refund('mine', 'paid-b', 10))?.status, 'conflict')
    assert.equal((await provider.refund('mine', 'paid-a', 11))?.status, 'conflict')
  })

  test('a failed refund stays failed: its key is used up', async () => {
    assert.equal((await provider.refund('early', 'paid-later', 10))?.reason, 'unknown_charge')
    await provider.charge(aCharge('paid-later'))
    assert.equal((await provider.refund('early', 'paid-later', 10))?.status, 'failed')
    await provider.charge(aCharge('paid-never', manual))
    assert.equal((await provider.refund('r4', 'paid-never', 10))?.reason, 'not_captured')
  })
})
