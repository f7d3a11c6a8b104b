/** Proves that what is written in one turn travels together, in its order, and that nothing is held back for longer. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { GatheringSocket } from './gathering-socket.ts'

test('writes of one turn arrive by one read; those of the next turn need nothing else to follow', async () => {
  const received: string[] = []
  const server = createServer((socket) => {
    socket.on('data', (data) => {
      received.push(data.toString())
      socket.write('more')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = new GatheringSocket()
  socket.connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')

  const writes: Promise<void>[] = []
  const write = (text: string) =>
    writes.push(new Promise((resolve) => socket.write(text, () => resolve())))
  write('begin;')
  await Promise.resolve() // a continuation of the same turn
  socket.cork()
  write('insert;')
  socket.uncork()
  write('commit;')
  await Promise.all(writes)
  await once(socket, 'data')
  assert.deepEqual(received, ['begin;insert;commit;'])

  socket.write('next', 'utf8')
  await once(socket, 'data')
  assert.deepEqual(received, ['begin;insert;commit;', 'next'])
  socket.destroy()
  server.close()
})
