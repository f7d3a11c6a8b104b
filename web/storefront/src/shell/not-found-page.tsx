/** Owns the page for an address where nothing is. */
import { Link } from 'react-router'
import { Blank } from '../parts/notice.tsx'
import { useTitle } from './arrival.ts'

export function NotFoundPage() {
  useTitle('Nothing here')
  return (
    <div className="page">
      <Blank title="There is nothing at this address." isPage>
        <p>It may have been mistyped, or what was here is gone. The shop itself is all there.</p>
        <Link to="/shop" className="button button-strong">
          Look at everything
        </Link>
      </Blank>
    </div>
  )
}
