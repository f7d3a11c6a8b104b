/** Proves a browser's session: tokens only in cookies, renewed once however many ask, and of no use to another site. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { echo, openGateway, type Handler } from '../gateway.fixture.ts'
import { config } from '../gateway.fixture.ts'

const tokenFor = (sub: string, expS: number) =>
  `h.${Buffer.from(JSON.stringify({ sub, exp: expS })).toString('base64url')}.s`

/** Users as a session sees it: tokens live 900 s; `asked` counts by method and path. */
function usersOf(nowS: () => number) {
  const asked: string[] = []
  const state = { refuses: false, isDown: false, frozen: Promise.resolve() }
  const pair = (n: number) => ({
    access_token: tokenFor('usr_1', nowS() + 900),
    token_type: 'Bearer',
    expires_in: 900,
    refresh_token: `refresh-${n}`,
    refresh_expires_in: 3_600,
  })
  const handler: Handler = async (request) => {
    const { pathname } = new URL(request.url)
    asked.push(`${request.method} ${pathname}`)
    await state.frozen
    if (state.isDown) return Response.json({}, { status: 503 })
    if (pathname === '/sessions/refresh') {
      return state.refuses ? Response.json({}, { status: 401 }) : Response.json(pair(asked.length))
    }
    if (pathname === '/sessions') {
      const { password } = (await request.json()) as { password: string }
      if (password !== 'right')
        return Response.json({ code: 'invalid_credentials' }, { status: 401 })
      return Response.json({ ...pair(0), user: { id: 'usr_1', name: 'Ada' } }, { status: 201 })
    }
    if (pathname === '/guests') {
      const { name } = (await request.json()) as { name: string }
      const user = { id: 'usr_1', name, guest: true }
      return Response.json({ ...pair(0), user }, { status: 201 })
    }
    if (pathname === '/sessions/current') return new Response(null, { status: 204 })
    return Response.json({ id: pathname.split('/').at(-1), name: 'Ada' })
  }
  return { handler, asked, state }
}

function openShop() {
  const users = usersOf(() => gateway.clock.now() / 1_000)
  const gateway = openGateway({ users: users.handler, orders: echo })
  return { ...gateway, users }
}

const OWN = { 'sec-fetch-site': 'same-origin' }
const post = (body: unknown, headers: Record<string, string> = OWN) => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
})

/** What a browser sends back of what it was told to keep. */
const jarOf = (response: Response) =>
  response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ')

async function logIn(shop: ReturnType<typeof openShop>): Promise<string> {
  const answer = await shop.ask('/browser/session', post({ email: 'a@b.test', password: 'right' }))
  assert.equal(answer.status, 200)
  return jarOf(answer)
}

test('a log-in tells who it is and keeps both tokens from scripts, other sites and other hosts', async () => {
  const shop = openShop()
  const answer = await shop.ask('/browser/session', post({ email: 'a@b.test', password: 'right' }))
  const text = await answer.clone().text()
  assert.deepEqual(((await answer.json()) as { user: unknown }).user, { id: 'usr_1', name: 'Ada' })
  assert.doesNotMatch(text, /token|refresh-/)
  const cookies = answer.headers.getSetCookie()
  assert.equal(cookies.length, 2)
  for (const cookie of cookies) {
    assert.match(cookie, /; Path=\/;/)
    assert.match(cookie, /; HttpOnly/)
    assert.match(cookie, /; SameSite=Strict/)
    assert.doesNotMatch(cookie, /Domain/)
  }
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  const refused = await shop.ask('/browser/session', post({ email: 'a@b.test', password: 'no' }))
  assert.deepEqual([refused.status, refused.headers.getSetCookie()], [401, []])
})

test('a guest gets the same cookies without a password, and is told to be one', async () => {
  const shop = openShop()
  const answer = await shop.ask('/browser/guest', post({ email: 'a@b.test', name: 'Ada' }))
  const text = await answer.clone().text()
  const { user } = (await answer.json()) as { user: unknown }
  assert.deepEqual(user, { id: 'usr_1', name: 'Ada', guest: true })
  assert.doesNotMatch(text, /token|refresh-/)
  assert.deepEqual(shop.users.asked, ['POST /guests'])
  for (const cookie of answer.headers.getSetCookie()) {
    assert.match(cookie, /; HttpOnly.*; SameSite=Strict/)
  }
  const ordered = await shop.ask('/api/orders', { headers: { cookie: jarOf(answer) } })
  const { headers } = (await ordered.json()) as { headers: Record<string, string> }
  assert.match(headers['authorization'] ?? '', /^Bearer h\./)
  const foreign = post({ email: 'a@b.test', name: 'Ada' }, { 'sec-fetch-site': 'cross-site' })
  assert.equal((await shop.ask('/browser/guest', foreign)).status, 403)
  assert.equal((await shop.ask('/browser/guest')).status, 404) // GET tells nobody anything
})

test('over https the cookies are Secure and bound to the host', async () => {
  const users = usersOf(() => 1_000)
  const https = { ...config, PUBLIC_URL: 'https://shop.test' }
  const { ask } = openGateway({ users: users.handler }, { config: https })
  const answer = await ask('/browser/session', post({ email: 'a@b.test', password: 'right' }))
  for (const cookie of answer.headers.getSetCookie()) assert.match(cookie, /^__Host-.*; Secure/)
  assert.match(answer.headers.get('strict-transport-security') ?? '', /max-age=/)
})

