/** Owns saying that what is shown is older than now, because the catalog does not answer. */
import { useEffect, useState } from 'react'
import { useKeptSinceMs } from '../api/kept-copy.ts'
import { Notice } from '../parts/notice.tsx'

type Asked = { isError: boolean; isFetching: boolean; data: unknown; dataUpdatedAt: number }

/** An answer that takes longer is missed. */
const SLOW_MS = 1_500

const moment = new Intl.DateTimeFormat('en', {
  weekday: 'long',
  hour: 'numeric',
  minute: '2-digit',
})

/** Nothing while all is well. */
export function StaleNotice({ of: { isError, isFetching, data, dataUpdatedAt } }: { of: Asked }) {
  const isSlow = useSlow(isFetching)
  const keptSinceMs = useKeptSinceMs()
  const isOld = isError || isSlow || keptSinceMs !== undefined
  if (data === undefined || !isOld) return null
  const atMs = Math.min(dataUpdatedAt, keptSinceMs ?? dataUpdatedAt)
  return (
    <Notice title="The catalog does not answer right now." className="mb-8">
      What you see is from {moment.format(new Date(atMs))}; prices and stock may have changed. You
      can go on looking and fill your cart. It is checked before you pay.
    </Notice>
  )
}

/** Whether something has been going on for longer than it should. */
function useSlow(isGoingOn: boolean): boolean {
  const [isSlow, setSlow] = useState(false)
  useEffect(() => {
    if (!isGoingOn) return undefined
    const timer = setTimeout(() => setSlow(true), SLOW_MS)
    return () => {
      clearTimeout(timer)
      setSlow(false)
    }
  }, [isGoingOn])
  return isSlow
}
