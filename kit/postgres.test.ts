/** Proves the way to PostgreSQL on a real one: retries, killed connections, plans that went stale. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import pg from 'pg'
import { silentLog } from './log.ts'
import {
  ConnectionLost,
  connectPostgres,
  isDataError,
  isOverload,
  sqlState,
  type Database,
  type Transaction,
  type Tx,
} from './postgres.ts'
import { createTestDatabase, type TestDatabase } from './testing.ts'
import { createLossyDatabase } from './testing/lossy-postgres.ts'
import { realRandom } from './random.ts'
import { realTimers } from './time.ts'

let database: TestDatabase
let db: Database
let admin: pg.Client

before(async () => {
  database = await createTestDatabase({
    name: 'kit',
    migrations: new URL('./fixtures/migrations/', import.meta.url),
  })
  db = database.db
  admin = new pg.Client({ connectionString: database.url })
  await admin.connect()
})

after(async () => {
  await admin.end()
  await database.drop()
})

beforeEach(async () => {
  await admin.query('truncate items')
  await admin.query("insert into items values ('a', 1), ('b', 1)")
})

const connect = (poolSize: number) =>
  connectPostgres({
    url: database.url,
    poolSize,
    applicationName: 'kit-test',
    timers: realTimers,
    random: realRandom,
    log: silentLog,
  })

const add = (tx: Tx, id: string) =>
  tx.query('update items set quantity = quantity + 1 where id = $1', [id])

async function quantities(): Promise<Record<string, number>> {
  const rows = await db.query<{ id: string; quantity: number }>('select id, quantity from items')
  return Object.fromEntries(rows.map(({ id, quantity }) => [id, quantity]))
}

const backendOf = async (tx: Tx) =>
  (await tx.query<{ pid: number }>('select pg_backend_pid() as pid'))[0]?.pid

// Ends the backend and waits until it is gone.
async function kill(pid: number | undefined): Promise<void> {
  await admin.query('select pg_terminate_backend($1, 5000)', [pid])
}

/** Lets two transactions meet: each waits here until the other has come. */
function meetingOfTwo(): () => Promise<void> {
  let come = 0
  const met = Promise.withResolvers<void>()
  return () => {
    come += 1
    if (come >= 2) met.resolve()
    return met.promise
  }
}

test('bigint and numeric arrive as exact numbers; one past 2^53 fails its statement', async () => {
  const rows = await db.query(
    'select 9007199254740991::bigint as big, 12.5::numeric as half, sum(quantity) as sum from items',
  )
  assert.deepEqual(rows, [{ big: 9007199254740991, half: 12.5, sum: 2 }])
  await assert.rejects(db.query('select 9007199254740993::bigint as big'), /past 2\^53/)
  assert.deepEqual(await db.query('select 1 as fine'), [{ fine: 1 }])
})

test('a transaction rolls back when its work throws, and hands the error on', async () => {
  const refusal = new Error('the upload terminated by a timeout') // reads like a lost connection
  const failed = db.transaction(async (tx) => {
    await add(tx, 'a')
    throw refusal
  })
  await assert.rejects(failed, (error) => error === refusal)
  assert.deepEqual(await quantities(), { a: 1, b: 1 })
})

test('a transaction whose work swallowed a failed statement never passes for committed', async () => {
  const failed = db.transaction(async (tx) => {
    await add(tx, 'a')
    await tx.query("insert into items values ('a', 1)").catch(() => {})
    return 'done'
  })
  await assert.rejects(failed, /had failed and was rolled back/)
  assert.deepEqual(await quantities(), { a: 1, b: 1 })
})

test('a statement that was only sent fails the transaction with its own error, whatever came after it', async () => {
  const sending = (next: (tx: Transaction) => Promise<unknown>) =>
    db.transaction(async (tx) => {
      await add(tx, 'c')
      tx.send("insert into items values ('a', 1)") // is there already
      await next(tx)
    })
  const isDuplicate = (error: unknown) => sqlState(error) === '23505'
  await assert.rejects(
    sending(async () => {}),
    isDuplicate,
  )
  await assert.rejects(
    sending((tx) => add(tx, 'd')),
    isDuplicate,
  )
  await assert.rejects(
    sending(async () => {
      throw new Error('the work itself')
    }),
    /the work itself/,
  )
  assert.deepEqual(await quantities(), { a: 1, b: 1 })
})

test('statements that were only sent run in their sequence, before what is asked next and the commit', async () => {
  const seen = await db.transaction(async (tx) => {
    tx.send("insert into items values ('c', 1)")
    tx.send("update items set quantity = quantity + 1 where id = 'c'")
    const rows = await tx.query("select quantity from items where id = 'c'")
    tx.send("update items set quantity = 7 where id = 'c'")
    return rows
  })
  assert.deepEqual(seen, [{ quantity: 2 }])
  assert.deepEqual(await quantities(), { a: 1, b: 1, c: 7 })
})

