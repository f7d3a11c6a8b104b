/** Proves that users publishes what its examples say, for whoever reads it. */
import { test } from 'node:test'
import { assertPublishedAsExamples } from '@quartet/kit/testing/event-examples'
import { userErased, userRegistered, userUpdated } from './events.ts'

test('rule 21: what is published is what the examples say: no more, and nothing personal', () => {
  const user = { id: 'usr_1', role: 'customer', email: 'a@b.example', name: 'A' } as const
  assertPublishedAsExamples({ source: '/users', folder: new URL('../events/', import.meta.url) }, [
    userRegistered(user),
    userUpdated(user, ['email', 'password']),
    userErased(user),
  ])
})
