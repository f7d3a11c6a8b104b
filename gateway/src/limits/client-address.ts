/** Owns who a client is by its address: told by the connection, or by proxies that are trusted. */
import { isIPv6 } from 'node:net'

/**
 * The address that limits count by. With `trustedProxies` in front, what the last of them wrote into
 * X-Forwarded-For counts; what stands before was written by the client, and proves nothing. Of IPv6
 * the first 64 bits: one customer has all of the rest (RFC 6177).
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | null,
  trustedProxies: number,
): string {
  const written = (forwardedFor ?? '').split(',').map((each) => each.trim())
  const told = trustedProxies === 0 ? undefined : written.at(-trustedProxies)
  const address = told === undefined || told === '' ? (peer ?? 'unknown') : told
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  return isIPv6(plain) ? networkOf(plain) : plain
}

// The first four groups, with the zeros that `::` stands for.
function networkOf(address: string): string {
  const [head = '', tail] = address.split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length
  const groups = [...first, ...Array.from({ length: zeros }, () => '0'), ...last]
  return `${groups.slice(0, 4).join(':')}::/64`
}
