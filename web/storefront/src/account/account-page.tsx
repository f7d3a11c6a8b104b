/** Owns the account's page. */
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { flushSync } from 'react-dom'
import { Link, Navigate } from 'react-router'
import type { User } from '../api/contracts.ts'
import { Retry } from '../catalog/retry.tsx'
import { Notice } from '../parts/notice.tsx'
import { useTitle } from '../shell/arrival.ts'
import { ClaimAccount } from './claim-account.tsx'
import { EraseAccount } from './erase-account.tsx'
import { ProfileForm } from './profile-form.tsx'
import { end, useLogOut, useSession } from './session.ts'

export function AccountPage() {
  useTitle('Your account')
  const { user, isKnown, isDown } = useSession()
  const [hasLeft, setHasLeft] = useState(false)
  const client = useQueryClient()
  function leave(): void {
    // First, and at once: else the session's end would be taken for somebody who came without one.
    flushSync(() => setHasLeft(true))
    end(client)
  }
  if (hasLeft) return <Navigate to="/" replace />
  if (isKnown && user === null) return <Navigate to="/log-in" replace />
  if (user === null) {
    return isDown ? (
      <div className="page">
        <Retry what="The front desk" again={() => window.location.reload()} isPage />
      </div>
    ) : (
      <div className="page pt-12" aria-busy="true">
        <div className="skeleton h-12 w-72" />
      </div>
    )
  }
  return <Account user={user} isDown={isDown} onLeft={leave} />
}

type AccountProps = { user: User; isDown: boolean; onLeft: () => void }

function Account({ user, isDown, onLeft }: AccountProps) {
  return (
    <div className="page pt-8 sm:pt-12">
      <h1 className="text-title [overflow-wrap:anywhere]">Hello, {user.name}.</h1>
      <div className="mt-5 mb-10 flex flex-wrap gap-3">
        <Link to="/orders" className="button button-strong">
          Your orders
        </Link>
        <LogOut onLeft={onLeft} />
      </div>
      {isDown && (
        <Notice title="The front desk does not answer right now." className="mb-8">
          You stay logged in, and can shop and see your orders. Changes to your account have to
          wait.
        </Notice>
      )}
      <div className="grid items-start gap-12 lg:grid-cols-2 lg:gap-20">
        {isDown && user.email === '' ? null : user.guest ? (
          <ClaimAccount user={user} />
        ) : (
          <ProfileForm key={user.email} user={user} />
        )}
        <EraseAccount user={user} onErased={onLeft} />
      </div>
    </div>
  )
}

function LogOut({ onLeft }: Pick<AccountProps, 'onLeft'>) {
  const logOut = useLogOut(onLeft)
  return (
    <>
      <button
        type="button"
        className="button button-plain"
        disabled={logOut.isPending}
        onClick={() => logOut.mutate()}
      >
        Log out
      </button>
      {logOut.isError && (
        <p role="alert" className="basis-full text-bad">
          The front desk does not answer, so you are still logged in. Try again in a moment.
        </p>
      )}
    </>
  )
}
