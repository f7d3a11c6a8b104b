/** Owns `npm run reconcile`: whether all books agree, what does not, and what mends it. */
import { runProgram } from '../explained.ts'
import type { Target } from './books.ts'
import { readOptions, type Options } from './config.ts'
import { mend } from './mend.ts'
import { isClean } from './reconcile.ts'
import { describeReport, toJsonLines } from './report.ts'
import { reconcileNow, withRunningShop } from './running-shop.ts'

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), process.env)
  if (options === undefined) return
  const use = (target: Target) => run(options, target)
  await (options.target === undefined ? withRunningShop(options.dataDir, use) : use(options.target))
}

async function run({ graceMs, json, mend: mends }: Options, target: Target): Promise<void> {
  const report = await reconcileNow(target, graceMs)
  console.log((json ? toJsonLines(report) : describeReport(report)).join('\n'))
  if (isClean(report)) return
  process.exitCode = 1
  if (!mends) return
  const count = await mend(target, report.differences, new Date())
  // Not on standard output: with --json that is for a program.
  console.error(
    count === 0
      ? 'Nothing of this heals by itself.'
      : `The shop looks again at ${count}. In a minute, npm run reconcile tells what is left.`,
  )
}

await runProgram(main)
