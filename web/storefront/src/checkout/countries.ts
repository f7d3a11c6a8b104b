/** Owns the countries that a parcel can go to: ISO 3166-1 codes, named by the browser. */
import { countryName } from '../parts/country-name.ts'

const CODES =
  'AD AE AL AM AR AT AU BA BD BE BG BH BO BR CA CH CL CN CO CR CY CZ DE DK DO DZ EC EE EG ES FI FR GB GE GH GR GT HK HR HU ID IE IL IN IS IT JM JO JP KE KR KW KZ LB LI LK LT LU LV MA MC MD ME MK MT MX MY NG NL NO NP NZ OM PA PE PH PK PL PT PY QA RO RS SA SE SG SI SK SM SN TH TN TR TW TZ UA UG US UY VA VN ZA'

/** By name. */
export const COUNTRIES = CODES.split(' ')
  .map((code) => ({ code, name: countryName(code) }))
  .toSorted((one, other) => one.name.localeCompare(other.name, 'en'))
