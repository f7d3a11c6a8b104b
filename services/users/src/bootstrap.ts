/** Owns the first admin: made at start when the settings name one and no account has that e-mail. */
import type { World } from '@quartet/kit/world'
import { registerUsers } from './actions.ts'
import type { Config } from './config.ts'
import type { Credentials } from './passwords/credentials.ts'
import { findByEmail } from './store.ts'

/** Two replicas that start at once make one admin: the e-mail is unique. */
export async function bootstrapAdmin(
  world: World<Config>,
  credentials: Pick<Credentials, 'hash'>,
): Promise<void> {
  const { BOOTSTRAP_ADMIN_EMAIL: email, BOOTSTRAP_ADMIN_PASSWORD_FILE: password } = world.config
  if (email === undefined || password === undefined) return
  const held = await findByEmail(world.db, email)
  if (held !== undefined) {
    if (held.role !== 'admin') world.log.warn({ userId: held.id }, 'the first admin is a customer')
    return
  }
  const createdAt = new Date(world.clock.now())
  const passwordHash = await credentials.hash(password)
  const id = world.ids.next('usr')
  const admin = { id, email, name: 'Admin', role: 'admin', passwordHash, guest: false } as const
  const [outcome] = await registerUsers(world, [{ ...admin, createdAt, updatedAt: createdAt }])
  if (outcome?.kind === 'registered') world.log.info({ userId: id }, 'the first admin was made')
}
