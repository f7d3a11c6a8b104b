/** Owns choosing how many. */
import { Icon } from '../parts/icon.tsx'

type Props = {
  value: number
  max: number
  /** Of what. */
  name: string
  onChange: (value: number) => void
}

const STEP = 'grid size-12 place-items-center rounded-full hover:bg-tile disabled:opacity-35'

export function Stepper({ value, max, name, onChange }: Props) {
  return (
    <div
      role="group"
      aria-label={`How many: ${name}`}
      className="inline-flex items-center rounded-full border-[1.5px] border-edge"
    >
      <button
        type="button"
        className={STEP}
        aria-label="One less"
        disabled={value <= 1}
        onClick={() => onChange(value - 1)}
      >
        <Icon name="minus" size={18} />
      </button>
      <output className="min-w-7 text-center font-semibold tabular-nums" aria-live="polite">
        {value}
      </output>
      <button
        type="button"
        className={STEP}
        aria-label="One more"
        disabled={value >= max}
        onClick={() => onChange(value + 1)}
      >
        <Icon name="plus" size={18} />
      </button>
    </div>
  )
}
