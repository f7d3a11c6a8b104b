/** Owns how numbers are written. */

/** A number with separated thousands. */
export const whole = (value: number): string => Math.round(value).toLocaleString('en-US')

/** Milliseconds with three digits that count. */
export const milliseconds = (value: number): string => {
  if (value >= 100) return value.toFixed(0)
  return value.toFixed(value >= 10 ? 1 : 2)
}
