/** Owns NATS servers for tests: processes of their own, on free ports, with stores that go when they do. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import { freePort } from '../../tools/ports.ts'

const BINARY = 'nats-server'
const READY_MS = 20_000

/** Why a test that needs the binary is skipped; false where it is there. */
export function whyNoServers(): string | false {
  const { error } = spawnSync(BINARY, ['--version'], { stdio: 'ignore' })
  return error === undefined ? false : `no ${BINARY} on the PATH`
}

type Node = { port: number; config: string; store: string; process?: ChildProcess }

export type Servers = {
  /** Where all of them listen, as NATS_URL has it. */
  url: string
  /** A signal to one of them. */
  signal: (node: number, signal: NodeJS.Signals) => Promise<void>
  start: (node: number) => Promise<void>
  /** Kills all, removes what they have stored, and starts them anew. */
  wipe: () => Promise<void>
  /** Resolves when JetStream answers. */
  ready: () => Promise<void>
  connect: () => Promise<NatsConnection>
  close: () => Promise<void>
}

export type ServersOptions = {
  count: number
  /** More of each server's configuration, such as who may connect. */
  settings?: string
  /** How the tests themselves connect, then. */
  client?: NodeConnectionOptions
}

/** Starts a server, or a cluster of several. */
export async function startServers({ count, settings, client }: ServersOptions): Promise<Servers> {
  const folder = mkdtempSync(path.join(tmpdir(), 'quartet-nats-'))
  const nodes = await configure(folder, count, settings)
  const url = nodes.map(({ port }) => `nats://127.0.0.1:${port}`).join(',')

  async function start(node: number): Promise<void> {
    const known = nodes[node]
    if (known === undefined) throw new Error(`no server ${node}`)
    mkdirSync(known.store, { recursive: true })
    const child = spawn(BINARY, ['-c', known.config], { stdio: 'ignore' })
    known.process = child
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  }
  const signal = async (node: number, name: NodeJS.Signals) => {
    const child = nodes[node]?.process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill(name)
    if (name === 'SIGKILL') await new Promise((resolve) => child.once('exit', resolve))
  }
  const every = (act: (node: number) => Promise<void>) =>
    Promise.all(nodes.map((_, node) => act(node)))
  const killAll = () => every((node) => signal(node, 'SIGKILL'))
  const connectToAny = () =>
    connect({ servers: url.split(','), timeout: 1_000, reconnect: false, ...client })

  const servers: Servers = {
    url,
    signal,
    start,
    connect: connectToAny,
    async ready() {
      const deadlineMs = performance.now() + READY_MS
      for (;;) {
        try {
          return await askJetStream(connectToAny)
        } catch (error) {
          if (performance.now() > deadlineMs) throw error
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
      }
    },
    async wipe() {
      await killAll()
      for (const { store } of nodes) rmSync(store, { recursive: true, force: true })
      await every(start)
    },
    async close() {
      await killAll()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  await every(start)
  return servers
}

async function configure(folder: string, count: number, settings = ''): Promise<Node[]> {
  const nodes: (Node & { clusterPort: number })[] = []
  for (let n = 0; n < count; n += 1) {
    nodes.push({
      port: await freePort(),
      clusterPort: await freePort(),
      config: path.join(folder, `${n}.conf`),
      store: path.join(folder, `store-${n}`),
    })
  }
  const routes = nodes.map(({ clusterPort }) => `nats://127.0.0.1:${clusterPort}`).join(', ')
  for (const [n, { port, clusterPort, config, store }] of nodes.entries()) {
    const cluster = `cluster { name: test, listen: "127.0.0.1:${clusterPort}", routes: [${routes}] }`
    writeFileSync(
      config,
      `server_name: n${n}
listen: "127.0.0.1:${port}"
jetstream { store_dir: "${store}", max_memory_store: 64MB, max_file_store: 4GB }
${count > 1 ? cluster : ''}
${settings}
`,
    )
  }
  return nodes
}

async function askJetStream(connectToAny: () => Promise<NatsConnection>): Promise<void> {
  const nc = await connectToAny()
  try {
    await jetstreamManager(nc, { timeout: 1_000 })
  } finally {
    await nc.close()
  }
}
