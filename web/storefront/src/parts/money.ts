/** Owns how amounts are written. */
import type { Money } from '../api/contracts.ts'

const formats = new Map<string, Intl.NumberFormat>()

function formatOf(currency: string): Intl.NumberFormat {
  const known = formats.get(currency)
  if (known !== undefined) return known
  const made = new Intl.NumberFormat('en', { style: 'currency', currency })
  formats.set(currency, made)
  return made
}

/** How many decimals the currency has: an amount counts its smallest unit (ISO 4217). */
const digitsOf = (currency: string): number =>
  formatOf(currency).resolvedOptions().maximumFractionDigits ?? 2

/** `{ amount: 54900, currency: 'USD' }` → `$549.00` */
export function formatMoney({ amount, currency }: Money): string {
  return formatOf(currency).format(amount / 10 ** digitsOf(currency))
}

export const times = ({ amount, currency }: Money, quantity: number): Money => ({
  amount: amount * quantity,
  currency,
})

/** What somebody typed as a price, in the smallest unit; undefined where it is none. */
export function parsePrice(text: string, currency: string): number | undefined {
  const plain = text
    .trim()
    .replace(/^[^\d.,-]+/, '')
    .replace(',', '.')
  if (!/^\d{1,9}(\.\d+)?$/.test(plain)) return undefined
  return Math.round(Number(plain) * 10 ** digitsOf(currency))
}
