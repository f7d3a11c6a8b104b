/** Owns the proof of the command line: what it takes, and the sentences for what it refuses. */
import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { Explained } from '../explained.ts'
import { readStartOptions } from './options.ts'
import { assertPortsFree, planShop } from './plan.ts'

test('all options are taken', () => {
  const options = readStartOptions([
    '--port-base',
    '15000',
    '--data',
    'd',
    '--fresh',
    '--one-process',
    '--no-pages',
  ])
  const dataDir = resolve(process.env['INIT_CWD'] ?? process.cwd(), 'd')
  const alone = { oneProcess: true, replicas: {}, pages: false }
  assert.deepEqual(options, { portBase: 15_000, dataDir, fresh: true, ...alone })
  const several = readStartOptions(['--replicas', 'orders=2,gateway=8'])
  assert.deepEqual(several?.replicas, { orders: 2, gateway: 8 })
  assert.equal(several?.pages, true)
})

test('what is unknown or makes no sense is refused in a sentence', () => {
  const refusals: [string[], RegExp][] = [
    [['--frehs'], /Unknown option '--frehs'. See: npm start -- --help/],
    [['now'], /Unexpected argument 'now'/],
    [['--port-base', '80'], /from 1024 to 65000/],
    [['--port-base', 'high'], /from 1024 to 65000/],
    [['--data', ''], /name of a folder/],
    [['--data'], /argument missing/],
    [['--replicas', 'orders'], /"orders" is not a number of replicas/],
    [['--replicas', 'orders=0'], /1 to 8/],
    [['--replicas', 'orders=9'], /1 to 8/],
    [['--replicas', 'provider=2'], /one of users, products, orders, payments, gateway/],
    [['--one-process', '--replicas', 'orders=2'], /leave out --replicas/],
  ]
  for (const [args, pattern] of refusals) {
    assert.throws(
      () => readStartOptions(args),
      (error) => error instanceof Explained && pattern.test(error.message),
      args.join(' '),
    )
  }
})

test('a port base moves everything, and only the default one has the gateway on 8080', () => {
  assert.deepEqual(planShop(5000).ports, {
    users: 5000,
    products: 5001,
    orders: 5002,
    payments: 5003,
    provider: 5010,
    gateway: 8080,
    postgres: 5032,
  })
  assert.equal(planShop(15_000).ports.gateway, 15_080)
  assert.equal(planShop(15_000).urls.orders, 'http://127.0.0.1:15002')
})

test('a taken port is named, with who wants it and how to move', async (t) => {
  const other = createServer()
  t.after(() => other.close())
  await new Promise<void>((done) => {
    other.listen(0, '127.0.0.1', done)
  })
  const { port } = other.address() as AddressInfo
  await assert.rejects(assertPortsFree({ orders: port }), (error) => {
    assert.ok(error instanceof Explained)
    assert.match(error.message, new RegExp(`${port} \\(orders wants it\\)[^]*--port-base 15000`))
    return true
  })
})
