/** Owns choosing how to pay, and saying beside the choice why a card was refused. */
import { useEffect, useRef, useState } from 'react'
import type { ProblemDocument } from '../api/ask.ts'
import { Icon } from '../parts/icon.tsx'
import { Notice } from '../parts/notice.tsx'
import { CARDS, TROUBLED_CARDS, type Card } from './cards.ts'
import { declineWords } from './decline-words.ts'

type Props = {
  /** A card's token; null: pay later. */
  chosen: string | null
  onChoose: (card: string | null) => void
  refusal?: ProblemDocument | undefined
  canPayLater?: boolean
}

export function CardChoice({ chosen, onChoose, refusal, canPayLater = true }: Props) {
  return (
    <section aria-labelledby="card">
      <h2 id="card" className="mb-2 text-heading">
        How you pay
      </h2>
      <p className="mb-5 text-soft">
        These are test cards: choose what should happen. No card number is ever asked for.
      </p>
      {refusal?.code === 'payment_declined' && <Declined refusal={refusal} />}
      <fieldset>
        <legend className="sr-only">Card</legend>
        <div className="grid gap-3 sm:grid-cols-2">
          <Cards cards={CARDS} chosen={chosen} onChoose={onChoose} />
          {canPayLater && (
            <Choice
              name="Pay later"
              what="We set it aside for 30 minutes"
              isChosen={chosen === null}
              onChoose={() => onChoose(null)}
            />
          )}
        </div>
        <Troubled chosen={chosen} onChoose={onChoose} />
      </fieldset>
    </section>
  )
}

type CardsProps = Pick<Props, 'chosen' | 'onChoose'>

function Cards({ cards, chosen, onChoose }: CardsProps & { cards: Card[] }) {
  return cards.map(({ token, name, ending, what }) => (
    <Choice
      key={token}
      name={`${name} ·· ${ending}`}
      what={what}
      isChosen={token === chosen}
      onChoose={() => onChoose(token)}
    />
  ))
}

/** Out of the way of whoever wants to buy; open when one of them is chosen. */
function Troubled({ chosen, onChoose }: CardsProps) {
  const [isOpen, setOpen] = useState(TROUBLED_CARDS.some(({ token }) => token === chosen))
  return (
    <details
      className="group mt-3"
      open={isOpen}
      onToggle={({ currentTarget }) => setOpen(currentTarget.open)}
    >
      <summary className="flex min-h-12 list-none items-center gap-2.5 font-semibold [&::-webkit-details-marker]:hidden">
        <span className="transition-transform group-open:rotate-45">
          <Icon name="plus" size={20} />
        </span>
        Cards that make trouble
      </summary>
      <div className="mt-2 grid gap-3 sm:grid-cols-2">
        <Cards cards={TROUBLED_CARDS} chosen={chosen} onChoose={onChoose} />
      </div>
    </details>
  )
}

type ChoiceProps = { name: string; what: string; isChosen: boolean; onChoose: () => void }

function Choice({ name, what, isChosen, onChoose }: ChoiceProps) {
  return (
    <label className="flex items-center gap-3.5 rounded-box border-[1.5px] border-edge bg-card px-4 py-3 has-checked:border-plum has-checked:shadow-[inset_0_0_0_1px_var(--color-plum)] has-focus-visible:outline-3 has-focus-visible:outline-offset-3 has-focus-visible:outline-plum">
      <input
        type="radio"
        name="card"
        className="size-5 shrink-0 accent-plum outline-none"
        checked={isChosen}
        onChange={onChoose}
      />
      <span>
        <span className="block font-semibold tabular-nums">{name}</span>
        <span className="block text-[0.95rem] leading-snug text-soft">{what}</span>
      </span>
    </label>
  )
}

/** Said, shown and focused: a refusal is what happens next to whoever pressed the button. */
function Declined({ refusal }: { refusal: ProblemDocument }) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    box.current?.scrollIntoView({ block: 'center' })
    box.current?.focus({ preventScroll: true })
  }, [])
  const { title, advice } = declineWords(refusal.decline_code)
  return (
    <div ref={box} tabIndex={-1} role="alert" className="mb-5">
      <Notice tone="bad" title={`${title}.`}>
        {advice}
      </Notice>
    </div>
  )
}