test('a statement after the end of its transaction is refused', async () => {
  let leaked: Tx | undefined
  await db.transaction(async (tx) => {
    leaked = tx
    await add(tx, 'a')
  })
  const late = leaked
  assert.ok(late !== undefined)
  await assert.rejects(async () => add(late, 'b'), /after the end of its transaction/)
})

test('rule 16: a deadlock is tried again until both have happened', async () => {
  const meet = meetingOfTwo()
  let attempts = 0
  const move = (first: string, second: string) =>
    db.transaction(async (tx) => {
      attempts += 1
      await add(tx, first)
      await meet()
      await add(tx, second)
    })
  await Promise.all([move('a', 'b'), move('b', 'a')])
  assert.deepEqual(await quantities(), { a: 3, b: 3 })
  assert.equal(attempts, 3)
})

test('rule 16: a serialization failure is tried again', async () => {
  const meet = meetingOfTwo()
  let attempts = 0
  const count = () =>
    db.transaction(async (tx) => {
      attempts += 1
      await tx.query('set transaction isolation level serializable')
      await tx.query('select sum(quantity) from items')
      await meet()
      await add(tx, 'a')
    })
  await Promise.all([count(), count()])
  assert.deepEqual(await quantities(), { a: 3, b: 1 })
  assert.equal(attempts, 3)
})

test('rule 15: a row that stays locked ends the wait after 2 s and is told as an overload', async () => {
  const alone = connect(1)
  await admin.query('begin')
  try {
    await admin.query("select from items where id = 'a' for update")
    // One attempt waits 2 s; the other four are spared by a lower limit of their own.
    let attempts = 0
    const startedMs = Date.now()
    let firstWaitMs = 0
    const failed = alone.transaction(async (tx) => {
      attempts += 1
      if (attempts === 2) firstWaitMs = Date.now() - startedMs
      if (attempts > 1) await tx.query("set local lock_timeout = '10ms'")
      await add(tx, 'a')
    })
    await assert.rejects(failed, (error) => sqlState(error) === '55P03' && isOverload(error))
    assert.equal(attempts, 5)
    assert.ok(firstWaitMs >= 1_900 && firstWaitMs < 4_000, `waited ${firstWaitMs} ms`)
  } finally {
    await admin.query('rollback')
    await alone.close()
  }
})

test('a connection killed between two statements is told as lost, and the pool heals', async () => {
  const failed = db.transaction(async (tx) => {
    await add(tx, 'a')
    await kill(await backendOf(tx))
    await add(tx, 'b')
  })
  await assert.rejects(failed, ConnectionLost)
  assert.deepEqual(await quantities(), { a: 1, b: 1 })
})

test('a connection killed during a statement is told as lost, and the pool heals', async () => {
  const alone = connect(1)
  try {
    const pid = await backendOf(alone)
    const sleeping = alone.query('select pg_sleep(10)')
    const lost = assert.rejects(sleeping, ConnectionLost)
    await kill(pid)
    await lost
    assert.deepEqual(await alone.query('select 1 as fine'), [{ fine: 1 }])
  } finally {
    await alone.close()
  }
})

test('idle connections that are killed are replaced without an error', async () => {
  const alone = connect(2)
  try {
    const pid = await backendOf(alone)
    await kill(pid)
    // The socket's end may arrive after the next check-out: then that one query is lost.
    const next = await backendOf(alone).catch((error: unknown) => {
      assert.ok(error instanceof ConnectionLost)
      return backendOf(alone)
    })
    assert.notEqual(next, pid)
  } finally {
    await alone.close()
  }
})

test('a connection killed during commit is told as lost', async () => {
  await admin.query(`
    create or replace function slow() returns trigger language plpgsql as
      $$ begin perform pg_sleep(10); return null; end $$;
    create constraint trigger slow_commit after update on items
      deferrable initially deferred for each row execute function slow()`)
  try {
    let pid: number | undefined
    const failed = db.transaction(async (tx) => {
      pid = await backendOf(tx)
      await add(tx, 'a')
    })
    const lost = assert.rejects(failed, ConnectionLost)
    for (let waiting = false; !waiting;) {
      const { rowCount } = await admin.query(
        "select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'",
        [pid],
      )
      waiting = rowCount === 1
    }
    await kill(pid)
    await lost
  } finally {
    await admin.query('drop function slow cascade')
  }
  assert.deepEqual(await quantities(), { a: 1, b: 1 })
})

test('a transaction left idle for too long is ended by PostgreSQL and told as lost', async () => {
  const failed = db.transaction(async (tx) => {
    await tx.query("set local idle_in_transaction_session_timeout = '50ms'")
    const pid = await backendOf(tx)
    for (let there = true; there;) {
      const { rowCount } = await admin.query('select from pg_stat_activity where pid = $1', [pid])
      there = rowCount === 1
    }
    await add(tx, 'a')
  })
  await assert.rejects(failed, ConnectionLost)
})

