/** Proves that replicas replace each other without a gap, that a bad one replaces nobody, and that the front door waits. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { freePort } from '../ports.ts'
import { isAlive } from '../processes.ts'
import { openControl, sendCommand } from './control.ts'
import { openFrontDoor } from './front-door.ts'
import { keepProcess } from './kept-process.ts'
import { createReplicaSet, type ReplicaSet } from './replica-set.ts'

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'quartet-replicas-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

// Says its pid to whoever connects; ends 100 ms after it was told to drain.
const GREETER = `
process.on('disconnect', () => process.exit())
process.on('message', ({ type }, socket) => {
  if (type === 'connection') socket.end(String(process.pid))
  if (type === 'drain') setTimeout(() => process.exit(0), 100)
})
process.send({ type: 'beat' })
process.send({ type: 'ready', port: 1 })
setInterval(() => process.send({ type: 'beat' }), 50)
`

function setOf(count: number, { isHealthy = true, code = GREETER } = {}): ReplicaSet {
  const script = join(folder, 'greeter.mjs')
  writeFileSync(script, code)
  return createReplicaSet({
    name: 'greeter',
    count,
    start: (name) =>
      keepProcess({
        name,
        script,
        env: {},
        logFile: join(folder, `${name}.log`),
        graceMs: 1_000,
        tell: () => {},
      }),
    isHealthy: () => Promise.resolve(isHealthy),
    onChange: () => {},
  })
}

const namesOf = (set: ReplicaSet) => set.all().map(({ name }) => name)
const pidsOf = (set: ReplicaSet) => set.all().map((each) => each.pid() ?? 0)

test('a restart replaces each replica by one that is ready before it goes', async () => {
  const set = setOf(2)
  await set.ready
  assert.deepEqual(namesOf(set), ['greeter', 'greeter-2'])
  const old = pidsOf(set)
  const lines: string[] = []
  let fewest = 2
  await set.restart((line) => {
    lines.push(line.split(' (')[0] ?? '')
    fewest = Math.min(fewest, set.serving().length)
  })
  assert.equal(fewest, 2)
  assert.deepEqual(
    lines.toSorted(),
    ['greeter', 'greeter-2']
      .map((name) => `${name} has ended`)
      .concat(['greeter-3', 'greeter-4'].map((name) => `${name} is ready`))
      .toSorted(),
  )
  assert.deepEqual(old.filter(isAlive), [])
  assert.equal(set.serving().length, 2)
  await set.stop()
})

test('a new replica that does not become healthy replaces nobody', async () => {
  const set = setOf(1, { isHealthy: false })
  await set.ready
  const [pid] = pidsOf(set)
  await assert.rejects(
    set.restart(() => {}),
    /greeter-2 does not become ready[^]*greeter stays as it is/,
  )
  assert.deepEqual(pidsOf(set), [pid])
  assert.equal(set.serving().length, 1)
  await set.stop()
})

test('nothing is started any more once all of it is stopped, in the middle of a restart', async () => {
  const set = setOf(2)
  await set.ready
  const first = Promise.withResolvers<void>()
  const lines: string[] = []
  const restarted = set.restart((line) => {
    lines.push(line)
    first.resolve()
  })
  await first.promise
  await Promise.all([set.stop(), assert.rejects(restarted, /greeter is being stopped/)])
  assert.equal(lines.filter((line) => line.includes('is ready')).length, 1)
  assert.deepEqual(
    set.all().filter((each) => each.pid() !== undefined),
    [],
  )
})

test('replicas are added and taken, the youngest first, one change at a time', async () => {
  const set = setOf(1)
  await set.ready
  const [oldest] = pidsOf(set)
  const [more, fewer] = [set.scale(3, () => {}), set.scale(1, () => {})]
  await more
  assert.equal(set.all().length >= 1, true)
  await fewer
  assert.deepEqual(pidsOf(set), [oldest])
  await set.stop()
})

test('one that freezes is killed and started again', async () => {
  const set = setOf(1)
  await set.ready
  const [replica] = set.all()
  const pid = replica?.pid()
  assert.ok(replica !== undefined && pid !== undefined)
  replica.kill('SIGSTOP')
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 50))
  while (replica.port() === undefined) await new Promise((resolve) => setTimeout(resolve, 50))
  assert.notEqual(replica.pid(), pid)
  await set.stop()
})

/** What whoever answers at a port says. */
const visit = (port: number) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let heard = ''
    socket.on('data', (chunk) => (heard += String(chunk)))
    socket.on('end', () => resolve(heard))
    socket.on('error', reject)
    socket.setTimeout(10_000, () => socket.destroy(new Error('nobody answers')))
  })

test('connections at the front door go to the replicas in turn, and wait while there is none', async () => {
  const set = setOf(2)
  await set.ready
  let open = false
  const port = await freePort()
  const serving = () => (open ? set.serving() : [])
  const door = await openFrontDoor({ host: '127.0.0.1', port, serving })
  const waiting = visit(port)
  await new Promise((resolve) => setTimeout(resolve, 50))
  open = true
  door.changed()
  const heard = [await waiting, await visit(port), await visit(port), await visit(port)]
  assert.deepEqual(new Set(heard), new Set(pidsOf(set).map(String)))
  door.close()
  await set.stop()
})

test('a connection that was handed to one that froze reaches another, once it is ended', async () => {
  const set = setOf(1)
  await set.ready
  const port = await freePort()
  const door = await openFrontDoor({ host: '127.0.0.1', port, serving: set.serving })
  const [frozen] = set.all()
  const pid = frozen?.pid()
  frozen?.kill('SIGSTOP')
  // The first is lost with the frozen one, and its client learns it; those behind it are not.
  const [, ...heard] = await Promise.all(Array.from({ length: 5 }, () => visit(port)))
  for (const answer of heard) assert.match(answer, new RegExp(`^(?!${pid}$)\\d+$`))
  door.close()
  await set.stop()
})

test('commands want the token of the run file; what is said on the way and a refusal are both told', async () => {
  const control = await openControl((command, report) => {
    report(`${command.do} ${command.name}`)
    return command.name === 'orders'
      ? Promise.resolve()
      : Promise.reject(new Error('no such thing'))
  })
  const lines: string[] = []
  const show = (line: string) => void lines.push(line)
  await sendCommand(control, { do: 'restart', name: 'orders' }, show)
  assert.deepEqual(lines, ['restart orders'])
  await assert.rejects(sendCommand(control, { do: 'restart', name: 'x' }, show), /no such thing/)
  await assert.rejects(
    sendCommand({ ...control, token: 'wrong' }, { do: 'restart', name: 'orders' }, show),
    /refused/,
  )
  assert.equal((await fetch(control.url, { method: 'POST' })).status, 401)
  control.close()
})
