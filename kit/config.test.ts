/** Proves that wrong settings are all named at once, and that no value is ever told. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError, parseConfig, peerUrl, secretFile, serviceSettings } from './config.ts'

const DATABASE_URL = 'postgres://app:hidden@localhost/app'
const shape = { ...serviceSettings, PEER_URL: peerUrl('http://127.0.0.1:7000'), KEY: secretFile() }

function messageOf(env: NodeJS.ProcessEnv): string {
  try {
    parseConfig('things', shape, env)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message
  }
  return assert.fail('the settings should be refused')
}

test('settings become a frozen config, with defaults for what is absent or empty', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kit-config-'))
  try {
    const file = join(folder, 'key')
    writeFileSync(file, 'secret text\n')
    const env = { PORT: '7001', DATABASE_URL, KEY: file, LOG_LEVEL: '', OTHER: 'ignored' }
    const config = parseConfig('things', shape, env)
    assert.deepEqual(config, {
      HOST: '127.0.0.1',
      PORT: 7001,
      LOG_LEVEL: 'info',
      DATABASE_URL,
      DATABASE_POOL_SIZE: 10,
      ADMISSION_TARGET_MS: 500,
      EVENT_RETENTION_DAYS: 30,
      NATS_PREFIX: 'quartet',
      NATS_REPLICAS: 1,
      PEER_URL: 'http://127.0.0.1:7000',
      KEY: 'secret text',
    })
    assert.ok(Object.isFrozen(config))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('every wrong variable is named with what it must be, and no value is told', () => {
  const message = messageOf({
    PORT: 'secret-1',
    LOG_LEVEL: 'secret-2',
    DATABASE_URL: 'mysql://secret-3',
    DATABASE_POOL_SIZE: '1',
    ADMISSION_TARGET_MS: '0',
    EVENT_RETENTION_DAYS: '0',
    NATS_URL: 'nats://127.0.0.1:4222,nats://user:secret-6@127.0.0.1',
    NATS_CREDENTIALS_FILE: '/secret-7',
    NATS_PREFIX: 'secret.8',
    NATS_REPLICAS: '9',
    PEER_URL: 'ftp://secret-4',
    KEY: '/secret-5',
  })
  for (const name of Object.keys(shape)) {
    if (name !== 'HOST') assert.match(message, new RegExp(`^ {2}${name}: .+`, 'm'))
  }
  assert.match(message, /^things cannot start/)
  assert.doesNotMatch(message, /secret-/)
})

test('the servers of a broker are addresses, separated by commas; without them there is none', () => {
  const read = (NATS_URL: string) =>
    parseConfig('things', serviceSettings, { PORT: '1', DATABASE_URL, NATS_URL }).NATS_URL
  assert.deepEqual(read('nats://a:4222, tls://b.example'), ['nats://a:4222', 'tls://b.example'])
  assert.equal(read(''), undefined)
  for (const wrong of [
    'a:4222',
    'http://a',
    'nats://',
    'nats://a,',
    'nats://token@a',
    'nats://a/b',
  ]) {
    assert.throws(() => read(wrong), /NATS_URL: must be nats:\/\/ or tls:\/\/ addresses/, wrong)
  }
})

test('an empty port is a missing port, not port 0', () => {
  assert.match(messageOf({ PORT: '', DATABASE_URL, KEY: '/dev/null' }), /PORT: /)
})

test('a peer’s URL loses its trailing slashes', () => {
  assert.equal(
    peerUrl('http://a').parse('https://peer.example/base//'),
    'https://peer.example/base',
  )
})