test('a server that refuses or is absent is told as lost, not as an answer', async () => {
  const absent = connectPostgres({
    url: 'postgres://nobody@127.0.0.1:1/none',
    poolSize: 1,
    applicationName: 'kit-test',
    timers: realTimers,
    random: realRandom,
    log: silentLog,
  })
  await assert.rejects(absent.query('select 1'), ConnectionLost)
  await absent.close()
})

test('a server that has fallen silent is told of in seconds, then at once; where it speaks again all is well', async () => {
  const lossy = await createLossyDatabase(database)
  const ask = () => lossy.db.query<{ fine: number }>('select 1 as fine')
  const inMs = async (work: Promise<unknown>) => {
    const startedMs = performance.now()
    await assert.rejects(work, ConnectionLost)
    return performance.now() - startedMs
  }
  try {
    await ask()
    const slow = lossy.db.query('select pg_sleep(3)')
    await slow // one that takes long is no silence
    const speak = lossy.hush()
    // More than the pool has connections: those that wait for one are told too.
    const asked = Array.from({ length: 15 }, () => ask())
    asked.push(lossy.db.transaction((tx) => tx.query('select 1')))
    for (const ms of await Promise.all(asked.map(inMs))) assert.ok(ms < 6_000, `${ms} ms`)
    assert.ok((await inMs(ask())) < 100)
    speak()
    const untilMs = performance.now() + 5_000
    // Also whoever asks in a loop leaves the others their turn.
    while ((await ask().catch(() => [])).length === 0) assert.ok(performance.now() < untilMs)
    for (const rows of await Promise.all(Array.from({ length: 15 }, ask)))
      assert.deepEqual(rows, [{ fine: 1 }])
  } finally {
    await lossy.close()
  }
})

test('connections that lie idle are no sign that a server speaks', async () => {
  const lossy = await createLossyDatabase(database)
  const ask = () => lossy.db.query('select 1')
  try {
    await Promise.all(Array.from({ length: 10 }, ask))
    lossy.hush()
    const startedMs = performance.now()
    const first = assert.rejects(ask(), ConnectionLost).then(() => performance.now() - startedMs)
    for (let n = 0; n < 9; n += 1) {
      await realTimers.sleep(500)
      ask().catch(() => {})
    }
    const ms = await first
    assert.ok(ms < 5_000, `${ms} ms`)
  } finally {
    await lossy.close()
  }
})

test('a prepared statement survives a migration that changes what it returns', async () => {
  await admin.query('create table changing (id text primary key)')
  const pool = connect(4)
  const meet = meetingOfTwo()
  const read = (tx: Tx) => tx.query('select * from changing')
  const readMeeting = () =>
    pool.transaction(async (tx) => {
      await read(tx)
      await meet() // so that two connections hold the plan
    })
  try {
    await Promise.all([readMeeting(), readMeeting()])
    await admin.query("alter table changing add column note text not null default 'new'")
    await admin.query("insert into changing values ('x')")
    const expected = [{ id: 'x', note: 'new' }]
    const both = [read(pool), pool.transaction(read)]
    assert.deepEqual(await Promise.all(both), [expected, expected])
    await admin.query('alter table changing alter column id type varchar(20)')
    assert.deepEqual(await Promise.all([read(pool), read(pool)]), [expected, expected])
  } finally {
    await pool.close()
    await admin.query('drop table changing')
  }
})

test('a prepared statement that the connection has forgotten is prepared again', async () => {
  const alone = connect(1)
  try {
    const read = () => alone.query('select 1 as fine')
    await read()
    await alone.query('deallocate all')
    assert.deepEqual(await read(), [{ fine: 1 }])
    // A value that cannot be sent leaves the driver believing in a statement that was never made.
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    await assert.rejects(alone.query('select $1::jsonb as value', [circular]), TypeError)
    assert.deepEqual(await alone.query('select $1::jsonb as value', [{ a: 1 }]), [
      { value: { a: 1 } },
    ])
  } finally {
    await alone.close()
  }
})

test('data and constraint errors are told apart from everything else', async () => {
  const stateOf = (text: string, values: unknown[]) =>
    db.query(text, values).then(
      () => assert.fail('it should be refused'),
      (error: unknown) => ({ state: sqlState(error), data: isDataError(error) }),
    )
  const insert = 'insert into items values ($1, $2)'
  assert.deepEqual(await stateOf(insert, ['nul\0', 1]), { state: '22021', data: true })
  assert.deepEqual(await stateOf(insert, ['a', 1]), { state: '23505', data: true })
  assert.deepEqual(await stateOf(insert, ['c', 0]), { state: '23514', data: true })
  assert.deepEqual(await stateOf('select nothing', []), { state: '42703', data: false })
  assert.equal(sqlState(new Error('of ours')), undefined)
})
