/** Owns the history of a run, kept in a file: every request and its answer, and every blow, to be read where something is wrong. */
import { createReadStream, createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** One try of a request, of the customer of order `n`. */
export type Exchange = {
  n: number
  /** When it was sent, since the Unix epoch. */
  atMs: number
  tookMs: number
  asked: string
  key?: string
  /** The status, or why there is none. */
  answer: number | string
  /** What of the answer's body says what became of it. */
  said: string
}
export type StruckBlow = { number: number; what: string; fromMs: number; toMs: number }

export type History = {
  note: (exchange: Exchange) => void
  /** The exchanges of these orders, in the order of their answers. */
  read: (orders: ReadonlySet<number>) => Promise<Map<number, Exchange[]>>
}

export function openHistory(file: string): History {
  const stream = createWriteStream(file)
  return {
    note: (exchange) => void stream.write(`${JSON.stringify(exchange)}\n`),
    async read(orders) {
      await new Promise<void>((flushed) => stream.write('', () => flushed()))
      const found = new Map<number, Exchange[]>([...orders].map((n) => [n, []]))
      for await (const line of createInterface({ input: createReadStream(file) })) {
        const exchange = JSON.parse(line) as Exchange
        found.get(exchange.n)?.push(exchange)
      }
      return found
    },
  }
}

/** What of a body tells how an order or a payment stands. */
export function essenceOf(body: Record<string, unknown>): string {
  const fields = ['code', 'order_id', 'id', 'status', 'payment_status', 'cancel_reason', 'detail']
  const said = fields.flatMap((name) => {
    const value = body[name]
    return typeof value === 'string' && value !== '' ? [`${name}=${value}`] : []
  })
  const total = body['total'] as { amount?: number } | null | undefined
  return [...said, ...(total?.amount === undefined ? [] : [`total=${total.amount}`])].join(' ')
}
