/** Owns what the checkout asks for, and what is wrong with what was typed. */
import type { ProblemDocument } from '../api/ask.ts'
import type { Address, Money, PlaceOrder } from '../api/contracts.ts'
import type { CheckedLine } from '../cart/check.ts'

export type Form = {
  email: string
  name: string
  line1: string
  line2: string
  city: string
  region: string
  postal_code: string
  country: string
}

export type FieldName = keyof Form
export type FieldErrors = Partial<Record<FieldName, string>>

export const BLANK: Form = {
  email: '',
  name: '',
  line1: '',
  line2: '',
  city: '',
  region: '',
  postal_code: '',
  country: '',
}

/** As the contracts of users and orders say it. */
const MAX_LENGTH: Record<FieldName, number> = {
  email: 254,
  name: 200,
  line1: 200,
  line2: 200,
  city: 100,
  region: 100,
  postal_code: 20,
  country: 2,
}

const MISSING: Partial<Record<FieldName, string>> = {
  email: 'Enter an e-mail address, for the receipt.',
  name: 'Enter the name of whoever gets the parcel.',
  line1: 'Enter the street and number.',
  city: 'Enter the town or city.',
  postal_code: 'Enter the postal code.',
  country: 'Choose a country.',
}

// Whether mail arrives is for the mail to say; this finds what was mistyped.
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]{2,}$/

/** What is wrong, by field, in the order of the form. A guest gives an e-mail; who is logged in does not. */
export function checkForm(form: Form, isGuest: boolean): FieldErrors {
  const errors: FieldErrors = {}
  for (const field of Object.keys(BLANK) as FieldName[]) {
    if (field === 'email' && !isGuest) continue
    const error = errorOf(field, form[field].trim())
    if (error !== undefined) errors[field] = error
  }
  return errors
}

function errorOf(field: FieldName, value: string): string | undefined {
  if (value === '') return MISSING[field]
  if (field === 'email' && !EMAIL.test(value)) {
    return 'This does not look like an e-mail address: name@example.com.'
  }
  if (value.length > MAX_LENGTH[field]) {
    return `This is too long: ${MAX_LENGTH[field]} characters at most.`
  }
  return undefined
}

/** What the shop found wrong, by field of this form; what belongs to none of them is left to a general message. */
export function errorsOf({ errors = [] }: ProblemDocument): FieldErrors {
  const found: FieldErrors = {}
  for (const { field, detail } of errors) {
    const name = field.split('.').at(-1) ?? ''
    if (name in BLANK) found[name as FieldName] = `This ${detail}.`
  }
  return found
}

function toAddress(form: Form): Address {
  const [line2, region] = [form.line2.trim(), form.region.trim()]
  return {
    name: form.name.trim(),
    line1: form.line1.trim(),
    ...(line2 === '' ? {} : { line2 }),
    city: form.city.trim(),
    ...(region === '' ? {} : { region }),
    postal_code: form.postal_code.trim(),
    country: form.country,
  }
}

/** The order as it is sent: with the total that its buyer saw, so that another price is refused. */
export function toOrder(
  lines: CheckedLine[],
  total: Money,
  form: Form,
  card: string | null,
): PlaceOrder {
  return {
    line_items: lines.map(({ line: { product_id, quantity } }) => ({ product_id, quantity })),
    ...(card === null ? {} : { payment_method: card }),
    expected_total: total,
    shipping_address: toAddress(form),
  }
}
