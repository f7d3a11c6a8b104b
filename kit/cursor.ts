/** Owns page cursors: opaque to clients, a JSON array of sort values inside. */
import { Problem } from './problem.ts'

/** An opaque cursor for the page after the row with these sort values. */
export function encodeCursor(values: (string | number)[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url')
}

/** The sort values inside a cursor; a 400 problem when it wasn't made by `encodeCursor` with this shape. */
export function decodeCursor<Shape extends ('string' | 'number')[]>(
  cursor: string,
  ...shape: Shape
): { [Index in keyof Shape]: Shape[Index] extends 'number' ? number : string } {
  const values = parse(cursor)
  const fits =
    Array.isArray(values) &&
    values.length === shape.length &&
    shape.every((type, index) => fitsType(values[index], type))
  if (!fits) {
    const errors = [{ field: 'cursor', detail: 'is not a cursor of this list' }]
    throw new Problem('invalid', 'Invalid cursor', {
      detail: 'Use next_cursor of the previous page as it is, with the same filters and sort.',
      errors,
    })
  }
  return values as { [Index in keyof Shape]: Shape[Index] extends 'number' ? number : string }
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return undefined
  }
}

// A forged cursor must not reach SQL with what PostgreSQL can't hold.
function fitsType(value: unknown, type: 'string' | 'number'): boolean {
  if (type === 'number') return Number.isSafeInteger(value)
  return typeof value === 'string' && value.isWellFormed() && !value.includes('\0')
}

/** A page of at most `limit` of `rows`, which were read with `limit + 1`. */
export function toPage<Row, Item>(
  rows: Row[],
  limit: number,
  toItem: (row: Row) => Item,
  sortValues: (row: Row) => (string | number)[],
): { data: Item[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const more = rows.length > limit && last !== undefined
  return { data: shown.map(toItem), next_cursor: more ? encodeCursor(sortValues(last)) : null }
}
