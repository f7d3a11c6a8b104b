/** Owns the process: the gateway in the real world. */
import { readConfigOrExit, serveUntilSignal } from '@quartet/kit/run-service'
import { realTimers } from '@quartet/kit/time'
import { gatewayService } from './app.ts'
import { createGatewayWorld } from './world.ts'

const { world, prepare, setReplicas } = createGatewayWorld(readConfigOrExit(gatewayService))

// Limits are counted here alone until the database is there: nobody waits for it.
async function prepareUntilDone(): Promise<void> {
  for (;;) {
    try {
      return await prepare()
    } catch (error) {
      world.log.warn({ error }, 'limits are not shared yet: the database does not answer')
      await realTimers.sleep(2_000)
    }
  }
}
void prepareUntilDone()

await serveUntilSignal({
  app: gatewayService.createApp(world),
  host: world.config.HOST,
  port: world.config.PORT,
  onReplicas: setReplicas,
  onListening: (port) => world.log.info({ port }, 'listening'),
  onCrash: (error) => world.log.error({ error }, 'ended by an unexpected error'),
})
