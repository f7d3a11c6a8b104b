/** Owns the settings of the gateway: the only reader of its environment. */
import { parseConfig, peerUrl, serviceSettings } from '@quartet/kit/config'

const { HOST, PORT, LOG_LEVEL } = serviceSettings

const settings = {
  HOST,
  PORT: PORT.default(8080),
  LOG_LEVEL,
  USERS_URL: peerUrl('http://127.0.0.1:5000'),
  PRODUCTS_URL: peerUrl('http://127.0.0.1:5001'),
  ORDERS_URL: peerUrl('http://127.0.0.1:5002'),
  PAYMENTS_URL: peerUrl('http://127.0.0.1:5003'),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig(env: NodeJS.ProcessEnv = process.env) {
  return parseConfig('gateway', settings, env)
}
