/** Owns what was typed into the checkout: kept until it has become an order, so that nothing is typed twice. */
import { BLANK, type Form } from './form.ts'

const STORAGE_KEY = 'fermata.checkout'

export type Draft = { form: Form; card: string | null }

export function readDraft(firstCard: string): Draft {
  try {
    const kept = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? '') as Partial<Draft>
    const card = typeof kept.card === 'string' || kept.card === null ? kept.card : firstCard
    return { form: toForm(kept.form), card }
  } catch {
    return { form: BLANK, card: firstCard }
  }
}

/** Whatever was kept: the fields of this form, as text. */
function toForm(kept: unknown): Form {
  const values = Object.entries(BLANK).map(([name]) => {
    const value = (kept as Record<string, unknown> | undefined)?.[name]
    return [name, typeof value === 'string' ? value : '']
  })
  return Object.fromEntries(values) as Form
}

export function keepDraft(draft: Draft): void {
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(draft))
  } catch {
    // It lasts as long as the page.
  }
}

export function forgetDraft(): void {
  try {
    sessionStorage.removeItem(STORAGE_KEY)
  } catch {
    // Nothing was kept.
  }
}
