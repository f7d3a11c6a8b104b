/** Proves, by whatever fast-check comes upon, that no mishap of a broker, a feed or a replica loses or doubles an event. */
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { createEventPair, settled, until, type EventPair } from './testing/event-pair.ts'
import { createFakeBroker } from './testing/fake-broker.ts'

let pair: EventPair
before(async () => {
  pair = await createEventPair()
})
after(() => pair.close())

// What becomes of messages that were published together.
type Fate =
  | 'brought'
  | 'lost'
  | 'half lost'
  | 'twice'
  | 'reversed'
  | 'held back'
  | 'refused'
  | 'unanswered'

type Step =
  | { do: 'append'; count: number }
  | { do: 'bring what was held back' }
  | { do: 'wipe the broker' }
  | { do: 'broker leaves' }
  | { do: 'broker is back' }
  | { do: 'feed is down' }
  | { do: 'feed is up' }
  | { do: 'restart the reader' }
  | { do: 'restart the publisher' }
  | { do: 'wait'; ms: number }

const fate = fc.constantFrom<Fate>(
  'brought',
  'brought',
  'lost',
  'half lost',
  'twice',
  'reversed',
  'held back',
  'refused',
  'unanswered',
)

const just = (name: Exclude<Step['do'], 'append' | 'wait'>) => fc.constant<Step>({ do: name })
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.nat(30) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(9_000) }) },
  just('bring what was held back'),
  just('wipe the broker'),
  just('broker leaves'),
  just('broker is back'),
  just('feed is down'),
  just('feed is up'),
  just('restart the reader'),
  just('restart the publisher'),
)

/** A broker whose messages meet these fates, in turn. */
function createUnreliableBroker(fates: Fate[]) {
  const broker = createFakeBroker()
  let heldBack: string[] = []
  let turn = 0
  broker.onPublish = (messages) => {
    const texts = messages.map(({ text }) => text)
    const itsFate = fates[turn % fates.length] ?? 'brought'
    turn += 1
    if (itsFate === 'refused') throw new Error('no room')
    if (itsFate === 'brought') broker.bring(...texts)
    if (itsFate === 'half lost') broker.bring(...texts.filter((_, n) => n % 2 === 1))
    if (itsFate === 'twice') broker.bring(...texts, ...texts)
    if (itsFate === 'reversed') broker.bring(...texts.toReversed())
    if (itsFate === 'held back') heldBack.push(...texts)
    if (itsFate !== 'unanswered') return
    broker.bring(...texts)
    throw new Error('no answer')
  }
  return {
    broker,
    bringHeldBack: () => {
      if (heldBack.length > 0) broker.bring(...heldBack)
      heldBack = []
    },
    wipe: () => {
      heldBack = []
      broker.forget()
    },
  }
}

async function play(steps: Step[], fates: Fate[]): Promise<void> {
  const { broker, bringHeldBack, wipe } = createUnreliableBroker(fates)
  let readers = [pair.subscribe(broker), pair.subscribe(broker)]
  let publishers = [pair.publish(broker), pair.publish(broker)]
  let appended = 0
  const wait = (ms: number) =>
    Promise.all([...readers, ...publishers].map(({ clock }) => clock.advance(ms)))
  for (const each of steps) {
    if (each.do === 'append') {
      if (each.count > 0) await pair.append(each.count)
      appended += each.count
    }
    if (each.do === 'wait') await wait(each.ms)
    if (each.do === 'bring what was held back') bringHeldBack()
    if (each.do === 'wipe the broker') wipe()
    if (each.do === 'broker leaves') broker.leave()
    if (each.do === 'broker is back') broker.comeBack()
    if (each.do === 'feed is down') pair.isFeedDown = true
    if (each.do === 'feed is up') pair.isFeedDown = false
    if (each.do === 'restart the reader') {
      await readers[0]?.stop()
      readers = [...readers.slice(1), pair.subscribe(broker)]
    }
    if (each.do === 'restart the publisher') {
      await publishers[0]?.stop()
      publishers = [...publishers.slice(1), pair.publish(broker)]
    }
  }
  broker.comeBack()
  pair.isFeedDown = false
  await until(async () => {
    await wait(500)
    return pair.seen.length >= appended
  })
  bringHeldBack()
  await settled()
  if (appended > 0) await pair.assertAllOnce(appended)
}

test('rules 19, 20: whatever is lost, doubled, delayed, reordered, wiped or restarted, each event is applied once, in order', async () => {
  const steps = fc.array(step, { minLength: 5, maxLength: 40 })
  const fates = fc.array(fate, { minLength: 1, maxLength: 20 })
  const property = fc.asyncProperty(steps, fates, async (itsSteps, itsFates) => {
    try {
      await play(itsSteps, itsFates)
    } finally {
      await pair.reset()
    }
  })
  await fc.assert(property, { numRuns: 30 })
})
