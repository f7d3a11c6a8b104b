/** Owns the proof of webhooks: what is told, signed how, in which order, and that all of it arrives. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, beforeEach, test } from 'node:test'
import { webhookEvent, type WebhookEvent } from './contract.ts'
import { aCharge, openProvider, temporaryFolder, type OpenOptions } from './provider.fixture.ts'

const folder = temporaryFolder()
const SECRET = 'whsec_0123456789abcdef'
// Disk and event loop take real time, however the clock stands.
const PATIENCE_MS = 10_000
const URL_OF_SHOP = 'http://shop.test/webhooks/simulated'

type Provider = Awaited<ReturnType<typeof openProvider>>
type Arrival = {
  event: WebhookEvent
  body: string
  signature: string
  atMs: number
  answer: (response?: Response) => void
  lose: () => void
}

let provider: Provider
let dataFile = ''
let files = 0
let answering: 'at once' | 'by hand' = 'at once'
let arrivals: Arrival[] = []
let underWay = 0
let most = 0

beforeEach(async () => {
  answering = 'at once'
  arrivals = []
  underWay = 0
  most = 0
  files += 1
  dataFile = join(folder.path, `record-${files}.jsonl`)
  provider = await open()
})
afterEach(() => provider.stop())
after(() => folder.remove())

function open(changes: Partial<OpenOptions> & { secrets?: string[] } = {}): Promise<Provider> {
  const { secrets = [SECRET], ...options } = changes
  return openProvider({
    dataFile,
    webhooks: { url: URL_OF_SHOP, secrets, fetch: shop },
    ...options,
  })
}

/** The shop: it keeps what arrives, and answers at once or as the test says. */
async function shop(url: string, init: RequestInit = {}): Promise<Response> {
  assert.equal(url, URL_OF_SHOP)
  assert.equal(init.redirect, 'manual')
  const request = new Request(url, init)
  const body = await request.text()
  const answered = Promise.withResolvers<Response>()
  arrivals.push({
    event: webhookEvent.parse(JSON.parse(body)),
    body,
    signature: request.headers.get('provider-signature') ?? '',
    atMs: provider.clock.now(),
    answer: (response = new Response()) => answered.resolve(response),
    lose: () => answered.reject(new TypeError('fetch failed')),
  })
  underWay += 1
  most = Math.max(most, underWay)
  if (answering === 'at once') answered.resolve(new Response())
  return answered.promise.finally(() => (underWay -= 1))
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Lets everything settle that needs no clock: a file is read, an answer is taken. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 10; turns += 1) await turn()
  await provider.record()
  for (let turns = 0; turns < 10; turns += 1) await turn()
}

/** Waits for the nth webhook; with `stepMs` the clock goes on meanwhile. */
async function arrival(nth: number, stepMs = 0): Promise<Arrival> {
  const limitMs = performance.now() + PATIENCE_MS
  while (performance.now() < limitMs) {
    const arrived = arrivals[nth - 1]
    if (arrived !== undefined) return arrived
    provider.advance(stepMs)
    await (stepMs === 0 ? turn() : settled())
  }
  return assert.fail(`webhook ${nth} never arrived`)
}

const card = (payment_method: string) => ({ payment_method })
const asks = card('pm_card_threeDSecureRequired')

async function decide(key: string, decision: 'approve' | 'decline', changes = {}): Promise<void> {
  const [outcome] = await provider.charge(aCharge(key, { ...asks, ...changes }))
  assert.ok(outcome?.status === 'requires_action')
  const path = new URL(outcome.next_action?.url ?? '').pathname
  await provider.fetch(path, { method: 'POST', body: new URLSearchParams({ decision }) })
}

const toldOf = () => arrivals.map(({ event }) => [event.data.key, event.type])

test('what the answer of a charge told is not told again: ordinary charges send no webhook', async () => {
  const plain = ['visa', 'mastercard', 'chargeDeclined', 'nobody_knows']
  await provider.charge(...plain.map((name) => aCharge(name, card(`pm_card_${name}`))))
  await provider.charge(aCharge('held', { capture_method: 'manual' }))
  await provider.capture('held', 1_000)
  await provider.cancel('never-seen')
  await provider.refund('r', 'visa', 10)
  await decide('asked', 'approve')
  await arrival(1)
  assert.deepEqual(toldOf(), [['asked', 'charge.succeeded']])
})

