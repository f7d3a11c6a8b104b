/** Owns the search at the top: suggestions as one types, by the combobox pattern (WAI-ARIA APG). */
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useEffect, useId, useState, type ComponentProps, type KeyboardEvent } from 'react'
import { useLocation, useNavigate, useSearchParams } from 'react-router'
import { categoriesQuery, shortListQuery } from '../api/queries.ts'
import { Icon } from '../parts/icon.tsx'
import { suggest, type Suggestion } from './suggest.ts'
import { Suggestions } from './suggestions.tsx'

const PAUSE_MS = 130
const MAX_PRODUCTS = 6

export function SearchBox() {
  const [parameters] = useSearchParams()
  const { pathname } = useLocation()
  const searched = pathname.startsWith('/shop') ? (parameters.get('q') ?? '') : ''
  // A new search is a new box: what is typed is the box's, what is searched for is the address's.
  return <Box key={searched} searched={searched} />
}

function Box({ searched }: { searched: string }) {
  const listId = useId()
  const { typed, type, suggestions, isShown, active, go, close, onKeyDown } = useCombobox(searched)
  return (
    <search className="relative block max-w-2xl">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          go(isShown ? suggestions[active] : undefined)
        }}
      >
        <Input
          aria-expanded={isShown}
          aria-controls={listId}
          aria-activedescendant={isShown && active >= 0 ? `${listId}-${active}` : undefined}
          value={typed}
          onChange={({ target }) => type(target.value)}
          onKeyDown={onKeyDown}
          onBlur={close}
        />
      </form>
      <Suggestions
        id={listId}
        isShown={isShown}
        suggestions={suggestions}
        active={active}
        onChoose={go}
      />
    </search>
  )
}

function Input({
  'aria-expanded': isExpanded,
  'aria-controls': controls,
  ...input
}: ComponentProps<'input'>) {
  return (
    <>
      <span className="pointer-events-none absolute top-3 left-4 text-soft">
        <Icon name="search" size={20} />
      </span>
      <input
        type="search"
        role="combobox"
        aria-label="Search the shop"
        aria-expanded={isExpanded}
        aria-controls={controls}
        aria-autocomplete="list"
        autoComplete="off"
        enterKeyHint="search"
        maxLength={200}
        placeholder="Search for a lamp, a book, a sweater"
        className="h-11 w-full rounded-full border-[1.5px] border-edge bg-card pr-4 pl-11 placeholder:text-soft focus-visible:rounded-full focus-visible:border-plum focus-visible:outline-offset-0 [&::-webkit-search-cancel-button]:hidden"
        {...input}
      />
    </>
  )
}

function useCombobox(searched: string) {
  const navigate = useNavigate()
  const [typed, setTyped] = useState(searched)
  const [isOpen, setOpen] = useState(false)
  const [active, setActive] = useState(-1)
  const suggestions = useSuggestions(isOpen ? typed : '')
  const isShown = isOpen && suggestions.length > 0

  const type = (text: string): void => {
    setTyped(text)
    setActive(-1)
    setOpen(true)
  }
  const close = (): void => setOpen(false)
  const go = (suggestion: Suggestion | undefined): void => {
    close()
    const q = typed.trim()
    if (suggestion !== undefined) void navigate(suggestion.to)
    else void navigate(q === '' ? '/shop' : `/shop?q=${encodeURIComponent(q)}`)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') {
      if (isShown) close()
      else setTyped('')
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step === undefined || suggestions.length === 0) return
    event.preventDefault()
    setOpen(true)
    // One place more than there are suggestions: the box itself.
    const places = suggestions.length + 1
    setActive((now) => ((now + 1 + step + places) % places) - 1)
  }
  return { typed, type, suggestions, isShown, active, go, close, onKeyDown }
}

function useSuggestions(typed: string): Suggestion[] {
  const q = usePaused(typed.trim())
  const { data: categories } = useQuery(categoriesQuery)
  const { data: found } = useQuery({
    ...shortListQuery({ q }, MAX_PRODUCTS),
    queryKey: ['suggestions', q],
    enabled: q !== '',
    placeholderData: keepPreviousData,
  })
  return typed.trim() === '' ? [] : suggest(typed, categories?.data ?? [], found?.data ?? [])
}

/** The value once it has stood still for a moment. */
function usePaused(value: string): string {
  const [paused, setPaused] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setPaused(value), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [value])
  return value === '' ? '' : paused
}
