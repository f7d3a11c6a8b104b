/** Owns the command line of `npm run bench`. */
import { parseArgs } from 'node:util'
import { Explained } from '../tools/explained.ts'

const SCENARIOS = ['checkouts', 'hot', 'gateway', 'one-process', 'reads'] as const
type Scenario = (typeof SCENARIOS)[number]

export type BenchOptions = {
  scenarios: readonly Scenario[]
  connections: number[]
  /** Of each measurement of a shop; limits take half of it. */
  seconds: number
  customers: number
  /** How often each is measured: 2 for A B B A. */
  passes: number
  /** Whether limits are measured beside. */
  limits: boolean
  /** Forces the generator that is taken where wrk is not installed. */
  undici: boolean
  profile: boolean
  /** Writes bench/README.md's table and the chart. */
  write: boolean
}

const HELP = `Measures a shop of its own, which it starts and stops, beside what limits it.

  npm run bench                          everything; about 10 minutes on two cores
  npm run bench -- --quick               checkouts alone at 64, 256 and 512 connections, one pass
  npm run bench -- --only checkouts,hot  some of: ${SCENARIOS.join(', ')}
  npm run bench -- --connections 64,512  other connection counts than 1, 16, 64, 256 and 512
  npm run bench -- --seconds 10          how long each measurement takes (5)
  npm run bench -- --no-limits           leaves out bare node:http and the bare SQL
  npm run bench -- --undici              generates load by undici though wrk is installed
  npm run bench -- --profile             adds where each process spends its CPU
  npm run bench -- --write               writes the table and the chart of bench/README.md
  npm run bench -- --help                this text

It exits with 1 when durability is off, a token is not verified, a key not kept, or when provider,
ledger and orders disagree in the end.`

/** The options; undefined when help was asked for, and given. */
export function readBenchOptions(args: string[]): BenchOptions | undefined {
  const { values } = parse(args)
  if (values.help === true) {
    console.log(HELP)
    return undefined
  }
  const quick = values.quick === true
  const only = values.only?.split(',') ?? (quick ? ['checkouts'] : [...SCENARIOS])
  const unknown = only.filter((name) => !SCENARIOS.some((known) => known === name))
  if (unknown.length > 0) throw new Explained(`--only knows ${SCENARIOS.join(', ')}.`)
  const defaults = quick ? '64,256,512' : '1,16,64,256,512'
  return {
    scenarios: SCENARIOS.filter((name) => only.includes(name)),
    connections: wholes('--connections', values.connections ?? defaults),
    seconds: wholes('--seconds', values.seconds ?? (quick ? '3' : '5'))[0] ?? 1,
    customers: quick ? 32 : 64,
    passes: quick ? 1 : 2,
    limits: !quick && values['no-limits'] !== true,
    undici: values.undici === true,
    profile: values.profile === true,
    write: values.write === true,
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        quick: { type: 'boolean' },
        only: { type: 'string' },
        connections: { type: 'string' },
        seconds: { type: 'string' },
        'no-limits': { type: 'boolean' },
        undici: { type: 'boolean' },
        profile: { type: 'boolean' },
        write: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
    throw new Explained(`${reason}. See: npm run bench -- --help`, { cause: error })
  }
}

function wholes(option: string, text: string): number[] {
  const numbers = text.split(',').map(Number)
  if (numbers.every((each) => Number.isInteger(each) && each > 0 && each <= 4_096)) return numbers
  throw new Explained(`${option} wants whole numbers from 1, such as 64.`)
}
