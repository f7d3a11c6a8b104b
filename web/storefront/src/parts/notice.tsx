/** Owns what the shop says beside the matter: that something is wrong, done, or takes a while. */
import type { ReactNode } from 'react'
import { Icon, type IconName } from './icon.tsx'

type Tone = 'note' | 'good' | 'bad'

const LOOKS: Record<Tone, { box: string; icon: IconName }> = {
  note: { box: 'bg-wash text-on-wash', icon: 'alert' },
  good: { box: 'bg-good-wash text-good', icon: 'check' },
  bad: { box: 'bg-bad-wash text-bad', icon: 'alert' },
}

type Props = { tone?: Tone; title?: string; children?: ReactNode; className?: string }

export function Notice({ tone = 'note', title, children, className = '' }: Props) {
  const { box, icon } = LOOKS[tone]
  return (
    <div className={`flex gap-3 rounded-box px-4 py-3.5 ${box} ${className}`}>
      <span className="mt-0.5">
        <Icon name={icon} size={20} />
      </span>
      <div className="min-w-0">
        {title !== undefined && <p className="font-semibold">{title}</p>}
        {children !== undefined && <div className="text-[0.98rem]">{children}</div>}
      </div>
    </div>
  )
}

/** A page, or a part of one, that has nothing to show: why, and the way on. */
export function Blank({
  title,
  children,
  isPage = false,
}: {
  title: string
  children: ReactNode
  isPage?: boolean
}) {
  const Heading = isPage ? 'h1' : 'h2'
  return (
    <div className="mx-auto max-w-read py-14 text-center sm:py-20">
      <svg viewBox="0 0 120 70" className="mx-auto mb-7 w-28 text-line" aria-hidden="true">
        <path d="M10 62a50 50 0 0 1 100 0" fill="none" stroke="currentColor" strokeWidth="9" />
        <circle cx="60" cy="55" r="8" fill="var(--color-saffron)" />
      </svg>
      <Heading className="mb-3 font-serif text-title">{title}</Heading>
      <div className="text-soft [&_.button]:mt-6">{children}</div>
    </div>
  )
}
