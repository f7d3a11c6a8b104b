/** Owns an answer on its way through: plain values, since Headers and streams are made only where they are needed. */

export type Answer = {
  status: number
  /** By name in lower case; several of one name, such as `set-cookie`, as a list. */
  headers: Record<string, string | string[]>
  /** Whole when all of it came with its head; else a stream of it. */
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null
}

/** A response that says itself what it is made of, so that nobody has to ask its Headers and its stream. */
type PlainResponse = Response & { answer?: Answer }

/** The answer as whoever asked with `fetch` gets it. */
export function toResponse(answer: Answer): Response {
  const { status, headers, body } = answer
  const isPlain = Object.values(headers).every((value) => typeof value === 'string')
  // A plain object goes out as it is: neither undici nor @hono/node-server makes Headers of it.
  const sent = isPlain ? (headers as Record<string, string>) : toHeaders(headers)
  const response: PlainResponse = new Response(body, { status, headers: sent })
  response.answer = answer
  return response
}

function toHeaders(headers: Answer['headers']): Headers {
  const made = new Headers()
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) made.append(name, value)
  }
  return made
}

/** What a response is made of. It is read no other way from here on. */
export function toAnswer(response: PlainResponse): Answer {
  if (response.answer !== undefined) return response.answer
  const headers: Answer['headers'] = Object.fromEntries(response.headers)
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) headers['set-cookie'] = cookies
  return { status: response.status, headers, body: response.body }
}

/** The same for a response that was made here, and so is whole. */
export async function toWholeAnswer(response: Response): Promise<Answer> {
  const { status, headers } = toAnswer(response)
  const body = new Uint8Array(await response.arrayBuffer())
  return { status, headers, body: body.length === 0 ? null : body }
}

/** The answer with further cookies. */
export function withCookies(answer: Answer, setCookies: string[]): Answer {
  if (setCookies.length === 0) return answer
  const cookies = [answer.headers['set-cookie'] ?? [], setCookies].flat()
  return { ...answer, headers: { ...answer.headers, 'set-cookie': cookies } }
}
