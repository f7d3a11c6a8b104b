/** Owns the account's page. */
import { Link, Navigate, useNavigate } from 'react-router'
import type { User } from '../api/contracts.ts'
import { Retry } from '../catalog/retry.tsx'
import { Notice } from '../parts/notice.tsx'
import { useTitle } from '../shell/arrival.ts'
import { ClaimAccount } from './claim-account.tsx'
import { EraseAccount } from './erase-account.tsx'
import { ProfileForm } from './profile-form.tsx'
import { useLogOut, useSession } from './session.ts'

export function AccountPage() {
  useTitle('Your account')
  const { user, isKnown, isDown } = useSession()
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
  return <Account user={user} isDown={isDown} />
}

function Account({ user, isDown }: { user: User; isDown: boolean }) {
  return (
    <div className="page pt-8 sm:pt-12">
      <h1 className="text-title [overflow-wrap:anywhere]">Hello, {user.name}.</h1>
      <div className="mt-5 mb-10 flex flex-wrap gap-3">
        <Link to="/orders" className="button button-strong">
          Your orders
        </Link>
        <LogOut />
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
        <EraseAccount user={user} />
      </div>
    </div>
  )
}

function LogOut() {
  const logOut = useLogOut()
  const navigate = useNavigate()
  return (
    <>
      <button
        type="button"
        className="button button-plain"
        disabled={logOut.isPending}
        onClick={() => logOut.mutate(undefined, { onSuccess: () => void navigate('/') })}
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
