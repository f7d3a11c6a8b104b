/** Owns the proof that a server lives exactly as long as its clients, whoever is killed. */
import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { Explained } from '../explained.ts'
import { commandOf, waitUntilGone } from '../processes.ts'
import { inData } from './data-folder.ts'
import { guardRuns, joinPostgres, type JoinedPostgres, type PostgresEvent } from './join.ts'

const DEATH_TIMEOUT_MS = 15_000
let dataDir = ''

before(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'quartet-guard-'))
  await (await joinPostgres({ dataDir, port: 0 })).leave()
})
after(() => rmSync(dataDir, { recursive: true, force: true }))

test('a second client shares the server, and the last one to leave stops it', async () => {
  const first = await joinPostgres({ dataDir, port: 0 })
  const second = await joinPostgres({ dataDir, port: 0 })
  const pid = postgresPid()
  assert.equal(second.port, first.port)
  await first.leave()
  assert.equal(await ask(second, 'select 1 as answer'), 1)
  await second.leave()
  assert.equal(await waitUntilGone(pid, 0), true)
  assert.equal(await guardRuns(dataDir), false)
})

test('clients that come while it stops are let in by the next guard', async () => {
  const first = await joinPostgres({ dataDir, port: 0 })
  const leaving = first.leave()
  const second = await joinPostgres({ dataDir, port: 0 })
  await leaving
  assert.equal(await ask(second, 'select 1 as answer'), 1)
  await second.leave()
})

test('a client killed by -9 stops the server too', async () => {
  const client = await forkClient()
  const pid = postgresPid()
  client.kill('SIGKILL')
  assert.equal(await waitUntilGone(pid, DEATH_TIMEOUT_MS), true)
})

test('a second copy on the same data is refused and told whose it is', async () => {
  const client = await forkClient()
  await assert.rejects(joinPostgres({ dataDir, port: 0, exclusive: 'shop' }), (error) => {
    assert.ok(error instanceof Explained)
    assert.match(error.message, new RegExp(`already runs on .*\\(pid ${client.pid}\\)`))
    return true
  })
  client.disconnect()
  await once(client, 'exit')
})

test('PostgreSQL killed by -9 is started again with what was committed', async () => {
  const { events, joined } = await joinListening()
  await ask(joined, 'create table kept as select 7 as answer')
  const pid = postgresPid()
  process.kill(pid, 'SIGKILL')
  await events.next('died')
  await events.next('recovered')
  assert.equal(await ask(joined, 'select answer from kept'), 7)
  assert.notEqual(postgresPid(), pid)
  await ask(joined, 'drop table kept')
  await joined.leave()
})

test('a guard killed by -9 is replaced, and its leftover server with it', async () => {
  const { events, joined } = await joinListening()
  const pid = postgresPid()
  process.kill(guardPid(), 'SIGKILL')
  await events.next('died')
  await events.next('recovered')
  assert.equal(await waitUntilGone(pid, 0), true)
  assert.equal(await ask(joined, 'select 1 as answer'), 1)
  await joined.leave()
})

test('after guard and client were both killed by -9 the next start works', async () => {
  const client = await forkClient()
  const pid = postgresPid()
  process.kill(guardPid(), 'SIGKILL')
  client.kill('SIGKILL')
  await once(client, 'exit')
  const joined = await joinPostgres({ dataDir, port: 0 })
  assert.equal(await waitUntilGone(pid, 0), true)
  assert.equal(await ask(joined, 'select 1 as answer'), 1)
  await joined.leave()
})

function postgresPid(): number {
  const pidFile = readFileSync(join(inData.cluster(dataDir), 'postmaster.pid'), 'utf8')
  return Number(pidFile.split('\n')[0])
}

// The guard is PostgreSQL's parent.
function guardPid(): number {
  const stat = readFileSync(`/proc/${postgresPid()}/stat`, 'utf8')
  const pid = Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2])
  assert.match(commandOf(pid), /guard\.ts/)
  return pid
}

async function forkClient(): Promise<ChildProcess> {
  const client = fork(join(import.meta.dirname, 'join.fixture.ts'), [dataDir], { execArgv: [] })
  await once(client, 'message')
  return client
}

async function ask(joined: JoinedPostgres, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: await joined.urlOf('postgres') })
  await client.connect()
  try {
    const { rows } = await client.query<{ answer: unknown }>(sql)
    return rows[0]?.answer
  } finally {
    await client.end()
  }
}

async function joinListening() {
  const heard: string[] = []
  let wake = () => {}
  const onEvent = ({ type }: PostgresEvent) => {
    heard.push(type)
    wake()
  }
  const next = async (type: PostgresEvent['type']) => {
    while (!heard.includes(type)) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return { joined: await joinPostgres({ dataDir, port: 0, onEvent }), events: { next } }
}
