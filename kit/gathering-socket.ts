/** Owns a socket that sends what is written to it in one turn of the event loop by one system call. */
import { Socket } from 'node:net'

type Done = (error?: Error | null) => void

/**
 * Statements of a pipelined transaction are written one by one, and each would wake the other side on
 * its own.
 */
export class GatheringSocket extends Socket {
  #gathers = false

  override write(data: Uint8Array | string, done?: Done): boolean
  override write(data: Uint8Array | string, encoding?: BufferEncoding, done?: Done): boolean
  override write(data: Uint8Array | string, ...rest: [(BufferEncoding | Done)?, Done?]): boolean {
    if (!this.#gathers) {
      this.#gathers = true
      this.cork()
      process.nextTick(() => {
        this.#gathers = false
        this.uncork()
      })
    }
    return super.write(data, ...(rest as [BufferEncoding?, Done?]))
  }
}
