/** Owns the list of suggestions below the search. */
import { Icon } from '../parts/icon.tsx'
import { formatMoney } from '../parts/money.ts'
import { Picture } from '../parts/picture.tsx'
import type { Suggestion } from './suggest.ts'

type Props = {
  id: string
  isShown: boolean
  suggestions: Suggestion[]
  active: number
  onChoose: (suggestion: Suggestion) => void
}

export function Suggestions({ id, isShown, suggestions, active, onChoose }: Props) {
  return (
    <>
      <div
        id={id}
        role="listbox"
        aria-label="Suggestions"
        hidden={!isShown}
        className="absolute inset-x-0 top-13 z-40 overflow-hidden rounded-box border border-line bg-card py-2 shadow-[0_18px_50px_-12px_rgb(0_0_0/0.35)]"
      >
        {suggestions.map((suggestion, index) => (
          <div
            key={suggestion.to}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === active}
            className="flex cursor-pointer items-center gap-3.5 px-4 py-2 hover:bg-tile aria-selected:bg-tile"
            // Before the box loses the focus, and with it the list.
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => onChoose(suggestion)}
          >
            <Row suggestion={suggestion} />
          </div>
        ))}
      </div>
      <p className="sr-only" aria-live="polite">
        {isShown ? `${suggestions.length} suggestions` : ''}
      </p>
    </>
  )
}

function Row({ suggestion }: { suggestion: Suggestion }) {
  if (suggestion.kind === 'category') {
    return (
      <>
        <span className="grid size-11 place-items-center text-plum">
          <Icon name="arrow" size={20} />
        </span>
        <span className="flex-1 font-semibold">{suggestion.name}</span>
        <span className="text-sm text-soft">{suggestion.count} things</span>
      </>
    )
  }
  const { product } = suggestion
  return (
    <>
      <span className="w-11 shrink-0">
        <Picture product={product} />
      </span>
      <span className="min-w-0 flex-1">
        <span className="block truncate">{product.name}</span>
        <span className="block text-sm text-soft">{product.category}</span>
      </span>
      <span className="tabular-nums">{formatMoney(product.price)}</span>
    </>
  )
}
