/** Owns where the cart is kept: in this browser, one for all of its tabs. */
import { useSyncExternalStore } from 'react'
import { EMPTY, parseCart, type Cart } from './cart.ts'

const STORAGE_KEY = 'fermata.cart'

/** Where storage is not allowed the cart lives as long as the page. */
let text: string | null = null
let cart: Cart = EMPTY
let canStore = true
const listeners = new Set<() => void>()

function load(): Cart {
  const stored = readStored()
  if (stored !== text) {
    text = stored
    cart = parseCart(stored)
  }
  return cart
}

function readStored(): string | null {
  if (!canStore) return text
  try {
    return localStorage.getItem(STORAGE_KEY)
  } catch {
    canStore = false
    return text
  }
}

/** The cart as it is now, with what other tabs have done to it. */
export const readCart = load

/** Changes the cart, starting from what other tabs have made of it. */
export function changeCart(change: (cart: Cart) => Cart): Cart {
  const changed = change(load())
  text = JSON.stringify(changed)
  cart = changed
  try {
    localStorage.setItem(STORAGE_KEY, text)
  } catch {
    canStore = false
  }
  for (const tell of listeners) tell()
  return changed
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  const ofOthers = ({ key }: StorageEvent) => {
    if (key === STORAGE_KEY || key === null) listener()
  }
  window.addEventListener('storage', ofOthers)
  return () => {
    listeners.delete(listener)
    window.removeEventListener('storage', ofOthers)
  }
}

export const useCart = (): Cart => useSyncExternalStore(subscribe, load)
