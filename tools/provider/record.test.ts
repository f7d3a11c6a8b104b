/** Owns the proof that what was answered is on the disk, and that a damaged or full disk tells no lies. */
import assert from 'node:assert/strict'
import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { silentLog, type Log } from '@quartet/kit/log'
import { aCharge, openProvider, temporaryFolder } from './provider.fixture.ts'
import { RecordRefused, type OpenFile, type RecordFile } from './record.ts'

const folder = temporaryFolder()
after(() => folder.remove())

let files = 0
const newFile = () => join(folder.path, `${(files += 1)}.jsonl`)

/** A file with three charges, closed. */
async function fileWithThree(): Promise<string> {
  const dataFile = newFile()
  const provider = await openProvider({ dataFile })
  await provider.charge(aCharge('a'), aCharge('b'), aCharge('c'))
  await provider.stop()
  return dataFile
}

async function refusal(dataFile: string): Promise<string> {
  const kept = readFileSync(dataFile)
  const error: unknown = await openProvider({ dataFile }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof RecordRefused)
  assert.deepEqual(readFileSync(dataFile), kept, 'a refused file is left as it was')
  return error.message
}

/** The real file, with some of its functions replaced. */
function withFile(replace: (file: RecordFile) => Partial<RecordFile>): OpenFile {
  return async (path) => {
    const file = await open(path, 'a+').then(async (created) => {
      await created.close()
      return open(path, 'r+')
    })
    const real: RecordFile = {
      read: file.read.bind(file),
      write: file.write.bind(file),
      datasync: () => file.datasync(),
      truncate: (length) => file.truncate(length),
      stat: file.stat.bind(file),
      close: () => file.close(),
    }
    return { ...real, ...replace(real) }
  }
}

const diskFull = () => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })

describe('starting again', () => {
  test('brings everything back: charges, refunds, challenges, totals, and the numbering', async () => {
    const dataFile = newFile()
    const first = await openProvider({ dataFile })
    const asks = aCharge('asks', { payment_method: 'pm_card_threeDSecureRequired' })
    await first.charge(aCharge('paid'), aCharge('held', { capture_method: 'manual' }), asks)
    await first.capture('held', 5)
    await first.cancel('tombstone')
    await first.refund('r', 'paid', 7)
    const keys = ['paid', 'held', 'asks', 'tombstone']
    const kept = [await first.lookup(...keys), await first.totals(), await first.record()]
    await first.stop()
    const second = await openProvider({ dataFile })
    assert.deepEqual(
      [await second.lookup(...keys), await second.totals(), await second.record()],
      kept,
    )
    assert.equal((await second.refund('r', 'paid', 7))?.status, 'succeeded')
    const [challenge] = await second.charge(asks)
    assert.ok(challenge?.status === 'requires_action')
    assert.equal(
      (await second.fetch(new URL(challenge.next_action?.url ?? '').pathname)).status,
      200,
    )
    await second.charge(aCharge('new'))
    assert.equal((await second.totals()).sequence, 7)
    await second.stop()
  })

  test('concludes slow charges that became due while nothing ran', async () => {
    const slow = aCharge('slow', { payment_method: 'pm_card_slow' })
    const dataFile = newFile()
    const first = await openProvider({ dataFile })
    await first.charge(slow)
    // What kill -9 leaves: the file as it is, and no goodbye.
    const left = newFile()
    copyFileSync(dataFile, left)
    await first.stop()
    const tooEarly = await openProvider({ dataFile: left, laterMs: 2_999 })
    tooEarly.advance(0)
    assert.equal((await tooEarly.charge(slow))[0]?.status, 'processing')
    await tooEarly.stop()
    const second = await openProvider({ dataFile: left, laterMs: 3_000 })
    second.advance(0)
    assert.equal((await second.charge(slow))[0]?.status, 'succeeded')
    await second.stop()
  })

  for (const [name, tail] of [
    ['half a line', Buffer.from('{"crc":"00112233","sequence":4,"at":"20')],
    ['a few characters', Buffer.from('{"c')],
    ['zeros', Buffer.alloc(300)],
  ] as const) {
    test(`a torn end (${name}) is cut off and logged, and what was answered stays`, async () => {
      const dataFile = await fileWithThree()
      const whole = readFileSync(dataFile)
      appendFileSync(dataFile, tail)
      const warnings: unknown[] = []
      const log: Log = { ...silentLog, warn: (fields) => warnings.push(fields) }
      const provider = await openProvider({ dataFile, log })
      assert.deepEqual(warnings, [{ path: dataFile, bytes: tail.length, line: 4 }])
      assert.deepEqual(readFileSync(dataFile), whole)
      await provider.charge(aCharge('d'))
      assert.equal((await provider.record()).data.length, 4)
      await provider.stop()
    })
  }

  test('a damaged line anywhere refuses to start, and says which and what to do', async () => {
    for (const line of [1, 2, 3]) {
      const dataFile = await fileWithThree()
      const lines = readFileSync(dataFile, 'utf8').split('\n')
      lines[line - 1] = lines[line - 1]?.replace('"amount":1999', '"amount":1998') ?? ''
      writeFileSync(dataFile, lines.join('\n'))
      assert.match(await refusal(dataFile), new RegExp(`Line ${line} .* damaged .*backup`))
    }
  })

  test('a missing line, and a file that is no record at all, refuse to start', async () => {
    const gap = await fileWithThree()
    const lines = readFileSync(gap, 'utf8').split('\n')
    writeFileSync(gap, [lines[0], ...lines.slice(2)].join('\n'))
    assert.match(await refusal(gap), /entry 3 follows entry 1/)
    const foreign = newFile()
    writeFileSync(foreign, 'somebody else’s notes, without an end of line')
    assert.match(await refusal(foreign), /Line 1 .* is not an entry/)
  })

  test('a second processor on the same file is refused until the first has stopped', async () => {
    const dataFile = newFile()
    const first = await openProvider({ dataFile })
    await assert.rejects(openProvider({ dataFile }), /another provider is using it. Stop it first/)
    await first.stop()
    await (await openProvider({ dataFile })).stop()
  })
})

