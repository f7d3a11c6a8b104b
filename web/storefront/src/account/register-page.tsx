/** Owns making an account. */
import { useRef } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { ask } from '../api/ask.ts'
import { Field } from '../parts/field.tsx'
import { Notice } from '../parts/notice.tsx'
import { useTitle } from '../shell/arrival.ts'
import { checkAccount, useAccountForm } from './account-form.ts'
import { safePath } from './safe-path.ts'
import { useStartSession } from './session.ts'

const FIELDS = { name: '', email: '', password: '' }

export function RegisterPage() {
  useTitle('Make an account')
  const [parameters] = useSearchParams()
  const to = safePath(parameters.get('to'), '/account')
  return (
    <div className="page grid justify-center pt-10 sm:pt-16">
      <div className="w-[min(26rem,100vw-2.25rem)]">
        <h1 className="mb-7 text-title">Make an account</h1>
        <RegisterForm to={to} />
        <p className="mt-8 text-soft">
          You have one?{' '}
          <Link to={`/log-in?to=${encodeURIComponent(to)}`} className="link">
            Log in
          </Link>
        </p>
      </div>
    </div>
  )
}

function RegisterForm({ to }: { to: string }) {
  const navigate = useNavigate()
  const start = useStartSession()
  const formRef = useRef<HTMLFormElement>(null)
  const { field, submit, isBusy, message } = useAccountForm(
    formRef,
    FIELDS,
    checkAccount,
    async (values, key) => {
      const account = { ...values, name: values.name.trim(), email: values.email.trim() }
      await ask('/api/users', { body: account, key })
      const { email, password } = account
      await start.mutateAsync({ path: '/browser/session', body: { email, password } })
      await navigate(to, { replace: true })
      return undefined
    },
  )
  return (
    <form ref={formRef} noValidate className="grid gap-5" onSubmit={submit}>
      {message !== undefined && (
        <div role="alert">
          <Notice tone="bad">{message}</Notice>
        </div>
      )}
      <Field label="Name" autoComplete="name" required {...field('name')} />
      <Field label="E-mail" type="email" autoComplete="username" required {...field('email')} />
      <Field
        label="Password"
        type="password"
        autoComplete="new-password"
        required
        hint="At least 8 characters. A few words in a row are good."
        {...field('password')}
      />
      <button type="submit" className="button button-strong" disabled={isBusy}>
        {isBusy ? 'One moment …' : 'Make the account'}
      </button>
    </form>
  )
}
