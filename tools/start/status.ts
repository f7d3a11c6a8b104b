/** Owns `npm run status`: what runs where, how it is, and since when. */
import { connect } from 'node:net'
import { runProgram } from '../explained.ts'
import { askHealth } from './health.ts'
import { readDataOption } from './options.ts'
import { readRunFile, type RunFile } from './run-file.ts'
import { table } from './screen.ts'

async function main(): Promise<void> {
  const dataDir = readDataOption(process.argv.slice(2))
  const shop = readRunFile(dataDir)
  if (shop === undefined) {
    console.log(`Quartet is not running on ${dataDir}. "npm start" starts it.`)
    process.exitCode = 1
    return
  }
  const rows = await Promise.all([...shop.processes.map(describeProcess), describePostgres(shop)])
  console.log(table([['what', 'where', 'port', 'health', 'pid', 'up'], ...rows]).join('\n'))
  if (rows.some(([, , , health]) => health !== 'ready')) process.exitCode = 1
}

async function describeProcess(process: RunFile['processes'][number]): Promise<string[]> {
  const { name, url, ownUrl, pid, startedAtMs } = process
  if (pid === null) return [name, url, '', 'ended, starting again', '', '']
  const health = await askHealth(ownUrl)
  return [name, url, new URL(ownUrl).port, health, String(pid), age(startedAtMs)]
}

async function describePostgres({ postgresPort, startedAtMs }: RunFile): Promise<string[]> {
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect(postgresPort, '127.0.0.1')
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
  const health = answers ? 'ready' : 'no answer'
  const up = answers ? age(startedAtMs) : ''
  return ['postgres', `127.0.0.1:${postgresPort}`, String(postgresPort), health, '', up]
}

function age(startedAtMs: number): string {
  const seconds = Math.floor((Date.now() - startedAtMs) / 1000)
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)]
  if (minutes === 0) return `${seconds} s`
  return hours === 0 ? `${minutes} min ${seconds % 60} s` : `${hours} h ${minutes % 60} min`
}

await runProgram(main)
