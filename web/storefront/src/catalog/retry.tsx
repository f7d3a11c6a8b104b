/** Owns what stands where something could not be loaded: a kind word and the way to try again. */
import { Blank } from '../parts/notice.tsx'

export function Retry({
  what,
  again,
  isPage = false,
}: {
  what: string
  again: () => void
  isPage?: boolean
}) {
  return (
    <Blank title={`${what} does not answer.`} isPage={isPage}>
      <p>
        It should be back in a moment. Your cart is kept in this browser, and nothing of it is lost.
      </p>
      <button type="button" className="button button-strong" onClick={again}>
        Try again
      </button>
    </Blank>
  )
}
