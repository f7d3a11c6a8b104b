/** Owns moving the focus to what is wrong in a form. */
import type { RefObject } from 'react'

/** Focuses the first field that is marked as wrong, once the page has marked it. */
export function focusFirstError(form: RefObject<HTMLFormElement | null>): void {
  requestAnimationFrame(() => {
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  })
}
