/** Owns who orders: whoever is logged in, or a guest with an e-mail. */
import { Link } from 'react-router'
import type { User } from '../api/contracts.ts'
import { Field } from '../parts/field.tsx'
import type { FieldErrors, FieldName, Form } from './form.ts'

export type FieldsProps = {
  form: Form
  errors: FieldErrors
  change: (field: FieldName, value: string) => void
}

export function Contact({ user, form, errors, change }: FieldsProps & { user: User | null }) {
  return (
    <section aria-labelledby="contact">
      <h2 id="contact" className="mb-5 text-heading">
        For the receipt
      </h2>
      {user === null ? (
        <>
          <Field
            label="E-mail"
            type="email"
            name="email"
            autoComplete="email"
            inputMode="email"
            required
            value={form.email}
            error={errors.email}
            onChange={({ target }) => change('email', target.value)}
          />
          <p className="mt-3 text-soft">
            No account is needed.{' '}
            <Link to="/log-in?to=/checkout" className="link">
              Log in
            </Link>{' '}
            if you have one.
          </p>
        </>
      ) : (
        <p>
          {user.guest ? 'As a guest: ' : `${user.name} `}
          <span className="[overflow-wrap:anywhere]">{user.email}</span>
        </p>
      )}
    </section>
  )
}
