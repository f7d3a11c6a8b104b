/** Proves that an order's life is streamed whole: from its beginning or from where it was left, to its owner, to its end. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { readSubject } from '@quartet/kit/event-log'
import { keepLog } from '@quartet/kit/event-retention'
import type { App } from '@quartet/kit/world'
import {
  anOrderBody,
  applyPaymentEvent,
  call,
  createTestShop,
  type TestShop,
} from './testing/shop.ts'

let shop: TestShop
before(async () => {
  shop = await createTestShop()
})
after(() => shop.close())

type Message = { id: string; event: string; data: Record<string, unknown> }
type Listening = { as?: string; lastEventId?: string; app?: App }

async function open(id: string, { as, lastEventId, app = shop.app }: Listening = {}) {
  const headers: Record<string, string> = {
    authorization: as ?? (await shop.issuer.user('usr_1')),
    ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
  }
  const request = new Request(`http://orders.test/orders/${id}/events`, { headers })
  return shop.meanwhile(app.fetch(request))
}

/** A client that keeps what it was told, in the order in which it came. */
async function listen(id: string, how: Listening = {}) {
  const response = await open(id, how)
  assert.equal(response.status, 200)
  const reader = (response.body ?? assert.fail('no body')).getReader()
  const messages: Message[] = []
  let text = ''
  let comments = 0

  function take(piece: string): void {
    if (piece.startsWith(':')) comments += 1
    const found = /^id: (?<id>\d+)\nevent: (?<event>\S+)\ndata: (?<data>.*)$/.exec(piece)?.groups
    if (found === undefined) return
    const { id: number = '', event = '', data = '' } = found
    messages.push({ id: number, event, data: JSON.parse(data) as Message['data'] })
  }

  return {
    messages,
    comments: () => comments,
    told: () => messages.map(({ event }) => event.split('.')[1]),
    lastId: () => messages.at(-1)?.id ?? '0',
    /** Reads on until there are so many messages, or the stream is over; says whether it is. */
    async until(count: number): Promise<boolean> {
      while (messages.length < count) {
        const { done, value } = await shop.meanwhile(reader.read())
        if (done) return true
        text += Buffer.from(value as Uint8Array).toString()
        const pieces = text.split('\n\n')
        text = pieces.pop() ?? ''
        pieces.forEach(take)
      }
      return false
    },
    leave: () => reader.cancel(),
  }
}

const place = (id: string, changes: Record<string, unknown> = {}) =>
  call(shop, '/orders', { body: anOrderBody({ id, ...changes }) })
const later = { payment_method: undefined }
const end = async (id: string, verb: 'fulfill' | 'cancel') =>
  call(shop, `/orders/${id}/${verb}`, {
    method: 'POST',
    as: await shop.issuer.user('adm', 'admin'),
  })

async function untilConfirmed(id: string): Promise<void> {
  shop.payments.succeed(id, 1_000)
  await applyPaymentEvent(shop, id)
  for (;;) {
    const { body } = await call(shop, `/orders/${id}`)
    if (body['status'] === 'confirmed') return
    await shop.meanwhile(shop.clock.timers.sleep(200))
  }
}

const LIFE = ['placed', 'action_required', 'confirmed', 'completed']

test('an order’s life is told from its beginning, then as it happens, at any replica, and ends', async () => {
  const id = 'ord_life'
  await place(id, later)
  const [here, there] = [await listen(id), await listen(id, { app: await shop.open() })]
  for (const client of [here, there]) {
    await client.until(2)
    assert.deepEqual(client.told(), LIFE.slice(0, 2))
    assert.equal(client.messages[1]?.data['payment_status'], 'requires_payment_method')
  }
  await untilConfirmed(id)
  const { body } = await call(shop, `/orders/${id}`)
  await Promise.all([here, there].map((client) => client.until(3)))
  assert.deepEqual(here.messages[2]?.data, body)
  await end(id, 'fulfill')
  for (const client of [here, there]) {
    assert.equal(await client.until(99), true)
    assert.deepEqual(client.told(), LIFE)
    const ids = client.messages.map((message) => Number(message.id))
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    )
  }
  assert.deepEqual(
    here.messages.map((each) => each.id),
    there.messages.map((each) => each.id),
  )
})

