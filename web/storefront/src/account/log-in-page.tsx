/** Owns logging in. */
import { useRef, useState, type FormEvent } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { Refusal } from '../api/ask.ts'
import { Field } from '../parts/field.tsx'
import { focusFirstError } from '../parts/focus.ts'
import { Notice } from '../parts/notice.tsx'
import { useTitle } from '../shell/arrival.ts'
import { safePath } from './safe-path.ts'
import { useStartSession } from './session.ts'

export function LogInPage() {
  useTitle('Log in')
  const [parameters] = useSearchParams()
  const to = safePath(parameters.get('to'), '/account')
  return (
    <div className="page grid justify-center pt-10 sm:pt-16">
      <div className="w-[min(26rem,100vw-2.25rem)]">
        <h1 className="mb-7 text-title">Log in</h1>
        <LogInForm to={to} />
        <p className="mt-8 text-soft">
          No account yet?{' '}
          <Link to={`/register?to=${encodeURIComponent(to)}`} className="link">
            Make one
          </Link>
          . You can also buy without.
        </p>
      </div>
    </div>
  )
}

function LogInForm({ to }: { to: string }) {
  const navigate = useNavigate()
  const start = useStartSession()
  const form = useRef<HTMLFormElement>(null)
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [isIncomplete, setIncomplete] = useState(false)

  function submit(event: FormEvent): void {
    event.preventDefault()
    const isMissing = email.trim() === '' || password === ''
    setIncomplete(isMissing)
    if (isMissing) return focusFirstError(form)
    if (start.isPending) return
    start.mutate(
      { path: '/browser/session', body: { email: email.trim(), password } },
      {
        onSuccess: () => void navigate(to, { replace: true }),
        onError: () => form.current?.querySelector<HTMLInputElement>('[type=password]')?.focus(),
      },
    )
  }

  return (
    <form ref={form} noValidate className="grid gap-5" onSubmit={submit}>
      {start.isError && (
        <div role="alert">
          <Notice tone="bad">{wordsOf(start.error)}</Notice>
        </div>
      )}
      <Field
        label="E-mail"
        type="email"
        name="email"
        autoComplete="username"
        required
        value={email}
        error={isIncomplete && email.trim() === '' ? 'Enter your e-mail address.' : undefined}
        onChange={({ target }) => setEmail(target.value)}
      />
      <Field
        label="Password"
        type="password"
        name="password"
        autoComplete="current-password"
        required
        value={password}
        error={isIncomplete && password === '' ? 'Enter your password.' : undefined}
        onChange={({ target }) => setPassword(target.value)}
      />
      <button type="submit" className="button button-strong" disabled={start.isPending}>
        {start.isPending ? 'One moment …' : 'Log in'}
      </button>
    </form>
  )
}

function wordsOf(error: Error): string {
  if (!(error instanceof Refusal)) {
    return 'Nobody answers at the door right now, or there were too many tries. Wait a moment, then try again. You can look around and fill your cart meanwhile.'
  }
  if (error.status === 401 || error.status === 400) {
    return 'E-mail and password do not fit together. Look at both again.'
  }
  return `${error.problem.title}. ${error.problem.detail ?? ''}`
}
