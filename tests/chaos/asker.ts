/** Owns how customers ask: a try is broken, or not definite, or definite; what is not definite is asked again by the same key. */
import { Agent, request } from 'undici'
import { essenceOf, type History } from './history.ts'
import type { Meters } from './meters.ts'

export type Question = {
  /** Whose order it is about. */
  n: number
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  path: string
  body?: unknown
  token?: string
  key?: string
}
export type Reply = { status: number; body: Record<string, unknown> }

export type Asker = {
  /** One try; undefined when there was no answer. */
  once: (question: Question) => Promise<Reply | undefined>
  /** Again while there is no answer, or it is "not now", or not what is waited for; throws GaveUp when the time is over. */
  definitely: (question: Question, isWaitedFor?: (reply: Reply) => boolean) => Promise<Reply>
  /** The customer's page at the bank; the processor's, not ours. */
  decide: (n: number, url: string, decision: 'approve' | 'decline') => Promise<void>
  /** An order's life, message by message, until `hear` has heard enough or the stream ends; then the status of the answer. */
  stream: (question: Question, after: string, hear: Hear) => Promise<number>
  sleep: (ms: number) => Promise<void>
  close: () => Promise<void>
}

/** Hears a message; true: enough. */
type Hear = (message: Message) => boolean
type Message = { id: string; type: string; order: Record<string, unknown> }

/** The run's time was over before there was a definite answer. */
export class GaveUp extends Error {
  constructor(what: string) {
    super(`no definite answer: ${what}`)
    this.name = 'GaveUp'
  }
}

export type AskerOptions = {
  origin: string
  connections: number
  history: History
  meters: Meters
  /** Aborted when nothing is waited for any more. */
  signal: AbortSignal
}

// Longer than POST /orders waits; shorter than most people do.
const TRY_MS = 8_000
const STREAM_MS = 20_000
const AGAIN_MS = { least: 50, most: 1_000 }

/** "Not now": nothing was done, or what became of it is not known. */
const isLater = ({ status, body }: Reply): boolean =>
  status >= 500 || status === 429 || body['code'] === 'request_in_progress'

export function createAsker(options: AskerOptions): Asker {
  const { meters, signal } = options
  const agent = new Agent({
    connections: options.connections,
    headersTimeout: TRY_MS,
    bodyTimeout: TRY_MS,
    keepAliveTimeout: 3_000,
  })
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
  const once = (question: Question) => tryOnce(options, agent, question)
  let isClosed = false

  async function untilDefinite(what: string, attempt: () => Promise<boolean>): Promise<void> {
    const end = meters.begin(what)
    for (let waitMs = AGAIN_MS.least; ; waitMs = Math.min(2 * waitMs, AGAIN_MS.most)) {
      if (await attempt()) return end(true)
      if (signal.aborted || isClosed) {
        end(false)
        throw new GaveUp(what)
      }
      await sleep(waitMs * (0.5 + Math.random()))
    }
  }

  return {
    once,
    async definitely(question, isWaitedFor = () => true) {
      for (;;) {
        let reply: Reply | undefined
        await untilDefinite(routeOf(question), async () => {
          reply = await once(question)
          return reply !== undefined && !isLater(reply)
        })
        if (reply === undefined) throw new GaveUp(nameOf(question))
        if (isWaitedFor(reply)) return reply
        if (signal.aborted) throw new GaveUp(nameOf(question))
        await sleep(AGAIN_MS.most) // as Retry-After says
      }
    },
    decide: (n, url, decision) =>
      untilDefinite(`${decision} at the bank`, () =>
        decideOnce(options, agent, { n, url, decision }),
      ),
    stream: (question, after, hear) => readStream(options, agent, { question, after, hear }),
    sleep,
    close() {
      isClosed = true
      return agent.destroy()
    },
  }
}

