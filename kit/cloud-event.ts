/** Owns how an event travels: CloudEvents 1.0 in JSON, with the extension `sequence`. */
import { z } from '@hono/zod-openapi'
import type { StoredEvent } from './event-log.ts'

/** An event as it is sent. */
export const cloudEventSchema = z
  .object({
    specversion: z.literal('1.0'),
    id: z.string(),
    source: z.string().openapi({ example: '/things' }),
    type: z.string().openapi({ example: 'thing.happened.v1' }),
    subject: z.string().openapi({ description: 'The id of what it happened to.' }),
    time: z.string(),
    datacontenttype: z.literal('application/json'),
    sequence: z.string().openapi({ description: 'Its number in the log: 1, 2, 3 … without gaps.' }),
    data: z.record(z.string(), z.unknown()),
  })
  .openapi('CloudEvent')

/**
 * An event of the log of `source`, such as `/things`, as it is sent: JSON text. What the event says is
 * JSON already, and is not read only to be written again. `extra` are members beside CloudEvents' own.
 */
export function cloudEventText(
  source: string,
  { sequence, id, type, subject, time, data }: StoredEvent,
  extra: Record<string, string> = {},
): string {
  const head: Omit<z.output<typeof cloudEventSchema>, 'data'> = {
    specversion: '1.0',
    id,
    source,
    type,
    subject,
    time: time.toISOString(),
    datacontenttype: 'application/json',
    sequence: String(sequence),
  }
  return `${JSON.stringify({ ...head, ...extra }).slice(0, -1)},"data":${data}}`
}

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** An event as it was sent, read back; what else it carries is passed over. */
export const loggedEventSchema = z.object({
  sequence: z.coerce.number().int().min(1),
  id: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.coerce.date(),
  // Each reader looks at what it needs; a walk through all of it would cost more than the rest.
  data: z.custom<Record<string, unknown>>(isObject, 'an object is wanted'),
})
