/** Owns making a guest's account one's own: by a password. */
import { useRef } from 'react'
import { useQueryClient } from '@tanstack/react-query'
import { ask } from '../api/ask.ts'
import type { User } from '../api/contracts.ts'
import { sessionQuery } from '../api/queries.ts'
import { Field } from '../parts/field.tsx'
import { Notice } from '../parts/notice.tsx'
import { say } from '../parts/said.tsx'
import { checkAccount, useAccountForm } from './account-form.ts'

const FIELDS = { password: '' }

export function ClaimAccount({ user }: { user: User }) {
  const client = useQueryClient()
  const formRef = useRef<HTMLFormElement>(null)
  const { field, submit, isBusy, message } = useAccountForm(
    formRef,
    FIELDS,
    checkAccount,
    async ({ password }, key) => {
      await ask(`/api/users/${encodeURIComponent(user.id)}/claim`, { body: { password }, key })
      say('The account is yours')
      await client.invalidateQueries({ queryKey: sessionQuery.queryKey })
      return undefined
    },
  )
  return (
    <section aria-labelledby="claim" className="rounded-box border-[1.5px] border-line p-6">
      <h2 id="claim" className="text-heading">
        Keep this order in an account
      </h2>
      <p className="mt-2 mb-5 text-soft">
        Choose a password, and{' '}
        <span className="text-ink [overflow-wrap:anywhere]">{user.email}</span> can see and cancel
        it from anywhere.
      </p>
      <form ref={formRef} noValidate className="grid gap-4" onSubmit={submit}>
        {message !== undefined && (
          <div role="alert">
            <Notice tone="bad">{message}</Notice>
          </div>
        )}
        <Field
          label="Password"
          type="password"
          autoComplete="new-password"
          required
          hint="At least 8 characters."
          {...field('password')}
        />
        <button type="submit" className="button button-plain justify-self-start" disabled={isBusy}>
          {isBusy ? 'One moment …' : 'Make it mine'}
        </button>
      </form>
    </section>
  )
}
