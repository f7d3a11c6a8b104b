/** Owns the switch between light and dark. */
import { Icon } from '../parts/icon.tsx'
import { chooseTheme, useTheme } from './theme.ts'

export function ThemeButton({ className }: { className: string }) {
  const other = useTheme() === 'dark' ? 'light' : 'dark'
  return (
    <button
      type="button"
      className={className}
      aria-label={`Switch to the ${other} look`}
      onClick={() => chooseTheme(other)}
    >
      <Icon name={other === 'dark' ? 'moon' : 'sun'} />
    </button>
  )
}
