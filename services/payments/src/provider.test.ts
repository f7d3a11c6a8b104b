import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '@quartet/kit/log'
import { createTestClock } from '@quartet/kit/testing'
import type { Fetch } from '@quartet/kit/world'
import type { Config } from './config.ts'
import type { Call, Payment, Refund } from './domain.ts'
import { newPayment } from './intention.ts'
import { createProviderClient } from './provider.ts'

const aPayment = (id: string): Payment => ({
  ...newPayment(id, 'usr_1', 0),
  amount: 1_000,
  currency: 'USD',
  paymentMethod: 'pm_card_visa',
})
const charges = (...ids: string[]): Call[] =>
  ids.map((id) => ({ kind: 'charge', payment: aPayment(id) }))

type Sent = { path: string; body: Record<string, unknown[]> }

function clientOf(answer: (sent: Sent) => Response | Promise<Response>) {
  const clock = createTestClock()
  const sent: Sent[] = []
  const fetch: Fetch = async (url, init) => {
    const body: unknown = await new Request(url, init).json()
    const request = { path: new URL(url).pathname, body: body as Sent['body'] }
    sent.push(request)
    return answer(request)
  }
  const config = {
    PROVIDER_URL: 'http://provider.test',
    PROVIDER_API_KEY_FILE: 'key',
    PROVIDER_TIMEOUT_MS: 1_000,
  } as Config
  const errors: string[] = []
  const log = { ...silentLog, error: (_: unknown, message: string) => void errors.push(message) }
  const world = { config, fetch, timers: clock.timers, log }
  return { client: createProviderClient(world), sent, clock, errors }
}

const outcomes = (...of: unknown[]) => Response.json({ outcomes: of })

test('rule 4: an answer that is not understood means unknown, never refused', async () => {
  const strange = [
    undefined,
    null,
    'succeeded',
    { key: 'pay_a-1' },
    { key: 'pay_a-1', status: 'approved' },
    { key: 'pay_a-1', status: 'conflict' },
    { key: 'pay_a-1', status: 'not_found' },
    { key: 'pay_a-1', status: 'succeeded' },
    { key: 'pay_a-1', status: 'succeeded', amount_captured: '1000' },
    { key: 'pay_a-1', status: 'succeeded', amount_captured: -1 },
  ]
  for (const outcome of strange) {
    const { client } = clientOf(() =>
      outcomes(outcome, { key: 'pay_b-1', status: 'canceled', amount_captured: 0 }),
    )
    const { charges: told } = await client.perform(charges('pay_a', 'pay_b'))
    assert.deepEqual([...told.keys()], ['pay_b-1'], JSON.stringify(outcome))
  }
})

test('what cannot be stored of an answer is left out; the outcome counts', async () => {
  const { client } = clientOf(() =>
    outcomes(
      { key: 'pay_a-1', status: 'declined', decline_code: 'a\0b' },
      {
        key: 'pay_b-1',
        status: 'requires_action',
        next_action: { type: 'x', url: 'javascript:0' },
      },
    ),
  )
  const { charges: told } = await client.perform(charges('pay_a', 'pay_b'))
  assert.deepEqual(
    ['pay_a-1', 'pay_b-1'].map((key) => [told.get(key)?.code, told.get(key)?.nextAction]),
    [
      ['declined', null],
      [null, null],
    ],
  )
})

test('no answer, a late one, or one that is no batch: nothing is known of any', async () => {
  const silent = clientOf(() => new Promise<never>(() => {}))
  const late = silent.client.perform(charges('pay_a'))
  await silent.clock.advance(1_001)
  assert.equal((await late).charges.size, 0)
  const answers = [
    () => Promise.reject(new TypeError('fetch failed')),
    () => new Response('<html>', { status: 502 }),
    () => new Response('<html>'),
    () => Response.json({ data: [] }),
    () => Response.json({}, { status: 401 }),
  ]
  for (const answer of answers) {
    const { client, sent } = clientOf(answer)
    assert.equal((await client.perform(charges('pay_a', 'pay_b'))).charges.size, 0)
    assert.equal(sent.length, 1)
  }
})

test('rule 16: an item that makes the provider refuse the batch stands alone in the end', async () => {
  const { client } = clientOf(({ body }) => {
    const keys = (body['charges'] as { key: string }[]).map(({ key }) => key)
    if (keys.includes('pay_3-1')) return Response.json({}, { status: 400 })
    return outcomes(...keys.map((key) => ({ key, status: 'succeeded', amount_captured: 1_000 })))
  })
  const ids = Array.from({ length: 7 }, (_, n) => `pay_${n}`)
  const { charges: told } = await client.perform(charges(...ids))
  const expected = ids.filter((id) => id !== 'pay_3').map((id) => `${id}-1`)
  assert.deepEqual([...told.keys()].toSorted(), expected)
})

test('a batch is a request per kind of call, of at most 1,000 items', async () => {
  const { client, sent } = clientOf(() => outcomes())
  const ids = Array.from({ length: 1_001 }, (_, n) => `pay_${n}`)
  await client.perform([...charges(...ids), { kind: 'cancel', payment: aPayment('pay_x') }])
  const sizes = sent.map(({ path, body }) => [path, Object.values(body)[0]?.length])
  assert.deepEqual(sizes, [
    ['/v1/charges', 1_000],
    ['/v1/charges', 1],
    ['/v1/cancels', 1],
  ])
})

test('a capture that is refused is looked up: the charge may have ended otherwise', async () => {
  const { client, sent, errors } = clientOf(({ path }) =>
    path === '/v1/lookups'
      ? outcomes({ key: 'pay_a-1', status: 'canceled' })
      : outcomes({ key: 'pay_a-1', status: 'invalid', reason: 'not_capturable' }),
  )
  const capture: Call = { kind: 'capture', payment: aPayment('pay_a'), amount: 1_000 }
  const { charges: told } = await client.perform([capture])
  assert.equal(told.get('pay_a-1')?.status, 'canceled')
  assert.deepEqual(sent.at(-1), { path: '/v1/lookups', body: { keys: ['pay_a-1'] } })
  assert.deepEqual(errors, [])
})

test('a capture that is refused though the charge did not end otherwise is told', async () => {
  for (const status of ['not_found', 'requires_capture']) {
    const { client, errors } = clientOf(({ path }) =>
      path === '/v1/lookups'
        ? outcomes({ key: 'pay_a-1', status })
        : outcomes({ key: 'pay_a-1', status: 'invalid', reason: 'unknown_charge' }),
    )
    await client.perform([{ kind: 'capture', payment: aPayment('pay_a'), amount: 1_000 }])
    assert.deepEqual(errors, ['the provider refuses a capture'], status)
  }
})

test('a refund whose key the provider knows for another one has failed: it can never be made', async () => {
  const { client } = clientOf(() => outcomes({ key: 'rfd_1', status: 'conflict', amount: 5 }))
  const at = new Date(0)
  const base = { id: 'rfd_1', paymentId: 'pay_a', amount: 1, status: 'pending', reason: null }
  const refund = { ...base, createdAt: at, updatedAt: at } as Refund
  const told = await client.perform([{ kind: 'refund', payment: aPayment('pay_a'), refund }])
  assert.deepEqual(told.refunds.get('rfd_1'), {
    key: 'rfd_1',
    status: 'failed',
    reason: 'key_in_use',
  })
})
