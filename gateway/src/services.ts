/** Owns asking services: each in its own room, whoever asks. */
import type { Answer } from './answer.ts'
import { toResponse } from './answer.ts'
import type { GatewayWorld } from './app.ts'
import type { Metrics } from '@quartet/kit/telemetry'
import type { AskUsers } from './browser/renewals.ts'
import { createBulkhead } from './bulkhead.ts'
import { forward, type Outgoing } from './forward.ts'
import { createRetrier } from './retry.ts'
import { createStandIn } from './stand-in.ts'
import type { Target } from './route-table.ts'

export type Services = {
  ask: (target: Target, outgoing: Outgoing) => Promise<Answer>
  askUsers: AskUsers
}

export function createServices(world: GatewayWorld, metrics: Metrics): Services {
  const { config } = world
  const bulkhead = createBulkhead(config.MAX_UNDER_WAY)
  const outward = { ...world, retrier: createRetrier(world) }
  const ask: Services['ask'] = (target, outgoing) =>
    bulkhead.within(target.service, () => forward(outward, target, outgoing))
  return {
    ask: createStandIn(world, metrics, ask),
    async askUsers(path, { method = 'GET', headers, body = null }) {
      const target = { service: 'users', step: 'sessions', url: `${config.USERS_URL}${path}` }
      const gone = new AbortController().signal // what was begun for a session is ended
      return toResponse(await ask(target, { method, headers: { ...headers }, body, gone }))
    },
  }
}