describe('durability', () => {
  test('nothing is answered or shown before the fsync, and all that waits shares the next', async () => {
    let fsyncs = 0
    const gate = Promise.withResolvers<void>()
    const openFile = withFile(({ datasync }) => ({
      async datasync() {
        fsyncs += 1
        if (fsyncs > 1) await gate.promise
        await datasync()
      },
    }))
    const provider = await openProvider({ dataFile: newFile(), openFile })
    assert.equal(fsyncs, 1, 'what is read at the start is made durable')
    let answered = 0
    const answers = Array.from({ length: 50 }, (_, n) =>
      provider.charge(aCharge(`k${n}`)).then(() => (answered += 1)),
    )
    assert.equal((await provider.lookup('k0'))[0]?.status, 'not_found')
    assert.deepEqual((await provider.record()).data, [])
    assert.equal(answered, 0)
    gate.resolve()
    await Promise.all(answers)
    assert.ok(fsyncs <= 4, `${fsyncs - 1} fsyncs for 50 requests at once`)
    assert.equal((await provider.totals()).data[0]?.counts.succeeded, 50)
    await provider.stop()
  })

  for (const [name, fail] of [
    ['a disk that fills up in the middle of a line', 'write'],
    ['an fsync that fails', 'datasync'],
    ['a disk that cannot even be tidied up', 'truncate'],
  ] as const) {
    test(`${name}: 503, the charge did not happen, and it goes on when there is room`, async () => {
      let full = false
      const openFile = withFile(({ write, datasync, truncate }) => ({
        write: (async (bytes: Buffer, at: number, length: number, position: number) => {
          if (!full) return write(bytes, at, length, position)
          if (fail === 'datasync') return write(bytes, at, length, position)
          // Whole lines that nobody was told of are worse than half of one.
          await write(bytes, at, fail === 'truncate' ? length : Math.floor(length / 2), position)
          throw diskFull()
        }) as RecordFile['write'],
        datasync: async () =>
          full && fail === 'datasync' ? Promise.reject(diskFull()) : datasync(),
        truncate: async (length) =>
          full && fail === 'truncate' ? Promise.reject(diskFull()) : truncate(length),
      }))
      const dataFile = newFile()
      const provider = await openProvider({ dataFile, openFile })
      await provider.charge(aCharge('before'))
      full = true
      const kept = readFileSync(dataFile)
      for (const key of ['lost-1', 'lost-2']) {
        const charges = [aCharge(key), aCharge(`${key}-beside`), aCharge(`${key}-too`)]
        const response = await provider.post('/v1/charges', { charges })
        assert.equal(response.status, 503)
        assert.equal(response.headers.get('retry-after'), '1')
        assert.equal((await provider.lookup(key))[0]?.status, 'not_found')
        if (fail !== 'truncate') assert.deepEqual(readFileSync(dataFile), kept)
      }
      full = false
      const [again] = await provider.charge(aCharge('lost-1'))
      assert.equal(again?.status, 'succeeded')
      await provider.stop()
      const reopened = await openProvider({ dataFile })
      const { data } = await reopened.record()
      assert.deepEqual(
        data.map(({ charge_key }) => charge_key),
        ['before', 'lost-1'],
      )
      await reopened.stop()
    })
  }

  test('after stop everything is 503, also readiness', async () => {
    const provider = await openProvider({ dataFile: newFile() })
    const charging = provider.charge(aCharge('last'))
    await charging
    await provider.stop()
    assert.equal((await provider.post('/v1/charges', { charges: [aCharge('late')] })).status, 503)
    assert.equal((await provider.get('/health/ready')).status, 503)
  })
})
