/** Owns the session's two cookies: what they are called, how they are set, read and taken away. */
import { parse, serialize } from 'hono/utils/cookie'

/** A pair of tokens as users gives it; times to live in seconds. */
export type Tokens = {
  access_token: string
  expires_in: number
  refresh_token: string
  refresh_expires_in: number
}

export type Cookies = {
  read: (headers: Headers) => { access: string | undefined; refresh: string | undefined }
  /** `Set-Cookie` values that keep a pair of tokens. */
  keep: (tokens: Tokens) => string[]
  /** `Set-Cookie` values that take both away. */
  clear: () => string[]
}

/**
 * HttpOnly: no script sees a token. SameSite=Strict: no other site's request carries one. Over https
 * also Secure, and `__Host-`: no other host and no plain connection can set one (RFC 6265bis, 4.1.3).
 */
export function createCookies(isHttps: boolean): Cookies {
  const prefix = isHttps ? '__Host-' : ''
  const [access, refresh] = [`${prefix}quartet_access`, `${prefix}quartet_refresh`]
  const cookie = (name: string, value: string, maxAge: number) =>
    serialize(name, value, {
      path: '/',
      httpOnly: true,
      sameSite: 'Strict',
      secure: isHttps,
      maxAge,
    })
  return {
    read(headers) {
      const cookies = parse(headers.get('cookie') ?? '')
      return { access: cookies[access], refresh: cookies[refresh] }
    },
    keep: (tokens) => [
      cookie(access, tokens.access_token, tokens.expires_in),
      cookie(refresh, tokens.refresh_token, tokens.refresh_expires_in),
    ],
    clear: () => [cookie(access, '', 0), cookie(refresh, '', 0)],
  }
}