const methodOf = ({ method, body }: Question) => method ?? (body === undefined ? 'GET' : 'POST')
const nameOf = (question: Question) => `${methodOf(question)} ${question.path}`
/** The route, without ids. */
const routeOf = (question: Question) =>
  nameOf(question).replaceAll(/\/(ord_|pay_|usr_|chaos-)[^/]*/g, '/:id')

function headersOf({ body, token, key }: Question): Record<string, string> {
  return {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(key === undefined ? {} : { 'idempotency-key': key }),
  }
}

async function tryOnce(
  { origin, history, meters }: AskerOptions,
  dispatcher: Agent,
  question: Question,
): Promise<Reply | undefined> {
  const { n, path, body, key } = question
  const atMs = Date.now()
  const note = (answer: number | string, said = '') => {
    meters.count(`${routeOf(question)} ${typeof answer === 'number' ? answer : 'no answer'}`)
    const asked = `${nameOf(question)}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`
    const tookMs = Date.now() - atMs
    history.note({ n, atMs, tookMs, asked, answer, said, ...(key === undefined ? {} : { key }) })
  }
  try {
    const response = await request(`${origin}/api${path}`, {
      dispatcher,
      method: methodOf(question),
      headers: headersOf(question),
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await response.body.text()
    const told = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
    note(response.statusCode, essenceOf(told))
    return { status: response.statusCode, body: told }
  } catch (error) {
    note(reasonOf(error))
    return undefined
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return code || String(error)
}

type Decision = { n: number; url: string; decision: string }

async function decideOnce(
  { history, meters }: AskerOptions,
  dispatcher: Agent,
  { n, url, decision }: Decision,
): Promise<boolean> {
  const atMs = Date.now()
  const answer = await request(url, {
    dispatcher,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ decision }).toString(),
  }).then(
    async (response) => {
      await response.body.dump()
      return response.statusCode
    },
    (error: unknown) => reasonOf(error),
  )
  meters.count(`POST challenge ${typeof answer === 'number' ? answer : 'no answer'}`)
  const asked = `POST ${url} ${decision}`
  history.note({ n, atMs, tookMs: Date.now() - atMs, asked, answer, said: '' })
  return typeof answer === 'number' && answer < 500
}

type Listening = { question: Question; after: string; hear: Hear }

async function readStream(
  { origin, history, meters, signal }: AskerOptions,
  dispatcher: Agent,
  { question, after, hear }: Listening,
): Promise<number> {
  const { n, path } = question
  const atMs = Date.now()
  const note = (answer: number | string, said = '') =>
    history.note({ n, atMs, tookMs: Date.now() - atMs, asked: `GET ${path}`, answer, said })
  try {
    const response = await request(`${origin}/api${path}`, {
      dispatcher,
      headers: { ...headersOf(question), ...(after === '' ? {} : { 'last-event-id': after }) },
      bodyTimeout: STREAM_MS,
      signal: AbortSignal.any([signal, AbortSignal.timeout(STREAM_MS)]),
    })
    meters.count(`${routeOf(question)} ${response.statusCode}`)
    note(response.statusCode)
    if (response.statusCode !== 200) {
      await response.body.dump()
      return response.statusCode
    }
    let rest = ''
    for await (const chunk of response.body.setEncoding('utf8')) {
      const parts = (rest + String(chunk)).split('\n\n')
      rest = parts.pop() ?? ''
      for (const part of parts) {
        const message = parseMessage(part)
        if (message === undefined) continue
        note(200, `event ${message.id} ${message.type} ${essenceOf(message.order)}`)
        if (hear(message)) return 200 // which closes the connection
      }
    }
    return 200
  } catch (error) {
    meters.count(`${routeOf(question)} no answer`)
    note(reasonOf(error))
    return 0
  }
}

function parseMessage(part: string): Message | undefined {
  const field = (name: string) =>
    part
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2)
  const [id, type, data] = [field('id'), field('event'), field('data')]
  if (id === undefined || type === undefined || data === undefined) return undefined
  return { id, type, order: JSON.parse(data) as Message['order'] }
}
