/** Owns who buys: accounts that are registered through the gateway, and their tokens. */
import type { Asker } from './asker.ts'

export type Account = {
  id: string
  token: string
}

/** Registers and logs in, however often it takes. `name` is a name of its own within the run. */
export async function register(asker: Asker, n: number, name: string): Promise<Account> {
  const account = { email: `${name}@example.com`, password: `chaos-secret-${name}` }
  const { status, body } = await asker.definitely({
    n,
    path: '/users',
    body: { ...account, name: `Customer ${name}` },
    key: `register-${name}`,
  })
  if (status !== 201) throw new Error(`POST /users answered ${status} to ${name}`)
  return { id: String(body['id']), token: await logIn(asker, n, account) }
}

/** A session's token. */
async function logIn(
  asker: Asker,
  n: number,
  account: { email: string; password: string },
): Promise<string> {
  const { status, body } = await asker.definitely({ n, path: '/sessions', body: account })
  if (status !== 201) throw new Error(`POST /sessions answered ${status} to ${account.email}`)
  return String(body['access_token'])
}