test('a webhook is one event: the charge with its metadata, and the number of its entry', async () => {
  await decide('paid', 'approve', { metadata: { payment_id: 'pay_1', order_id: 'ord_1' } })
  const { event } = await arrival(1)
  const [charge] = await provider.lookup('paid')
  assert.deepEqual(event, {
    id: 'evt_2',
    type: 'charge.succeeded',
    created: Math.floor(provider.clock.now() / 1_000),
    data: { ...charge, metadata: { payment_id: 'pay_1', order_id: 'ord_1' } },
  })
})

test('it is signed over time and body, once by every secret that is known', async () => {
  await provider.stop()
  provider = await open({ secrets: [SECRET, 'whsec_the_one_before'] })
  await decide('signed', 'approve')
  const { signature, body } = await arrival(1)
  const timeS = Math.floor(provider.clock.now() / 1_000)
  const by = (secret: string) =>
    createHmac('sha256', secret).update(`${timeS}.${body}`).digest('hex')
  assert.equal(signature, `t=${timeS},v1=${by(SECRET)},v1=${by('whsec_the_one_before')}`)
})

test('told is what came later than the answer: a decision, a slow end, a cancel, a lost answer', async () => {
  await decide('refused', 'decline')
  await arrival(1)
  await provider.charge(aCharge('gone', asks))
  await provider.cancel('gone')
  await arrival(2)
  await provider.charge(aCharge('lost', card('pm_card_lostAnswer')))
  await arrival(3)
  await assert.rejects(provider.charge(aCharge('cut', card('pm_card_lostConnection'))))
  await arrival(4)
  await provider.charge(aCharge('slow', card('pm_card_slowDeclined')))
  provider.advance(3_000)
  await arrival(5)
  assert.deepEqual(toldOf(), [
    ['refused', 'charge.declined'],
    ['gone', 'charge.canceled'],
    ['lost', 'charge.succeeded'],
    ['cut', 'charge.succeeded'],
    ['slow', 'charge.declined'],
  ])
  assert.equal(arrivals[0]?.event.data.decline_code, 'authentication_failed')
})

test('of one charge all is told in order, each as it was then; others are not held up', async () => {
  answering = 'by hand'
  await decide('held', 'approve', { capture_method: 'manual' })
  const first = await arrival(1)
  await provider.capture('held', 1_500)
  await decide('other', 'decline')
  const other = await arrival(2)
  assert.equal(other.event.data.key, 'other')
  first.answer()
  const last = await arrival(3)
  const seen = [first, last].map(({ event: { type, data } }) => [
    type,
    data.status,
    data.amount,
    data.amount_captured,
  ])
  assert.deepEqual(seen, [
    ['charge.requires_capture', 'requires_capture', 1_999, 0],
    ['charge.succeeded', 'succeeded', 1_999, 1_500],
  ])
})

test('pm_card_webhookEarly: the answer to the charge waits until the webhook has arrived', async () => {
  answering = 'by hand'
  let isAnswered = false
  const request = aCharge('early', card('pm_card_webhookEarly'))
  const answer = provider.charge(request).finally(() => (isAnswered = true))
  const webhook = await arrival(1)
  await settled()
  assert.equal(isAnswered, false)
  // Asked again meanwhile, it answers at once.
  assert.equal((await provider.charge(request))[0]?.status, 'succeeded')
  webhook.answer()
  assert.equal((await answer)[0]?.status, 'succeeded')
})

test('pm_card_webhookEarly: a shop that does not take it has its answer after 5 s', async () => {
  answering = 'by hand'
  const answer = provider.charge(aCharge('early', card('pm_card_webhookEarly')))
  await arrival(1)
  provider.advance(4_999)
  await settled()
  provider.advance(1)
  assert.equal((await answer)[0]?.status, 'succeeded')
})

test('pm_card_webhookTwice comes twice, as the same event', async () => {
  await provider.charge(aCharge('twice', card('pm_card_webhookTwice')))
  provider.advance(3_000)
  const [one, other] = [await arrival(1), await arrival(2)]
  assert.equal(one.body, other.body)
})

test('pm_card_webhookLate comes 10 s after the charge has ended', async () => {
  await provider.charge(aCharge('late', card('pm_card_webhookLate')))
  provider.advance(3_000)
  const endedMs = provider.clock.now()
  while ((await provider.lookup('late'))[0]?.status !== 'succeeded') await turn()
  const { atMs } = await arrival(1, 100)
  assert.equal(atMs - endedMs, 10_000)
})

