/** Owns a process of the bench's own: it is asked one thing at a time over IPC, and ends with the bench. */
import { fork } from 'node:child_process'
import { once } from 'node:events'

export type Child = {
  pid: number
  /** Sends a message and gives the answer; rejects when the process ends instead. */
  ask: <Answer>(message: unknown) => Promise<Answer>
  close: () => Promise<void>
}

/** Starts a script of this repository. */
export function startChild(script: string): Child {
  const child = fork(script, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  return {
    pid: child.pid ?? 0,
    ask<Answer>(message: unknown) {
      return new Promise<Answer>((resolve, reject) => {
        const onExit = () => reject(new Error(`${script} ended`))
        child.once('exit', onExit)
        child.once('message', (answer) => {
          child.off('exit', onExit)
          resolve(answer as Answer)
        })
        child.send(message as object)
      })
    },
    async close() {
      if (child.connected) child.disconnect()
      await ended
    },
  }
}

/** The child's side: each message is answered by `handle`; ends when the bench is gone. */
export function answerParent(handle: (message: unknown) => Promise<unknown>): void {
  process.on('message', (message) => {
    handle(message).then(
      (answer) => process.send?.(answer),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  })
  process.on('disconnect', () => process.exit(0))
}
