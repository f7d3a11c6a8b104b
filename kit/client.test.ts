/** Proves a command's way to a peer: whatever goes wrong, the outcome is unknown and nothing else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { createPeer, PeerUnavailable } from './client.ts'
import { createMetrics, metricsText } from './telemetry.ts'
import { createTestClock, createTestNetwork } from './testing.ts'

const outcome = z.object({ id: z.string(), outcome: z.string() })

/** A peer that answers so; `send` sends it two items. */
function open(answer: (request: Request) => Promise<Response> | Response) {
  const clock = createTestClock()
  const metrics = createMetrics('test')
  const fetch = createTestNetwork({ 'http://things.test': answer })
  const random = { fraction: () => 0.5, bytes: () => new Uint8Array() }
  const peer = createPeer(
    { clock, timers: clock.timers, fetch, random },
    {
      name: 'things',
      baseUrl: 'http://things.test',
      token: async (scope) => `token-for-${scope}`,
      timeoutMs: 5_000,
      metrics,
    },
  )
  const items = [{ id: 'a' }, { id: 'b' }]
  const send = () => peer.send({ path: '/commands/make', scope: 'things.make', items, outcome })
  /** Sends, and lets the time go by that retries want. */
  const sendInTime = async () => {
    const sent = send()
    sent.catch(() => {})
    await clock.advance(1_000)
    return sent
  }
  return { clock, peer, send, sendInTime, metrics: () => metricsText(metrics) }
}

const send = (answer: (request: Request) => Promise<Response> | Response) => {
  const { clock, send: sendTo } = open(answer)
  return { clock, sent: sendTo() }
}

const twoMade = () => Response.json({ outcomes: ['a', 'b'].map((id) => ({ id, outcome: 'made' })) })
const failing = (code: string) => () =>
  Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) }))

const isUnavailable = (error: unknown) => error instanceof PeerUnavailable

test('a command posts its items with a token of its scope, and gives the outcomes', async () => {
  const outcomes = [
    { id: 'a', outcome: 'made', more: 'is tolerated' },
    { id: 'b', outcome: 'refused' },
  ]
  let seen: unknown
  const { sent, clock } = send(async (request) => {
    const { method, url, headers } = request
    seen = {
      method,
      url,
      token: headers.get('authorization'),
      leftMs: headers.get('x-request-timeout-ms'),
      body: await request.json(),
    }
    return Response.json({ outcomes })
  })
  assert.deepEqual(await sent, [
    { id: 'a', outcome: 'made' },
    { id: 'b', outcome: 'refused' },
  ])
  assert.deepEqual(seen, {
    method: 'POST',
    url: 'http://things.test/commands/make',
    token: 'Bearer token-for-things.make',
    leftMs: '5000',
    body: { items: [{ id: 'a' }, { id: 'b' }] },
  })
  assert.equal(clock.untilNextMs(), undefined) // no timer is left
})

test('an answer of no use is PeerUnavailable', async () => {
  const one = { id: 'a', outcome: 'made' }
  const answers: Record<string, () => Promise<Response> | Response> = {
    'an error status': () => Response.json({ outcomes: [one, one] }, { status: 500 }),
    'a refusal': () => new Response(null, { status: 403 }),
    'no JSON': () => new Response('<html>'),
    'another shape': () => Response.json({ outcomes: { a: one, b: one } }),
    'too few outcomes': () => Response.json({ outcomes: [one] }),
    'too many outcomes': () => Response.json({ outcomes: [one, one, one] }),
    'a reset': () => Promise.reject(new TypeError('fetch failed')),
  }
  for (const [what, answer] of Object.entries(answers)) {
    await assert.rejects(send(answer).sent, isUnavailable, what)
  }
})

test('an outcome that cannot be read is left out, its neighbours are not', async () => {
  const odd = [null, 'made', { id: 5, outcome: 'made' }, { id: 'a' }]
  for (const each of odd) {
    const { sent } = send(() => Response.json({ outcomes: [each, { id: 'b', outcome: 'made' }] }))
    assert.deepEqual(await sent, [{ id: 'b', outcome: 'made' }])
  }
})

