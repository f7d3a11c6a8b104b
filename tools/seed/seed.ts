/** Owns the first start's demo data: the catalog and a customer, put in over the public HTTP API. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Credentials } from '../start/credentials.ts'
import { catalog } from './catalog.ts'

export type SeedOptions = {
  urls: { users: string; products: string }
  credentials: Credentials
  dataDir: string
}

const AT_ONCE = 8
const RETRIES = 20
const RETRY_MS = 250

const session = z.object({ access_token: z.string() })

const markerIn = (dataDir: string) => join(dataDir, 'seeded')

/** Whether an earlier start has loaded the demo data. */
export function isSeeded(dataDir: string): boolean {
  return existsSync(markerIn(dataDir))
}

/** Loads what is not there yet; what an earlier, interrupted start has loaded is kept as it is. */
export async function seed({ urls, credentials, dataDir }: SeedOptions): Promise<void> {
  const { email, password } = credentials.admin
  const loggedIn = await post(`${urls.users}/sessions`, { email, password }, undefined)
  const { access_token: token } = session.parse(await loggedIn.json())
  await register(urls.users, credentials.customer)
  const left = catalog()
  const lane = async () => {
    for (let product = left.pop(); product !== undefined; product = left.pop()) {
      await post(`${urls.products}/products`, product, token)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  writeFileSync(markerIn(dataDir), '', { flush: true })
}

async function register(usersUrl: string, account: Credentials['customer']): Promise<void> {
  await post(`${usersUrl}/users`, { ...account, name: 'Casey Customer' }, undefined)
}

// 409 says it is there already. 503 passes: a service has just started, or is being started again.
async function post(url: string, body: unknown, token: string | undefined): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    })
    if (response.ok || response.status === 409) return response
    if (response.status !== 503 || attempt > RETRIES) {
      throw new Error(`POST ${url} answered ${response.status}: ${await response.text()}`)
    }
    await response.body?.cancel()
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}
