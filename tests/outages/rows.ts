/** Owns the table of outages: who is away, how, and what its customers see meanwhile. ARCHITECTURE.md shows it. */

const VICTIMS = [
  'users',
  'products',
  'orders',
  'payments',
  'gateway',
  'provider',
  'nats',
  'postgres',
] as const
export type Victim = (typeof VICTIMS)[number]

/** `stopped`: -9, and not started again. `frozen`: SIGSTOP. `slow`: it runs for a tenth of the time. */
const WAYS = ['stopped', 'frozen', 'slow'] as const
export type Way = (typeof WAYS)[number]

/** What customers do: buy, look at the catalog, at their orders and payments, log in. */
export const DEEDS = ['buy', 'catalog', 'orders', 'payments', 'login'] as const
export type Deed = (typeof DEEDS)[number]

/** What each deed is answered with while the outage lasts; `old`: the last good copy, marked so. */
type Seen = Record<Deed, (number | 'old')[]>

export type Row = { victim: Victim; way: Way; seen: Seen }

const well: Seen = { buy: [201], catalog: [200], orders: [200], payments: [200], login: [201] }

const away: Record<Victim, Partial<Seen>> = {
  users: { login: [503] },
  products: { buy: [202], catalog: ['old'] },
  orders: { buy: [503], orders: [503] },
  payments: { buy: [202], payments: [503] },
  gateway: {},
  provider: { buy: [202] },
  nats: {},
  postgres: { buy: [503], catalog: ['old'], orders: [503], payments: [503], login: [503] },
}

/** Some of what is slow is in time; the rest is as if it were away. */
function slow(victim: Victim): Seen {
  const seen = structuredClone(well)
  for (const deed of DEEDS) seen[deed] = [...well[deed], ...(away[victim][deed] ?? [])]
  // Whoever waits no longer is told that the order goes on.
  const isOnTheWay = ['products', 'orders', 'payments', 'provider', 'postgres'].includes(victim)
  if (isOnTheWay && !seen.buy.includes(202)) seen.buy.push(202)
  return seen
}

export const ROWS: Row[] = VICTIMS.flatMap((victim) =>
  WAYS.map((way) => ({
    victim,
    way,
    seen: way === 'slow' ? slow(victim) : { ...well, ...away[victim] },
  })),
)

/** A row as ARCHITECTURE.md has it. */
export const describeRow = ({ victim, way, seen }: Row): string =>
  `| ${victim} | ${way} | ${DEEDS.map((deed) => seen[deed].join(' or ')).join(' | ')} |`
