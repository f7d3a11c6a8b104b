/** Owns what users publishes. Personal data stays out (rule 21): ids, roles and names of fields. */
import type { NewEvent } from '@quartet/kit/events'
import type { User } from './domain.ts'

type Subject = Pick<User, 'id' | 'role'>

/** Said when an account is made, a guest's too. */
export function userRegistered({ id, role }: Subject): NewEvent {
  return { type: 'user.registered.v1', subject: id, data: { user_id: id, role } }
}

/** Said when an account changed; `changed` names the fields, not their values. */
export function userUpdated({ id, role }: Subject, changed: string[]): NewEvent {
  return { type: 'user.updated.v1', subject: id, data: { user_id: id, role, changed } }
}

/** Said when an account is erased: whoever keeps something of this person forgets it. */
export function userErased({ id, role }: Subject): NewEvent {
  return { type: 'user.erased.v1', subject: id, data: { user_id: id, role } }
}
