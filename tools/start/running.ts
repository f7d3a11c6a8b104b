/** Owns what runs of a shop: its sets of replicas, their front doors, and the door for commands. */
import { Explained } from '../explained.ts'
import type { Command, Control } from './control.ts'
import type { FrontDoor } from './front-door.ts'
import type { KeptProcess } from './kept-process.ts'
import { isScalable, type ProcessName } from './plan.ts'
import type { ReplicaSet, Report } from './replica-set.ts'

/** With `--one-process` several names stand for one set, and nothing has a front door. */
export type Running = {
  sets: Map<ProcessName, ReplicaSet>
  doors: Map<ProcessName, FrontDoor>
  control: Control | undefined
}

export const createRunning = (): Running => ({
  sets: new Map(),
  doors: new Map(),
  control: undefined,
})

/** Every process by its name; the one of `--one-process` by the names of all that it runs. */
export function processesOf({ sets }: Running): Map<string, KeptProcess> {
  const named = [...sets].flatMap(([name, set]) =>
    set.all().map((kept) => [kept.name === 'services' ? name : kept.name, kept] as const),
  )
  return new Map(named)
}

/** Carries out a command on what runs; throws `Explained` where that is not possible. */
export async function change(running: Running, command: Command, report: Report): Promise<void> {
  const { name } = command
  const set = isScalable(name) ? running.sets.get(name) : undefined
  if (set === undefined) throw new Explained(`There is no service ${name}.`)
  if (isScalable(name) && !running.doors.has(name)) {
    throw new Explained('With --one-process nothing can be replaced while it runs.')
  }
  if (command.do === 'restart') return set.restart(report)
  return set.scale(command.count, report)
}
