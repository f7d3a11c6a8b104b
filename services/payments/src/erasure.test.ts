/** Proves what becomes of a payer who is erased: pays for nothing new, what was promised is paid, and how is forgotten. */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { createErasure } from '@quartet/kit/erasure'
import type { Transaction } from '@quartet/kit/postgres'
import { createTestWorld, whileHeld } from '@quartet/kit/testing'
import { usersSubscription } from './events.ts'
import { forgetPayments } from './store/erased-owners.ts'
import {
  anOrder,
  call,
  checkBooks,
  createTestPayments,
  pay,
  payUntilFinal,
  settle,
  voidUntilFinal,
  type Answer,
  type TestPayments,
} from './testing/shop.ts'

let at: TestPayments
before(async () => {
  at = await createTestPayments()
})
afterEach(() => checkBooks(at))
after(() => at.close())

const amount = { amount: 2_500, currency: 'USD' }
const aPayment = (changes: Record<string, unknown> = {}) => ({
  amount,
  payment_method: 'pm_card_visa',
  ...changes,
})

/** Applies what users says of an erasure, as the subscription does, without the work that follows. */
function applyErasure(tx: Transaction, userId: string): Promise<void> {
  const world = createTestWorld({ config: {}, db: at.database.db, clock: at.clock })
  const { apply } = usersSubscription(createErasure(world), '', () => Promise.resolve(''))
  const time = new Date(at.clock.now())
  const data = { user_id: userId, role: 'customer' }
  const event = { sequence: 1, id: 'evt_1', type: 'user.erased.v1', subject: userId, time, data }
  return apply(tx, [event])
}

const erase = (userId: string) => at.database.db.transaction((tx) => applyErasure(tx, userId))
const forget = (userId: string) => at.database.db.transaction((tx) => forgetPayments(tx, userId, 0))

const sayErased = (userId: string) => {
  const data = { user_id: userId, role: 'customer' }
  at.users.say({ type: 'user.erased.v1', subject: userId, data })
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries += 1) {
    assert.ok(tries < 100, 'not within 10 s of the clock')
    await at.meanwhile(at.clock.timers.sleep(100))
  }
}

type Stored = { status: string; payment_method: string | null }

const storedOf = (ownerId: string) =>
  at.database.db.query<Stored>(
    'select status, payment_method from payments where owner_id = $1 order by position',
    [ownerId],
  )

const methodsOf = async (ownerId: string) =>
  (await storedOf(ownerId)).map(({ payment_method }) => payment_method)

const codeOf = ({ status, body }: Answer) => [status, body['code']]

test('rule 22: an erased payer gets 401, also where a replica has not heard of it, and nothing is opened or paid', async () => {
  const as = await at.issuer.user('usr_gone')
  const later = anOrder({ owner_id: 'usr_gone', payment_method: null })
  await pay(at, [later])
  const keyed = { body: aPayment({ id: 'pay-before' }), key: 'before', as }
  assert.equal((await call(at, '/payments', keyed)).status, 201)
  const unheard = at.openIdle() // it follows nothing
  sayErased('usr_gone')
  await until(async () => (await call(at, '/payments', { as })).status === 401)
  const opened = await storedOf('usr_gone')
  const attach = aPayment({ order_id: later.order_id, amount: later.amount })
  for (const app of [at.app, unheard]) {
    for (const body of [aPayment(), aPayment({ id: 'pay-before' }), attach]) {
      for (const key of [{}, { key: 'before-2' }]) {
        const answer = await call(at, '/payments', { body, as, app, ...key })
        assert.deepEqual(codeOf(answer), [401, 'account_erased'])
      }
    }
  }
  assert.deepEqual(await storedOf('usr_gone'), opened)
  assert.equal((await call(at, '/payments/pay-before', { as })).status, 401)
  assert.equal((await call(at, '/payments')).status, 200, 'others go on')
})

