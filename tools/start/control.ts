/** Owns how a running shop is told to change: a door on this machine alone, for who can read the data folder. */
import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import { Explained } from '../explained.ts'
import { randomSecret } from '../secrets.ts'
import type { Report } from './replica-set.ts'

const command = z.discriminatedUnion('do', [
  z.object({ do: z.literal('restart'), name: z.string() }),
  z.object({ do: z.literal('scale'), name: z.string(), count: z.number() }),
])
export type Command = z.output<typeof command>

/** Where a shop takes commands, and the token that they carry: both stand in its run file (0600). */
export type ControlAddress = { url: string; token: string }
export type Control = ControlAddress & { close: () => void }

/** One line of an answer; the last one says how it ended. */
export type AnswerLine = { line: string } | { done: true } | { error: string }

const MAX_COMMAND_BYTES = 10_000

/** Opens the door. `carryOut` throws `Explained` for what cannot be done. */
export async function openControl(
  carryOut: (command: Command, report: Report) => Promise<void>,
): Promise<Control> {
  const token = randomSecret()
  const server = createServer((request, response) => {
    if (!isAuthorized(request, token)) return void response.writeHead(401).end()
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    const say = (line: AnswerLine) => response.write(`${JSON.stringify(line)}\n`)
    readCommand(request)
      .then((wanted) => carryOut(wanted, (line) => say({ line })))
      .then(() => say({ done: true }))
      .catch((error: unknown) => say({ error: describe(error) }))
      .finally(() => response.end())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    token,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function isAuthorized(request: IncomingMessage, token: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '')
  const wanted = Buffer.from(`Bearer ${token}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

async function readCommand(request: IncomingMessage): Promise<Command> {
  let text = ''
  for await (const chunk of request) {
    text += String(chunk)
    if (text.length > MAX_COMMAND_BYTES) throw new Explained('The command is too long.')
  }
  return command.parse(JSON.parse(text))
}

const describe = (error: unknown): string =>
  error instanceof Explained ? error.message : `It failed unexpectedly: ${String(error)}`

/** Sends a command and shows what it says; throws `Explained` when it could not be carried out. */
export async function sendCommand(
  { url, token }: ControlAddress,
  wanted: Command,
  show: Report,
): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify(wanted),
  }).catch((error: unknown) => {
    throw new Explained('The shop does not answer. See: npm run status', { cause: error })
  })
  if (!response.ok || response.body === null) throw new Explained('The shop refused the command.')
  let rest = ''
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const said = JSON.parse(line) as AnswerLine
      if ('error' in said) throw new Explained(said.error)
      if ('done' in said) return
      show(said.line)
    }
  }
  throw new Explained('The shop ended before it had answered.')
}
