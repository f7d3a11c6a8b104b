/** Owns the SQL of signing keys. */
import type { PublicJwk } from '@quartet/kit/crypto'
import type { Tx } from '@quartet/kit/postgres'
import type { KeyTimes } from './schedule.ts'

export type StoredKey = KeyTimes & {
  publicKey: PublicJwk
  /** See sealing.ts. */
  sealedPrivateKey: string
}

/** Makes replicas take turns until the transaction ends. Read the keys in a later statement. */
export async function lockKeys(tx: Tx): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtext('signing_keys'))`)
}

export async function findKeys(tx: Tx): Promise<StoredKey[]> {
  type Row = { kid: string; public_key: PublicJwk; sealed_private_key: string; signs_from: Date }
  const rows = await tx.query<Row>(
    'select kid, public_key, sealed_private_key, signs_from from signing_keys order by signs_from',
  )
  return rows.map((row) => ({
    kid: row.kid,
    publicKey: row.public_key,
    sealedPrivateKey: row.sealed_private_key,
    signsFromMs: row.signs_from.getTime(),
  }))
}

export async function insertKey(tx: Tx, key: StoredKey, now: Date): Promise<void> {
  await tx.query(
    `insert into signing_keys (kid, public_key, sealed_private_key, created_at, signs_from)
     values ($1, $2, $3, $4, $5)`,
    [key.kid, JSON.stringify(key.publicKey), key.sealedPrivateKey, now, new Date(key.signsFromMs)],
  )
}

export async function deleteKeys(tx: Tx, kids: string[]): Promise<void> {
  await tx.query('delete from signing_keys where kid = any($1)', [kids])
}
