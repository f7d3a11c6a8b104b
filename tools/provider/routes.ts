/** Owns the routes: HTTP → action → HTTP. */
import type { Context, Hono } from 'hono'
import type { Metrics } from '@quartet/kit/telemetry'
import type { Clock } from '@quartet/kit/time'
import {
  answerChallenge,
  cancel,
  capture,
  charge,
  refund,
  type ChargeAnswer,
  type Desk,
} from './actions.ts'
import { totalsOf, type Book } from './book.ts'
import { challengePage, unclearDecisionPage, unknownChallengePage } from './challenge-page.ts'
import type { Committer } from './committer.ts'
import { bodies, recordQuery, type ChargeRequest, type RecordPage } from './contract.ts'
import { isMade, outcomeOf } from './domain.ts'
import { ConnectionDropped, readBody, readQuery } from './http.ts'
import { openapiDocument } from './openapi.ts'
import type { DurableRecord } from './record.ts'
import { toReturn } from './return-to.ts'
import type { Webhooks } from './webhooks.ts'

/** What the routes stand on while the processor runs. */
export type Running = {
  book: Book
  record: DurableRecord
  commit: Committer['commit']
  webhooks: Webhooks
}

export type RouteOptions = {
  metrics: Metrics
  clock: Clock
  publicUrl: string
  returnOrigins: string[]
  newId: (prefix: string) => string
  running: () => Running | undefined
  /** Throws a 503 Problem when the record is not open. */
  expectRunning: () => Running
}

export function addRoutes(http: Hono, options: RouteOptions): void {
  addCommands(http, options)
  addReading(http, options)
  addChallenges(http, options)
  addHealth(http, options)
}

function addCommands(http: Hono, options: RouteOptions): void {
  const { clock, newId } = options
  const challengeUrl = challengeUrlOf(options)
  const answer = async <Item, Outcome>(items: Item[], act: (desk: Desk, item: Item) => Outcome) =>
    options.expectRunning().commit((draft) => {
      const desk = { draft, nowMs: clock.now(), newId, challengeUrl }
      return items.map((item) => act(desk, item))
    })

  http.post('/v1/charges', async (c) => {
    const { charges } = await readBody(c, bodies.charges)
    const { webhooks } = options.expectRunning()
    const answers = await answer<ChargeRequest, ChargeAnswer>(charges, charge)
    const held = answers.filter(({ isHeld }) => isHeld)
    await webhooks.arrived(held.map(({ outcome }) => outcome.key))
    return c.json({ outcomes: withoutLost(answers) })
  })
  http.post('/v1/captures', async (c) => {
    const { captures } = await readBody(c, bodies.captures)
    return c.json({ outcomes: await answer(captures, capture) })
  })
  http.post('/v1/cancels', async (c) => {
    const { cancels } = await readBody(c, bodies.cancels)
    return c.json({ outcomes: await answer(cancels, cancel) })
  })
  http.post('/v1/refunds', async (c) => {
    const { refunds } = await readBody(c, bodies.refunds)
    return c.json({ outcomes: await answer(refunds, refund) })
  })
}

function withoutLost(answers: ChargeAnswer[]) {
  if (answers.some(({ loses }) => loses === 'connection')) throw new ConnectionDropped()
  const lost = new Set(answers.filter(({ loses }) => loses).map(({ outcome }) => outcome.key))
  return answers.map(({ outcome }) => outcome).filter(({ key }) => !lost.has(key))
}

// Reads see the book, never a draft: only what is durable.
function addReading(http: Hono, options: RouteOptions): void {
  const challengeUrl = challengeUrlOf(options)
  http.post('/v1/lookups', async (c) => {
    const { keys } = await readBody(c, bodies.lookups)
    const { book } = options.expectRunning()
    const outcomes = keys.map((key) => {
      const known = book.charges.get(key)
      return known === undefined ? { key, status: 'not_found' } : outcomeOf(known, challengeUrl)
    })
    return c.json({ outcomes })
  })
  http.get('/v1/record', async (c) => {
    const { after, limit } = readQuery(c, recordQuery)
    const { book, record } = options.expectRunning()
    const data = await record.read(after, limit)
    const last = data.at(-1)?.sequence
    const next = last === undefined || last >= book.sequence ? null : last
    return c.json({ data, next } satisfies RecordPage)
  })
  http.get('/v1/totals', (c) => c.json(totalsOf(options.expectRunning().book)))
}

const challengeUrlOf =
  ({ publicUrl }: RouteOptions) =>
  (chargeId: string) =>
    `${publicUrl}/challenges/${chargeId}`

// Without the API key: who knows the charge's id is the customer that it was given to.
function addChallenges(http: Hono, { expectRunning, returnOrigins }: RouteOptions): void {
  const find = (c: Context) => {
    const { book } = expectRunning()
    const key = book.challenges.get(c.req.param('charge_id') ?? '')
    return key === undefined ? undefined : book.charges.get(key)
  }
  const returnOf = (c: Context) => toReturn(c.req.query('return_to'), returnOrigins)
  http.get('/challenges/:charge_id', (c) => {
    const known = find(c)
    return isMade(known) ? challengePage(known, returnOf(c)) : unknownChallengePage()
  })
  http.post('/challenges/:charge_id', async (c) => {
    const decision = new URLSearchParams(await c.req.text()).get('decision')
    const known = find(c)
    if (known === undefined) return unknownChallengePage()
    if (decision !== 'approve' && decision !== 'decline') return unclearDecisionPage()
    const verdict = decision === 'approve' ? 'approved' : 'authentication_failed'
    const commit = expectRunning().commit
    const ended = await commit((draft) => answerChallenge(draft, known.key, verdict))
    const back = returnOf(c)
    if (back !== undefined) return c.redirect(back.href, 303)
    return isMade(ended) ? challengePage(ended) : unknownChallengePage()
  })
}

function addHealth(http: Hono, { running, metrics, publicUrl }: RouteOptions): void {
  const service = 'provider'
  http.get('/health/live', (c) => c.json({ status: 'ok', service }))
  http.get('/health/ready', (c) => {
    if (running() !== undefined) return c.json({ status: 'ok', service })
    return c.json({ status: 'not_running', service }, 503)
  })
  const { registry } = metrics
  http.get('/metrics', async (c) =>
    c.text(await registry.metrics(), 200, { 'content-type': registry.contentType }),
  )
  http.get('/openapi.json', (c) => c.json(openapiDocument(publicUrl)))
}
