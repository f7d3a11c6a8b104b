/** Owns what a country is called. */

const names = new Intl.DisplayNames('en', { type: 'region' })

/** `DE` → `Germany`; what is no code is shown as it is. */
export function countryName(code: string): string {
  try {
    return names.of(code) ?? code
  } catch {
    return code
  }
}
