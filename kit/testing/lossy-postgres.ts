/** Owns a way to PostgreSQL that breaks at the worst moment: as a commit is asked for, or done and not yet answered. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { silentLog } from '../log.ts'
import { connectPostgres, type Database } from '../postgres.ts'
import { realRandom } from '../random.ts'
import type { TestDatabase } from '../testing.ts'
import { realTimers } from '../time.ts'

/** `asked`: the COMMIT never reaches PostgreSQL. `answered`: it is done, and nobody is told. */
export type Moment = 'asked' | 'answered'

export type LossyDatabase = {
  db: Database
  /** From now on the `nth` commit (1 is the next) loses its connection at this moment, once. */
  lose: (moment: Moment, nth?: number) => void
  /** Forgets what was to be lost; gives whether it has been. */
  wasLost: () => boolean
  close: () => Promise<void>
}

/**
 * A database behind a proxy that reads PostgreSQL's protocol. A statement that writes outside of a
 * transaction counts as a commit of its own, which is lost when it is answered.
 */
export async function createLossyDatabase({ url }: TestDatabase): Promise<LossyDatabase> {
  let due: { moment: Moment; left: number } | undefined
  let lost = false
  const isDue = (moment: Moment) => {
    if (due?.moment !== moment) return false
    due.left -= 1
    if (due.left > 0) return false
    due = undefined
    lost = true
    return true
  }
  const sockets = new Set<Socket>()
  const target = new URL(url)
  const server = createServer((client) => {
    const postgres = connect(Number(target.port), target.hostname)
    const cut = () => {
      client.destroy()
      postgres.destroy()
    }
    for (const socket of [client, postgres]) {
      socket.setNoDelay(true)
      sockets.add(socket.on('error', cut).on('close', cut))
    }
    relay(client, postgres, { first: true, lose: commitsAsked(() => isDue('asked')), cut })
    relay(postgres, client, { first: false, lose: commitsDone(() => isDue('answered')), cut })
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const proxied = new URL(url)
  proxied.hostname = '127.0.0.1'
  proxied.port = String((server.address() as AddressInfo).port)
  const db = connectPostgres({
    url: proxied.href,
    poolSize: 10,
    applicationName: 'lossy',
    timers: realTimers,
    random: realRandom,
    log: silentLog,
  })
  return {
    db,
    lose(moment, nth = 1) {
      due = { moment, left: nth }
      lost = false
    },
    wasLost() {
      due = undefined
      return lost
    },
    async close() {
      await db.close()
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}

/**
 * Calls `write` again and again, each time with another of its commits to be lost, at either moment,
 * until it has no more of them. `run` names the run, for ids of its own. Gives how many were lost.
 */
export async function losingEachCommit(
  lossy: LossyDatabase,
  write: (run: string) => Promise<void>,
): Promise<number> {
  let losses = 0
  for (const moment of ['asked', 'answered'] as const) {
    for (let nth = 1; nth <= MAX_COMMITS; nth += 1) {
      lossy.lose(moment, nth)
      await write(`${moment}${nth}`)
      if (!lossy.wasLost()) break
      losses += 1
    }
  }
  return losses
}

const MAX_COMMITS = 12

type Message = { type: string; bytes: Buffer; body: string }

// Whether the connection is to break instead of passing this message on.
type Loses = (message: Message) => boolean

type Relaying = { first: boolean; lose: Loses; cut: () => void }

function relay(from: Socket, to: Socket, { first, lose, cut }: Relaying): void {
  let rest = Buffer.alloc(0)
  let isStartup = first // the only message without a type
  from.on('data', (chunk) => {
    rest = Buffer.concat([rest, typeof chunk === 'string' ? Buffer.from(chunk) : chunk])
    const passed: Buffer[] = []
    for (;;) {
      const head = isStartup ? 0 : 1
      if (rest.length < head + 4) break
      const size = head + rest.readUInt32BE(head)
      if (rest.length < size) break
      const bytes = rest.subarray(0, size)
      const type = isStartup ? '' : String.fromCharCode(bytes[0] ?? 0)
      rest = rest.subarray(size)
      isStartup = false
      if (lose({ type, bytes, body: bytes.toString('latin1', head + 4) })) return cut()
      passed.push(bytes)
    }
    if (passed.length > 0) to.write(Buffer.concat(passed))
  })
}

const commitsAsked =
  (isDue: () => boolean): Loses =>
  ({ type, body }) =>
    /^[QP]$/.test(type) && /^\0?commit\0/i.test(body) && isDue()

// PostgreSQL has committed when it is ready again and no longer in a transaction, not before.
function commitsDone(isDue: () => boolean): Loses {
  let wrote = false
  return ({ type, body }) => {
    if (type === 'C' && /^(COMMIT|INSERT|UPDATE|DELETE)/.test(body)) wrote = true
    if (type === 'C' && body.startsWith('ROLLBACK')) wrote = false
    if (type !== 'Z' || !body.startsWith('I')) return false
    const isCommit = wrote
    wrote = false
    return isCommit && isDue()
  }
}
