/** Owns the proof of the state machine: every state with every entry, and any sequence of commands. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { answerChallenge, cancel, capture, charge, refund, settle, type Desk } from './actions.ts'
import { emptyBook, merge, openDraft, replay, totalsOf, type Book, type Draft } from './book.ts'
import type { ChargeRequest } from './contract.ts'
import { evolve, type Charge, type Fact } from './domain.ts'

type ChargeFact = Exclude<Fact, { type: 'refund_failed' }>

const metadata = { payment_id: 'pay_1' }
const named = { charge_key: 'k', charge_id: 'ch_1', currency: 'USD', metadata, amount: 100 }
const asked = { ...named, payment_method: 'pm_card_visa', capture_method: 'automatic' as const }
const FACTS: ChargeFact[] = [
  { type: 'charged', ...asked },
  { type: 'authorized', ...asked },
  { type: 'declined', ...asked, decline_code: 'card_declined' },
  { type: 'action_required', ...asked },
  { type: 'processing', ...asked, due_at: '2030-01-01T00:00:03.000Z' },
  { type: 'captured', ...named },
  { type: 'canceled', ...named },
  {
    type: 'tombstone',
    charge_key: 'k',
    charge_id: null,
    amount: 0,
    currency: null,
    metadata: null,
  },
  { type: 'refunded', ...named, refund_key: 'r', refund_id: 're_1' },
]

// What may follow what, written down a second time on purpose.
const LEGAL: Record<string, string[]> = {
  unseen: ['charged', 'authorized', 'declined', 'action_required', 'processing', 'tombstone'],
  requires_action: ['charged', 'authorized', 'declined', 'canceled'],
  processing: ['charged', 'authorized', 'declined', 'canceled'],
  requires_capture: ['captured', 'canceled'],
  succeeded: ['refunded'],
  declined: [],
  canceled: [],
}

describe('the state machine', () => {
  const states = new Map<string, Charge | undefined>([['unseen', undefined]])
  for (const fact of FACTS) {
    if (!LEGAL['unseen']?.includes(fact.type)) continue
    const charged = evolve(undefined, fact)
    states.set(charged.status, charged)
  }

  test('every status is reached', () => {
    assert.deepEqual([...states.keys()].sort(), Object.keys(LEGAL).sort())
  })

  for (const [status, before] of states) {
    test(`${status} takes what may follow it, and throws at anything else`, () => {
      for (const fact of FACTS) {
        if (LEGAL[status]?.includes(fact.type)) assert.ok(evolve(before, fact))
        else assert.throws(() => evolve(before, fact), /cannot follow/)
      }
    })
  }

  test('amounts beyond what there is throw', () => {
    const held = evolve(undefined, { type: 'authorized', ...asked })
    assert.throws(() => evolve(held, { type: 'captured', ...named, amount: 101 }), /more than/)
    const paid = evolve(undefined, { type: 'charged', ...asked })
    const refunded = { ...named, type: 'refunded', refund_key: 'r', refund_id: 're' } as const
    assert.throws(() => evolve(paid, { ...refunded, amount: 101 }), /more than/)
    const rest = evolve(paid, { ...refunded, amount: 60 })
    assert.throws(() => evolve(rest, { ...refunded, amount: 41 }), /more than/)
  })
})

const key = fc.constantFrom('a', 'b', 'c')
const amount = fc.integer({ min: 1, max: 30 })
const command = fc.oneof(
  fc.record({
    verb: fc.constant('charge' as const),
    key,
    amount,
    method: fc.constantFrom(
      'visa',
      'chargeDeclined',
      'threeDSecureRequired',
      'slow',
      'slowDeclined',
    ),
    capture_method: fc.constantFrom('automatic' as const, 'manual' as const),
  }),
  fc.record({ verb: fc.constantFrom('capture' as const, 'settle' as const), key, amount }),
  fc.record({ verb: fc.constant('cancel' as const), key }),
  fc.record({
    verb: fc.constant('refund' as const),
    key,
    amount,
    id: fc.integer({ max: 8, min: 0 }),
  }),
  fc.record({ verb: fc.constant('challenge' as const), key, approve: fc.boolean() }),
)
type Command = typeof command extends fc.Arbitrary<infer Value> ? Value : never

function run(desk: Desk, given: Command): unknown {
  switch (given.verb) {
    case 'charge':
      return charge(desk, {
        key: given.key,
        amount: given.amount,
        currency: 'USD',
        payment_method: `pm_card_${given.method}`,
        capture_method: given.capture_method,
        metadata,
      } satisfies ChargeRequest)
    case 'capture':
      return capture(desk, { charge_key: given.key, amount: given.amount })
    case 'settle':
      return settle(desk.draft, given.key)
    case 'cancel':
      return cancel(desk, { charge_key: given.key })
    case 'refund':
      return refund(desk, { key: `r${given.id}`, charge_key: given.key, amount: given.amount })
    case 'challenge': {
      const verdict = given.approve ? 'approved' : 'authentication_failed'
      return answerChallenge(desk.draft, given.key, verdict)
    }
  }
}

function deskOf(draft: Draft, newId: () => string): Desk {
  return { draft, nowMs: 0, newId, challengeUrl: (id) => `http://provider.test/${id}` }
}

/** Runs groups of commands as the committer does; returns the book and all entries. */
function runGroups(groups: Command[][], check: (book: Book) => void) {
  const book = emptyBook()
  const entries: Draft['entries'] = []
  let ids = 0
  for (const group of groups) {
    const draft = openDraft(book, 0)
    for (const given of group)
      run(
        deskOf(draft, () => `id_${(ids += 1)}`),
        given,
      )
    entries.push(...draft.entries)
    merge(book, draft)
    check(book)
  }
  return { book, entries }
}

