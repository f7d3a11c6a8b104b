/** Owns the process: the gateway in the real world. */
import { createLog } from '@quartet/kit/log'
import { readConfigOrExit, serveUntilSignal } from '@quartet/kit/run-service'
import { realClock, realTimers } from '@quartet/kit/time'
import { gatewayService } from './app.ts'

const config = readConfigOrExit(gatewayService)
const log = createLog(gatewayService.name, config.LOG_LEVEL)

await serveUntilSignal({
  app: gatewayService.createApp({
    config,
    log,
    clock: realClock,
    timers: realTimers,
    fetch: (url, init) => globalThis.fetch(url, init),
  }),
  host: config.HOST,
  port: config.PORT,
  onListening: (port) => log.info({ port }, 'listening'),
  onCrash: (error) => log.error({ error }, 'ended by an unexpected error'),
})
