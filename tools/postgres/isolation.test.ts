/** Owns the proof that a role reaches its own database and nothing else, and that a folder's dangers are told. */
import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { Explained } from '../explained.ts'
import { serverAccount } from './account.ts'
import { inData, prepareDataDir } from './data-folder.ts'
import { joinPostgres, type JoinedPostgres } from './join.ts'
import { DATABASES, postgresUrl } from './provision.ts'

describe('roles', () => {
  let dataDir = ''
  let server: JoinedPostgres

  before(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'quartet-roles-'))
    server = await joinPostgres({ dataDir, port: 0 })
  })
  after(async () => {
    await server.leave()
    rmSync(dataDir, { recursive: true, force: true })
  })

  test('each service makes tables in its own database', async () => {
    for (const name of DATABASES) {
      assert.equal(await attempt(await server.urlOf(name), 'create table mine (id text)'), 'ok')
    }
  })

  test("one service's role is refused at every other's database", async () => {
    for (const role of DATABASES) {
      const others = [...DATABASES, 'postgres', 'template1'].filter((name) => name !== role)
      for (const database of others) {
        const outcome = await attempt(await server.urlOf(role, database), 'select 1')
        assert.equal(outcome, '42501', `${role} at ${database}`)
      }
    }
  })

  test('a wrong password, none, and postgres without its own are refused', async () => {
    const { port } = server
    assert.equal(await attempt(postgresUrl('orders', 'wrong', port), 'select 1'), '28P01')
    assert.equal(await attempt(postgresUrl('postgres', 'postgres', port), 'select 1'), '28P01')
    for (const role of ['orders', 'postgres']) {
      const url = `postgresql://${role}@127.0.0.1:${port}/${role}`
      assert.match(await attempt(url, 'select 1'), /password/)
    }
  })

  test('a role can make neither roles nor databases', async () => {
    const url = await server.urlOf('orders')
    assert.equal(await attempt(url, 'create role other'), '42501')
    assert.equal(await attempt(url, 'create database other'), '42501')
  })

  test('secrets are files that only their owner reads', () => {
    const folder = inData.secret(dataDir, 'postgres')
    assert.deepEqual(readdirSync(folder).sort(), [...DATABASES, 'postgres'].sort())
    for (const name of readdirSync(folder)) {
      assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)
    }
    assert.equal(statSync(folder).mode & 0o777, 0o700)
  })

  test('what a start that was cut short has left is mended by the next', async () => {
    const superuser = await server.urlOf('postgres')
    assert.equal(await attempt(superuser, 'drop database payments with (force)'), 'ok')
    assert.equal(await attempt(superuser, 'drop role payments'), 'ok')
    assert.equal(await attempt(superuser, 'grant connect on database orders to public'), 'ok')
    await server.leave()
    server = await joinPostgres({ dataDir, port: 0 })
    assert.equal(await attempt(await server.urlOf('payments'), 'create table mine (id text)'), 'ok')
    assert.equal(await attempt(await server.urlOf('payments', 'orders'), 'select 1'), '42501')
  })
})

describe('data folders', () => {
  let dataDir = ''

  before(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'quartet-folder-'))
    chmodSync(dataDir, 0o755)
  })
  after(() => rmSync(dataDir, { recursive: true, force: true }))

  test('a taken port is told with its number, and nothing is left running', async (t) => {
    const other = createServer()
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve)
    })
    t.after(() => other.close())
    const { port } = other.address() as AddressInfo
    const folder = join(dataDir, 'taken-port')
    await assert.rejects(
      joinPostgres({ dataDir: folder, port }),
      explained(new RegExp(`Port ${port}`)),
    )
    assert.equal(existsSync(join(inData.cluster(folder), 'postmaster.pid')), false)
  })

  test('a folder that PostgreSQL cannot reach is told with the step that is closed', (t) => {
    if (serverAccount() === undefined) return t.skip('only root runs PostgreSQL as somebody else')
    const closed = join(dataDir, 'closed')
    mkdirSync(closed, { mode: 0o700 })
    assert.throws(() => prepareDataDir(join(closed, 'data')), explained(/closed is closed to that/))
  })

  test("somebody else's folder is left alone", () => {
    const folder = join(dataDir, 'foreign')
    mkdirSync(folder)
    writeFileSync(join(folder, 'thesis.txt'), 'x')
    assert.throws(() => prepareDataDir(folder), explained(/not made by Quartet/))
    assert.deepEqual(readdirSync(folder), ['thesis.txt'])
  })

  test('data of another PostgreSQL is not touched', () => {
    const folder = prepareDataDir(join(dataDir, 'old'))
    mkdirSync(inData.cluster(folder))
    writeFileSync(join(inData.cluster(folder), 'PG_VERSION'), '17\n')
    assert.throws(() => prepareDataDir(folder), explained(/PostgreSQL 17/))
  })

  test('a file where the folder should be is told', () => {
    const file = join(dataDir, 'file')
    writeFileSync(file, '')
    assert.throws(() => prepareDataDir(file), explained(/is not a folder/))
    assert.throws(() => prepareDataDir(join(file, 'below')), explained(/is not a folder/))
  })
})

const explained = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Explained, String(error))
  assert.match(error.message, pattern)
  return true
}

/** 'ok', or the SQLSTATE or message of what was refused. */
async function attempt(url: string, sql: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  try {
    await client.connect()
    await client.query(sql)
    return 'ok'
  } catch (error) {
    return error instanceof pg.DatabaseError ? (error.code ?? '') : String(error)
  } finally {
    await client.end().catch(() => {})
  }
}
