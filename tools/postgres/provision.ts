/** Owns what a fresh server gets: databases and roles that cannot enter each other's. */
import pg from 'pg'
import { Explained } from '../explained.ts'

/** Who has a database; each has a role of the same name that owns it. */
export const DATABASES = ['users', 'products', 'orders', 'payments', 'gateway'] as const
export type DatabaseName = (typeof DATABASES)[number]

const READY_POLL_MS = 40
const READY_TIMEOUT_MS = 120_000 // recovery after a crash replays the log first

/** A connection URL on this machine. */
export function postgresUrl(
  role: string,
  password: string,
  port: number,
  database: string = role,
): string {
  return `postgresql://${role}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`
}

/** The server ended while somebody waited for it. */
export class ServerEnded extends Error {}

/** Connects as superuser as soon as the server answers; throws ServerEnded when it has ended. */
export async function connectWhenReady(url: string, ended: Promise<string>): Promise<pg.Client> {
  let isOver = false
  void ended.then(() => (isOver = true))
  for (const endMs = Date.now() + READY_TIMEOUT_MS; ;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
    client.on('error', () => {}) // the pending query rejects, which is how we learn of it
    try {
      await client.connect()
      return client
    } catch (error) {
      if (isOver) throw new ServerEnded()
      if (!isNotReady(error) || Date.now() > endMs) throw explainConnect(error)
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS))
    }
  }
}

const codeOf = (error: unknown) =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

// 57P03: starting up, or still recovering.
const isNotReady = (error: unknown) =>
  ['ECONNREFUSED', 'ECONNRESET', '57P03'].includes(codeOf(error))

function explainConnect(error: unknown): unknown {
  if (codeOf(error) !== '28P01') return error
  return new Explained(
    'PostgreSQL refuses the password kept in secrets/postgres: that file is not the one this data ' +
      'was made with. Put it back, or begin anew with --fresh.',
    { cause: error },
  )
}

/** Asserts the settings that durability rests on; a crash test cannot see them missing. */
export async function assertDurable(client: pg.Client): Promise<void> {
  for (const name of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    const { rows } = await client.query<Record<string, string>>(`show ${name}`)
    if (rows[0]?.[name] !== 'on')
      throw new Explained(`PostgreSQL runs with ${name} off; it must be on.`)
  }
}

/** Makes roles and databases, or mends what a start that was cut short has left. */
export async function provision(
  client: pg.Client,
  passwordOf: (name: DatabaseName) => Promise<string>,
): Promise<void> {
  await client.query('revoke all on database postgres, template1 from public')
  for (const name of DATABASES) {
    const role = client.escapeIdentifier(name)
    const known = await client.query('select from pg_roles where rolname = $1', [name])
    if (known.rowCount === 0) await client.query(`create role ${role}`)
    const password = client.escapeLiteral(await passwordOf(name))
    await client.query(
      `alter role ${role} login nosuperuser nocreatedb nocreaterole noreplication password ${password}`,
    )
    const made = await client.query('select from pg_database where datname = $1', [name])
    if (made.rowCount === 0) await client.query(`create database ${role} owner ${role}`)
    await client.query(`revoke all on database ${role} from public`)
  }
}
