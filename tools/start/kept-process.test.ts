/** Owns the proof that a process is kept running: started again when it dies, given up when it never starts. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isAlive } from '../processes.ts'
import { keepProcess, type ProcessEvent } from './kept-process.ts'

let folder = ''

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'quartet-kept-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

const READY = "process.send({ type: 'ready' }); process.on('disconnect', () => process.exit())\n"

test('a process that dies is started again, and both are told', async () => {
  const { kept, next } = keep('dies', READY)
  await kept.ready
  const pid = kept.pid()
  kept.kill('SIGKILL')
  assert.deepEqual(await next(), {
    type: 'process-died',
    name: 'dies',
    reason: 'killed by SIGKILL',
    retryMs: 200,
    attempt: 1,
  })
  assert.deepEqual(await next(), { type: 'process-back', name: 'dies' })
  assert.notEqual(kept.pid(), pid)
  await kept.stop()
  assert.equal(kept.pid(), undefined)
})

test('its last error line is the reason, of a JSON log and of an exception alike', async () => {
  const line =
    '{"level":50,"msg":"ended by an unexpected error","error":{"message":"no stock table"}}'
  const json = keep('json', `console.log('${line}'); process.exit(3)`)
  const jsonEvent = await json.next()
  assert.ok(jsonEvent.type === 'process-died')
  assert.equal(jsonEvent.reason, 'exit code 3: ended by an unexpected error: no stock table')
  await json.kept.stop()
  const thrown = keep('thrown', "throw new TypeError('x is not a function')")
  const thrownEvent = await thrown.next()
  assert.ok(thrownEvent.type === 'process-died')
  assert.equal(thrownEvent.reason, 'exit code 1: TypeError: x is not a function')
  await thrown.kept.stop()
})

test('one that never becomes ready is given up with where to look', async () => {
  const { kept } = keep('never', 'process.exit(1)')
  await assert.rejects(kept.ready, /never does not start \(exit code 1\)[^]*never\.log/)
  await kept.stop()
})

test('stop ends one that is deaf to SIGINT, and starts it no more', async () => {
  const { kept } = keep('deaf', `process.on('SIGINT', () => {}); ${READY}`)
  await kept.ready
  const pid = kept.pid()
  assert.ok(pid !== undefined)
  await kept.stop()
  assert.equal(isAlive(pid), false)
  assert.equal(kept.pid(), undefined)
})

test('one that has said that it ends is not taken for frozen, however long that takes', async () => {
  const { kept, heard } = keep(
    'ending',
    `${READY} process.send({ type: 'beat' })
    process.on('message', () => process.send({ type: 'ending' }, () => {
      for (const untilMs = Date.now() + 2_600; Date.now() < untilMs;);
      process.exit(0)
    }))`,
  )
  await kept.ready
  await kept.drain()
  assert.deepEqual(heard, [])
})

test('the environment that is given is all that it has', async () => {
  const { kept, next } = keep('env', 'throw new Error(Object.keys(process.env).sort().join())')
  const event = await next()
  assert.ok(event.type === 'process-died')
  assert.match(event.reason, /Error: (NODE_CHANNEL_\w+,)*PORT$/)
  await kept.stop()
})

function keep(name: string, code: string) {
  const script = join(folder, `${name}.mjs`)
  writeFileSync(script, code)
  const heard: ProcessEvent[] = []
  let wake = () => {}
  const tell = (event: ProcessEvent) => {
    heard.push(event)
    wake()
  }
  const graceMs = 100
  const kept = keepProcess({
    graceMs,
    name,
    script,
    env: { PORT: '1' },
    logFile: join(folder, `${name}.log`),
    tell,
  })
  const next = async (): Promise<ProcessEvent> => {
    for (;;) {
      const event = heard.shift()
      if (event !== undefined) return event
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return { kept, next, heard }
}
