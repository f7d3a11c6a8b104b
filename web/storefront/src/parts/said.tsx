/** Owns what is said aloud to a screen reader when something on the page has changed. */
import { useSyncExternalStore } from 'react'

let said = { text: '', times: 0 }
const listeners = new Set<() => void>()

/** Says it once the reader is done with what it is at. */
export function say(text: string): void {
  said = { text, times: said.times + 1 }
  for (const tell of listeners) tell()
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function Said() {
  const { text, times } = useSyncExternalStore(subscribe, () => said)
  return (
    <p role="status" className="sr-only">
      {/* The same words twice in a row are said twice only if the text differs. */}
      {times % 2 === 0 ? text : `${text}\u00A0`}
    </p>
  )
}
