/** Owns `npm run events`: who has read how far, what is set aside, and its replay. */
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { Explained, runProgram } from '../explained.ts'
import { readOrMakeCredentials } from './credentials.ts'
import { readDataOption } from './options.ts'
import { SERVICES, type ServiceName } from './plan.ts'
import { readRunFile, type RunFile } from './run-file.ts'
import { table } from './screen.ts'

const USAGE = `  npm run events                                       who has read how far, and what is set aside
  npm run events -- replay products orders ord_1       applies in products what is set aside of orders' ord_1`

const token = z.object({ access_token: z.string() })
const subscribers = z.object({
  newest: z.number(),
  data: z.array(z.object({ name: z.string(), acknowledged: z.number() })),
})
const setAside = z.object({
  data: z.array(
    z.object({
      source: z.string(),
      sequence: z.number(),
      type: z.string(),
      subject: z.string(),
      reason: z.string(),
    }),
  ),
})

/** Asks a service as the admin; gives the body of a 200, or explains why there is none. */
type Ask = (service: ServiceName, path: string, body?: unknown) => Promise<unknown>

async function main(): Promise<void> {
  const { values, positionals } = parse(process.argv.slice(2))
  if (values.help === true) return console.log(USAGE)
  const [verb, service, source, subject, ...more] = positionals
  const dataDir = readDataOption(values.data === undefined ? [] : ['--data', values.data])
  if (verb !== undefined && (verb !== 'replay' || subject === undefined || more.length > 0)) {
    throw new Explained(`Replay what?\n${USAGE}`)
  }
  const shop = readRunFile(dataDir)
  if (shop === undefined) {
    throw new Explained(`Quartet is not running on ${dataDir}. "npm start" starts it.`)
  }
  const ask = await askAsAdmin(shop, dataDir)
  if (verb === undefined) return show(ask)
  const name = SERVICES.find((each) => each === service)
  if (name === undefined) {
    throw new Explained(`${service}: one of ${SERVICES.join(', ')}, please.\n${USAGE}`)
  }
  const answer = await ask(name, '/events/set-aside/replay', { source, subject })
  const { replayed } = z.object({ replayed: z.number() }).parse(answer)
  console.log(`${replayed} applied.`)
}

function parse(args: string[]) {
  const options = { help: { type: 'boolean', short: 'h' }, data: { type: 'string' } } as const
  try {
    return parseArgs({ args, allowPositionals: true, options })
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
    throw new Explained(`${reason}.\n${USAGE}`, { cause: error })
  }
}

async function askAsAdmin(shop: RunFile, dataDir: string): Promise<Ask> {
  const { admin } = await readOrMakeCredentials(dataDir, {})
  const urlOf = (service: ServiceName) =>
    shop.processes.find(({ name }) => name === service)?.url ?? ''
  const session = await send(`${urlOf('users')}/sessions`, { body: admin })
  const authorization = `Bearer ${token.parse(session).access_token}`
  return (service, path, body) => send(urlOf(service) + path, { body, authorization })
}

type Sent = { body?: unknown; authorization?: string }

async function send(url: string, { body, authorization }: Sent): Promise<unknown> {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    throw new Explained(`${url} does not answer: npm run status`, { cause: error })
  })
  const answer: unknown = await response.json()
  if (response.ok) return answer
  const { title, detail = '' } = z
    .object({ title: z.string(), detail: z.string() })
    .partial()
    .parse(answer)
  throw new Explained(`${title ?? response.status}. ${detail}`)
}

async function show(ask: Ask): Promise<void> {
  const [logs, aside] = await Promise.all([
    Promise.all(SERVICES.map(async (name) => logOf(name, await ask(name, '/events/subscribers')))),
    Promise.all(SERVICES.map(async (name) => asideOf(name, await ask(name, '/events/set-aside')))),
  ])
  console.log(
    table([['events of', 'newest', 'reader', 'read up to', 'to come'], ...logs.flat()]).join('\n'),
  )
  const rows = aside.flat()
  if (rows.length === 0) return console.log('\nNothing is set aside.')
  console.log(`\n${table([['in', 'of', 'event', 'type', 'subject', 'why'], ...rows]).join('\n')}`)
  console.log('\nMend the cause, then: npm run events -- replay <in> <of> <subject>')
  process.exitCode = 1
}

function logOf(name: string, answer: unknown): string[][] {
  const { newest, data } = subscribers.parse(answer)
  if (data.length === 0) return [[name, String(newest), '', '', '']]
  return data.map((reader) => [
    name,
    String(newest),
    reader.name,
    String(reader.acknowledged),
    String(newest - reader.acknowledged),
  ])
}

function asideOf(name: string, answer: unknown): string[][] {
  return setAside
    .parse(answer)
    .data.map((event) => [
      name,
      event.source,
      String(event.sequence),
      event.type,
      event.subject,
      event.reason.replaceAll(/\s+/g, ' ').slice(0, 60),
    ])
}

await runProgram(main)