test('rule 22: a payment that is being opened or attached while the erasure is recorded waits for it, and is refused', async () => {
  const later = anOrder({ owner_id: 'usr_under_way', payment_method: null })
  await pay(at, [later])
  const as = await at.issuer.user('usr_under_way')
  const bodies = [aPayment(), aPayment({ order_id: later.order_id, amount: later.amount })]
  const answers = await whileHeld(
    at.database.db,
    async (tx) => {
      await applyErasure(tx, 'usr_under_way')
      await tx.query('select 1')
    },
    {
      work: () =>
        Promise.all(bodies.map((body) => call(at, '/payments', { body, as, app: at.openIdle() }))),
      look: () => Promise.resolve(),
    },
  )
  assert.deepEqual(answers.map(codeOf), [
    [401, 'account_erased'],
    [401, 'account_erased'],
  ])
  assert.deepEqual(
    (await storedOf('usr_under_way')).map(({ status }) => status),
    ['requires_payment_method'],
  )
})

test('the pay command is not refused: the order was accepted, and how it was paid is forgotten with the answer', async () => {
  await erase('usr_promised')
  await forget('usr_promised')
  const order = anOrder({ owner_id: 'usr_promised' })
  assert.equal((await payUntilFinal(at, order)).outcome, 'succeeded')
  assert.deepEqual(await storedOf('usr_promised'), [{ status: 'succeeded', payment_method: null }])
  assert.equal((await voidUntilFinal(at, order)).amount_refunded, 1_000)
  const payment_method = 'pm_card_threeDSecureRequired'
  const challenged = anOrder({ owner_id: 'usr_promised', payment_method })
  assert.equal((await payUntilFinal(at, challenged)).outcome, 'requires_action')
  assert.deepEqual(await methodsOf('usr_promised'), [null, payment_method], 'it may be asked again')
  await voidUntilFinal(at, challenged)
  assert.deepEqual(await methodsOf('usr_promised'), [null, null])
})

test('what was paid or refused is forgotten at once; a charge that may be asked for again keeps its method until it isn’t', async () => {
  const methods = [
    'pm_card_visa',
    'pm_card_chargeDeclined',
    'pm_card_threeDSecureRequired',
    'pm_card_visa',
    null,
  ]
  const orders = methods.map((payment_method, n) =>
    anOrder({
      owner_id: 'usr_paid',
      payment_method,
      capture_method: n === 3 ? 'manual' : 'automatic',
    }),
  )
  for (const order of orders) await payUntilFinal(at, order)
  const declined = orders[4]
  const body = aPayment({
    order_id: declined?.order_id,
    amount: declined?.amount,
    payment_method: 'pm_card_chargeDeclined',
  })
  await call(at, '/payments', { body, as: await at.issuer.user('usr_paid') })
  await erase('usr_paid')
  await forget('usr_paid')
  assert.deepEqual(await storedOf('usr_paid'), [
    { status: 'succeeded', payment_method: null },
    { status: 'failed', payment_method: null },
    { status: 'requires_action', payment_method: 'pm_card_threeDSecureRequired' },
    { status: 'requires_capture', payment_method: null },
    { status: 'requires_payment_method', payment_method: null },
  ])
  for (const order of orders) await voidUntilFinal(at, order)
  assert.deepEqual(await methodsOf('usr_paid'), [null, null, null, null, null])
})

test('rule 22: a payment that ends while its owner is being forgotten is forgotten too', async () => {
  const { db } = at.database
  const silent = at.openIdle({
    fetch: (url, init) =>
      url.startsWith('http://provider.test') ? new Promise(() => {}) : at.network(url, init),
  })
  const order = anOrder({ owner_id: 'usr_ends' })
  const [outcome] = await pay(at, [order], silent)
  assert.equal(outcome?.outcome, 'processing')
  const write = (tx: Pick<Transaction, 'query'>, status: string) =>
    tx.query(
      `update payments set status = $1, payment_method = 'pm_card_visa' where owner_id = 'usr_ends'`,
      [status],
    )
  await erase('usr_ends')
  // As whoever began to write before the erasure was recorded.
  await whileHeld(db, (tx) => write(tx, 'succeeded'), {
    work: () => forget('usr_ends'),
    look: () => Promise.resolve(),
  })
  assert.deepEqual(await storedOf('usr_ends'), [{ status: 'succeeded', payment_method: null }])
  await write(db, 'processing')
  await settle(at)
  assert.deepEqual(await storedOf('usr_ends'), [{ status: 'succeeded', payment_method: null }])
})

