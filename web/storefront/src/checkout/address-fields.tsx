/** Owns the delivery address's fields. */
import { useId, type ReactNode } from 'react'
import { Field, FieldError, Label } from '../parts/field.tsx'
import { COUNTRIES } from './countries.ts'
import type { FieldsProps } from './contact.tsx'
import type { FieldName } from './form.ts'

type Props = FieldsProps & { children: ReactNode }

export function AddressFields({ form, errors, change, children }: Props) {
  const field = (name: FieldName, autoComplete: string) => ({
    name,
    autoComplete: `shipping ${autoComplete}`,
    value: form[name],
    error: errors[name],
    onChange: ({ target }: { target: HTMLInputElement }) => change(name, target.value),
  })
  return (
    <section aria-labelledby="address">
      <h2 id="address" className="mb-5 text-heading">
        Where it goes
      </h2>
      {children}
      <div className="grid gap-5 sm:grid-cols-6">
        <Field label="Name" required className="sm:col-span-6" {...field('name', 'name')} />
        <Field
          label="Street and number"
          required
          className="sm:col-span-6"
          {...field('line1', 'address-line1')}
        />
        <Field
          label="Flat, floor, company"
          className="sm:col-span-6"
          {...field('line2', 'address-line2')}
        />
        <Field
          label="Postal code"
          required
          className="sm:col-span-2"
          {...field('postal_code', 'postal-code')}
        />
        <Field
          label="Town or city"
          required
          className="sm:col-span-4"
          {...field('city', 'address-level2')}
        />
        <Field
          label="State or region"
          className="sm:col-span-3"
          {...field('region', 'address-level1')}
        />
        <Country value={form.country} error={errors.country} change={change} />
      </div>
    </section>
  )
}

type CountryProps = {
  value: string
  error: string | undefined
  change: FieldsProps['change']
}

function Country({ value, error, change }: CountryProps) {
  const id = useId()
  return (
    <div className="sm:col-span-3">
      <Label htmlFor={id} isOptional={false}>
        Country
      </Label>
      <select
        id={id}
        name="country"
        required
        autoComplete="shipping country"
        className="field"
        value={value}
        aria-invalid={error !== undefined}
        aria-describedby={error === undefined ? undefined : `${id}-error`}
        onChange={({ target }) => change('country', target.value)}
      >
        <option value="">Choose …</option>
        {COUNTRIES.map(({ code, name }) => (
          <option key={code} value={code}>
            {name}
          </option>
        ))}
      </select>
      <FieldError id={`${id}-error`} error={error} />
    </div>
  )
}
