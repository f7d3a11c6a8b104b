/** Owns whether the shop is light or dark: as the system is, unless somebody chose (public/theme.js keeps it). */
import { useSyncExternalStore } from 'react'

export type Theme = 'light' | 'dark'

const STORAGE_KEY = 'fermata.theme'
const dark = window.matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()

function read(): Theme {
  const { theme } = document.documentElement.dataset
  if (theme === 'light' || theme === 'dark') return theme
  return dark.matches ? 'dark' : 'light'
}

export function chooseTheme(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme
  try {
    localStorage.setItem(STORAGE_KEY, theme)
  } catch {
    // It lasts as long as the page.
  }
  for (const tell of listeners) tell()
}

export const useTheme = (): Theme =>
  useSyncExternalStore((listener) => {
    listeners.add(listener)
    dark.addEventListener('change', listener)
    return () => {
      listeners.delete(listener)
      dark.removeEventListener('change', listener)
    }
  }, read)