test('what is free has no method: nobody is asked', async () => {
  const order = anOrder({ owner_id: 'usr_free', amount: { amount: 0, currency: 'USD' } })
  const [outcome] = await pay(at, [order])
  assert.deepEqual([outcome?.outcome, outcome?.code], ['succeeded', null])
  assert.deepEqual(await methodsOf('usr_free'), [null])
})

test('who lives keeps what is theirs', async () => {
  await payUntilFinal(at, anOrder({ owner_id: 'usr_lives' }))
  await erase('usr_other')
  await forget('usr_other')
  assert.deepEqual(await methodsOf('usr_lives'), ['pm_card_visa'])
})

test('answers that are kept for keys are forgotten with whom they were for', async () => {
  const post = async (user: string) => {
    const as = await at.issuer.user(user)
    const answer = await call(at, '/payments', { body: aPayment(), key: 'kept', as })
    assert.equal(answer.status, 201)
  }
  await post('usr_kept')
  await post('usr_forgotten')
  const keptFor = async () => {
    const rows = await at.database.db.query<{ subject: string }>(
      `select subject from idempotency_keys where subject in ('usr_kept', 'usr_forgotten')
       order by subject`,
    )
    return rows.map(({ subject }) => subject)
  }
  assert.deepEqual(await keptFor(), ['usr_forgotten', 'usr_kept'])
  sayErased('usr_forgotten')
  await until(async () => (await keptFor()).length === 1)
  assert.deepEqual(await keptFor(), ['usr_kept'])
  await until(async () => (await methodsOf('usr_forgotten'))[0] === null)
})

test('many payments of one owner are forgotten in bounded steps, to the last', async () => {
  await at.database.db.query(
    `insert into payments (id, owner_id, amount, currency, capture_method, pays_later, created_at,
       status, payment_method, attempt, undo, amount_capturable, amount_received, refunds_claimed,
       amount_refunded, updated_at)
     select 'pay_many_' || n, 'usr_many', 100, 'USD', 'automatic', false, $1, 'failed',
       'pm_card_visa', 1, false, 0, 0, 0, 0, $1 from generate_series(1, 1001) as n`,
    [new Date(at.clock.now())],
  )
  const counts: number[] = []
  for (let progress: number | undefined = 0; progress !== undefined;) {
    const from: number = progress
    progress = await at.database.db.transaction((tx) => forgetPayments(tx, 'usr_many', from))
    counts.push((await methodsOf('usr_many')).filter((method) => method !== null).length)
  }
  assert.deepEqual(counts, [501, 1, 0])
})

test('rule 15: forgetting locks payments in the order of their ids, as all who write them do', async () => {
  for (const id of ['pay-zz', 'pay-aa']) {
    await call(at, '/payments', { body: aPayment({ id }), as: await at.issuer.user('usr_locks') })
  }
  const lock = 'select id from payments where id = $1 for update skip locked'
  await whileHeld(at.database.db, (tx) => tx.query(lock, ['pay-aa']), {
    work: () => forget('usr_locks'),
    look: async () => assert.equal((await at.database.db.query(lock, ['pay-zz'])).length, 1),
  })
})

test('its public key is there for whoever it reads from', async () => {
  const { status, body } = await call(at, '/.well-known/jwks.json', { as: null })
  const [key] = body['keys'] as Record<string, unknown>[]
  assert.deepEqual([status, key?.['kty'], 'd' in (key ?? {})], [200, 'OKP', false])
})
