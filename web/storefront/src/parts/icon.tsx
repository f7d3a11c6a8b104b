/** Owns the few icons of the shop: drawn here, 24 units wide, in the colour of the text. */

const PATHS = {
  search: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm4.8 11.3L20 20',
  bag: 'M5 8.5h14l1 11.5H4L5 8.5Zm3.5 3V7a3.5 3.5 0 0 1 7 0v4.5',
  person: 'M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM4.5 20.5a7.5 7.5 0 0 1 15 0',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  check: 'm5 12.5 4.8 4.8L19.5 7',
  close: 'm6 6 12 12M18 6 6 18',
  arrow: 'M4 12h16m-6-6 6 6-6 6',
  back: 'M20 12H4m6-6-6 6 6 6',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Zm0-6v2.5m0 15V22M2 12h2.5m15 0H22M4.9 4.9l1.8 1.8m10.6 10.6 1.8 1.8m0-14.2-1.8 1.8M6.7 17.3l-1.8 1.8',
  moon: 'M20 14.2A8.5 8.5 0 0 1 9.8 4a8.5 8.5 0 1 0 10.2 10.2Z',
  auto: 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17Zm0 0v17M14.5 6v12m2.5-9.800v7.6',
  sliders: 'M4 8h9m6 0h1M4 16h2m6 0h8M16 5.500v5M9 13.500v5',
  print: 'M7 9V4h10v5M6.5 17.500H4V9h16v8.500h-2.500M7 14h10v6.500H7Z',
  trash: 'M4.5 7h15M9 7V4.500h6V7m-8.5 0 .8 13h9.400l.8-13',
  alert: 'M12 4.5 2.8 20h18.400L12 4.500Zm0 6v4.500m0 2.500v.3',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, size = 22 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.75"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      className="shrink-0"
    >
      <path d={PATHS[name]} />
    </svg>
  )
}