test('what does not arrive is sent again, ever later, 30 s at most, and signed anew', async () => {
  answering = 'by hand'
  await decide('again', 'approve')
  const refusals = [
    ({ answer }: Arrival) => answer(new Response(null, { status: 500 })),
    ({ answer }: Arrival) => answer(new Response(null, { status: 404 })),
    ({ answer }: Arrival) => answer(Response.redirect('http://elsewhere.test/', 307)),
    ({ lose }: Arrival) => lose(),
  ]
  const waits: number[] = []
  for (let nth = 1; nth <= 12; nth += 1) {
    const before = await arrival(nth)
    refusals[nth % refusals.length]?.(before)
    const next = await arrival(nth + 1, 100)
    waits.push(next.atMs - before.atMs)
    if (next.atMs - before.atMs >= 1_000) assert.notEqual(next.signature, before.signature)
    assert.equal(next.body, before.body)
  }
  const ceilings = waits.map((_, tries) => Math.min(30_000, 400 * 2 ** tries))
  for (const [index, ceilingMs] of ceilings.entries()) {
    const waitMs = waits[index] ?? 0
    assert.ok(waitMs >= ceilingMs / 2 && waitMs <= ceilingMs + 200, waits.join(' '))
  }
})

test('an answer that does not come is waited for 10 s, then the webhook is sent again', async () => {
  answering = 'by hand'
  await decide('silent', 'approve')
  const first = await arrival(1)
  const second = await arrival(2, 100)
  const waitedMs = second.atMs - first.atMs
  assert.ok(waitedMs >= 10_000 && waitedMs < 11_000, String(waitedMs))
})

test('however many wait, few are sent at once, and all arrive', async () => {
  answering = 'by hand'
  const keys = Array.from({ length: 50 }, (_, n) => `many-${n}`)
  await provider.charge(...keys.map((key) => aCharge(key, card('pm_card_lostAnswer'))))
  await arrival(16)
  await settled()
  assert.equal(arrivals.length, 16)
  for (let nth = 1; nth <= 50; nth += 1) (await arrival(nth)).answer()
  assert.equal(most, 16)
  assert.deepEqual(new Set(arrivals.map(({ event }) => event.data.key)), new Set(keys))
})

test('after a restart what has not arrived is sent, and what has arrived is not', async () => {
  await decide('before', 'approve')
  await arrival(1)
  await settled()
  answering = 'by hand'
  await decide('unanswered', 'approve')
  await arrival(2)
  await provider.stop()
  answering = 'at once'
  provider = await open()
  await arrival(3)
  await decide('after', 'approve')
  await arrival(4)
  assert.deepEqual(
    arrivals.map(({ event }) => event.data.key),
    ['before', 'unanswered', 'unanswered', 'after'],
  )
})

test('what waits behind one that does not arrive is not forgotten when its successors have', async () => {
  answering = 'by hand'
  await decide('stuck', 'approve')
  await arrival(1)
  for (const [nth, key] of ['next-1', 'next-2'].entries()) {
    await decide(key, 'approve')
    ;(await arrival(nth + 2)).answer()
  }
  await settled()
  await provider.stop()
  answering = 'at once'
  provider = await open()
  assert.equal((await arrival(4)).event.data.key, 'stuck')
})

test('the position is written while it runs: one that is killed repeats little', async () => {
  const position = () => readFileSync(`${dataFile}.webhooks`, 'utf8')
  assert.equal(position(), '0\n')
  await decide('written', 'approve')
  await arrival(1)
  await settled()
  provider.advance(200)
  while (position() !== '2\n') await turn()
})

test('a shop that is told for the first time is not told of the past', async () => {
  await provider.stop()
  files += 1
  dataFile = join(folder.path, `record-${files}.jsonl`)
  provider = await openProvider({ dataFile })
  await decide('past', 'approve')
  await provider.stop()
  provider = await open()
  await provider.stop()
  provider = await open()
  await decide('present', 'approve')
  assert.equal((await arrival(1)).event.data.key, 'present')
})

test('a position that is damaged, or another record’s, has all told again', async () => {
  await decide('once', 'approve')
  await arrival(1)
  for (const [nth, text] of ['', '-1\n', '2', '999\n'].entries()) {
    await provider.stop()
    writeFileSync(`${dataFile}.webhooks`, text)
    provider = await open()
    assert.equal((await arrival(nth + 2)).event.data.key, 'once', JSON.stringify(text))
  }
})

test('it is given up after three days, and then stays told', async () => {
  answering = 'by hand'
  await decide('hopeless', 'approve')
  ;(await arrival(1)).lose()
  await provider.stop()
  provider = await open({ laterMs: 3 * 24 * 3_600_000 + 1 })
  ;(await arrival(2)).lose() // at least once after a start, however long it was away
  await settled()
  await provider.stop()
  provider = await open()
  await decide('hopeful', 'approve')
  assert.equal((await arrival(3)).event.data.key, 'hopeful')
})