test('a client that comes back with its last message’s id is told exactly what it missed', async () => {
  for (let cut = 0; cut <= LIFE.length; cut += 1) {
    const id = `ord_cut_${cut}`
    await place(id, later)
    const first = await listen(id)
    const happen = [() => untilConfirmed(id), () => end(id, 'fulfill')]
    // It is cut off after so many messages, and the rest happens while nobody listens.
    for (let count = 1; count <= cut; count += 1) {
      if (count > 2) await happen.shift()?.()
      await first.until(count)
    }
    await first.leave()
    for (const each of happen) await each()
    const messages = first.messages.slice(0, cut)
    const lastEventId = messages.at(-1)?.id
    const again = await open(id, lastEventId === undefined ? {} : { lastEventId })
    if (cut === LIFE.length) {
      assert.deepEqual([again.status, await again.text()], [204, ''], 'EventSource stops')
      continue
    }
    await again.body?.cancel()
    const second = await listen(id, lastEventId === undefined ? {} : { lastEventId })
    assert.equal(await second.until(99), true)
    const told = [...messages, ...second.messages].map(({ event }) => event.split('.')[1])
    assert.deepEqual(told, LIFE, `cut after ${cut}`)
  }
})

test('a plain card’s order asks nothing of its customer', async () => {
  await place('ord_plain')
  const client = await listen('ord_plain')
  await client.until(2)
  assert.deepEqual(client.told(), ['placed', 'confirmed'])
  await client.leave()
})

test('3-D Secure: what to do is on the order that the message shows, and not in the event', async () => {
  const id = 'ord_3ds'
  await place(id, { payment_method: 'pm_card_threeDSecureRequired' })
  const client = await listen(id)
  await client.until(2)
  assert.deepEqual(client.messages[1]?.data['next_action'], { type: 'redirect', url: 'http://3ds' })
  const [event] = await shop.database.db.query<{ data: object }>(
    `select data from events where subject = $1 and type = 'order.action_required.v1'`,
    [id],
  )
  const said = { order_id: id, owner_id: 'usr_1', payment_status: 'requires_action' }
  assert.deepEqual(event?.data, said)
  await client.leave()
})

test('a life is its owner’s and the admins’; nobody else learns that there is such an order', async () => {
  await place('ord_mine')
  const admin = await listen('ord_mine', { as: await shop.issuer.user('adm', 'admin') })
  await admin.until(2)
  await admin.leave()
  const answers = [
    await open('ord_mine', { as: await shop.issuer.user('usr_2') }),
    await open('ord_none'),
    await open('ord_mine', { as: '' }),
    await open('ord_mine', { lastEventId: 'seven' }),
  ]
  assert.deepEqual(
    answers.map(({ status }) => status),
    [404, 404, 401, 400],
  )
  assert.match((await answers.at(-1)?.text()) ?? '', /"field":"Last-Event-ID"/)
})

test('an id that was never given, or is another order’s, costs no message that is still to come', async () => {
  await place('ord_odd', later)
  const whole = await listen('ord_odd')
  await whole.until(2)
  await whole.leave()
  const client = await listen('ord_odd', { lastEventId: '999999999999' })
  await untilConfirmed('ord_odd')
  await client.until(1)
  assert.deepEqual(client.told(), ['confirmed'])
  await client.leave()
})