describe('any sequence of commands', () => {
  const groups = fc.array(fc.array(command, { maxLength: 6 }), { maxLength: 12 })

  test('never captures more than was asked, nor refunds more than was captured', () => {
    const check = ({ charges }: Book) => {
      for (const { status, amountCaptured, amountRefunded, made } of charges.values()) {
        assert.ok(amountRefunded >= 0 && amountRefunded <= amountCaptured)
        assert.ok(amountCaptured <= (made?.request.amount ?? 0))
        assert.equal(amountCaptured > 0, status === 'succeeded')
      }
    }
    fc.assert(fc.property(groups, (given) => void runGroups(given, check)))
  })

  test('adds up to the same book when the record is read back, however it was grouped', () => {
    fc.assert(
      fc.property(groups, (given) => {
        const { book, entries } = runGroups(given, () => {})
        const readBack = emptyBook()
        for (const entry of entries) replay(readBack, entry)
        assert.deepEqual(readBack, book)
        const sum = (...types: string[]) =>
          entries.reduce(
            (all, { type, amount: moved }) => all + (types.includes(type) ? moved : 0),
            0,
          )
        const [usd] = totalsOf(book).data
        assert.equal(usd?.captured ?? 0, sum('charged', 'captured'))
        assert.equal(usd?.refunded ?? 0, sum('refunded'))
      }),
    )
  })

  test('charges a key at most once, whatever comes after', () => {
    fc.assert(
      fc.property(groups, (given) => {
        const { entries } = runGroups(given, () => {})
        const paid = entries.filter(({ type }) => type === 'charged' || type === 'captured')
        assert.equal(new Set(paid.map(({ charge_key }) => charge_key)).size, paid.length)
      }),
    )
  })

  test('a key that has ended answers the same for ever, but for its refunds', () => {
    fc.assert(
      fc.property(groups, (given) => {
        const ended = new Map<string, string>()
        runGroups(given, ({ charges }) => {
          for (const { key: name, status } of charges.values()) {
            assert.equal(status, ended.get(name) ?? status)
            if (['succeeded', 'declined', 'canceled'].includes(status)) ended.set(name, status)
          }
        })
      }),
    )
  })
})
