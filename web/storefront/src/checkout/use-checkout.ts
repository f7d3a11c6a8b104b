/** Owns the checkout while it is open: what was typed and chosen, and what is wrong with it. */
import { useState, type FormEvent, type RefObject } from 'react'
import type { User } from '../api/contracts.ts'
import type { CheckedCart } from '../cart/checked-cart.ts'
import { focusFirstError } from '../parts/focus.ts'
import { formatMoney } from '../parts/money.ts'
import { CARDS } from './cards.ts'
import { keepDraft, readDraft, type Draft } from './draft.ts'
import { checkForm, toOrder, type FieldErrors, type FieldName, type Form } from './form.ts'
import { placeOrder } from './place.ts'
import { usePlacing } from './use-placing.ts'

export function useCheckout(
  cart: CheckedCart,
  user: User | null,
  form: RefObject<HTMLFormElement | null>,
  onPlacing: (isPlacing: boolean) => void,
) {
  const typed = useTyped()
  const [errors, setErrors] = useState<FieldErrors>({})
  const mark = (found: FieldErrors): void => {
    setErrors(found)
    if (Object.keys(found).length > 0) focusFirstError(form)
  }
  const placing = usePlacing(user, mark, onPlacing)
  const { total } = cart

  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (placing.isBusy || total === undefined) return
    const found = checkForm(typed.form, user === null)
    mark(found)
    if (Object.keys(found).length > 0) return
    const order = toOrder(cart.lines, total, typed.form, typed.card)
    const buyer = async () => user ?? placing.enterAsGuest(typed.form)
    void placing.run((watch) => placeOrder(buyer, order, watch))
  }
  const change = (field: FieldName, value: string): void => {
    typed.change(field, value)
    setErrors(({ [field]: _mended, ...left }) => left)
  }
  const fill = (some: Partial<Form>): void => {
    typed.fill(some)
    setErrors({})
  }
  const chooseCard = (card: string | null): void => {
    typed.chooseCard(card)
    placing.forgive()
  }
  const { progress, refusal, isBusy } = placing
  const button = buttonText(isBusy, typed.card, total && formatMoney(total))
  return {
    form: typed.form,
    card: typed.card,
    errors,
    refusal,
    progress,
    isBusy,
    submit,
    change,
    fill,
    chooseCard,
    buttonText: button,
  }
}

function buttonText(isBusy: boolean, card: string | null, total: string | undefined): string {
  if (isBusy) return 'Placing your order …'
  if (card === null) return 'Order now, pay later'
  return total === undefined ? 'Pay' : `Pay ${total}`
}

/** What was typed and chosen; it outlives a reload. */
function useTyped() {
  const [draft, setDraft] = useState(() => readDraft(CARDS[0]?.token ?? ''))
  const keep = (next: Draft) => {
    setDraft(next)
    keepDraft(next)
  }
  return {
    ...draft,
    change: (field: FieldName, value: string) =>
      keep({ ...draft, form: { ...draft.form, [field]: value } }),
    fill: (some: Partial<Form>) => keep({ ...draft, form: { ...draft.form, ...some } }),
    chooseCard: (card: string | null) => keep({ ...draft, card }),
  }
}
