/** Owns the HTTP of the ledger: reading only, for admins. */
import type { Authenticator } from '@quartet/kit/auth'
import { decodeCursor, toPage } from '@quartet/kit/cursor'
import type { Http } from '@quartet/kit/http'
import type { World } from '@quartet/kit/world'
import { WORLD } from './domain.ts'
import { routes } from './contract.ts'
import {
  listAccounts,
  listTransactions,
  readAccount,
  readTrialBalance,
  type TransactionRow,
} from './store/ledger.ts'

export function addLedgerRoutes(
  http: Http,
  { world, authenticator }: { world: World<unknown>; authenticator: Authenticator },
): void {
  http.openapi(routes.accounts, async (c) => {
    await authenticator.admin(c.req.raw)
    const { limit, cursor } = c.req.valid('query')
    const after = cursor === undefined ? undefined : decodeCursor(cursor, 'string', 'string')
    const accounts = await listAccounts(world.db, { after, limit: limit + 1 })
    return c.json(
      toPage(
        accounts,
        limit,
        (volumes) => volumes,
        ({ account, currency }) => [account, currency],
      ),
      200,
    )
  })

  http.openapi(routes.account, async (c) => {
    await authenticator.admin(c.req.raw)
    const { account } = c.req.valid('param')
    const isName = /^[\w:-]{1,100}$/.test(account)
    const volumes = isName ? await readAccount(world.db, account) : []
    return c.json({ data: volumes }, 200)
  })

  http.openapi(routes.transactions, async (c) => {
    await authenticator.admin(c.req.raw)
    const { limit, cursor, payment_id: paymentId } = c.req.valid('query')
    const [before] = cursor === undefined ? [undefined] : decodeCursor(cursor, 'number')
    const rows = await listTransactions(world.db, { paymentId, before, limit: limit + 1 })
    return c.json(
      toPage(rows, limit, toTransaction, ({ position }) => [position]),
      200,
    )
  })

  http.openapi(routes.balance, async (c) => {
    await authenticator.admin(c.req.raw)
    return c.json({ data: await readTrialBalance(world.db, WORLD) }, 200)
  })
}

function toTransaction({ position: _position, created_at, ...rest }: TransactionRow) {
  return { ...rest, created_at: created_at.toISOString() }
}
