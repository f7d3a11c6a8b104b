/** Owns the command line of `npm run chaos`. */
import { parseArgs } from 'node:util'
import { Explained } from '../../tools/explained.ts'

export type ChaosOptions = {
  orders: number
  kills: number
  seed: number
  /** How many buy at the same time. */
  customers: number
  /** The mean time from a blow to the next. */
  gapMs: number
  /** Where the report is written too, if anywhere. */
  reportFile: string | undefined
  /** Writes the report into README.md. */
  write: boolean
  /** Keeps data, logs and history. */
  keep: boolean
}

const HELP = `Sells while a nemesis kills, freezes and slows whatever it meets; then heals, and checks every promise.

  npm run chaos                          2,000 orders and 40 blows, about a minute
  npm run chaos -- --orders 20000 --kills 200 --seed 7
  npm run chaos -- --customers 144       so many buy at the same time
  npm run chaos -- --gap-ms 600          the mean time from a blow to the next
  npm run chaos -- --report FILE         writes the report there too
  npm run chaos -- --write               writes it into tests/chaos/README.md
  npm run chaos -- --keep                keeps data, logs and history, and says where
  npm run chaos -- --help                this text

Kinds of customers and blows, their order and their lengths follow from the seed; what meets what
also depends on the machine. It exits with 1 when a promise was broken, or when not all orders had
ended 60 s after healing.`

/** The options; undefined when help was asked for, and given. */
export function readChaosOptions(args: string[]): ChaosOptions | undefined {
  const { values } = parse(args)
  if (values.help === true) {
    console.log(HELP)
    return undefined
  }
  return {
    orders: whole('--orders', values.orders ?? '2000', [1, 200_000]),
    kills: whole('--kills', values.kills ?? '40', [0, 5_000]),
    seed: whole('--seed', values.seed ?? '1', [0, 2 ** 31 - 1]),
    customers: whole('--customers', values.customers ?? '144', [1, 512]),
    gapMs: whole('--gap-ms', values['gap-ms'] ?? '600', [0, 60_000]),
    reportFile: values.report,
    write: values.write === true,
    keep: values.keep === true,
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        orders: { type: 'string' },
        kills: { type: 'string' },
        seed: { type: 'string' },
        customers: { type: 'string' },
        'gap-ms': { type: 'string' },
        report: { type: 'string' },
        write: { type: 'boolean' },
        keep: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
    throw new Explained(`${reason}. See: npm run chaos -- --help`, { cause: error })
  }
}

function whole(option: string, text: string, [least, most]: [number, number]): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value
  throw new Explained(`${option} wants a whole number from ${least} to ${most}, not "${text}".`)
}
