/** Owns what a person at the terminal sees: progress, the table, and what went wrong on the way. */
import { describeCredentials } from './credentials.ts'
import { PROCESSES } from './plan.ts'
import type { Shop, ShopEvent } from './shop.ts'

// Plain where nobody looks at colours, or does not want them (no-color.org).
const colored = process.stdout.isTTY && !process.env['NO_COLOR']
const paint = (code: number) => (text: string) =>
  colored ? `\u001B[${code}m${text}\u001B[0m` : text
const bold = paint(1)
const dim = paint(2)
const green = paint(32)
const yellow = paint(33)

/** One line for what just happened. */
export function showEvent(event: ShopEvent): void {
  if (event.type === 'progress') return console.log(dim(`${event.text} ...`))
  if (event.type === 'no-pages') return console.log(yellow(describeNoPages(event)))
  const time = dim(new Date().toTimeString().slice(0, 8))
  console.log(`${time} ${describeEvent(event)}`)
}

function describeNoPages({ reason, logFile }: Extract<ShopEvent, { type: 'no-pages' }>): string {
  const more = logFile === undefined ? '' : ` All that the builder said: ${logFile}`
  return `The shop's pages could not be built, so all else starts without them: ${reason}.${more}`
}

function describeEvent(event: Exclude<ShopEvent, { type: 'progress' | 'no-pages' }>): string {
  if (event.type === 'process-back') return green(`${event.name} is back`)
  if (event.type === 'process-frozen') return yellow(`${event.name} says nothing; ending it`)
  if (event.type === 'recovered') return green('PostgreSQL is back')
  const again = `starting it again in ${event.retryMs / 1000} s`
  if (event.type === 'died') return yellow(`PostgreSQL ended (${event.reason}); ${again}`)
  const attempt = event.attempt === 1 ? '' : `, attempt ${event.attempt}`
  return yellow(`${event.name} ended (${event.reason}); ${again}${attempt}`)
}

/** A table's lines, its columns as wide as they must be. */
export function table(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd(),
  )
}

/** The page that ends a start: what runs where, how to log in, and what to try. */
export function showShop(shop: Shop, seconds: number): void {
  const rows = PROCESSES.map((name) => [name, shop.urls[name], 'ready', docsOf(shop, name)])
  rows.push(['postgres', `127.0.0.1:${shop.ports.postgres}`, 'ready', ''])
  const [head = '', ...lines] = table([['what', 'where', 'health', 'docs'], ...rows])
  const page = [
    '',
    bold(`Quartet is running: ready after ${seconds.toFixed(1)} s.`),
    ...(shop.hasPages ? [`Open the shop: ${green(`http://localhost:${shop.ports.gateway}`)}`] : []),
    '',
    dim(head),
    ...lines,
    '',
    bold('To log in'),
    ...describeCredentials(shop.credentials),
    '',
    bold('To try, line by line in another terminal'),
    ...tryLines(shop),
    '',
    dim(`Data and logs: ${shop.dataDir}`),
    dim('Again: npm run status, npm run credentials. Stop: Ctrl-C.'),
    '',
  ]
  console.log(page.join('\n'))
}

function docsOf({ urls }: Shop, name: (typeof PROCESSES)[number]): string {
  return name === 'provider' || name === 'gateway' ? '' : `${urls[name]}/docs`
}

function tryLines({ urls, credentials }: Shop): string[] {
  const api = `${urls.gateway}/api`
  const json = "-H 'content-type: application/json'"
  const order = { line_items: [{ product_id: 'prd_walnut-desk', quantity: 1 }] }
  const { email, password } = credentials.customer
  return [
    `curl -s '${api}/products?limit=3'; echo`,
    `TOKEN=$(curl -s ${api}/sessions ${json} -d ${quote({ email, password })} | ` +
      `sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `curl -s ${api}/orders -H "authorization: Bearer $TOKEN" -H 'idempotency-key: my-first-order' ` +
      `${json} -d ${quote({ ...order, payment_method: 'pm_card_visa' })}; echo`,
  ]
}

// One word for the shell, whatever the password holds.
const quote = (body: unknown) => `'${JSON.stringify(body).replaceAll("'", `'\\''`)}'`
