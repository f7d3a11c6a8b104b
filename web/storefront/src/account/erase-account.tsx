/** Owns erasing one's account: asked once more, for there is no way back. */
import { useMutation } from '@tanstack/react-query'
import { ask } from '../api/ask.ts'
import type { User } from '../api/contracts.ts'
import { Confirm } from '../parts/confirm.tsx'
import { say } from '../parts/said.tsx'

export function EraseAccount({ user, onErased }: { user: User; onErased: () => void }) {
  const erase = useMutation({
    mutationFn: () => ask(`/api/users/${encodeURIComponent(user.id)}`, { method: 'DELETE' }),
    onSuccess: async () => {
      // The account is gone; the cookies that spoke for it go too, whatever is answered.
      await ask('/browser/session', { method: 'DELETE' }).catch(() => {})
      onErased()
      say('Your account is erased')
    },
  })
  return (
    <section aria-labelledby="erase">
      <h2 id="erase" className="mb-2 text-heading">
        Erase this account
      </h2>
      <p className="mb-5 text-soft">
        Your name, your e-mail and your password go, at once and for good. What you bought stays in
        the books, without you.
      </p>
      <Confirm
        ask="Erase my account"
        title="Erase it for good?"
        yes="Erase it"
        no="Keep it"
        isBusy={erase.isPending}
        failure={
          erase.isError
            ? 'The front desk does not answer. Nothing was erased. Try again in a moment.'
            : undefined
        }
        onYes={() => erase.mutate()}
      >
        There is no way back: {user.email} will not be able to log in, and your orders are no longer
        yours to see.
      </Confirm>
    </section>
  )
}
