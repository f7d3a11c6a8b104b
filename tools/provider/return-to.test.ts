/** Owns the proof of the way back from the challenge page: to the shop, and to nobody else. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { aCharge, openProvider, temporaryFolder } from './provider.fixture.ts'

const SHOP = 'http://127.0.0.1:8080'
const folder = temporaryFolder()
let provider: Awaited<ReturnType<typeof openProvider>>

before(async () => {
  const returnOrigins = [SHOP, 'https://shop.test']
  provider = await openProvider({ dataFile: join(folder.path, 'record.jsonl'), returnOrigins })
})
after(async () => {
  await provider.stop()
  folder.remove()
})

let charges = 0
async function newChallenge(returnTo?: string): Promise<string> {
  charges += 1
  const asks = { payment_method: 'pm_card_threeDSecureRequired' }
  const [outcome] = await provider.charge(aCharge(`asked-${charges}`, asks))
  assert.ok(outcome?.status === 'requires_action')
  const { pathname } = new URL(outcome.next_action?.url ?? '')
  return returnTo === undefined ? pathname : `${pathname}?return_to=${encodeURIComponent(returnTo)}`
}

const decide = (path: string, decision: string) =>
  provider.fetch(path, { method: 'POST', body: new URLSearchParams({ decision }) })

test('a decision sends the customer back to the shop, whichever it is, and again when it is sent twice', async () => {
  for (const decision of ['approve', 'decline']) {
    const path = await newChallenge(`${SHOP}/orders/ord_1?from=bank#pay`)
    for (let times = 0; times < 2; times += 1) {
      const answer = await decide(path, decision)
      assert.equal(answer.status, 303)
      assert.equal(answer.headers.get('location'), `${SHOP}/orders/ord_1?from=bank#pay`)
    }
  }
})

test('the page shows the way back, open or ended, and lets its form lead there', async () => {
  const path = await newChallenge(`https://shop.test/a?b="<c>&d='e'`)
  const link = `<a href="https://shop.test/a?b=%22%3Cc%3E&amp;d=%27e%27">Back to the shop</a>`
  for (const title of ['Approve this payment?', 'Payment approved']) {
    const page = await provider.fetch(path)
    const html = await page.text()
    assert.ok(html.includes(title) && html.includes(link), html)
    const policy = page.headers.get('content-security-policy') ?? ''
    assert.match(policy, /; form-action 'self' https:\/\/shop\.test;/)
    await decide(path, 'approve')
  }
})

test('an unclear decision and an unknown charge lead nowhere', async () => {
  const path = await newChallenge(`${SHOP}/`)
  assert.equal((await decide(path, 'perhaps')).status, 400)
  const unknown = `/challenges/ch_nobody?return_to=${encodeURIComponent(SHOP)}`
  assert.equal((await decide(unknown, 'approve')).status, 404)
  const page = await provider.fetch(unknown)
  assert.doesNotMatch(await page.text(), /Back to the shop/)
})

test('it is no open redirect: anything but a URL of the shop counts as absent', async () => {
  const elsewhere = [
    undefined,
    '',
    '/orders/ord_1',
    '//127.0.0.1:8080/',
    'https://evil.test/',
    'http://127.0.0.1:8080.evil.test/',
    'http://127.0.0.1:8080@evil.test/',
    'http://evil.test/http://127.0.0.1:8080/',
    'http://evil.test\\@127.0.0.1:8080/',
    'http://user:pass@127.0.0.1:8080/',
    'http://127.0.0.1:8081/',
    'https://127.0.0.1:8080/',
    'http://shop.test/',
    'https://sub.shop.test/',
    'javascript:alert(1)//http://127.0.0.1:8080',
    'data:text/html,http://127.0.0.1:8080',
    'blob:https://shop.test/9115d58c-bcda-ff47-86e5-083e9a215304',
    `${SHOP}/${'x'.repeat(2_000)}`,
  ]
  for (const returnTo of elsewhere) {
    const path = await newChallenge(returnTo)
    const page = await provider.fetch(path)
    const policy = page.headers.get('content-security-policy') ?? ''
    assert.match(policy, /; form-action 'self';/, String(returnTo))
    assert.doesNotMatch(await page.text(), /<a /, String(returnTo))
    const answer = await decide(path, 'approve')
    assert.deepEqual([answer.status, answer.headers.get('location')], [200, null], String(returnTo))
  }
})

test('of several return_to the first counts, for the page as for the decision', async () => {
  const path = await newChallenge(`${SHOP}/first`)
  const both = `${path}&return_to=https%3A%2F%2Fevil.test%2F`
  assert.equal((await decide(both, 'approve')).headers.get('location'), `${SHOP}/first`)
})
