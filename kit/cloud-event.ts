/** Owns how an event travels: CloudEvents 1.0 in JSON, with the extension `sequence`. */
import { z } from '@hono/zod-openapi'
import type { LoggedEvent } from './event-log.ts'

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

/** An event of the log of `source`, such as `/things`, as it is sent. */
export const toCloudEvent = (
  source: string,
  { sequence, id, type, subject, time, data }: LoggedEvent,
): z.output<typeof cloudEventSchema> => ({
  specversion: '1.0',
  id,
  source,
  type,
  subject,
  time: time.toISOString(),
  datacontenttype: 'application/json',
  sequence: String(sequence),
  data,
})

/** An event as it was sent, read back; what else it carries is passed over. */
export const loggedEventSchema = z.object({
  sequence: z.coerce.number().int().min(1),
  id: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.coerce.date(),
  data: z.record(z.string(), z.unknown()),
})