test('a peer that answers too late is PeerUnavailable, though it never looks at the signal', async () => {
  const { clock, sent } = send(() => new Promise<Response>(() => {}))
  const failed = assert.rejects(sent, (error) => {
    assert.ok(error instanceof PeerUnavailable)
    assert.match(error.message, /^things: no answer within 5000 ms$/)
    return true
  })
  await clock.advance(5_000)
  await failed
})

test('the signal of a request that is too late aborts', async () => {
  let signal: AbortSignal | undefined
  const { clock, sent } = send((request) => {
    signal = request.signal
    return new Promise<Response>(() => {})
  })
  const failed = assert.rejects(sent, isUnavailable)
  await clock.advance(4_999)
  assert.equal(signal?.aborted, false)
  await clock.advance(1)
  assert.equal(signal.aborted, true)
  await failed
})

test('what was refused or reset is sent again, within the same time; the peer is told what is left', async () => {
  const leftMs: (string | null)[] = []
  const answers: (() => Promise<Response> | Response)[] = []
  const {
    sendInTime,
    send: sendTo,
    metrics,
  } = open((request) => {
    leftMs.push(request.headers.get('x-request-timeout-ms'))
    return (answers.shift() ?? twoMade)()
  })
  // Every first try earns a tenth of a retry.
  for (let n = 0; n < 10; n += 1) await sendTo()
  leftMs.length = 0
  answers.push(failing('ECONNREFUSED'), failing('ECONNRESET'), twoMade)
  assert.equal((await sendInTime()).length, 2)
  assert.deepEqual(leftMs, ['5000', '4975', '4925'])
  assert.match(await metrics(), /peer_retries_total\{.*\} 2/)
})

test('a time-out, an error status and a strange answer are not sent again', async () => {
  for (const answer of [
    () => new Promise<Response>(() => {}),
    () => new Response(null, { status: 503 }),
    () => new Response('<html>'),
  ]) {
    let calls = 0
    const { clock, send: sendTo } = open(() => {
      calls += 1
      return answer()
    })
    const sent = assert.rejects(sendTo(), isUnavailable)
    await clock.advance(10_000)
    await sent
    assert.equal(calls, 1)
  }
})

test('with three of ten connections reset, at most a tenth is sent on top', async () => {
  let calls = 0
  const { sendInTime } = open(() => {
    calls += 1
    return calls % 10 < 3 ? failing('ECONNRESET')() : twoMade()
  })
  let answered = 0
  for (let n = 0; n < 1_000; n += 1) {
    const outcomes = await sendInTime().catch(() => [])
    answered += Math.sign(outcomes.length)
  }
  assert.ok(calls <= 1_100 + 1, `${calls} calls`)
  assert.ok(calls >= 1_090, 'the budget was used')
  assert.ok(answered > 750, `${answered} answered`)
})

test('a peer that fails again and again is left alone, and tried by one short call', async () => {
  let calls = 0
  let leftMs: string | null = null
  const {
    peer,
    sendInTime,
    send: sendTo,
    clock,
    metrics,
  } = open((request) => {
    calls += 1
    leftMs = request.headers.get('x-request-timeout-ms')
    return new Promise<Response>(() => {})
  })
  const slow = [sendTo(), sendTo()].map((sent) => assert.rejects(sent, isUnavailable))
  await clock.advance(5_000)
  await Promise.all(slow)
  assert.equal(peer.isOpen(), true)
  await assert.rejects(sendTo(), { reason: 'open' })
  assert.equal(calls, 2)
  assert.match(await metrics(), /peer_breaker_open\{.*\} 1/)
  assert.match(await metrics(), /peer_commands_total\{.*outcome="timeout".*\} 2/)
  await clock.advance(1_000)
  const trial = assert.rejects(sendTo(), { reason: 'timeout' })
  await assert.rejects(sendInTime(), { reason: 'open' })
  await trial
  assert.deepEqual([calls, leftMs], [3, '1000'])
})
