/** Owns a gateway for tests: fake services, a clock that only the test moves, the world's other parts as they are. */
import { createIds } from '@quartet/kit/ids'
import { silentLog } from '@quartet/kit/log'
import { realRandom } from '@quartet/kit/random'
import { createTestClock, createTestNetwork } from '@quartet/kit/testing'
import type { Fetch } from '@quartet/kit/world'
import { gatewayService, type GatewayWorld } from './app.ts'
import { readConfig } from './config.ts'

export type Handler = (request: Request) => Response | Promise<Response>

export const config = readConfig({
  USERS_URL: 'http://users.test',
  PRODUCTS_URL: 'http://products.test',
  ORDERS_URL: 'http://orders.test',
  PAYMENTS_URL: 'http://payments.test/base/',
  PUBLIC_URL: 'http://shop.test',
})

/** Answers with what it was asked. */
export const echo: Handler = async (request) =>
  Response.json({
    method: request.method,
    url: request.url,
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  })

/** Services that are not named echo; an undefined one is not there. */
export function openGateway(
  peers: Partial<Record<string, Handler>> = {},
  changes: Partial<GatewayWorld> = {},
) {
  const known = { users: echo, products: echo, orders: echo, payments: echo, ...peers }
  const origins = Object.entries(known).flatMap(([name, handler]) =>
    handler === undefined ? [] : [[`http://${name}.test`, handler] as const],
  )
  const clock = createTestClock()
  const fetch: Fetch = createTestNetwork(Object.fromEntries(origins))
  const chance = { random: realRandom, ids: createIds(clock, realRandom) }
  const world = { config, clock, timers: clock.timers, log: silentLog, fetch, ...chance }
  const app = gatewayService.createApp({ ...world, ...changes })
  const ask = (path: string, init: RequestInit = {}, address?: string) =>
    app.fetch(new Request(`http://shop.test${path}`, init), {
      incoming: { socket: address === undefined ? {} : { remoteAddress: address } },
    })
  return { app, ask, clock }
}
