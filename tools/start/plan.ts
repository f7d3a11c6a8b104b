/** Owns what runs where: the processes of a shop, their ports and URLs, and that the ports are free. */
import { Explained } from '../explained.ts'
import { isFree } from '../ports.ts'

export const SERVICES = ['users', 'products', 'orders', 'payments'] as const
export const PROCESSES = [...SERVICES, 'provider', 'gateway'] as const
export type ProcessName = (typeof PROCESSES)[number]
export type ServiceName = (typeof SERVICES)[number]

/** What may run as several replicas. The provider is somebody else's. */
export const SCALABLE = [...SERVICES, 'gateway'] as const
export type ScalableName = (typeof SCALABLE)[number]
export const isScalable = (name: string): name is ScalableName =>
  SCALABLE.some((scalable) => scalable === name)

export type Plan = {
  ports: Record<ProcessName | 'postgres', number>
  urls: Record<ProcessName, string>
}

export const DEFAULT_PORT_BASE = 5000
const DEFAULT_GATEWAY_PORT = 8080

/** Ports and URLs of a shop; all follow from its port base. */
export function planShop(base: number): Plan {
  const ports = {
    users: base,
    products: base + 1,
    orders: base + 2,
    payments: base + 3,
    provider: base + 10,
    gateway: base === DEFAULT_PORT_BASE ? DEFAULT_GATEWAY_PORT : base + 80,
    postgres: base + 32,
  }
  const url = (name: ProcessName) => `http://127.0.0.1:${ports[name]}`
  const urls = {
    users: url('users'),
    products: url('products'),
    orders: url('orders'),
    payments: url('payments'),
    provider: url('provider'),
    gateway: url('gateway'),
  }
  return { ports, urls }
}

/** Throws a sentence when any port is taken, before anything has started. */
export async function assertPortsFree(ports: Record<string, number>): Promise<void> {
  const taken: string[] = []
  for (const [name, port] of Object.entries(ports)) {
    if (!(await isFree(port))) taken.push(`${port} (${name} wants it)`)
  }
  if (taken.length === 0) return
  const airplay =
    process.platform === 'darwin' && taken.some((port) => port.startsWith('5000'))
      ? ' On macOS port 5000 belongs to the AirPlay Receiver (System Settings, AirDrop & Handoff).'
      : ''
  const what = taken.length === 1 ? 'This port is' : 'These ports are'
  throw new Explained(
    `${what} taken by another program: ${taken.join(', ')}.${airplay}\n` +
      'Stop that program, or move all ports: npm start -- --port-base 15000',
  )
}
