/** Owns the first figure: checkouts a second through the real processes, and what each costs in CPU. */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { parseArgs } from 'node:util'
import { checkBooks, inParallel, newProduct, openShop, type TestShop } from '../tests/e2e/shop.ts'
import { PROCESSES } from '../tools/start/plan.ts'

const USAGE = `Measures checkouts against a shop of its own, which it starts and stops.

  npm run bench                                    1,000 products, 64 connections, 10 s
  npm run bench -- --connections 256 --seconds 20 --products 1`

const TICKS_PER_S = 100 // of /proc/<pid>/stat on Linux

/** CPU seconds that each process has used so far; undefined where the system does not tell. */
function cpuSeconds({ shop }: TestShop): Map<string, number> {
  const used = new Map<string, number>()
  for (const name of PROCESSES) {
    const pid = shop.processes.get(name)?.pid()
    if (pid === undefined || process.platform !== 'linux') continue
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    used.set(name, (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S)
  }
  return used
}

type Post = { url: URL; agent: Agent; headers: Record<string, string>; body: string }

function post({ url, agent, headers, body }: Post): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

async function load(at: TestShop, products: string[], connections: number, seconds: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const url = new URL(`${at.shop.urls.orders}/orders`)
  const tokens = await Promise.all(Array.from({ length: 8 }, () => at.newCustomer()))
  const statuses = new Map<number, number>()
  const latenciesMs: number[] = []
  const endMs = performance.now() + seconds * 1_000
  let sent = 0
  const buyer = async () => {
    while (performance.now() < endMs) {
      const n = sent
      sent += 1
      const product_id = products[n % products.length]
      const body = { line_items: [{ product_id, quantity: 1 }], payment_method: 'pm_card_visa' }
      const startedMs = performance.now()
      const status = await post({
        url,
        agent,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${tokens[n % tokens.length]}`,
          'idempotency-key': `bench-${n}`,
        },
        body: JSON.stringify(body),
      })
      latenciesMs.push(performance.now() - startedMs)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: connections }, buyer))
  agent.destroy()
  return { statuses, latenciesMs: latenciesMs.toSorted((a, b) => a - b) }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      connections: { type: 'string', default: '64' },
      seconds: { type: 'string', default: '10' },
      products: { type: 'string', default: '1000' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(USAGE)
  const [connections, seconds, count] = [values.connections, values.seconds, values.products].map(
    Number,
  )
  if (!connections || !seconds || !count) throw new Error(`Three whole numbers, please.\n${USAGE}`)
  const at = await openShop()
  try {
    const ids = Array.from({ length: count }, (_, n) => `bench-${n}`)
    await inParallel(count, 16, (n) => newProduct(at, String(ids[n]), 1_000_000))
    await load(at, ids, connections, 2) // warm
    const before = cpuSeconds(at)
    const { statuses, latenciesMs } = await load(at, ids, connections, seconds)
    report({ connections, seconds, count, statuses, latenciesMs, before, after: cpuSeconds(at) })
    await checkBooks(at)
    console.log('provider = ledger = orders')
  } finally {
    await at.close()
  }
}

type Run = {
  connections: number
  seconds: number
  count: number
  statuses: Map<number, number>
  latenciesMs: number[]
  before: Map<string, number>
  after: Map<string, number>
}

function report({ connections, seconds, count, statuses, latenciesMs, before, after }: Run): void {
  const confirmed = statuses.get(201) ?? 0
  const at = (share: number) => latenciesMs[Math.floor(latenciesMs.length * share)]?.toFixed(1)
  console.log(`${connections} connections, ${count} products, ${seconds} s`)
  console.log(
    `${Math.round(confirmed / seconds)} checkouts/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
  )
  console.log(`answers: ${[...statuses].map(([status, n]) => `${n} × ${status}`).join(', ')}`)
  for (const [name, used] of after) {
    const ms = ((used - (before.get(name) ?? 0)) * 1_000) / Math.max(confirmed, 1)
    console.log(`${name.padEnd(10)} ${ms.toFixed(3)} CPU-ms per order`)
  }
}

await main()
