/** Owns the limit that node:http sets: a server that does nothing but give one answer, in a process of its own. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerParent } from './child.ts'

/** An answer as a service gave it. */
export type CannedAnswer = { status: number; headers: Record<string, string>; body: string }

const answerWith =
  ({ status, headers, body }: CannedAnswer): RequestListener =>
  (request, response) => {
    const answer = () => {
      response.writeHead(status, headers)
      response.end(body)
    }
    if (request.method === 'GET') return answer()
    request.resume()
    request.on('end', answer)
  }

answerParent(async (answer) => {
  const server = createServer(answerWith(answer as CannedAnswer))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port }
})
