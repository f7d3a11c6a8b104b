/** Owns a shop without HTTP: the services' own batches and statements, called directly, in one process. */
import { createSequencer, type Sequencer } from '../../kit/events.ts'
import { migrate } from '../../kit/migrate.ts'
import { createRealWorld, type Service, type World, type WorldConfig } from '../../kit/world.ts'
import { ordersService } from '../../services/orders/src/app.ts'
import { createCheckout, type Checkout } from '../../services/orders/src/checkout/checkout.ts'
import type { Peers } from '../../services/orders/src/checkout/peers.ts'
import { paymentsService } from '../../services/payments/src/app.ts'
import { openOrderPayments } from '../../services/payments/src/commands/order-payments.ts'
import { chargeKeyOf } from '../../services/payments/src/domain.ts'
import type { Provider } from '../../services/payments/src/provider.ts'
import { createWorker, type Worker } from '../../services/payments/src/work.ts'
import { createProduct, type Dependencies } from '../../services/products/src/actions.ts'
import { productsService } from '../../services/products/src/app.ts'
import { reserve } from '../../services/products/src/commands/reservations.ts'
import { watchCommits, type CommitWatch } from './commits.ts'

/** The environment of each service, with databases of the bench's own. */
export type SqlEnvironments = Record<'orders' | 'products' | 'payments', Record<string, string>>

export type SqlShop = { checkout: Checkout; commits: CommitWatch; products: string[] }

const PRODUCTS = 1_000

/** Makes the tables and the products, and wires the three services together by plain calls. */
export async function openSqlShop(environments: SqlEnvironments): Promise<SqlShop> {
  const commits = watchCommits()
  const orders = await openService(ordersService, environments.orders)
  const products = await openService(productsService, environments.products)
  const payments = await openService(paymentsService, environments.payments)
  const ids = Array.from({ length: PRODUCTS }, (_, n) => `bench-${n}`)
  for (const id of ids) await stock(products.world, id)
  const worker = createWorker(commits.watch('payments', payments.world), provider, {
    sequencer: payments.sequencer,
    onPutOff() {},
  })
  const peers: Peers = {
    ...createPeers({ commits, products, payments, worker }),
    release: neverUndone,
    void: neverUndone,
    isOneDown: () => false,
  }
  const world = commits.watch('orders', orders.world)
  return { checkout: createCheckout(world, peers, orders.sequencer), commits, products: ids }
}

type Opened<Config> = { world: World<Config>; sequencer: Sequencer }

async function openService<Config extends WorldConfig>(
  service: Service<Config>,
  env: Record<string, string>,
): Promise<Opened<Config>> {
  const config = service.readConfig(env)
  await migrate(config.DATABASE_URL, service.migrations)
  const world = await createRealWorld(service.name, config)
  const sequencer = createSequencer(world)
  sequencer.start()
  return { world, sequencer }
}

type PeerServices = {
  commits: CommitWatch
  products: Opened<ReturnType<typeof productsService.readConfig>>
  payments: Opened<ReturnType<typeof paymentsService.readConfig>>
  worker: Worker
}

function createPeers(services: PeerServices): Pick<Peers, 'reserve' | 'pay'> {
  const { commits, worker } = services
  const products = commits.watch('products', services.products.world)
  const payments = commits.watch('payments', services.payments.world)
  return {
    async reserve(orders) {
      const outcomes = await reserve(
        products,
        orders.map(({ id, ownerId, lines }) => ({ order_id: id, owner_id: ownerId, lines })),
      )
      services.products.sequencer.ring()
      return outcomes.map((answer) => {
        if (answer.outcome !== 'reserved') throw new Error(`reserve: ${answer.outcome}`)
        const lines = answer.lines.map((line) => ({ ...line, unit_price: line.unit_price.amount }))
        return { outcome: 'reserved', lines, currency: 'USD' }
      })
    },
    async pay(commands) {
      const { payments: opened, work } = await openOrderPayments(
        payments,
        commands.map(({ order, totals }) => ({
          order_id: order.id,
          owner_id: order.ownerId,
          amount: { amount: totals.total, currency: totals.currency },
          payment_method: order.paymentMethod,
          capture_method: order.captureMethod,
        })),
      )
      const driven = await worker.drive(work)
      return opened.map((payment) => {
        const paid = driven.get(payment?.id ?? '')
        if (paid?.status !== 'succeeded') throw new Error(`pay: ${paid?.status}`)
        return {
          outcome: 'succeeded',
          paymentId: paid.id,
          amountReceived: paid.amountReceived,
          amountCapturable: 0,
          code: null,
          nextAction: null,
        }
      })
    },
  }
}

const neverUndone = () => Promise.reject(new Error('nothing is undone here'))

// Charges at once and remembers nothing.
const provider: Provider = {
  async perform(calls) {
    const charges = calls.map(({ payment }) => ({
      key: chargeKeyOf(payment),
      status: 'succeeded' as const,
      amountCaptured: payment.amount ?? 0,
      code: null,
      nextAction: null,
    }))
    return { charges: new Map(charges.map((each) => [each.key, each])), refunds: new Map() }
  },
}

async function stock(world: Dependencies, id: string): Promise<void> {
  const now = new Date(world.clock.now())
  const price = { priceAmount: 1_250, priceCurrency: 'USD' }
  const texts = { name: `Product ${id}`, description: '', category: 'Tests' }
  const times = { createdAt: now, updatedAt: now }
  const product = { id, ...texts, ...price, ...times, status: 'active' as const, version: 1 }
  await createProduct(world, product, 100_000_000)
}