test('a request with the session goes on with its token and without its cookies', async () => {
  const shop = openShop()
  const cookie = await logIn(shop)
  const answer = await shop.ask('/api/orders', { headers: { cookie } })
  const { headers } = (await answer.json()) as { headers: Record<string, string> }
  assert.match(headers['authorization'] ?? '', /^Bearer h\./)
  assert.equal(headers['cookie'], undefined)
  const own = { cookie, authorization: 'Bearer my.own.token' }
  const other = (await (
    await shop.ask('/api/orders', { headers: own })
  ).json()) as typeof answer & {
    headers: Record<string, string>
  }
  assert.equal(other.headers['authorization'], 'Bearer my.own.token')
})

test('a token about to end is renewed once for all who ask, and the browser gets the new pair', async () => {
  const shop = openShop()
  const cookie = await logIn(shop)
  await shop.clock.advance(850_000)
  const answers = await Promise.all(
    [1, 2, 3].map(() => shop.ask('/api/orders', { headers: { cookie } })),
  )
  assert.equal(shop.users.asked.filter((each) => each.includes('refresh')).length, 1)
  for (const answer of answers) {
    assert.equal(answer.status, 200)
    assert.match(jarOf(answer), /quartet_refresh=refresh-\d/)
  }
})

test('a session that users refuses is over: cookies go, and the request goes on as nobody’s', async () => {
  const shop = openShop()
  const cookie = await logIn(shop)
  shop.users.state.refuses = true
  await shop.clock.advance(901_000)
  const answer = await shop.ask('/api/orders', { headers: { cookie } })
  const { headers } = (await answer.json()) as { headers: Record<string, string> }
  assert.equal(headers['authorization'], undefined)
  assert.deepEqual(
    answer.headers.getSetCookie().map((each) => /Max-Age=0/.test(each)),
    [true, true],
  )
})

test('users down: whoever has a good token goes on, whoever needs a new one is told to wait', async () => {
  const shop = openShop()
  const cookie = await logIn(shop)
  shop.users.state.isDown = true
  await shop.clock.advance(850_000)
  assert.equal((await shop.ask('/api/orders', { headers: { cookie } })).status, 200)
  await shop.clock.advance(100_000)
  const late = await shop.ask('/api/orders', { headers: { cookie } })
  assert.deepEqual([late.status, late.headers.get('retry-after')], [503, '1'])
})

test('users frozen: whoever has a good token waits for a new one for a second, and has it next time; whoever has none, for seconds', async () => {
  const shop = openShop()
  const cookie = await logIn(shop)
  await shop.clock.advance(850_000)
  const thaw = Promise.withResolvers<void>()
  shop.users.state.frozen = thaw.promise
  const ask = () => shop.ask('/api/orders', { headers: { cookie } })
  const waiting = [ask(), ask()]
  await shop.clock.advance(1_000)
  for (const answer of await Promise.all(waiting)) {
    assert.equal(answer.status, 200)
    const { headers } = (await answer.json()) as { headers: Record<string, string> }
    assert.match(headers['authorization'] ?? '', /^Bearer h\./)
  }
  assert.equal((await ask()).status, 200) // waits for nothing
  thaw.resolve()
  await shop.clock.advance(0)
  await shop.clock.advance(50_000) // past the grace that users gives the old one
  assert.match(jarOf(await ask()), /quartet_refresh=refresh-\d/)
  assert.equal(shop.users.asked.filter((each) => each.includes('refresh')).length, 1)
})

test('users frozen: whoever has no token that is good, and whoever asks who it is, is told to wait within seconds', async () => {
  const shop = openShop()
  const cookie = await logIn(shop)
  shop.users.state.frozen = new Promise(() => {})
  const who = shop.ask('/browser/session', { headers: { cookie } })
  await shop.clock.advance(5_000)
  assert.equal((await who).status, 503)
  await shop.clock.advance(900_000)
  const late = shop.ask('/api/orders', { headers: { cookie } })
  await shop.clock.advance(5_000)
  assert.equal((await late).status, 503)
})

test('who is logged in is told; after a log-out nobody is, here and at users', async () => {
  const shop = openShop()
  const who = async (cookie: string) =>
    (
      (await (await shop.ask('/browser/session', { headers: { cookie } })).json()) as {
        user: unknown
      }
    ).user
  assert.equal(await who(''), null)
  const cookie = await logIn(shop)
  assert.deepEqual(await who(cookie), { id: 'usr_1', name: 'Ada' })
  const out = await shop.ask('/browser/session', { method: 'DELETE', headers: { cookie, ...OWN } })
  assert.equal(out.status, 204)
  assert.ok(shop.users.asked.includes('DELETE /sessions/current'))
  assert.deepEqual(
    out.headers.getSetCookie().map((each) => /Max-Age=0/.test(each)),
    [true, true],
  )
})

test('another site can neither act with a session nor log a browser in', async () => {
  const shop = openShop()
  const cookie = await logIn(shop)
  const from = (headers: Record<string, string>) =>
    shop.ask('/api/orders', { method: 'POST', headers: { cookie, ...headers } })
  const refused: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    { origin: 'http://evil.test' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site', origin: 'http://shop.test' },
    {},
  ]
  for (const headers of refused) {
    const answer = await from(headers)
    const { code } = (await answer.json()) as { code: string }
    assert.deepEqual([answer.status, code], [403, 'csrf_refused'], JSON.stringify(headers))
  }
  assert.equal((await from(OWN)).status, 200)
  assert.equal((await from({ origin: 'http://shop.test' })).status, 200)
  const foreign = post({ email: 'a@b.test', password: 'right' }, { 'sec-fetch-site': 'cross-site' })
  assert.equal((await shop.ask('/browser/session', foreign)).status, 403)
  // A bearer token is no cookie: nothing sends it by itself.
  const bearer = { authorization: 'Bearer a.b.c', 'sec-fetch-site': 'cross-site' }
  assert.equal((await shop.ask('/api/orders', { method: 'POST', headers: bearer })).status, 200)
})
