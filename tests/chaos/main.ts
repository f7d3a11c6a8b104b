/** Owns `npm run chaos`: options, progress, report, exit code, and an end on Ctrl-C that leaves nothing behind. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Explained, runProgram } from '../../tools/explained.ts'
import { readChaosOptions, type ChaosOptions } from './options.ts'
import { tellProgress } from './progress.ts'
import { describeRun } from './report.ts'
import { run, type Outcome } from './run.ts'
import { openStage, type Stage } from './stage.ts'
import { describeViolations } from './violation-history.ts'

const README = join(import.meta.dirname, 'README.md')

const tell = (line: string) => console.log(`${new Date().toISOString().slice(11, 19)}  ${line}`)

async function main(): Promise<void> {
  const options = readChaosOptions(process.argv.slice(2))
  if (options === undefined) return
  const stopping = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!stopping.signal.aborted) tell('Stopping everything')
      stopping.abort()
    })
  }
  const patience = new AbortController()
  stopping.signal.addEventListener('abort', () => patience.abort())
  tell('Starting a shop of two replicas each')
  const stage = await openStage({
    ...options,
    signal: stopping.signal,
    patience: patience.signal,
  })
  try {
    if (stage.nats === undefined) tell('There is no nats-server on the PATH: events go by the feed')
    tell(`${options.orders} orders, ${options.kills} blows, seed ${options.seed}`)
    const outcome = await run(stage, {
      ...options,
      signal: stopping.signal,
      giveUp: () => patience.abort(),
      tell,
      watch: (progress) => tellProgress(progress, options, tell),
    })
    await report(options, stage, outcome)
  } finally {
    if (options.keep) tell(`Kept: ${stage.folders.join(', ')}`)
    await stage.close(options.keep)
    if (stopping.signal.aborted) process.exit(130) // whoever still waits for something waits in vain
  }
}

async function report(options: ChaosOptions, stage: Stage, outcome: Outcome): Promise<void> {
  const lines = describeRun(options, stage, outcome)
  const broken = await describeViolations(stage, outcome)
  console.log(`\n${[...lines, ...(broken.length === 0 ? [] : ['', ...broken])].join('\n')}\n`)
  if (options.reportFile !== undefined) {
    writeFileSync(options.reportFile, `${[...lines, '', ...broken].join('\n')}\n`)
  }
  if (options.write) publish(lines, options.seed)
  if (outcome.violations.length > 0) process.exitCode = 1
}

/** Writes the report into the README, in the place of the one of the same seed. */
function publish(lines: string[], seed: number): void {
  const [begin, end] = [`<!-- seed ${seed} -->`, `<!-- end of seed ${seed} -->`]
  const readme = readFileSync(README, 'utf8')
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)]
  if (from === -1 || to === -1) throw new Explained(`README.md has no place for seed ${seed}.`)
  const before = readme.slice(0, from + begin.length)
  writeFileSync(README, `${before}\n\n${lines.join('\n')}\n\n${readme.slice(to)}`)
}

await runProgram(main)
