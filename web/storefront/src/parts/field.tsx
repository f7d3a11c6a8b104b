/** Owns a field of a form: its label, what it asks for, and what is wrong with it, tied together. */
import { useId, type ComponentProps, type ReactNode } from 'react'

type Props = ComponentProps<'input'> & {
  label: string
  error?: string | undefined
  hint?: ReactNode
}

export function Field({ label, error, hint, className = '', ...input }: Props) {
  const id = useId()
  const described = [
    hint === undefined ? '' : `${id}-hint`,
    error === undefined ? '' : `${id}-error`,
  ]
  return (
    <div className={className}>
      <Label htmlFor={id} isOptional={input.required !== true}>
        {label}
      </Label>
      <input
        id={id}
        className="field"
        aria-invalid={error !== undefined}
        aria-describedby={described.join(' ').trim() || undefined}
        {...input}
      />
      {hint !== undefined && (
        <p id={`${id}-hint`} className="mt-1.5 text-sm text-soft">
          {hint}
        </p>
      )}
      <FieldError id={`${id}-error`} error={error} />
    </div>
  )
}

export function Label({
  htmlFor,
  isOptional,
  children,
}: {
  htmlFor: string
  isOptional: boolean
  children: ReactNode
}) {
  return (
    <label htmlFor={htmlFor} className="mb-1.5 block text-[0.95rem] font-semibold">
      {children}
      {isOptional && <span className="font-normal text-soft"> (optional)</span>}
    </label>
  )
}

export function FieldError({ id, error }: { id: string; error: string | undefined }) {
  if (error === undefined) return null
  return (
    <p id={id} className="mt-1.5 text-sm font-medium text-bad">
      {error}
    </p>
  )
}
