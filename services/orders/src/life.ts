/** Owns an order's life as it is streamed: what its events tell, from the first or from where a client left off. */
import { hasUnnumbered, type EventHead } from '@quartet/kit/event-log'
import type { EventStream, Teller } from '@quartet/kit/event-stream'
import type { EventTail, Following } from '@quartet/kit/event-tail'
import type { Tx } from '@quartet/kit/postgres'
import { toResource } from './answers.ts'
import type { Order } from './domain.ts'

type Dependencies = {
  db: Tx
  tail: EventTail
  /** The order as it is now. */
  read: (id: string) => Promise<Order | undefined>
}

/** After these nothing more comes. */
const LAST = new Set(['order.completed.v1', 'order.canceled.v1'])
const isLast = ({ type }: EventHead): boolean => LAST.has(type)

/** Who tells the life of an order, after the event of this number; undefined: nothing of it is left to tell. */
export async function beginLife(
  world: Dependencies,
  order: Order,
  after: number,
): Promise<Teller | undefined> {
  const hasEnded = order.status === 'completed' || order.status === 'canceled'
  // Asked before the log: what gets its number meanwhile is found there. (Of an order that ended long
  // ago the log may have nothing left.)
  const isToCome = !hasEnded || (await hasUnnumbered(world.db, order.id))
  const life = await world.tail.follow(order.id)
  const missed = life.past.filter(({ sequence }) => sequence > after)
  const isOver = !isToCome || life.past.some(isLast)
  if (!isOver || missed.length > 0) {
    return (stream) => tellLife(world, stream, { order, life, missed, isOver })
  }
  life.stop()
  return undefined
}

type Told = { order: Order; life: Following; missed: EventHead[]; isOver: boolean }

async function tellLife(
  { read }: Dependencies,
  stream: EventStream,
  { order, life, missed, isOver }: Told,
): Promise<void> {
  stream.onOver(life.stop)
  // The order as it is now, which may be further than an event: whoever shows it is never behind.
  const tell = async (events: EventHead[]): Promise<void> => {
    const data = JSON.stringify(toResource((await read(order.id)) ?? order))
    for (const { sequence, type } of events) {
      await stream.tell({ id: String(sequence), event: type, data })
    }
  }
  if (missed.length > 0) await tell(missed)
  for (let over = isOver; !over;) {
    const event = await life.next()
    if (event === undefined) return
    await tell([event])
    over = isLast(event)
  }
}
