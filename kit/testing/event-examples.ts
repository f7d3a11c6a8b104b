/** Owns the examples of events: what a service publishes is held against its own, and each reader is told those of others. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import type { z } from 'zod'
import { cloudEventSchema } from '../cloud-event.ts'
import type { LoggedEvent } from '../event-log.ts'
import type { NewEvent } from '../events.ts'
import { findErased } from '../erased-subjects.ts'
import { readFeed } from '../feed-reader.ts'
import { POSITION_HEADER } from '../feed.ts'
import type { Database } from '../postgres.ts'
import type { SubscriptionOptions } from '../subscription.ts'
import { realTimers } from '../time.ts'

/** A whole event, as the feed gives it. */
type Example = z.output<typeof cloudEventSchema>

/** The name and the version of a type such as `thing.happened.v1`. */
function partsOf(type: string): { name: string; version: number } {
  const [, name, version] = /^(.+)\.v(\d+)$/.exec(type) ?? []
  assert.ok(name, `${type} does not end with its version`)
  return { name, version: Number(version) }
}

function readExamples(folder: URL): Example[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
  return files.map((file) => {
    const example = cloudEventSchema.strict().parse(readJson(new URL(file, folder)))
    assert.equal(file, `${example.type}.json`)
    assert.equal(new Date(example.time).toISOString(), example.time, file)
    assert.match(example.sequence, /^[1-9]\d*$/, file)
    return example
  })
}

const readJson = (file: URL): unknown => JSON.parse(readFileSync(file, 'utf8'))

/**
 * Fails unless what is published, one event a type, has exactly the keys and the types of the examples
 * in `folder`. An example that nothing publishes any more must be of an older version.
 */
export function assertPublishedAsExamples(
  { source, folder }: { source: string; folder: URL },
  published: NewEvent[],
): void {
  const examples = new Map(readExamples(folder).map((example) => [example.type, example]))
  for (const { type, subject, data } of published) {
    const example = examples.get(type)
    assert.ok(example, `${type} has no example: add one to ${folder.pathname}`)
    assert.equal(example.source, source, type)
    assert.equal(typeof subject, 'string', type)
    // Through JSON, as it travels.
    assert.deepEqual(shapeOf(JSON.parse(JSON.stringify(data))), shapeOf(example.data), type)
  }
  const newest = new Map<string, number>()
  for (const { type } of published) {
    const { name, version } = partsOf(type)
    newest.set(name, Math.max(version, newest.get(name) ?? 0))
  }
  const stale = [...examples.keys()].filter((type) => {
    const { name, version } = partsOf(type)
    const isOlder = version < (newest.get(name) ?? 0)
    return !isOlder && published.every((event) => event.type !== type)
  })
  assert.deepEqual(stale, [], 'examples of the newest version that nothing publishes')
}

/** What kind of value it is, down to the last key. All that stands in an array counts, once. */
function shapeOf(value: unknown): unknown {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  if (Array.isArray(value)) {
    const shapes = new Map(value.map(shapeOf).map((shape) => [JSON.stringify(shape), shape]))
    return [...shapes.values()]
  }
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, shapeOf(each)]),
  )
}

/**
 * The examples of all that a subscription reads, in every version, as they come to it over a feed: once
 * as they are, once with fields that no reader knows. Fails when there is none, or a version that it
 * does not read.
 */
export async function toldByExamples(subscription: SubscriptionOptions): Promise<LoggedEvent[][]> {
  const { source, types } = subscription
  const folder = new URL('./', import.meta.resolve(`@quartet/${source}/events/any.json`))
  const names = new Set(types.map((type) => partsOf(type).name))
  const examples = readExamples(folder).filter(({ type }) => names.has(partsOf(type).name))
  const told = examples.map(({ type }) => type)
  assert.deepEqual(told.toSorted(), types.toSorted(), 'versions that were published, and are read')
  const read = async (events: unknown[]) => {
    const headers = { [POSITION_HEADER]: String(Number.MAX_SAFE_INTEGER) }
    const fetch = () => Promise.resolve(Response.json(events, { headers }))
    const never = new AbortController().signal
    const question = { after: 0, waitS: 0, limit: 1_000 }
    const world = { fetch, timers: realTimers }
    return (await readFeed(world, subscription, question, never)).events
  }
  return [await read(examples), await read(examples.map(withMore))]
}

/** The same with a field more in each object. */
function withMore(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(withMore)
  const more = Object.entries(value).map(([key, each]) => [key, withMore(each)] as const)
  return { ...Object.fromEntries(more), added_later: { by: ['somebody', null] } }
}

/** Fails unless the examples that a subscription reads say of their subjects that they are erased. */
export async function assertErasedByExamples(
  db: Database,
  subscription: SubscriptionOptions,
): Promise<void> {
  for (const events of await toldByExamples(subscription)) {
    await db.query('truncate erased_subjects')
    await db.transaction((tx) => subscription.apply(tx, events))
    const subjects = events.map(({ subject }) => subject)
    assert.deepEqual(await findErased(db, subjects), new Set(subjects))
  }
}
