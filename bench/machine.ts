/** Owns the facts of the machine without which figures mean nothing. */
import { spawnSync } from 'node:child_process'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import type { Generator } from './load.ts'

export type Machine = {
  cpu: string
  cores: number
  memoryGiB: number
  system: string
  node: string
  undici: string
  postgres: string
  generator: string
  date: string
  /** Load average just before: above half the cores others were at work, and the figures are low. */
  loadBefore: number
}

/** Reads them now. */
export function readMachine(generator: Generator, postgres: string, loadBefore: number): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    undici: process.versions['undici'] ?? '',
    postgres,
    generator: generator === 'wrk' ? wrkVersion() : 'undici',
    date: new Date().toISOString().slice(0, 10),
    loadBefore: Math.round(loadBefore * 10) / 10,
  }
}

/** One line of them. */
export function describeMachine(machine: Machine): string {
  const { cpu, cores, memoryGiB, system, node, postgres, generator, date, loadBefore } = machine
  const busy = loadBefore > cores / 2 ? ': the machine was busy, and the figures are too low' : ''
  return (
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${node}, PostgreSQL ${postgres}, ` +
    `load by ${generator}, ${date}; load average before: ${loadBefore}${busy}`
  )
}

// Its version goes to standard output, and it exits with 1.
function wrkVersion(): string {
  const command = 'wrk'
  const { stdout } = spawnSync(command, ['-v'], { encoding: 'utf8' })
  return /^wrk \S+/.exec(stdout)?.[0] ?? command
}
