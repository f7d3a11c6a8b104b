/** Owns which public path belongs to which service. What is not here cannot be reached from outside. */
import type { Config } from './config.ts'

/** `step` is the first step of the path below `/api`. */
export type Target = { service: string; step: string; url: string }

/** The first step of a path below `/api` and the service that answers it. */
export const SERVICE_OF = {
  users: 'users',
  guests: 'users',
  sessions: 'users',
  products: 'products',
  categories: 'products',
  orders: 'orders',
  payments: 'payments',
  ledger: 'payments',
  webhooks: 'payments',
} as const

const isPublic = (step: string): step is keyof typeof SERVICE_OF => Object.hasOwn(SERVICE_OF, step)

/**
 * Where a request goes; undefined when the gateway does not route it. By its parsed URL: `..`, `%2e%2e`
 * and backslashes are resolved before anything is decided.
 */
export function findTarget(config: Config, { pathname, search }: URL): Target | undefined {
  const [, api, step = ''] = pathname.split('/')
  if (api !== 'api' || !isPublic(step)) return undefined
  const service = SERVICE_OF[step]
  return {
    service,
    step,
    url: `${baseUrlOf(config, service)}${pathname.slice('/api'.length)}${search}`,
  }
}

function baseUrlOf(config: Config, service: (typeof SERVICE_OF)[keyof typeof SERVICE_OF]): string {
  switch (service) {
    case 'users':
      return config.USERS_URL
    case 'products':
      return config.PRODUCTS_URL
    case 'orders':
      return config.ORDERS_URL
    case 'payments':
      return config.PAYMENTS_URL
  }
}
