/** Owns what customers set out to do, order by order: it follows from the seed alone. */
import { chanceOf, type Chance } from './chance.ts'

/** How a customer behaves with one order. */
export type Kind = keyof typeof WEIGHTS

// Parts of a thousand.
const WEIGHTS = {
  // Good ones.
  buys: 380,
  meetsOddities: 100,
  isDeclined: 60,
  paysLater: 60,
  paysAfterDecline: 20,
  neverPays: 10,
  approves: 45,
  refuses: 20,
  neverDecides: 10,
  cancelsAtOnce: 40,
  cancelsLater: 45,
  isRefundedInPart: 20,
  isCaptured: 20,
  isDelivered: 20,
  leaves: 5,
  // Those that are not.
  doubleClicks: 45,
  changesPayload: 25,
  forgesTotal: 20,
  wantsScarce: 40,
  meddles: 10,
  takesId: 5,
}

export type Line = { product_id: string; quantity: number }

export type Intent = {
  n: number
  kind: Kind
  lines: Line[]
  /** A token of the card processor's; undefined pays later. */
  method: string | undefined
  /** What the customer says that it costs, if anything: else the shop's price is taken. */
  expects: 'nothing' | 'right' | 'wrong'
  /** How the customer learns how it ends. */
  follows: 'poll' | 'stream' | 'post'
  /** Between two steps. */
  pauseMs: number
}

export type Shelf = { id: string; price: number; stock: number }
export type Shelves = { plenty: Shelf[]; scarce: Shelf[] }

const CURRENCY = 'USD'
const ODD_CARDS = [
  'pm_card_slow',
  'pm_card_slowDeclined',
  'pm_card_lostAnswer',
  'pm_card_lostConnection',
  'pm_card_webhookEarly',
  'pm_card_webhookTwice',
  'pm_card_webhookLate',
]
const DECLINED_CARDS = [
  'pm_card_chargeDeclined',
  'pm_card_chargeDeclinedInsufficientFunds',
  'pm_card_chargeDeclinedExpiredCard',
  'pm_card_chargeDeclinedFraudulent',
]
const GOOD_CARDS = ['pm_card_visa', 'pm_card_mastercard']

/** What is for sale: of scarce products there is about half of what is wanted. */
export function shelvesFor(orders: number): Shelves {
  const wanted = (orders * WEIGHTS.wantsScarce) / 1_000
  return {
    plenty: Array.from({ length: 20 }, (_, n) => ({
      id: `chaos-${n}`,
      price: 500 + 137 * n,
      stock: 100 * orders,
    })),
    scarce: Array.from({ length: 4 }, (_, n) => ({
      id: `chaos-scarce-${n}`,
      price: 999,
      stock: Math.max(1, Math.round(wanted / 8)),
    })),
  }
}

/** What the customer of order `n` does. */
export function intentOf(seed: number, n: number, { plenty, scarce }: Shelves): Intent {
  const chance = chanceOf(seed, 'order', n)
  const kind = chance.weighted(WEIGHTS)
  const isScarce = kind === 'wantsScarce'
  return {
    n,
    kind,
    lines: isScarce ? linesOf(chance, scarce, 1) : linesOf(chance, plenty, chance.between(1, 3)),
    method: methodOf(kind, chance),
    expects: kind === 'forgesTotal' ? 'wrong' : chance.fraction() < 0.3 ? 'right' : 'nothing',
    follows: chance.weighted({ poll: 75, stream: 10, post: 15 }),
    pauseMs: chance.between(0, 400),
  }
}

function linesOf(chance: Chance, shelves: Shelf[], count: number): Line[] {
  const ids = new Set(Array.from({ length: count }, () => chance.pick(shelves).id))
  return [...ids].map((product_id) => ({ product_id, quantity: chance.between(1, 2) }))
}

function methodOf(kind: Kind, chance: Chance): string | undefined {
  switch (kind) {
    case 'meetsOddities':
      return chance.pick(ODD_CARDS)
    case 'isDeclined':
      return chance.pick(DECLINED_CARDS)
    case 'approves':
    case 'refuses':
    case 'neverDecides':
      return 'pm_card_threeDSecureRequired'
    case 'paysLater':
    case 'paysAfterDecline':
    case 'neverPays':
      return undefined
    default:
      return chance.pick(GOOD_CARDS)
  }
}

/** What the lines cost. */
function totalOf(lines: Line[], { plenty, scarce }: Shelves): number {
  const prices = new Map([...plenty, ...scarce].map(({ id, price }) => [id, price]))
  return lines.reduce((sum, line) => sum + line.quantity * (prices.get(line.product_id) ?? 0), 0)
}

/** The body of POST /orders. */
export function bodyOf(intent: Intent, shelves: Shelves): Record<string, unknown> {
  const { kind, lines, method, expects } = intent
  const total = totalOf(lines, shelves) - (expects === 'wrong' ? 400 : 0)
  return {
    line_items: lines,
    ...(method === undefined ? {} : { payment_method: method }),
    ...(kind === 'isCaptured' ? { capture_method: 'manual' } : {}),
    ...(expects === 'nothing' ? {} : { expected_total: { amount: total, currency: CURRENCY } }),
  }
}
