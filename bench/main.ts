/** Owns `npm run bench`: what is measured in which order. */
import { runProgram } from '../tools/explained.ts'
import { assertBooks, assertDurable, assertGoodUndici, assertGuarded } from './guarantees.ts'
import { findGenerator } from './load.ts'
import { measure, together, type Figures, type Target } from './measure.ts'
import { readBenchOptions, type BenchOptions } from './options.ts'
import { textTable, toCells, whole, type Row } from './report.ts'
import { checkouts, openStage, reads, type Stage } from './stage.ts'

const tell = (text: string) => console.error(text)

async function main(): Promise<void> {
  const options = readBenchOptions(process.argv.slice(2))
  if (options === undefined) return
  assertGoodUndici()
  const generator = options.undici ? 'undici' : findGenerator()
  tell(`Opening a shop; load comes from ${generator}`)
  const stage = await openStage({ ...options, generator, oneProcess: false })
  const stages = [stage]
  try {
    if (options.scenarios.includes('one-process')) {
      tell('Opening a second shop, all in one process')
      stages.push(await openStage({ ...options, generator, oneProcess: true }))
    }
    for (const each of stages) {
      await assertDurable(each)
      await assertGuarded(each)
    }
    tell('PostgreSQL is durable, forged tokens are refused, keys are kept')
    const rows = await run(options, stages)
    console.log(textTable(toCells(rows)).join('\n'))
    for (const each of stages) {
      tell(`Reading the books`)
      console.log(`provider = ledger = orders: ${whole(await assertBooks(each))} orders`)
    }
  } finally {
    for (const each of stages) await each.at.close()
  }
}

async function run(options: BenchOptions, stages: Stage[]): Promise<Row[]> {
  const [stage, oneProcess] = stages
  if (stage === undefined) return []
  const wanted = (name: BenchOptions['scenarios'][number]) => options.scenarios.includes(name)
  const buying: Target[] = []
  if (wanted('checkouts')) buying.push(checkouts('checkouts', stage, stage.products, 'direct'))
  if (wanted('hot'))
    buying.push(
      checkouts('checkouts, one hot product', stage, stage.products.slice(0, 1), 'direct'),
    )
  if (wanted('gateway'))
    buying.push(checkouts('checkouts through the gateway', stage, stage.products, 'gateway'))
  if (oneProcess !== undefined)
    buying.push(checkouts('checkouts, one process', oneProcess, oneProcess.products, 'direct'))
  const reading: Target[] = wanted('reads')
    ? [reads('reads', stage, 'direct'), reads('reads through the gateway', stage, 'gateway')]
    : []
  const passes = options.limits ? 2 : 1
  return [...(await compare(buying, options, passes)), ...(await compare(reading, options, passes))]
}

/** Measures targets side by side: A B C, then C B A, at each connection count. */
async function compare(
  targets: Target[],
  { connections, seconds }: BenchOptions,
  passes: number,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const target of targets) await measure(target, { connections: 64, seconds: 2 })
  for (const count of connections) {
    const here = targets.filter(({ only }) => only === undefined || only.includes(count))
    const order = passes === 1 ? here : [...here, ...here.toReversed()]
    const figures = new Map<Target, Figures[]>(here.map((target) => [target, []]))
    for (const target of order) {
      const measured = await measure(target, { connections: count, seconds })
      tell(`  ${target.name}, ${count} connections: ${whole(measured.perSecond)}/s`)
      figures.get(target)?.push(measured)
    }
    for (const [target, runs] of figures) {
      rows.push({ target: target.name, connections: count, figures: together(runs) })
    }
  }
  return rows
}

await runProgram(main)
