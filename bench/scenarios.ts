/** Owns the scenarios: which targets stand beside each other, and at which connection counts. */
import { openHttpLimit } from './limits/http-limit.ts'
import { measureServiceHop, measureSync, type RoundTrips } from './limits/one-client.ts'
import { openSqlLimit } from './limits/sql-limit.ts'
import { send } from './load.ts'
import type { Target } from './measure.ts'
import type { BenchOptions } from './options.ts'
import { checkoutsOf, orderBody, readsOf, type Requests, type Stage } from './stage.ts'

/** What targets are called in tables. */
export const NAMES = {
  checkouts: 'checkouts',
  hot: 'checkouts, one hot product',
  gateway: 'checkouts, through the gateway',
  oneProcess: 'checkouts, one process',
  checkoutsHttp: 'limit: bare node:http, same order',
  checkoutsSql: 'limit: same SQL, no HTTP',
  reads: 'reads',
  readsGateway: 'reads, through the gateway',
  readsHttp: 'limit: bare node:http, same product',
} as const

export type Scenarios = {
  /** Measured side by side. */
  groups: Target[][]
  /** What a checkout is made of, each alone; undefined without limits. `clientHop` is measured elsewhere. */
  measureTrips: (() => Promise<Omit<RoundTrips, 'clientHop'>>) | undefined
  close: () => Promise<void>
}

// The whole sweep is for the checkout; ways beside it are compared at a few counts.
const FEW = [1, 64, 512]

/** Builds what is asked for; `oneProcess` is a second shop. */
export async function openScenarios(
  { scenarios, connections, limits }: BenchOptions,
  stage: Stage,
  oneProcess: Stage | undefined,
): Promise<Scenarios> {
  const wanted = (name: BenchOptions['scenarios'][number]) => scenarios.includes(name)
  const few = connections.some((count) => FEW.includes(count)) ? { counts: FEW } : {}
  const { products } = stage
  const target = shopTargets()
  const buying: Target[] = []
  if (wanted('checkouts'))
    buying.push(target(NAMES.checkouts, stage, checkoutsOf(stage, products, 'direct')))
  if (wanted('hot'))
    buying.push(target(NAMES.hot, stage, checkoutsOf(stage, products.slice(0, 1), 'direct')))
  if (wanted('gateway'))
    buying.push({
      ...target(NAMES.gateway, stage, checkoutsOf(stage, products, 'gateway')),
      ...few,
    })
  if (oneProcess !== undefined) {
    const requests = checkoutsOf(oneProcess, oneProcess.products, 'direct')
    buying.push({ ...target(NAMES.oneProcess, oneProcess, requests), ...few })
  }
  const reading: Target[] = []
  if (wanted('reads')) reading.push(target(NAMES.reads, stage, readsOf(stage, 'direct')))
  if (wanted('reads') && wanted('gateway'))
    reading.push({ ...target(NAMES.readsGateway, stage, readsOf(stage, 'gateway')), ...few })
  const beside = limits ? await openLimits(stage, buying, reading) : undefined
  return {
    groups: [buying, reading],
    measureTrips: beside?.measureTrips,
    close: async () => beside?.close(),
  }
}

type NewTarget = (name: string, stage: Stage, requests: Requests) => Target

// Keys differ between all loads of a run.
function shopTargets(): NewTarget {
  let loads = 0
  return (name, stage, requests) => ({
    name,
    send: (amount) => {
      loads += 1
      const key = requests.method === 'POST' ? { keyPrefix: `load${loads}-` } : {}
      return send(stage.generator, { ...requests, ...amount, ...key })
    },
    ...(requests.method === 'POST' ? { success: 201 } : {}),
    watched: { shop: stage.at.shop },
    share: requests.method === 'POST' ? 1 : 0.6,
  })
}

/** Adds each group's limits to it. */
async function openLimits(stage: Stage, buying: Target[], reading: Target[]) {
  const { generator, products, at } = stage
  const toClose: { close: () => Promise<void> }[] = []
  const close = async () => {
    for (const each of toClose) await each.close()
  }
  try {
    if (reading.length > 0) {
      const http = await openHttpLimit(NAMES.readsHttp, generator, readsOf(stage, 'direct'))
      toClose.push(http)
      reading.push(http.target)
    }
    if (buying.length === 0) return { close, measureTrips: undefined }
    const requests = checkoutsOf(stage, products, 'direct')
    const http = await openHttpLimit(NAMES.checkoutsHttp, generator, requests)
    toClose.push(http)
    const sql = await openSqlLimit(NAMES.checkoutsSql, at.shop)
    toClose.push(sql)
    buying.push(http.target, sql.target)
    const measureTrips = async () => ({
      serviceHop: await measureServiceHop(http.origin, JSON.stringify(orderBody('bench-1'))),
      commits: sql.commitsOfOne(),
      providerSync: measureSync(at.shop.dataDir),
    })
    return { close, measureTrips }
  } catch (error) {
    await close()
    throw error
  }
}
