/** Owns asking once more before something is done that cannot be taken back. */
import { useId, useRef, type ReactNode } from 'react'
import { Notice } from './notice.tsx'

type Props = {
  /** On the button that asks. */
  ask: string
  title: string
  /** What will happen. */
  children: ReactNode
  yes: string
  no: string
  isBusy: boolean
  /** Why it was not done; undefined while nothing is wrong. */
  failure: string | undefined
  onYes: () => void
}

/** The browser's own dialog: it keeps the focus, closes on Escape and gives the focus back. */
export function Confirm({ ask, title, children, yes, no, isBusy, failure, onYes }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  return (
    <>
      <button
        type="button"
        className="button button-plain"
        onClick={() => dialog.current?.showModal()}
      >
        {ask}
      </button>
      <dialog
        ref={dialog}
        aria-labelledby={id}
        className="m-auto w-[calc(100%-2rem)] max-w-md rounded-box bg-card p-7 text-ink backdrop:bg-black/60"
      >
        <h2 id={id} className="text-heading">
          {title}
        </h2>
        <p className="mt-3 text-soft">{children}</p>
        <div role="alert">
          {failure !== undefined && (
            <Notice tone="bad" className="mt-4">
              {failure}
            </Notice>
          )}
        </div>
        <div className="mt-6 flex flex-wrap gap-3">
          <button type="button" className="button button-strong" disabled={isBusy} onClick={onYes}>
            {isBusy ? 'One moment …' : yes}
          </button>
          <button
            type="button"
            className="button button-plain"
            onClick={() => dialog.current?.close()}
          >
            {no}
          </button>
        </div>
      </dialog>
    </>
  )
}
