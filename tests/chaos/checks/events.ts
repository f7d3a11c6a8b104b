/** Owns checking events: logs without gaps, each order's events, and each subscriber's steps and effects. */
import type { Books, EventRow, Log, OrderRow, Subscription } from '../books.ts'
import type { Violation } from './violation.ts'

export function checkEvents({ logs, orders, reservations, subscriptions }: Books): Violation[] {
  const found = Object.entries(logs).flatMap(([name, log]) => checkLog(name, log))
  const byOrder = Map.groupBy(logs.orders.events, ({ subject }) => subject)
  for (const order of orders) found.push(...checkLife(order, byOrder.get(order.id) ?? []))
  // What was given back before its event was read is never sold.
  const released = new Set(
    reservations.flatMap(({ order_id, state }) => (state === 'released' ? [order_id] : [])),
  )
  for (const each of subscriptions) {
    const isExcused = (subject: string) =>
      each.reader === 'products' && each.source === 'orders' && released.has(subject)
    found.push(...checkArrivals(each, logs[each.source], isExcused))
  }
  return found
}

function checkLog(name: string, { newest, unnumbered, events }: Log): Violation[] {
  const tell = (detail: string): Violation => ({ promise: 'gapless', detail })
  const found = unnumbered > 0 ? [tell(`${name}: ${unnumbered} events have no number`)] : []
  const gap = events.findIndex(({ sequence }, index) => sequence !== index + 1)
  if (gap !== -1)
    found.push(tell(`${name}: ${events[gap]?.sequence} stands where ${gap + 1} should`))
  if (events.length !== newest && gap === -1) {
    found.push(tell(`${name}: ${events.length} events, and the counter says ${newest}`))
  }
  return found
}

// An order that was confirmed and canceled later has told both.
const LIVES: Record<string, RegExp> = {
  confirmed: /^placed( action_required)* confirmed$/,
  completed: /^placed( action_required)* confirmed completed$/,
  canceled: /^placed( action_required)*( confirmed)? canceled$/,
}

function checkLife({ id, status }: OrderRow, events: EventRow[]): Violation[] {
  const life = events.map(({ type }) => type.replace(/^order\.(\w+)\.v1$/, '$1')).join(' ')
  if (LIVES[status] === undefined || LIVES[status].test(life)) return []
  return [{ promise: 'events', order: id, detail: `it is ${status}, its events are: ${life}` }]
}

/** What a subscriber does, once for each event of a type: `products orders` and so on. */
const EFFECTS: Record<string, string> = {
  'products orders': 'order.confirmed.v1',
  'products users': 'user.erased.v1',
  'orders users': 'user.erased.v1',
  'payments users': 'user.erased.v1',
}

/** Its steps lead from where the record begins to the newest event, and each effect is of its own step. */
function checkArrivals(
  { reader, source, begun, applied }: Subscription,
  { newest, events }: Log,
  isExcused: (subject: string) => boolean = () => false,
): Violation[] {
  const found: Violation[] = []
  const who = `${reader} of ${source}`
  const tell = (detail: string, order?: string) =>
    void found.push({
      promise: 'events',
      detail: `${who}: ${detail}`,
      ...(order === undefined ? {} : { order }),
    })
  let at = begun
  const stepOf = new Map<string, { from: number; to: number }>()
  for (const { tx, from, to } of applied) {
    if (from === null || to === null) continue
    if (from !== at || to <= from) tell(`a step from ${from} to ${to}, after ${at}`)
    at = to
    stepOf.set(tx, { from, to })
  }
  if (at !== newest) tell(`has read up to ${at} of ${newest}`)
  const type = EFFECTS[`${reader} ${source}`]
  if (type === undefined) return found
  const due = new Map(
    events
      .filter((each) => each.type === type && each.sequence > begun && !isExcused(each.subject))
      .map((each) => [each.subject, each.sequence]),
  )
  const done = new Set<string>()
  const parts = new Set<string>()
  for (const { tx, subject, part } of applied) {
    if (subject === null) continue
    const name = `${subject} ${part}`
    if (parts.has(name)) tell(`${name} was done twice`, subject)
    parts.add(name)
    done.add(subject)
    const sequence = due.get(subject)
    const step = stepOf.get(tx)
    if (sequence === undefined) tell(`${name} was done without an event`, subject)
    else if (step === undefined)
      tell(`${name} was done in a commit that moved no position`, subject)
    else if (sequence <= step.from || sequence > step.to) {
      tell(
        `${name}, event ${sequence}, was done in the step from ${step.from} to ${step.to}`,
        subject,
      )
    }
  }
  for (const subject of due.keys()) if (!done.has(subject)) tell(`${subject} was not done`, subject)
  return found
}
