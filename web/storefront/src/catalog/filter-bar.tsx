/** Owns narrowing and sorting what is shown: all of it stands in the address. */
import { useId, useState, type FormEvent } from 'react'
import { useSearchParams } from 'react-router'
import { FieldError } from '../parts/field.tsx'
import { Icon } from '../parts/icon.tsx'
import { countFilters, FILTER_NAMES, priceError, SORTS, withParameters } from './filters.ts'

export function FilterBar() {
  const [parameters, setParameters] = useSearchParams()
  const [isOpen, setOpen] = useState(countFilters(parameters) > 0)
  const panel = useId()
  const change = (changes: Record<string, string>) =>
    setParameters(withParameters(parameters, changes), { preventScrollReset: true })
  const count = countFilters(parameters)
  return (
    <div className="mb-8 border-y border-line">
      <div className="flex flex-wrap items-center justify-between gap-x-4">
        <button
          type="button"
          aria-expanded={isOpen}
          aria-controls={panel}
          className="flex min-h-12 items-center gap-2.5 font-semibold"
          onClick={() => setOpen(!isOpen)}
        >
          <Icon name="sliders" size={20} />
          Narrow down
          {count > 0 && <span className="font-normal text-soft">({count})</span>}
        </button>
        <Sort
          value={parameters.get('sort') ?? ''}
          hasWords={parameters.get('q') !== null}
          onChange={(sort) => change({ sort })}
        />
      </div>
      <div id={panel} hidden={!isOpen} className="border-t border-line py-5">
        <Panel key={parameters.toString()} parameters={parameters} change={change} />
      </div>
    </div>
  )
}

type SortProps = { value: string; hasWords: boolean; onChange: (sort: string) => void }

function Sort({ value, hasWords, onChange }: SortProps) {
  const id = useId()
  return (
    <div className="flex items-center gap-2">
      <label htmlFor={id} className="sr-only sm:not-sr-only sm:text-soft">
        Sort
      </label>
      <select
        id={id}
        value={value}
        className="min-h-12 cursor-pointer rounded-small bg-paper pr-1 text-right font-semibold"
        onChange={({ target }) => onChange(target.value)}
      >
        {SORTS.map(({ value: sort, name }) => (
          <option key={sort} value={sort}>
            {sort === '' && !hasWords ? 'As we like it' : name}
          </option>
        ))}
      </select>
    </div>
  )
}

type PanelProps = {
  parameters: URLSearchParams
  change: (changes: Record<string, string>) => void
}

function Panel({ parameters, change }: PanelProps) {
  return (
    <div className="flex flex-wrap items-end gap-x-8 gap-y-4">
      <Prices parameters={parameters} change={change} />
      <label className="flex min-h-12 items-center gap-3 font-semibold">
        <input
          type="checkbox"
          className="size-5 accent-plum"
          checked={parameters.get('stock') === '1'}
          onChange={({ target }) => change({ stock: target.checked ? '1' : '' })}
        />
        Only what is in stock
      </label>
      {countFilters(parameters) > 0 && (
        <button
          type="button"
          className="link min-h-12"
          onClick={() => change(Object.fromEntries(FILTER_NAMES.map((name) => [name, ''])))}
        >
          Show everything again
        </button>
      )}
    </div>
  )
}

function Prices({ parameters, change }: PanelProps) {
  const [min, setMin] = useState(parameters.get('min') ?? '')
  const [max, setMax] = useState(parameters.get('max') ?? '')
  const [error, setError] = useState<string>()
  const id = useId()

  function apply(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault()
    const found = priceError(min, max)
    setError(found)
    if (found === undefined) change({ min: min.trim(), max: max.trim() })
    else event.currentTarget.querySelector('input')?.focus()
  }

  const price = {
    inputMode: 'decimal',
    className: 'field w-24',
    'aria-invalid': error !== undefined,
    'aria-describedby': error === undefined ? undefined : id,
  } as const
  return (
    <form noValidate onSubmit={apply}>
      <fieldset>
        <legend className="mb-1.5 text-[0.95rem] font-semibold">Price in dollars</legend>
        <div className="flex items-center gap-2.5">
          <input
            {...price}
            aria-label="From"
            placeholder="from"
            value={min}
            onChange={({ target }) => setMin(target.value)}
          />
          <input
            {...price}
            aria-label="To"
            placeholder="to"
            value={max}
            onChange={({ target }) => setMax(target.value)}
          />
          <button type="submit" className="button button-plain px-5">
            Show
          </button>
        </div>
        <FieldError id={id} error={error} />
      </fieldset>
    </form>
  )
}
