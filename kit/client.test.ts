/** Proves a command's way to a peer: whatever goes wrong, the outcome is unknown and nothing else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { PeerUnavailable, sendCommand } from './client.ts'
import { createTestClock, createTestNetwork } from './testing.ts'

const outcome = z.object({ id: z.string(), outcome: z.string() })

/** Sends two items to a peer that answers so. */
function send(answer: (request: Request) => Promise<Response> | Response) {
  const clock = createTestClock()
  const sent = sendCommand(
    { timers: clock.timers, fetch: createTestNetwork({ 'http://things.test': answer }) },
    {
      name: 'things',
      baseUrl: 'http://things.test',
      token: async (scope) => `token-for-${scope}`,
      timeoutMs: 1_000,
    },
    { path: '/commands/make', scope: 'things.make', items: [{ id: 'a' }, { id: 'b' }], outcome },
  )
  return { clock, sent }
}

const isUnavailable = (error: unknown) => error instanceof PeerUnavailable

test('a command posts its items with a token of its scope, and gives the outcomes', async () => {
  const outcomes = [
    { id: 'a', outcome: 'made', more: 'is tolerated' },
    { id: 'b', outcome: 'refused' },
  ]
  let seen: unknown
  const { sent, clock } = send(async (request) => {
    const { method, url, headers } = request
    seen = { method, url, token: headers.get('authorization'), body: await request.json() }
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
    assert.match(error.message, /^things: no answer within 1000 ms$/)
    return true
  })
  await clock.advance(1_000)
  await failed
})

test('the signal of a request that is too late aborts', async () => {
  let signal: AbortSignal | undefined
  const { clock, sent } = send((request) => {
    signal = request.signal
    return new Promise<Response>(() => {})
  })
  const failed = assert.rejects(sent, isUnavailable)
  await clock.advance(999)
  assert.equal(signal?.aborted, false)
  await clock.advance(1)
  assert.equal(signal.aborted, true)
  await failed
})
