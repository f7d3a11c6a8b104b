/** Owns where Node keeps compiled code, so that a process of this checkout starts in two thirds of the CPU time. */
import { resolve } from 'node:path'

/** For a process' environment. */
export const COMPILED = {
  NODE_COMPILE_CACHE: resolve(import.meta.dirname, '../node_modules/.cache/quartet'),
}
