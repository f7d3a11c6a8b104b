/** Owns what is around every page. */
import { Suspense } from 'react'
import { Outlet, useLocation } from 'react-router'
import { Said } from '../parts/said.tsx'
import { PageBoundary } from './boundary.tsx'
import { Footer } from './footer.tsx'
import { Header } from './header.tsx'
import { OpenOrderBar } from './open-order-bar.tsx'
import { useArrival } from './arrival.ts'

export function Layout() {
  const { pathname } = useLocation()
  useArrival()
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-full focus:bg-plum focus:px-6 focus:py-3 focus:font-semibold focus:text-on-plum"
      >
        Skip to the content
      </a>
      <Header />
      <OpenOrderBar />
      <main id="content" tabIndex={-1} className="flex-1">
        <PageBoundary key={pathname}>
          <Suspense fallback={<Loading />}>
            <Outlet />
          </Suspense>
        </PageBoundary>
      </main>
      <Footer />
      <Said />
    </div>
  )
}

/** As high as a page, so that the footer does not jump. */
const Loading = () => <div className="min-h-[80vh]" aria-busy="true" />
