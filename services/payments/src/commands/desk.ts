/** Owns how commands are taken: pay and void, each gathering into batches of its own, answered by state. */
import { createBatcher } from '@quartet/kit/batch'
import { answerItems, fieldOf, type Undecided } from '@quartet/kit/commands'
import type { World } from '@quartet/kit/world'
import type { Config } from '../config.ts'
import {
  payItemSchema,
  voidItemSchema,
  type PayItem,
  type PayOutcome,
  type VoidItem,
  type VoidOutcome,
} from '../contract/schemas.ts'
import type { Payment } from '../domain.ts'
import type { Worker } from '../work.ts'
import { openOrderPayments, undoOrderPayments, type Intended } from './order-payments.ts'

/** The two commands: any items in, one outcome per item out, in order, before the caller gives up. */
export type Desk = {
  pay: (items: unknown[], deadlineMs?: number) => Promise<PayOutcome[]>
  void: (items: unknown[], deadlineMs?: number) => Promise<VoidOutcome[]>
}

// Several at once: while one batch waits for the provider the next is written.
const LANES = 4

/** Takes commands; what isn't definite within COMMAND_BUDGET_MS goes on and is answered `processing` (rule 4). */
export function createDesk(world: World<Config>, worker: Worker): Desk {
  const lane = <Item, Outcome>(name: string, run: (items: Item[]) => Promise<Outcome[]>) =>
    createBatcher<Item, Outcome>({ name, timers: world.timers, lanes: LANES, run })

  async function carryOut(intended: Intended): Promise<(Payment | undefined)[]> {
    const driven = await worker.drive(intended.work)
    return intended.payments.map((payment) => payment && (driven.get(payment.id) ?? payment))
  }

  const paying = lane('pay', async (items: PayItem[]) => {
    const payments = await carryOut(await openOrderPayments(world, items))
    return items.map(({ order_id }, index) => toPayOutcome(order_id, payments[index]))
  })
  const voiding = lane('void', async (items: VoidItem[]) => {
    const payments = await carryOut(await undoOrderPayments(world, items))
    return items.map(({ order_id }, index) => toVoidOutcome(order_id, payments[index]))
  })
  const budgetMs = world.config.COMMAND_BUDGET_MS
  return {
    pay: (items, deadlineMs) =>
      answerItems(world, items, {
        schema: payItemSchema,
        batcher: paying,
        budgetMs,
        deadlineMs,
        undecided: (item, outcome) => ({ ...noPayment(item), outcome }),
      }),
    void: (items, deadlineMs) =>
      answerItems(world, items, {
        schema: voidItemSchema,
        batcher: voiding,
        budgetMs,
        deadlineMs,
        undecided: (item, outcome: Undecided) => ({
          order_id: fieldOf(item, 'order_id'),
          payment_id: null,
          outcome,
          amount_refunded: 0,
        }),
      }),
  }
}

const noPayment = (item: unknown) => ({
  order_id: fieldOf(item, 'order_id'),
  payment_id: null,
  amount_received: 0,
  amount_capturable: 0,
  currency: null,
  code: null,
  next_action: null,
})

function toPayOutcome(order_id: string, payment: Payment | undefined): PayOutcome {
  if (payment === undefined) return { ...noPayment({ order_id }), outcome: 'conflict' }
  return {
    order_id,
    payment_id: payment.id,
    outcome: outcomeOf(payment),
    amount_received: payment.amountReceived,
    amount_capturable: payment.amountCapturable,
    currency: payment.currency,
    code: payment.code,
    next_action: payment.nextAction,
  }
}

function outcomeOf({ status, undo }: Payment): PayOutcome['outcome'] {
  // Undo wins: once it is written, no attempt is answered anything else (rule 1).
  if (undo) return 'canceled'
  if (status === 'failed') return 'declined'
  return status === 'requires_confirmation' ? 'requires_payment_method' : status
}

function toVoidOutcome(order_id: string, payment: Payment | undefined): VoidOutcome {
  if (payment === undefined) {
    return { order_id, payment_id: null, outcome: 'conflict', amount_refunded: 0 }
  }
  const outcome = payment.status === 'canceled' ? 'canceled' : 'processing'
  return { order_id, payment_id: payment.id, outcome, amount_refunded: payment.amountRefunded }
}
