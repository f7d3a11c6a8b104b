/** Owns one service alone: on its DATABASE_URL, or on the embedded server of the default data folder. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Explained, runProgram } from '../explained.ts'
import { isFree } from '../ports.ts'
import { defaultDataDir, prepareDataDir } from '../postgres/data-folder.ts'
import { joinPostgres } from '../postgres/join.ts'
import { readOrMakeCredentials } from './credentials.ts'
import { buildEnvironments, type ServedData } from './environment.ts'
import { DEFAULT_PORT_BASE, planShop, SERVICES } from './plan.ts'
import { showEvent } from './screen.ts'

const CHECKOUT = resolve(import.meta.dirname, '../..')

async function main(): Promise<void> {
  const name = [...SERVICES, 'gateway' as const].find((known) => known === process.argv[2])
  if (name === undefined) {
    throw new Explained(
      `Name one of ${SERVICES.join(', ')} and gateway: npm start -w services/orders`,
    )
  }
  const plan = planShop(DEFAULT_PORT_BASE)
  await assertPortFree(name, Number(process.env['PORT'] ?? plan.ports[name]))
  const data = await serveData(name !== 'gateway', plan.ports.postgres)
  const credentials = await readOrMakeCredentials(data.dataDir, process.env)
  const environments = await buildEnvironments(plan, data, credentials)
  for (const [variable, value] of Object.entries(environments[name])) {
    process.env[variable] ??= value // what the person has set stands
  }
  const folder = name === 'gateway' ? 'gateway' : `services/${name}`
  console.error(`${name} alone, on http://127.0.0.1:${process.env['PORT']}. Stop: Ctrl-C.`)
  await import(pathToFileURL(resolve(CHECKOUT, folder, 'src/main.ts')).href)
}

async function assertPortFree(name: string, port: number): Promise<void> {
  if (await isFree(port)) return
  throw new Explained(
    `Port ${port}, which ${name} wants, is taken: is the whole shop running? Stop it, or choose ` +
      `another port: PORT=${port + 1000} npm start -w ...`,
  )
}

// The server stops by itself when this process, its last client, ends.
async function serveData(needed: boolean, port: number): Promise<ServedData> {
  const dataDir = prepareDataDir(defaultDataDir())
  const given = process.env['DATABASE_URL']
  if (given !== undefined || !needed) {
    return { dataDir, postgres: { urlOf: () => Promise.resolve(given ?? '') } }
  }
  return { dataDir, postgres: await joinPostgres({ dataDir, port, onEvent: showEvent }) }
}

await runProgram(main)
