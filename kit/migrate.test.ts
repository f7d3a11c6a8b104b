/** Proves migrations: all or nothing, once, and one process at a time. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { migrate } from './migrate.ts'
import { createTestDatabase, type TestDatabase } from './testing.ts'

let database: TestDatabase
let folder: string

before(async () => {
  database = await createTestDatabase({
    name: 'kit',
    migrations: new URL('./fixtures/migrations/', import.meta.url),
  })
})

after(() => database.drop())

afterEach(() => rmSync(folder, { recursive: true }))

beforeEach(async () => {
  // A folder whose name would be a pattern.
  folder = mkdtempSync(join(tmpdir(), 'kit !(x) [a-z]{1,2}*?-'))
  await database.db.query('drop table if exists migrations, one, two')
})

const write = (name: string, sql: string) => writeFileSync(join(folder, name), sql)
const run = () => migrate(database.url, pathToFileURL(`${folder}/`))

async function tables(): Promise<string[]> {
  const rows = await database.db.query<{ tablename: string }>(
    "select tablename from pg_tables where schemaname = 'public' order by tablename",
  )
  return rows.map(({ tablename }) => tablename)
}

test('files run once, in the sequence of their numbers, beside the tables of kit', async () => {
  write('0002.do.two.sql', 'create table two (id int); insert into two select id from one')
  write('0001.do.one.sql', 'create table one (id int); insert into one values (1)')
  await run()
  await run()
  assert.deepEqual(await database.db.query('select id from two'), [{ id: 1 }])
  write('0003.do.three.sql', 'insert into two values (3)')
  await run()
  assert.deepEqual(await database.db.query('select id from two'), [{ id: 1 }, { id: 3 }])
  for (const table of ['events', 'idempotency_keys', 'key_sets', 'outbox']) {
    assert.ok((await tables()).includes(table), table)
  }
})

test('two processes that start together take turns', async () => {
  write('0001.do.one.sql', 'create table one (id int); insert into one values (1)')
  await Promise.all([run(), run(), run()])
  assert.deepEqual(await database.db.query('select id from one'), [{ id: 1 }])
})

test('a file that already ran and was changed is refused', async () => {
  write('0001.do.one.sql', 'create table one (id int)')
  await run()
  write('0001.do.one.sql', 'create table one (id bigint)')
  await assert.rejects(run(), /checksum/)
})

test('what fails midway leaves nothing behind, not even the files before it', async () => {
  write('0001.do.one.sql', 'create table one (id int)')
  write('0002.do.two.sql', 'create table two (id int); select nothing')
  await assert.rejects(run(), /nothing/)
  const left = await tables()
  for (const table of ['one', 'two', 'migrations']) assert.ok(!left.includes(table), table)
  write('0002.do.two.sql', 'create table two (id int)')
  await run()
  assert.ok((await tables()).includes('two'))
})

test('an older version starts on a database that a newer one has migrated, and changes nothing', async () => {
  write('0001.do.one.sql', 'create table one (id int)')
  write('0002.do.two.sql', 'create table two (id int)')
  await run()
  const record = () => database.db.query('select * from migrations order by version')
  const migrated = await record()
  rmSync(join(folder, '0002.do.two.sql'))
  await run()
  assert.deepEqual(await record(), migrated)
  assert.ok((await tables()).includes('two'))
})

test('a table that somebody works on is not waited for at length: those who come after are not held up', async () => {
  write('0001.do.one.sql', 'create table one (id int)')
  await run()
  write('0002.do.more.sql', 'create table two (id int); alter table one add column more int')
  await database.db.transaction(async (tx) => {
    await tx.query('select from one')
    const migrating = assert.rejects(run(), { code: '55P03' })
    await untilMigrateWaits()
    const waited = database.db.query('select * from one') // behind the one who wants the whole table
    await migrating
    assert.deepEqual(await waited, [])
  })
  assert.ok(!(await tables()).includes('two'), 'nothing is left behind')
  await run()
  await database.db.query('select more from one')
})

async function untilMigrateWaits(): Promise<void> {
  const look = () =>
    database.db.query(
      `select from pg_stat_activity where datname = current_database()
       and application_name = 'migrate' and wait_event_type = 'Lock'`,
    )
  while ((await look()).length === 0);
}

test('one that freezes does not keep what it has locked', async () => {
  const limit = `current_setting('idle_in_transaction_session_timeout')`
  write('0001.do.one.sql', `create table one as select ${limit} as idle`)
  await run()
  assert.deepEqual(await database.db.query('select idle from one'), [{ idle: '5s' }])
})

test('a folder without a migration is a mistake, not a success', async () => {
  await assert.rejects(run(), /No migration/)
})
