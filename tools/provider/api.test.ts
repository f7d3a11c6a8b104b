/** Owns the proof of the API's edges: the challenge page, the record, keys, limits, bad input. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { aCharge, API_KEY, openProvider, temporaryFolder } from './provider.fixture.ts'

const folder = temporaryFolder()
let provider: Awaited<ReturnType<typeof openProvider>>

before(async () => {
  provider = await openProvider({ dataFile: join(folder.path, 'record.jsonl') })
})
after(async () => {
  await provider.stop()
  folder.remove()
})

const asks = { payment_method: 'pm_card_threeDSecureRequired' }

describe('the challenge page', () => {
  const challenge = async (...args: Parameters<typeof aCharge>) => {
    const [outcome] = await provider.charge(aCharge(...args))
    assert.ok(outcome?.status === 'requires_action')
    return new URL(outcome.next_action?.url ?? '').pathname
  }
  const decide = (path: string, decision: string) =>
    provider.fetch(path, { method: 'POST', body: new URLSearchParams({ decision }) })

  test('shows the amount and asks, without the API key and without outside resources', async () => {
    const path = await challenge('shown', { ...asks, amount: 123_456, currency: 'EUR' })
    const response = await provider.fetch(path)
    const html = await response.text()
    assert.equal(response.status, 200)
    assert.match(html, /€1,234\.56/)
    assert.match(html, /value="approve"/)
    assert.doesNotMatch(html, /https?:|src=/)
    assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'/)
  })

  test('shows currencies without minor units as they are written', async () => {
    const path = await challenge('yen', { ...asks, amount: 500, currency: 'JPY' })
    assert.match(await (await provider.fetch(path)).text(), /¥500</)
  })

  test('approving charges, or authorises where capture is manual', async () => {
    const charged = await decide(await challenge('approved', asks), 'approve')
    assert.match(await charged.text(), /Payment approved/)
    await decide(await challenge('held', { ...asks, capture_method: 'manual' }), 'approve')
    const outcomes = await provider.lookup('approved', 'held')
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['succeeded', 'requires_capture'],
    )
  })

  test('declining is authentication_failed, and approving after that changes nothing', async () => {
    const path = await challenge('refused', asks)
    await decide(path, 'decline')
    assert.match(await (await decide(path, 'approve')).text(), /Payment declined/)
    const [outcome] = await provider.lookup('refused')
    assert.ok(outcome?.status === 'declined')
    assert.equal(outcome.decline_code, 'authentication_failed')
  })

  test('a payment that was canceled meanwhile cannot be approved', async () => {
    const path = await challenge('gone', asks)
    await provider.cancel('gone')
    assert.match(await (await decide(path, 'approve')).text(), /Payment canceled/)
    assert.equal((await provider.lookup('gone'))[0]?.status, 'canceled')
  })

  test('an unknown address is 404, an unclear decision 400', async () => {
    assert.equal((await provider.fetch('/challenges/ch_nobody')).status, 404)
    assert.equal((await decide('/challenges/ch_nobody', 'approve')).status, 404)
    const path = await challenge('unclear', asks)
    assert.equal((await decide(path, 'perhaps')).status, 400)
    assert.equal((await provider.lookup('unclear'))[0]?.status, 'requires_action')
  })
})

describe('the record', () => {
  test('pages through everything once, in order, and agrees with the totals', async () => {
    await provider.charge(aCharge('kept-1', { currency: 'CHF' }))
    await provider.charge(aCharge('kept-2', { currency: 'CHF', capture_method: 'manual' }))
    await provider.capture('kept-2', 1_000)
    await provider.refund('kept-r', 'kept-1', 99)
    const entries = []
    for (let from: number | null = 0; from !== null;) {
      const page = await provider.record(`?after=${from}&limit=2`)
      entries.push(...page.data)
      from = page.next
    }
    assert.deepEqual(
      entries.map(({ sequence }) => sequence),
      entries.map((_, index) => index + 1),
    )
    assert.deepEqual(entries, (await provider.record()).data)
    const swiss = entries.filter(({ currency }) => currency === 'CHF')
    const sum = (...types: string[]) =>
      swiss.filter(({ type }) => types.includes(type)).reduce((all, { amount }) => all + amount, 0)
    const totals = await provider.totals()
    assert.equal(totals.sequence, entries.length)
    const { counts, ...sums } = totals.data.find(({ currency }) => currency === 'CHF') ?? {}
    assert.deepEqual(sums, {
      currency: 'CHF',
      captured: sum('charged', 'captured'),
      refunded: sum('refunded'),
      net: 2_900,
      refunds: 1,
    })
    assert.equal(counts?.succeeded, 2)
    assert.equal(counts.requires_capture, 0)
  })

  test('behind its end there is an empty page', async () => {
    assert.deepEqual(await provider.record('?after=100000'), { data: [], next: null })
  })
})

describe('the edge', () => {
  test('without the API key nothing is told', async () => {
    for (const authorization of ['', 'Bearer', `Bearer ${API_KEY}x`, `Basic ${API_KEY}`]) {
      for (const path of ['/v1/record', '/v1/totals', '/v1/nothing']) {
        const response = await provider.fetch(path, { headers: { authorization } })
        assert.equal(response.status, 401)
        assert.equal(response.headers.get('content-type'), 'application/problem+json')
      }
    }
  })

  test('bad bodies are 400 problems that name the field, and nothing is done', async () => {
    const sequence = (await provider.totals()).sequence
    const good = aCharge('bad-neighbour')
    for (const [charges, field] of [
      [[good, { ...good, amount: 1.5 }], 'charges.1.amount'],
      [[{ ...good, amount: -1 }], 'charges.0.amount'],
      [[{ ...good, amount: 1e13 }], 'charges.0.amount'],
      [[{ ...good, amount: '1' }], 'charges.0.amount'],
      [[{ ...good, currency: 'usd' }], 'charges.0.currency'],
      [[{ ...good, key: 'a b' }], 'charges.0.key'],
      [[{ ...good, tip: 1 }], 'charges.0.tip'],
      [[{ ...good, metadata: { payment_id: 'p', email: 'x' } }], 'charges.0.metadata.email'],
      [[], 'charges'],
      [Array.from({ length: 1_001 }, () => good), 'charges'],
      ['all', 'charges'],
    ] as const) {
      const response = await provider.post('/v1/charges', { charges })
      const problem = JSON.stringify(await response.json())
      assert.equal(response.status, 400, problem)
      assert.ok(problem.includes(`"field":"${field}"`), `${field}: ${problem}`)
    }
    assert.equal((await provider.totals()).sequence, sequence)
  })

  test('malformed JSON, huge bodies, wrong queries and unknown paths are 4xx problems', async () => {
    const headers = { authorization: `Bearer ${API_KEY}` }
    const send = async (path: string, body?: string) => {
      const init = body === undefined ? { headers } : { method: 'POST', headers, body }
      return (await provider.fetch(path, init)).status
    }
    assert.equal(await send('/v1/charges', '{'), 400)
    assert.equal(await send('/v1/charges', ''), 400)
    assert.equal(await send('/v1/charges', 'null'), 400)
    assert.equal(await send('/v1/charges', '['.repeat(100_000)), 400)
    assert.equal(await send('/v1/charges', ' '.repeat(5 * 1024 * 1024)), 413)
    assert.equal(await send('/v1/record?after=-1'), 400)
    assert.equal(await send('/v1/record?limit=5000'), 400)
    assert.equal(await send('/v1/record?before=1'), 400)
    assert.equal(await send('/v1/nothing'), 404)
  })

  test('health, metrics and the OpenAPI document need no key', async () => {
    assert.equal((await provider.fetch('/health/live')).status, 200)
    assert.equal((await provider.fetch('/health/ready')).status, 200)
    const metrics = await (await provider.fetch('/metrics')).text()
    assert.match(metrics, /provider_entries_total\{outcome="charged",service="provider"\} \d/)
    const document = JSON.stringify(await (await provider.fetch('/openapi.json')).json())
    assert.match(document, /"\/v1\/refunds"/)
    assert.match(document, /"webhooks":\{"charge":\{"post":.*"Provider-Signature".*"\^evt_/)
  })
})
