/** Owns a way to PostgreSQL that breaks, freezes or falls silent at the worst moment, such as when a commit is done and not yet answered. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { silentLog } from '../log.ts'
import { connectPostgres, type Database } from '../postgres.ts'
import { realRandom } from '../random.ts'
import type { TestDatabase } from '../testing.ts'
import { realTimers } from '../time.ts'

/**
 * What happens to a commit. `asked`: it never reaches PostgreSQL, the connection breaks. `answered`:
 * it is done, the connection breaks and nobody is told. `frozen`: it is held back, with all locks of
 * its transaction, until `thaw`.
 */
export type Mishap = 'asked' | 'answered' | 'frozen'

export type LossyDatabase = {
  db: Database
  /** From now on this befalls the `nth` commit (1 is the next), once. */
  lose: (mishap: Mishap, nth?: number) => void
  /** Forgets what was to happen; gives whether it has. */
  wasLost: () => boolean
  /** Resolves when a commit of `work` is frozen; rejects when `work` ends without. */
  frozen: (work: Promise<unknown>) => Promise<void>
  /** The frozen one goes on, and learns what became of its connection. */
  thaw: () => void
  /** From now on nothing passes, either way, also of new connections; the returned function ends it. */
  hush: () => () => void
  close: () => Promise<void>
}

/**
 * A database behind a proxy that reads PostgreSQL's protocol. A statement that writes outside of a
 * transaction counts as a commit of its own, which is lost when it is answered.
 */
export async function createLossyDatabase({ url }: TestDatabase): Promise<LossyDatabase> {
  let due: { mishap: Mishap; left: number } | undefined
  let lost = false
  const isDue = (mishap: Mishap) => {
    if (due?.mishap !== mishap) return false
    due.left -= 1
    if (due.left > 0) return false
    due = undefined
    lost = true
    return true
  }
  let freezing = Promise.withResolvers<void>()
  let thaw = () => {}
  const freeze = (thawed: () => void) => {
    thaw = thawed
    freezing.resolve()
  }
  const { port, hush, close } = await listen((client) => {
    const target = new URL(url)
    relay(client, connect(Number(target.port), target.hostname), { isDue, freeze })
  })
  const proxied = new URL(url)
  proxied.hostname = '127.0.0.1'
  proxied.port = String(port)
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
    lose(mishap, nth = 1) {
      due = { mishap, left: nth }
      lost = false
      freezing = Promise.withResolvers()
    },
    wasLost() {
      due = undefined
      return lost
    },
    frozen: (work) =>
      Promise.race([
        freezing.promise,
        work.then(() => Promise.reject(new Error('it ended without that commit'))),
      ]),
    thaw: () => thaw(),
    hush,
    async close() {
      thaw()
      await db.close()
      await close()
    },
  }
}

/**
 * Calls `write` again and again, each time with another of its commits to be lost, as it is asked for
 * or as it is answered, until it has no more of them. `run` names the run, for ids of its own. Gives
 * how many were lost.
 */
export async function losingEachCommit(
  lossy: LossyDatabase,
  write: (run: string) => Promise<void>,
): Promise<number> {
  let losses = 0
  for (const mishap of ['asked', 'answered'] as const) {
    for (let nth = 1; nth <= MAX_COMMITS; nth += 1) {
      lossy.lose(mishap, nth)
      await write(`${mishap}${nth}`)
      if (!lossy.wasLost()) break
      losses += 1
    }
  }
  return losses
}

const MAX_COMMITS = 12

async function listen(take: (client: Socket) => void) {
  const clients = new Set<Socket>()
  let isHushed = false
  const server = createServer((client) => {
    clients.add(client)
    if (isHushed) client.pause()
    take(client)
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return {
    port: (server.address() as AddressInfo).port,
    hush: () => {
      isHushed = true
      for (const client of clients) client.pause()
      return () => {
        isHushed = false
        for (const client of clients) client.resume()
      }
    },
    close: () => {
      for (const client of clients) client.destroy()
      return new Promise((closed) => server.close(closed))
    },
  }
}

type Fate = { isDue: (mishap: Mishap) => boolean; freeze: (thawed: () => void) => void }

function relay(client: Socket, postgres: Socket, { isDue, freeze }: Fate): void {
  let held: (() => void)[] | undefined // what happens at the thaw
  const unlessFrozen = (act: () => void) => (held === undefined ? act() : held.push(act))
  const cut = () => {
    client.destroy()
    postgres.destroy()
  }
  for (const socket of [client, postgres]) {
    socket.setNoDelay(true).on('error', () => {})
    socket.on('close', () => unlessFrozen(cut))
  }
  const asked = createReader(true)
  const take = (messages: Message[]) => {
    for (const [index, message] of messages.entries()) {
      if (isCommit(message)) {
        if (isDue('asked')) return cut()
        if (isDue('frozen')) {
          const rest = messages.slice(index)
          held = [() => take(rest)]
          return freeze(() => {
            const acts = held ?? []
            held = undefined
            for (const act of acts) act()
          })
        }
      }
      postgres.write(message.bytes)
    }
  }
  client.on('data', (chunk: Buffer) => {
    const messages = asked(chunk)
    unlessFrozen(() => take(messages))
  })
  const told = createReader(false)
  const isDone = createDone()
  postgres.on('data', (chunk: Buffer) => {
    const messages = told(chunk)
    if (messages.some((message) => isDone(message) && isDue('answered'))) return cut()
    if (messages.length === 0) return
    const bytes = Buffer.concat(messages.map((message) => message.bytes))
    unlessFrozen(() => client.write(bytes))
  })
}

type Message = { type: string; bytes: Buffer; body: string }

/** Cuts what arrives into messages. The first that a client sends has no type. */
function createReader(isClient: boolean): (chunk: Buffer) => Message[] {
  let rest = Buffer.alloc(0)
  let head = isClient ? 0 : 1
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    const messages: Message[] = []
    while (rest.length >= head + 4) {
      const size = head + rest.readUInt32BE(head)
      if (rest.length < size) break
      const bytes = rest.subarray(0, size)
      const type = head === 0 ? '' : String.fromCharCode(bytes[0] ?? 0)
      messages.push({ type, bytes, body: bytes.toString('latin1', head + 4) })
      rest = rest.subarray(size)
      head = 1
    }
    return messages
  }
}

const isCommit = ({ type, body }: Message) => /^[QP]$/.test(type) && /^\0?commit\0/i.test(body)

// PostgreSQL has committed when it is ready again and no longer in a transaction, not before.
function createDone(): (message: Message) => boolean {
  let wrote = false
  return ({ type, body }) => {
    if (type === 'C' && /^(COMMIT|INSERT|UPDATE|DELETE)/.test(body)) wrote = true
    if (type === 'C' && body.startsWith('ROLLBACK')) wrote = false
    if (type !== 'Z' || !body.startsWith('I')) return false
    const isDone = wrote
    wrote = false
    return isDone
  }
}
