/** Proves that a service without a broker loads nothing of it, and that one with a broker connects when it first needs it. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { openBroker } from './broker.ts'

const { cache } = createRequire(import.meta.url)
const isLoaded = () => Object.keys(cache).some((file) => file.includes('@nats-io'))

const settings = { NATS_PREFIX: 'quartet', NATS_REPLICAS: 1 }

test('without NATS_URL there is no broker, and none of its code; with it there is, connected to nothing yet', async () => {
  assert.equal(await openBroker('things', settings), undefined)
  assert.equal(isLoaded(), false)
  const broker = await openBroker('things', { ...settings, NATS_URL: ['nats://127.0.0.1:1'] })
  assert.equal(isLoaded(), true)
  assert.equal(broker?.isConnected(), false)
  await broker?.close()
})
