/** Proves that an address given by a link never leads out of the shop. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { safePath } from './safe-path.ts'

test('a path of the shop is followed, anything else is not', () => {
  assert.equal(safePath('/orders/ord_1?x=1', '/account'), '/orders/ord_1?x=1')
  const foreign = ['https://evil.test', '//evil.test', '/\\evil.test', 'javascript:alert(1)', '']
  for (const path of [...foreign, null]) assert.equal(safePath(path, '/account'), '/account')
})
