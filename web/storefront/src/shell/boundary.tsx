/** Owns what is shown when a page fails: by a fault of ours, or because a new version has replaced its files. */
import { Component, type ReactNode } from 'react'
import { Blank } from '../parts/notice.tsx'

type State = { failed: boolean }

export class PageBoundary extends Component<{ children: ReactNode }, State> {
  override state: State = { failed: false }

  static getDerivedStateFromError(): State {
    return { failed: true }
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children
    return (
      <div className="page">
        <Blank title="This page did not open." isPage>
          <p>
            Either the connection was lost, or the shop has just been renewed. Your cart is safe in
            this browser.
          </p>
          <button
            type="button"
            className="button button-strong"
            onClick={() => window.location.reload()}
          >
            Open it again
          </button>
        </Blank>
      </div>
    )
  }
}
