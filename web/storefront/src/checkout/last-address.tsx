/** Owns filling in the address of the order before, by one click. */
import { useQuery } from '@tanstack/react-query'
import type { Address, User } from '../api/contracts.ts'
import { lastOrderQuery } from '../api/queries.ts'
import { BLANK, type Form } from './form.ts'

type Props = { user: User | null; form: Form; fill: (address: Partial<Form>) => void }

export function LastAddress({ user, form, fill }: Props) {
  const { data } = useQuery({ ...lastOrderQuery(user?.id), enabled: user !== null })
  const address = data?.data[0]?.shipping_address
  if (address == null || form.line1 !== '') return null
  return (
    <button
      type="button"
      className="mb-5 w-full rounded-box border-[1.5px] border-edge bg-card px-4 py-3 text-left hover:border-ink"
      onClick={() => fill(toFields(address))}
    >
      <span className="block font-semibold">The same as last time</span>
      <span className="block text-soft [overflow-wrap:anywhere]">
        {address.name}, {address.line1}, {address.postal_code} {address.city}
      </span>
    </button>
  )
}

function toFields(address: Address): Partial<Form> {
  const { email: _email, ...blank } = BLANK
  const { line2 = '', region = '' } = address
  return { ...blank, ...address, line2, region }
}
