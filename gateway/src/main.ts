/** Owns the process: the gateway in the real world. */
import { createLog } from '@quartet/kit/log'
import { createBalancedFetch } from '@quartet/kit/replicas'
import { readConfigOrExit, serveUntilSignal } from '@quartet/kit/run-service'
import { realRandom } from '@quartet/kit/random'
import { realClock, realTimers } from '@quartet/kit/time'
import { gatewayService } from './app.ts'

const config = readConfigOrExit(gatewayService)
const log = createLog(gatewayService.name, config.LOG_LEVEL)

const peers = createBalancedFetch((url, init) => globalThis.fetch(url, init), {
  clock: realClock,
  random: realRandom,
})

await serveUntilSignal({
  app: gatewayService.createApp({
    config,
    log,
    clock: realClock,
    timers: realTimers,
    fetch: peers.fetch,
  }),
  host: config.HOST,
  port: config.PORT,
  onReplicas: peers.setReplicas,
  onListening: (port) => log.info({ port }, 'listening'),
  onCrash: (error) => log.error({ error }, 'ended by an unexpected error'),
})
