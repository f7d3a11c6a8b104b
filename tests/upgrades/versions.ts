/** Owns which versions run side by side: those before this one that git has, and one after it that is made up. */
import { globSync } from 'node:fs'
import path from 'node:path'
import { Explained } from '../../tools/explained.ts'
import { copyCheckout, git, type CheckoutCopy } from '../checkout-copy.ts'
import { NAMES } from '../replicas/processes.ts'

const CHECKOUT = path.resolve(import.meta.dirname, '../..')

/** The commit before what is in the working tree; undefined in a clone that doesn't have it. */
export function previousCommit(): string | undefined {
  const isChanged = git('status', '--porcelain').length > 0
  return resolve(isChanged ? 'HEAD' : 'HEAD~1')
}

/** The commit before the newest change of any migration; undefined in a clone that doesn't have it. */
export function commitBeforeNewestMigration(): string | undefined {
  const paths = ['*/migrations/*.sql', ':!kit/fixtures']
  const newest = git('log', '-1', '--format=%H', '--', ...paths)
    .toString()
    .trim()
  // In a shallow clone every file begins with the oldest commit that it has.
  return newest === '' ? undefined : resolve(`${newest}~1`)
}

function resolve(name: string): string | undefined {
  try {
    return git('rev-parse', '--verify', '--quiet', `${name}^{commit}`).toString().trim()
  } catch (error) {
    if (error instanceof Explained) return undefined
    throw error
  }
}

/** The numbers of the migrations in a checkout: the newest of each folder, by what it is for. */
export function newestMigrations(folder: string): Record<string, number> {
  const newest = (of: string) =>
    Math.max(...globSync(`${of}/migrations/*.sql`, { cwd: folder }).map(numberOf))
  const services = NAMES.map((name) => [name, newest(`services/${name}`)] as const)
  return { kit: newest('kit'), ...Object.fromEntries(services) }
}

const numberOf = (file: string) => Number(path.basename(file).split('.')[0])

/** The working tree with one more migration of kit and of every service, as CONTRIBUTING.md wants them. */
export function copyOfNextVersion(): CheckoutCopy {
  const copy = copyCheckout()
  const newest = newestMigrations(CHECKOUT)
  const expand = (folder: string, number: number, table: string) => {
    const file = `${String(number).padStart(4, '0')}.do.next.sql`
    const sql = [
      `create table next_things (id text primary key);`,
      `alter table ${table} add column next_thing text, add column next_count int not null default 0;`,
      `create index ${table}_next_thing on ${table} (next_thing) where next_thing is not null;`,
    ]
    copy.write(`${folder}/migrations/${file}`, sql.join('\n'))
  }
  for (const name of NAMES) expand(`services/${name}`, (newest[name] ?? 0) + 1, name)
  copy.write(
    `kit/migrations/${String((newest['kit'] ?? 0) + 1).padStart(4, '0')}.do.next.sql`,
    `alter table event_counter add column next_thing text;
     alter table outbox add column next_thing text;
     alter table events add column next_thing text;`,
  )
  return copy
}