test('an order that has ended, but whose last event has no number yet, is listened to until it has', async () => {
  const id = 'ord_slow'
  await place(id, later)
  const early = await listen(id)
  await early.until(2)
  await early.leave()
  const client = await shop.database.db.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('sequencer'))`)
    const { body } = await end(id, 'cancel')
    assert.equal(body['status'], 'canceled')
    return listen(id, { lastEventId: early.lastId() })
  })
  assert.equal(await client.until(99), true)
  assert.deepEqual(client.told(), ['canceled'])
})

test('of an order that ended so long ago that the log has dropped it nothing is left to tell', async () => {
  await place('ord_old')
  await end('ord_old', 'cancel')
  await (await listen('ord_old')).until(99)
  await shop.database.db.query(`delete from events where subject = 'ord_old'`)
  assert.equal((await open('ord_old')).status, 204)
})

test('a stream says every 15 s that it lives, and is no slow request, nor one of those under way', async () => {
  const id = 'ord_quiet'
  await place(id, later)
  const client = await listen(id)
  await client.until(2)
  for (let n = 0; n < 3; n += 1) await shop.clock.advance(15_000)
  const metrics = await (await shop.app.fetch(new Request('http://orders.test/metrics'))).text()
  assert.match(metrics, /event_streams_open\{[^}]*\} 1$/m)
  assert.match(metrics, /admission_under_way\{[^}]*\} 0$/m)
  const slow = /duration_seconds_bucket\{le="10",[^}]*route="\/orders\/:id\/events"[^}]*\} (\d+)$/m
  const all = /duration_seconds_count\{[^}]*route="\/orders\/:id\/events"[^}]*\} (\d+)$/m
  assert.equal(slow.exec(metrics)?.[1], all.exec(metrics)?.[1])
  await end(id, 'cancel')
  await client.until(3)
  assert.equal(client.comments(), 3)
})

test('a replica that drains or stops ends its streams at once; what is left is told by another', async () => {
  for (const how of ['drain', 'stop'] as const) {
    const id = `ord_${how}`
    const leaving = await shop.open()
    await place(id, later)
    const client = await listen(id, { app: leaving })
    await client.until(2)
    const stopping = how === 'drain' ? leaving.drain?.() : shop.meanwhile(leaving.stop())
    assert.equal(await client.until(3), true, how)
    await stopping
    const late = await listen(id, { app: leaving })
    assert.equal(await late.until(1), true, 'whoever comes late is sent elsewhere')
    if (how === 'drain')
      assert.equal((await call(shop, `/orders/${id}`, { app: leaving })).status, 200)
    const elsewhere = await listen(id, { lastEventId: client.lastId() })
    await untilConfirmed(id)
    await elsewhere.until(1)
    assert.deepEqual(elsewhere.told(), ['confirmed'])
    await elsewhere.leave()
  }
})

test('one person has so many streams, and no more', async () => {
  const id = 'ord_many'
  await place(id, later)
  const clients = []
  for (let n = 0; n < 20; n += 1) clients.push(await listen(id))
  const refused = await open(id)
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '10'])
  const admin = await listen(id, { as: await shop.issuer.user('adm', 'admin') })
  for (const client of [...clients, admin]) await client.leave()
})

test('a life is found by its index, in parts of the log that are made later too', async () => {
  const { db } = shop.database
  await db.query('update event_counter set last_sequence = 1999999')
  const config = { EVENT_RETENTION_DAYS: 30 }
  await keepLog({ db, clock: shop.clock, timers: shop.clock.timers, log: console, config })
  const parts = await db.query<{ indexdef: string }>(
    `select indexdef from pg_indexes where indexdef like '%(subject)' and tablename like 'events_%'`,
  )
  assert.equal(parts.length, 2)
  const texts: string[] = []
  const seen = { query: (text: string) => Promise.resolve((texts.push(text), [])) }
  await readSubject(seen as never, 'ord_life', 100)
  const plan = await db.query<{ 'QUERY PLAN': string }>(`explain ${texts[0]}`, ['ord_life', 100])
  const scans = plan.map((row) => row['QUERY PLAN']).filter((line) => /Scan.* on events/.test(line))
  assert.equal(scans.filter((line) => line.includes('subject_idx')).length, 2, scans.join('\n'))
})
