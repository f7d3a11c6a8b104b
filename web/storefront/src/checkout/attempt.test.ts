/** Proves that an order is asked after until its end is definite, always under one key. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NoAnswer, Refusal } from '../api/ask.ts'
import type { Order } from '../api/contracts.ts'
import type { Attempt } from '../cart/cart.ts'
import { isSame, settle, type Settling } from './attempt.ts'

const order = { id: 'ord_1' } as Order
const attempt: Attempt = {
  key: 'key-1',
  owner_id: 'usr_1',
  order: { line_items: [{ product_id: 'a', quantity: 1 }], payment_method: 'pm_card_visa' },
}
const refusal = (status: number, code: string) => new Refusal({ title: code, status, code })

/** Answers in turn; a time that is waited is over at once. */
function desk(...answers: (Order | Error)[]) {
  const sent: Attempt[] = []
  const waited: number[] = []
  const told: number[] = []
  const settling: Settling = {
    send(asked) {
      sent.push(asked)
      const answer = answers.shift()
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer ?? order)
    },
    wait(ms) {
      waited.push(ms)
      return Promise.resolve()
    },
    onNoAnswer: (tries) => void told.push(tries),
  }
  return { settling, sent, waited, told }
}

test('an answer that was lost is asked for again by the same key, until there is one', async () => {
  const { settling, sent, waited, told } = desk(
    new NoAnswer('lost'),
    new NoAnswer('down', 503),
    new NoAnswer('busy', 429, 20_000),
    order,
  )
  assert.deepEqual(await settle(attempt, settling), { kind: 'placed', order })
  assert.deepEqual(sent, [attempt, attempt, attempt, attempt])
  assert.deepEqual(waited, [700, 1_400, 20_000])
  assert.deepEqual(told, [1, 2, 3])
})

test('waiting grows, up to a limit', async () => {
  const { settling, waited } = desk(...Array.from({ length: 8 }, () => new NoAnswer('lost')))
  await settle(attempt, settling)
  assert.deepEqual(waited, [700, 1_400, 2_800, 5_600, 8_000, 8_000, 8_000, 8_000])
})

test('a refusal is the end: it is not asked again', async () => {
  const declined = refusal(402, 'payment_declined')
  const { settling, sent } = desk(declined, order)
  assert.deepEqual(await settle(attempt, settling), { kind: 'refused', problem: declined.problem })
  assert.equal(sent.length, 1)
})

test('a session that is over says whether an order may be there', async () => {
  const over = () => refusal(401, 'unauthenticated')
  assert.deepEqual(await settle(attempt, desk(over()).settling), {
    kind: 'signed_out',
    may_exist: false,
  })
  assert.deepEqual(await settle(attempt, desk(new NoAnswer('lost'), over()).settling), {
    kind: 'signed_out',
    may_exist: true,
  })
})

test('a fault of ours is not taken for an answer', async () => {
  await assert.rejects(settle(attempt, desk(new TypeError('a bug')).settling), TypeError)
})

test('another card, another address or another line is another order', () => {
  const { order: first } = attempt
  assert.ok(isSame(first, structuredClone(first)))
  assert.ok(!isSame(first, { ...first, payment_method: 'pm_card_mastercard' }))
  assert.ok(!isSame(first, { ...first, line_items: [{ product_id: 'a', quantity: 2 }] }))
})
