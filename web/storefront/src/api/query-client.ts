/** Owns how what the server owns is kept: in one cache, asked for again when it is needed. */
import { QueryClient } from '@tanstack/react-query'
import { NoAnswer } from './ask.ts'

const FRESH_MS = 15_000
const KEEP_MS = 30 * 60_000

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: FRESH_MS,
      gcTime: KEEP_MS,
      // Offline is an error like any other: what was seen is shown, and the page says so.
      networkMode: 'always',
      // The gateway has tried again for as long as it makes sense; a connection it knows nothing of.
      retry: (failures, error) => isCutOff(error) && failures < 2,
      retryDelay: (failures) => 300 * 2 ** failures,
    },
    mutations: { networkMode: 'always', retry: false },
  },
})

const isCutOff = (error: Error) => error instanceof NoAnswer && error.status === undefined
