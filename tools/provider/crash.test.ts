/** Owns the proof on a real process: what it answered survives kill -9, and one file has one process. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { aCharge, API_KEY, createClient, temporaryFolder } from './provider.fixture.ts'

const folder = temporaryFolder()
const dataFile = join(folder.path, 'record.jsonl')
const keyFile = join(folder.path, 'key')
const running = new Set<ChildProcess>()
let port = 0

before(async () => {
  writeFileSync(keyFile, `${API_KEY}\n`, { mode: 0o600 })
  port = await freePort()
})
after(() => {
  for (const child of running) child.kill('SIGKILL')
  folder.remove()
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: free } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return free
}

function spawnProvider(onPort: number, settings: NodeJS.ProcessEnv = {}) {
  const own = { DATA_FILE: dataFile, API_KEY_FILE: keyFile, PORT: String(onPort) }
  const env = { ...process.env, LOG_LEVEL: 'silent', ...own, ...settings }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  running.add(child)
  const { stderr } = child
  assert.ok(stderr)
  let errors = ''
  stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  // Not 'close': it never comes after `disconnect`.
  const exited = Promise.all([once(child, 'exit'), once(stderr, 'end')]).then(() => {
    running.delete(child)
    return { code: child.exitCode, signal: child.signalCode, errors }
  })
  return { child, exited }
}

async function startProvider(settings: NodeJS.ProcessEnv = {}) {
  const { child, exited } = spawnProvider(port, settings)
  const first = await Promise.race([once(child, 'message'), exited])
  assert.match(JSON.stringify(first), /^\[\{"type":"ready","port":\d+\}/)
  const client = createClient((path, init) => fetch(`http://127.0.0.1:${port}${path}`, init))
  return { child, exited, client }
}

test('killed by -9 in the middle of charges, it has every charge that it answered', async () => {
  const answered = new Map<string, string>()
  const asked: string[] = []
  for (let round = 0; round < 3; round += 1) {
    const { child, exited, client } = await startProvider()
    const chargeUntilItDies = async (lane: number) => {
      for (let n = 0; ; n += 1) {
        const keys = Array.from({ length: 5 }, (_, item) => `${round}/${lane}/${n}/${item}`)
        asked.push(...keys)
        const outcomes = await client.charge(...keys.map((key) => aCharge(key))).catch(() => {})
        if (outcomes === undefined) return
        for (const outcome of outcomes) {
          assert.ok(outcome.status === 'succeeded')
          answered.set(outcome.key, outcome.charge_id ?? '')
        }
        if (answered.size > (round + 1) * 200) child.kill('SIGKILL')
      }
    }
    await Promise.all([0, 1, 2, 3].map(chargeUntilItDies))
    assert.equal((await exited).signal, 'SIGKILL')
  }

  const { child, exited, client } = await startProvider()
  const keys = [...answered.keys()]
  const found = await client.lookup(...keys)
  assert.deepEqual(
    found.map((outcome) => [outcome.key, 'charge_id' in outcome && outcome.charge_id]),
    [...answered],
  )
  // Those whose answer was lost too: asked again by the same key, all are charged exactly once.
  for (let n = 0; n < asked.length; n += 500) {
    await client.charge(...asked.slice(n, n + 500).map((key) => aCharge(key)))
  }
  const charged = (await client.totals()).data[0]
  assert.equal(charged?.counts.succeeded, asked.length)
  assert.equal(charged.captured, asked.length * 1_999)
  child.kill('SIGTERM')
  assert.deepEqual(await exited, { code: 0, signal: null, errors: '' })
})

test('a lost connection is a real reset on a real socket', async () => {
  const { child, exited, client } = await startProvider()
  const request = aCharge('reset', { payment_method: 'pm_card_lostConnection' })
  const error: unknown = await client.charge(request).catch((reason: unknown) => reason)
  assert.ok(error instanceof Error && error.cause instanceof Error)
  assert.equal('code' in error.cause && error.cause.code, 'ECONNRESET')
  assert.equal((await client.charge(request))[0]?.status, 'succeeded')
  child.kill('SIGINT')
  assert.deepEqual(await exited, { code: 0, signal: null, errors: '' })
})

test('a second process on the same file ends with a sentence, and the first goes on', async () => {
  const first = await startProvider()
  const second = await spawnProvider(0).exited
  assert.equal(second.code, 1)
  assert.match(second.errors, /^The record .* another provider is using it\. Stop it first.*\n$/)
  assert.equal((await first.client.charge(aCharge('still-here')))[0]?.status, 'succeeded')
  first.child.kill('SIGTERM')
  await first.exited
})

test('killed by -9 between a decision and its webhook, it sends the webhook when it is back', async () => {
  let isOpen = false
  const arrivals: string[] = []
  const tries: (() => void)[] = []
  const shop = createHttpServer((request, response) => {
    arrivals.push(
      `${isOpen ? 'taken' : 'refused'} ${String(request.headers['provider-signature'])}`,
    )
    response.writeHead(isOpen ? 204 : 503).end()
    for (const tell of tries.splice(0)) tell()
  }).listen(0, '127.0.0.1')
  const arrival = () => new Promise<void>((resolve) => tries.push(resolve))
  await once(shop, 'listening')
  const settings = {
    WEBHOOK_URL: `http://127.0.0.1:${(shop.address() as AddressInfo).port}/webhooks/simulated`,
    WEBHOOK_SECRET_FILE: keyFile,
  }
  const first = await startProvider(settings)
  const asks = { payment_method: 'pm_card_threeDSecureRequired' }
  const [outcome] = await first.client.charge(aCharge('decided', asks))
  assert.ok(outcome?.status === 'requires_action')
  const refused = arrival()
  const body = new URLSearchParams({ decision: 'approve' })
  await fetch(outcome.next_action?.url ?? '', { method: 'POST', body })
  await refused
  first.child.kill('SIGKILL')
  await first.exited
  isOpen = true
  const taken = arrival()
  const second = await startProvider(settings)
  await taken
  assert.match(arrivals.at(-1) ?? '', /^taken t=\d+,v1=[\da-f]{64}$/)
  second.child.kill('SIGTERM')
  assert.deepEqual(await second.exited, { code: 0, signal: null, errors: '' })
  shop.closeAllConnections()
  shop.close()
})

test('webhooks without a secret, or settings that are wrong, end it with a sentence each', async () => {
  const settings = { WEBHOOK_URL: 'http://127.0.0.1/' }
  const { code, errors } = await spawnProvider(0, settings).exited
  assert.equal(code, 1)
  assert.match(errors, /WEBHOOK_SECRET_FILE: is wanted with WEBHOOK_URL\n$/)
  const wrong = { RETURN_ORIGINS: 'http://127.0.0.1:8080,shop', WEBHOOK_URL: 'shop' }
  const refused = await spawnProvider(0, wrong).exited
  assert.match(refused.errors, /WEBHOOK_URL: .*\n.*RETURN_ORIGINS.1: /)
})

test('it stops by itself when the process that started it is gone', async () => {
  const { child, exited } = await startProvider()
  child.disconnect()
  assert.equal((await exited).code, 0)
})
