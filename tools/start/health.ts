/** Owns asking a process whether it is ready. */

export type Health = 'ready' | 'not ready' | 'no answer'

const ANSWER_TIMEOUT_MS = 2_000
const POLL_MS = 50

/** What `/health/ready` of a process says just now. */
export async function askHealth(url: string): Promise<Health> {
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    const response = await fetch(`${url}/health/ready`, { signal })
    await response.body?.cancel()
    return response.ok ? 'ready' : 'not ready'
  } catch {
    return 'no answer'
  }
}

/** Waits until a process is ready; returns what it says in the end. */
export async function waitUntilReady(url: string, timeoutMs: number): Promise<Health> {
  for (const endMs = Date.now() + timeoutMs; ;) {
    const health = await askHealth(url)
    if (health === 'ready' || Date.now() > endMs) return health
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
