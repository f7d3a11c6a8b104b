/** Owns the button that shows more of a list. */

type Props = {
  list: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => Promise<unknown> }
}

export function More({ list: { hasNextPage, isFetchingNextPage, fetchNextPage } }: Props) {
  if (!hasNextPage) return null
  return (
    <p className="mt-12 text-center">
      <button
        type="button"
        className="button button-plain"
        disabled={isFetchingNextPage}
        onClick={() => void fetchNextPage()}
      >
        {isFetchingNextPage ? 'One moment …' : 'Show more'}
      </button>
    </p>
  )
}
