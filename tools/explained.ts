/** Owns the errors whose message is all that the person at the terminal needs. */

/** A failure told in a sentence or two that say what to do; printed without a stack. */
export class Explained extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Explained'
  }
}

/** Turns what a file system refuses into a sentence; any other error is returned as it came. */
export function explainFileError(error: unknown, path: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT') return new Explained(fullDisk(path), { cause: error })
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    const advice = 'Make it writable, or choose another folder with --data DIR.'
    return new Explained(`${path} cannot be written by this user. ${advice}`, { cause: error })
  }
  if (code === 'ENOTDIR' || code === 'EEXIST') {
    const advice = 'Choose another folder with --data DIR.'
    return new Explained(`${path} is not a folder. ${advice}`, { cause: error })
  }
  return error
}

/** What to say when the disk that holds `path` has no room left. */
export function fullDisk(path: string): string {
  return `The disk that holds ${path} is full. Free some space, or choose another with --data DIR.`
}

/** Runs a program's main function; an error ends it with exit code 1. */
export async function runProgram(main: () => Promise<void>): Promise<void> {
  try {
    await main()
  } catch (error) {
    console.error(error instanceof Explained ? `\n${error.message}\n` : error)
    process.exitCode = 1
  }
}
