/** Owns `npm run restart` and `npm run scale`: changes of a running shop, without a failed request. */
import { parseArgs } from 'node:util'
import { Explained, runProgram } from '../explained.ts'
import { sendCommand, type Command } from './control.ts'
import { readDataOption, readReplicas } from './options.ts'
import { isScalable, SCALABLE } from './plan.ts'
import { readRunFile } from './run-file.ts'

const USAGE = `  npm run restart                    everything, one replica at a time: no request fails
  npm run restart -- orders gateway  these
  npm run scale -- orders=3          adds or takes replicas while running`

async function main(): Promise<void> {
  const [verb, ...args] = process.argv.slice(2)
  const { values, positionals } = parse(args)
  if (values.help === true) return console.log(USAGE)
  const commands = verb === 'scale' ? scaling(positionals) : restarting(positionals)
  const dataDir = readDataOption(values.data === undefined ? [] : ['--data', values.data])
  const shop = readRunFile(dataDir)
  if (shop === undefined) {
    throw new Explained(`Quartet is not running on ${dataDir}. "npm start" starts it.`)
  }
  for (const command of commands) await sendCommand(shop.control, command, console.log)
}

function parse(args: string[]) {
  const options = { help: { type: 'boolean', short: 'h' }, data: { type: 'string' } } as const
  try {
    return parseArgs({ args, allowPositionals: true, options })
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
    throw new Explained(`${reason}.\n${USAGE}`, { cause: error })
  }
}

function restarting(names: string[]): Command[] {
  const unknown = names.filter((name) => !isScalable(name))
  if (unknown.length > 0) {
    throw new Explained(`${unknown.join(', ')}: one of ${SCALABLE.join(', ')}, please.\n${USAGE}`)
  }
  // Those that others call first, the door last.
  const wanted = names.length === 0 ? SCALABLE : names
  return wanted.map((name) => ({ do: 'restart', name }))
}

function scaling(pairs: string[]): Command[] {
  if (pairs.length === 0) throw new Explained(`How many of what?\n${USAGE}`)
  return Object.entries(readReplicas(pairs.join(','))).map(([name, count]) => ({
    do: 'scale',
    name,
    count,
  }))
}

await runProgram(main)
