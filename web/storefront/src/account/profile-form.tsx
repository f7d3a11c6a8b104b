/** Owns changing one's name, e-mail and password. */
import { useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { ask } from '../api/ask.ts'
import type { User } from '../api/contracts.ts'
import { sessionQuery } from '../api/queries.ts'
import { Field } from '../parts/field.tsx'
import { Notice } from '../parts/notice.tsx'
import { checkAccount, useAccountForm } from './account-form.ts'

type Profile = { name: string; email: string; password: string; current_password: string }

export function ProfileForm({ user }: { user: User }) {
  const client = useQueryClient()
  const [isSaved, setSaved] = useState(false)
  const { name, email } = user
  const initial: Profile = { name, email, password: '', current_password: '' }
  const formRef = useRef<HTMLFormElement>(null)
  const { field, submit, isBusy, message, values } = useAccountForm(
    formRef,
    initial,
    checkProfile,
    async (profile) => {
      setSaved(false)
      const changed = await ask<User>(`/api/users/${encodeURIComponent(user.id)}`, {
        method: 'PUT',
        body: toBody(profile),
      })
      client.setQueryData(sessionQuery.queryKey, { user: changed })
      setSaved(true)
      return { ...profile, password: '', current_password: '' }
    },
  )
  return (
    <section aria-labelledby="profile">
      <h2 id="profile" className="mb-5 text-heading">
        About you
      </h2>
      <form ref={formRef} noValidate className="grid gap-5" onSubmit={submit}>
        <Field label="Name" autoComplete="name" required {...field('name')} />
        <Field label="E-mail" type="email" autoComplete="email" required {...field('email')} />
        <Field
          label="New password"
          type="password"
          autoComplete="new-password"
          hint="Leave it empty to keep the one you have."
          {...field('password')}
        />
        {values.password !== '' && (
          <Field
            label="The password you have"
            type="password"
            autoComplete="current-password"
            required
            {...field('current_password')}
          />
        )}
        {message !== undefined && (
          <div role="alert">
            <Notice tone="bad">{message}</Notice>
          </div>
        )}
        <button type="submit" className="button button-plain justify-self-start" disabled={isBusy}>
          {isBusy ? 'One moment …' : 'Save'}
        </button>
        <Said isSaved={isSaved} />
      </form>
    </section>
  )
}

function Said({ isSaved }: { isSaved: boolean }) {
  return <div role="status">{isSaved && <Notice tone="good">Saved.</Notice>}</div>
}

function checkProfile({ name, email, password, current_password }: Profile) {
  const changesPassword = password !== ''
  return {
    ...checkAccount(changesPassword ? { name, email, password } : { name, email }),
    ...(changesPassword && current_password === ''
      ? { current_password: 'Enter the password you have now.' }
      : {}),
  }
}

function toBody({ name, email, password, current_password }: Profile) {
  const passwords = password === '' ? {} : { password, current_password }
  return { name: name.trim(), email: email.trim(), ...passwords }
}
