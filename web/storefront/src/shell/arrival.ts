/** Owns what happens on arriving at a page: where it is scrolled to, where the focus is, what is said. */
import { useEffect, useLayoutEffect, useRef } from 'react'
import { NavigationType, useLocation, useNavigationType } from 'react-router'
import { say } from '../parts/said.tsx'

const SHOP = 'Fermata'
const MAX_PLACES = 50
/** Within this a page that is gone back to has its height again. */
const RESTORE_MS = 1_500

/** Names the page: in the tab, and aloud on arrival. */
export function useTitle(title: string | undefined): void {
  useEffect(() => {
    if (title === undefined) return
    document.title = title === '' ? `${SHOP}: things worth holding on to` : `${title} · ${SHOP}`
    if (isArriving) say(title === '' ? 'Home' : title)
    isArriving = false
  }, [title])
}

let isArriving = false
const places = new Map<string, number>()

/** A new page begins at its top with the focus on its content; one that is gone back to is where it was left. */
export function useArrival(): void {
  const { key, pathname } = useLocation()
  const how = useNavigationType()
  const arrived = useRef<string>(undefined)

  useEffect(() => {
    history.scrollRestoration = 'manual'
  }, [])

  useLayoutEffect(() => {
    const isFirst = arrived.current === undefined
    const isNewPage = arrived.current !== pathname
    arrived.current = pathname
    const isBack = how === NavigationType.Pop
    const stopRestoring = isBack ? restore(places.get(key) ?? 0) : undefined
    if (isNewPage && !isBack) window.scrollTo(0, 0)
    if (isNewPage && !isFirst) {
      isArriving = true
      document.getElementById('content')?.focus({ preventScroll: true })
    }
    const remember = () => {
      places.delete(key)
      places.set(key, window.scrollY)
      const [oldest] = places.keys()
      if (places.size > MAX_PLACES && oldest !== undefined) places.delete(oldest)
    }
    window.addEventListener('scroll', remember, { passive: true })
    return () => {
      stopRestoring?.()
      window.removeEventListener('scroll', remember)
    }
  }, [key, pathname, how])
}

// The page may still be loading: its height comes a little later.
function restore(top: number): () => void {
  const untilMs = performance.now() + RESTORE_MS
  let frame = 0
  const scroll = () => {
    window.scrollTo(0, top)
    const isThere = Math.abs(window.scrollY - top) < 2
    if (!isThere && performance.now() < untilMs) frame = requestAnimationFrame(scroll)
  }
  scroll()
  return () => cancelAnimationFrame(frame)
}
