/** Proves that streams of events pass as they come, last as long as they like, and end when the gateway goes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { config, openGateway } from './gateway.fixture.ts'

/** A service whose answer to all is a stream: what is written to it, and whether anybody still reads it. */
function aService(contentType = 'text/event-stream') {
  const streams: { write: (text: string) => void; break: () => void; isLeft: boolean }[] = []
  const handler = ({ signal }: Request) => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const stream = {
          write: (text: string) => controller.enqueue(new TextEncoder().encode(text)),
          break: () => controller.error(new Error('broken')),
          isLeft: false,
        }
        streams.push(stream)
        signal.addEventListener('abort', stream.break)
        stream.write('retry: 1000\n\n')
      },
      cancel() {
        const stream = streams.at(-1)
        if (stream !== undefined) stream.isLeft = true
      },
    })
    return new Response(body, { headers: { 'content-type': contentType } })
  }
  return { handler, streams }
}

const PATH = '/api/orders/ord_1/events'

function readerOf(response: Response) {
  const reader = (response.body ?? assert.fail('no body')).getReader()
  return {
    next: async () => {
      const { value } = (await reader.read()) as { value?: Uint8Array }
      return value && Buffer.from(value).toString()
    },
    leave: () => reader.cancel(),
  }
}

test('a stream passes as it comes, also when it has lasted for longer than a request may', async () => {
  const { handler, streams } = aService()
  const { ask, clock } = openGateway({ orders: handler })
  const response = await ask(PATH, { headers: { authorization: 'Bearer x' } })
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  assert.equal(response.headers.get('cache-control'), 'no-store')
  const reader = readerOf(response)
  assert.equal(await reader.next(), 'retry: 1000\n\n')
  await clock.advance(300_000)
  streams[0]?.write(':\n\n')
  assert.equal(await reader.next(), ':\n\n')
  await reader.leave()
  assert.equal(streams[0]?.isLeft, true, 'who leaves here leaves there')
})

test('a stream takes none of the room of requests that wait for the service', async () => {
  const { handler } = aService()
  const { ask } = openGateway({ orders: handler }, { config: { ...config, MAX_UNDER_WAY: 1 } })
  for (let n = 0; n < 3; n += 1) assert.equal((await ask(PATH)).status, 200)
})

test('a gateway that drains or stops ends its streams at once; one that comes late ends as it begins', async () => {
  for (const how of ['drain', 'stop'] as const) {
    const { handler, streams } = aService()
    const { app, ask } = openGateway({ orders: handler })
    const reader = readerOf(await ask(PATH))
    assert.equal(await reader.next(), 'retry: 1000\n\n')
    const end = reader.next()
    await app[how]?.()
    assert.equal(await end, undefined)
    assert.equal(streams[0]?.isLeft, true)
    assert.equal(await readerOf(await ask(PATH)).next(), undefined)
    assert.equal(streams[1]?.isLeft, true)
  }
})

test('a stream of anything else goes on while the gateway drains', async () => {
  const { handler, streams } = aService('application/json')
  const { app, ask } = openGateway({ orders: handler })
  const reader = readerOf(await ask(PATH))
  await reader.next()
  app.drain?.()
  streams[0]?.write('more')
  assert.equal(await reader.next(), 'more')
  await reader.leave()
})

test('a stream that breaks off at the service breaks off here', async () => {
  const { handler, streams } = aService()
  const { ask } = openGateway({ orders: handler })
  const reader = readerOf(await ask(PATH))
  await reader.next()
  streams[0]?.break()
  await assert.rejects(reader.next(), /broken/)
})
