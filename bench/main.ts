/** Owns `npm run bench`: a shop, its scenarios, the figures and what must hold for them to count. */
import { loadavg } from 'node:os'
import { runProgram } from '../tools/explained.ts'
import { whole } from './format.ts'
import { assertBooks, assertDurable, assertGoodUndici, assertGuarded } from './guarantees.ts'
import type { RoundTrips } from './limits/one-client.ts'
import { findGenerator } from './load.ts'
import { describeMachine, readMachine } from './machine.ts'
import { measure, together, type Figures, type Target } from './measure.ts'
import { readBenchOptions, type BenchOptions } from './options.ts'
import { startProfiling } from './profile.ts'
import { publish, verdictOf, type Results } from './publish.ts'
import { describeOthers, textTable, toCells, type Row } from './report.ts'
import { NAMES, openScenarios, type Scenarios } from './scenarios.ts'
import { openStage, type Stage } from './stage.ts'
import { describeTrips, judge } from './targets.ts'

const tell = (text: string) => console.error(text)

async function main(): Promise<void> {
  const options = readBenchOptions(process.argv.slice(2))
  if (options === undefined) return
  assertGoodUndici()
  const loadBefore = loadavg()[0] ?? 0
  const profiling = options.profile ? startProfiling() : undefined
  const stages: Stage[] = []
  const close = async () => {
    for (const each of stages.splice(0)) await each.at.close()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void close().finally(() => process.exit(1)))
  }
  try {
    await openStages(options, stages)
    for (const { at } of stages) profiling?.note(at.shop)
    await run(options, stages, loadBefore)
  } finally {
    await close()
    profiling?.tell()
  }
}

async function openStages(options: BenchOptions, stages: Stage[]): Promise<void> {
  const generator = options.undici ? 'undici' : findGenerator()
  const { customers, scenarios } = options
  tell(`Opening a shop; load will come from ${generator}`)
  stages.push(await openStage({ generator, customers, oneProcess: false }))
  if (!scenarios.includes('one-process')) return
  tell('Opening another, whose services share one process')
  stages.push(await openStage({ generator, customers, oneProcess: true }))
}

async function run(options: BenchOptions, stages: Stage[], loadBefore: number): Promise<void> {
  const [stage, oneProcess] = stages
  if (stage === undefined) return
  let postgres = ''
  for (const each of stages) {
    postgres = await assertDurable(each)
    await assertGuarded(each)
  }
  tell('Commits are durable, forged tokens are refused, keys are kept')
  const machine = readMachine(stage.generator, postgres, loadBefore)
  let results: Results
  const scenarios = await openScenarios(options, stage, oneProcess)
  try {
    const rows: Row[] = []
    for (const group of scenarios.groups) rows.push(...(await compare(group, options)))
    const trips = await readTrips(scenarios, rows)
    results = { machine, seconds: options.seconds, rows, trips }
    print(results)
  } finally {
    await scenarios.close()
  }
  for (const each of stages) {
    console.log(`provider = ledger = orders: ${whole(await assertBooks(each))} orders`)
  }
  if (options.write) publish(results)
}

/** Measures targets side by side, at each connection count: A B C, then C B A. */
async function compare(
  targets: Target[],
  { connections, seconds, passes }: BenchOptions,
): Promise<Row[]> {
  const rows: Row[] = []
  if (targets.length > 0) tell('Warming up')
  for (const target of targets) await measure(target, { connections: 64, seconds: 2 })
  for (const count of connections) {
    const here = targets.filter(({ counts }) => counts?.includes(count) ?? true)
    const order = passes === 1 ? here : [...here, ...here.toReversed()]
    const figures = new Map<Target, Figures[]>(here.map((target) => [target, []]))
    for (const target of order) {
      const measured = await measure(target, { connections: count, seconds })
      tell(
        `${String(count).padStart(4)} connections, ${target.name}: ${whole(measured.perSecond)}/s`,
      )
      figures.get(target)?.push(measured)
    }
    for (const [target, runs] of figures) {
      rows.push({ target: target.name, connections: count, figures: together(runs) })
    }
  }
  return rows
}

async function readTrips(
  { measureTrips }: Scenarios,
  rows: Row[],
): Promise<RoundTrips | undefined> {
  const bare = rows.find(
    ({ target, connections }) => target === NAMES.checkoutsHttp && connections === 1,
  )
  if (bare === undefined || measureTrips === undefined) return undefined
  return { clientHop: bare.figures.p50Ms, ...(await measureTrips()) }
}

function print({ rows, trips, machine }: Results): void {
  console.log(`\n${textTable(toCells(rows)).join('\n')}\n`)
  for (const line of describeOthers(rows)) console.log(`${line}\n`)
  if (trips !== undefined) console.log(`One client's round trips: ${describeTrips(trips)}\n`)
  const verdicts = judge(rows, trips)
  const told = verdicts.map(({ target, figure, met }) => [target, figure, verdictOf(met)])
  console.log(textTable([['target', 'figure', ''], ...told]).join('\n'))
  console.log(`\n${describeMachine(machine)}`)
}

await runProgram(main)
