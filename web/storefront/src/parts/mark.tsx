/** Owns the mark of the shop: a fermata, the sign in music for "hold this". */

export function Mark({ size = 30 }: { size?: number }) {
  return (
    <svg width={size} height={(size * 28) / 48} viewBox="0 0 48 28" aria-hidden="true">
      <path
        d="M3.5 25.500a20.5 20.5 0 0 1 41 0"
        fill="none"
        stroke="currentColor"
        strokeWidth="7"
      />
      <circle cx="24" cy="22" r="5.5" fill="var(--color-saffron)" />
    </svg>
  )
}
