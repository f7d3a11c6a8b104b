/** Owns forms of the account: fields, what is wrong with them, and sending them once. */
import { useState, type FormEvent, type RefObject } from 'react'
import { NoAnswer, Refusal, type ProblemDocument } from '../api/ask.ts'
import { newKey } from '../api/key.ts'
import { focusFirstError } from '../parts/focus.ts'

type Values = Record<string, string>
type Errors<Fields extends Values> = Partial<Record<keyof Fields, string>>

/** `key`: of this submission; it stays until the shop has said how it ended. Gives what the fields hold after it. */
type Send<Fields extends Values> = (values: Fields, key: string) => Promise<Fields | undefined>

export function useAccountForm<Fields extends Values>(
  formRef: RefObject<HTMLFormElement | null>,
  initial: Fields,
  check: (values: Fields) => Errors<Fields>,
  send: Send<Fields>,
) {
  const [values, setValues] = useState(initial)
  const [errors, setErrors] = useState<Errors<Fields>>({})
  const [message, setMessage] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const [key, setKey] = useState(newKey)

  const mark = (found: Errors<Fields>): void => {
    setErrors(found)
    if (Object.keys(found).length > 0) focusFirstError(formRef)
  }

  async function attempt(): Promise<void> {
    setBusy(true)
    setMessage(undefined)
    try {
      const kept = await send(values, key)
      if (kept !== undefined) setValues(kept)
    } catch (error) {
      if (error instanceof Refusal) {
        setKey(newKey())
        const found = errorsOf(error.problem, values)
        mark(found)
        if (Object.keys(found).length === 0) setMessage(wordsOf(error.problem))
      } else if (error instanceof NoAnswer) {
        setMessage('The shop does not answer. Try again in a moment: what you typed is kept.')
      } else throw error
    } finally {
      setBusy(false)
    }
  }

  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (isBusy) return
    const found = check(values)
    mark(found)
    if (Object.keys(found).length === 0) void attempt()
  }
  const field = (name: keyof Fields & string) => ({
    name,
    value: values[name] ?? '',
    error: errors[name],
    onChange: ({ target }: { target: HTMLInputElement }): void => {
      setValues({ ...values, [name]: target.value })
      // Another content is another request.
      setKey(newKey())
      setErrors(({ [name]: _mended, ...left }) => left as Errors<Fields>)
    },
  })
  return { values, message, isBusy, submit, field }
}

function errorsOf<Fields extends Values>(
  { code, errors = [] }: ProblemDocument,
  values: Fields,
): Errors<Fields> {
  const found: Record<string, string> = {}
  const told = TOLD[code]
  if (told !== undefined && told.field in values) found[told.field] = told.words
  for (const { field, detail } of errors) if (field in values) found[field] ??= `This ${detail}.`
  return found as Errors<Fields>
}

/** Refusals that belong to a field; where a form does not have it, they are told above all fields. */
const TOLD: Partial<Record<string, { field: string; words: string }>> = {
  email_taken: { field: 'email', words: 'There is an account with this e-mail already.' },
  wrong_password: { field: 'current_password', words: 'This is not the password you have.' },
}

function wordsOf({ code, title, detail }: ProblemDocument): string {
  const told = TOLD[code]
  if (told !== undefined) return told.words
  return detail === undefined ? `${title}.` : `${title}. ${detail}`
}

const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]{2,}$/
const MIN_PASSWORD = 8
const MAX_PASSWORD = 200

/** What is wrong with an account, by field; a field that is not there is not asked for. */
export function checkAccount(values: Values): Partial<Record<string, string>> {
  const errors: Partial<Record<string, string>> = {}
  const { name, email, password } = values
  if (name !== undefined && name.trim() === '') errors['name'] = 'Enter your name.'
  if (email !== undefined && !EMAIL.test(email.trim())) {
    errors['email'] = 'Enter an e-mail address such as name@example.com.'
  }
  if (password !== undefined && password.length < MIN_PASSWORD) {
    errors['password'] = `Choose a password of ${MIN_PASSWORD} characters or more.`
  }
  if (password !== undefined && password.length > MAX_PASSWORD) {
    errors['password'] = `That is more than ${MAX_PASSWORD} characters.`
  }
  return errors
}
