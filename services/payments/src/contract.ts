/** Owns what others may know of payments: its routes and commands, the only door for other services. */
import { createRoute, z } from '@hono/zod-openapi'
import { commandSchema } from '@quartet/kit/commands'
import { body, header, idInPath, json, keyHeader, problem, security } from '@quartet/kit/openapi'
import { id, page, pageQuery } from '@quartet/kit/schema'
import {
  accountSchema,
  createPaymentSchema,
  createRefundSchema,
  MAX_ITEMS,
  movePaymentSchema,
  PAYMENT_STATUSES,
  paymentSchema,
  payOutcomeSchema,
  refundSchema,
  transactionSchema,
  voidOutcomeSchema,
  webhookReceiptSchema,
} from './contract/schemas.ts'

const account = z.object({
  account: z.string().openapi({ param: { name: 'account', in: 'path' } }),
})

const payments = { tags: ['payments'], security }
const ledger = { tags: ['ledger'], security }
const commands = { tags: ['commands'], security }

const provider = z.object({
  provider: z.string().openapi({ param: { name: 'provider', in: 'path' } }),
})
const notThere = problem('Payment not found')

export const routes = {
  create: createRoute({
    ...payments,
    method: 'post',
    path: '/payments',
    summary: 'Pay, or pay for an order that waits for it',
    description:
      'With `order_id` the payment method is tried for that order, which knows what it costs: an ' +
      '`amount` that is sent all the same must be its total. After a decline another may be tried.',
    parameters: [keyHeader],
    request: { body: body(createPaymentSchema) },
    responses: {
      201: json(paymentSchema, 'Succeeded, or authorised'),
      202: json(paymentSchema, 'Processing, or the buyer must act (`next_action.url`)'),
      402: problem('`payment_declined`, with `payment_id` and `decline_code`'),
      404: problem('The order has no payment that waits'),
      409: problem('`id_taken`, `invalid_transition`, `amount_mismatch`'),
    },
  }),
  read: createRoute({
    ...payments,
    method: 'get',
    path: '/payments/{id}',
    summary: 'Read a payment',
    request: { params: idInPath },
    responses: { 200: json(paymentSchema, 'The payment'), 404: notThere },
  }),
  list: createRoute({
    ...payments,
    method: 'get',
    path: '/payments',
    summary: "List payments, newest first: one's own, or everyone's for an admin",
    request: {
      query: z.object({
        ...pageQuery,
        order_id: id().optional(),
        status: z.enum(PAYMENT_STATUSES).optional(),
      }),
    },
    responses: { 200: json(page(paymentSchema), 'A page of payments') },
  }),
  move: createRoute({
    ...payments,
    method: 'put',
    path: '/payments/{id}',
    summary: 'Cancel a payment of one’s own (canceled), or capture one (succeeded, admin)',
    request: { params: idInPath, body: body(movePaymentSchema) },
    responses: {
      200: json(paymentSchema, 'Moved'),
      202: json(paymentSchema, 'The provider has not confirmed yet'),
      404: notThere,
      409: problem('`invalid_transition`, `belongs_to_order`'),
    },
  }),
  refund: createRoute({
    ...payments,
    method: 'post',
    path: '/payments/{id}/refunds',
    summary: 'Give back a part, or all that remains (admin)',
    parameters: [keyHeader],
    request: { params: idInPath, body: body(createRefundSchema) },
    responses: {
      201: json(refundSchema, 'Refunded, or `pending` at the provider'),
      404: notThere,
      409: problem('`refund_exceeds_remaining`, `invalid_transition`'),
    },
  }),
  listRefunds: createRoute({
    ...payments,
    method: 'get',
    path: '/payments/{id}/refunds',
    summary: 'List the refunds of a payment, newest first',
    request: { params: idInPath, query: z.object(pageQuery) },
    responses: { 200: json(page(refundSchema), 'A page of refunds'), 404: notThere },
  }),
  accounts: createRoute({
    ...ledger,
    method: 'get',
    path: '/ledger/accounts',
    summary: 'List accounts with their volumes, by name (admin)',
    request: { query: z.object(pageQuery) },
    responses: { 200: json(page(accountSchema), 'A page of accounts') },
  }),
  account: createRoute({
    ...ledger,
    method: 'get',
    path: '/ledger/accounts/{account}',
    summary: 'Read the volumes of an account, per currency (admin)',
    request: { params: account },
    responses: {
      200: json(z.object({ data: z.array(accountSchema) }), 'Volumes; empty when unused'),
    },
  }),
  transactions: createRoute({
    ...ledger,
    method: 'get',
    path: '/ledger/transactions',
    summary: 'List transactions with their postings, newest first (admin)',
    request: { query: z.object({ ...pageQuery, payment_id: id().optional() }) },
    responses: { 200: json(page(transactionSchema), 'A page of transactions') },
  }),
  balance: createRoute({
    ...ledger,
    method: 'get',
    path: '/ledger/balance',
    summary:
      'The trial balance: per currency what came in from the world, what went back, and the sum of all balances, which is 0 (admin)',
    responses: {
      200: json(
        z.object({
          data: z.array(
            z.object({
              currency: z.string(),
              charged: z.int(),
              refunded: z.int(),
              sum_of_balances: z.int(),
            }),
          ),
        }),
        'Per currency',
      ),
    },
  }),
  webhook: createRoute({
    tags: ['webhooks'],
    method: 'post',
    path: '/webhooks/{provider}',
    summary: 'Take what the payment provider tells: no token, its signature is the guard',
    parameters: [
      header(
        'Provider-Signature',
        '`t=<seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`, at most five minutes old',
      ),
    ],
    request: {
      params: provider,
      // Not a schema to check: until its signature is right, a body is bytes.
      body: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
    },
    responses: {
      200: json(webhookReceiptSchema, 'Taken: written, known already, or of no payment here'),
      400: problem('`invalid_signature`'),
      404: problem('No webhooks of this provider are taken'),
    },
  }),
  pay: createRoute({
    ...commands,
    method: 'post',
    path: '/commands/pay',
    summary: 'Pay for orders (service orders, scope pay)',
    request: { body: body(commandSchema(MAX_ITEMS)) },
    responses: {
      200: json(z.object({ outcomes: z.array(payOutcomeSchema) }), 'One outcome per item'),
    },
  }),
  void: createRoute({
    ...commands,
    method: 'post',
    path: '/commands/void',
    summary: 'Undo the payments of orders (service orders, scope void)',
    request: { body: body(commandSchema(MAX_ITEMS)) },
    responses: {
      200: json(z.object({ outcomes: z.array(voidOutcomeSchema) }), 'One outcome per item'),
    },
  }),
} as const
