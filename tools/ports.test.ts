/** Owns the proof that a port is called free only when nobody answers on it, at any address. */
import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { freePort, isFree } from './ports.ts'

test('a port that was given out is free', async () => {
  assert.equal(await isFree(await freePort()), true)
})

for (const host of ['127.0.0.1', '0.0.0.0']) {
  test(`a port taken at ${host} is not free`, async (t) => {
    const other = createServer()
    t.after(() => other.close())
    await new Promise<void>((done) => {
      other.listen(0, host, done)
    })
    assert.equal(await isFree((other.address() as AddressInfo).port), false)
  })
}
