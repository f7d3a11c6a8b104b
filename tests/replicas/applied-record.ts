/** Owns a record of what subscribers applied, kept outside of them: each commit tells the test, in the order of the commits. */
import assert from 'node:assert/strict'
import pg from 'pg'

/** A position that moved; with what was done in the same commit: such as the orders that it sold. */
export type Step = { source: string; from: number; to: number; holder: string; done: string[] }

export type AppliedRecord = {
  /** Steps of a source, in the order of their commits. */
  stepsOf: (source: string) => Step[]
  /** Fails unless they are the whole way of a source to `newest`: none left out, none taken twice. */
  assertWholeWay: (source: string, newest: number) => void
  close: () => Promise<void>
}

/** A table whose new rows are effects of events, and what of a row names the effect. */
export type Effect = { table: string; when: string; name: string; source: string }

const CHANNEL = 'test_applied'

// PostgreSQL tells who listens when a transaction has committed, whole and in the order of commits.
const triggersOf = (effects: Effect[]) => `
  create function test_position_moved() returns trigger language plpgsql as $$
  begin
    perform pg_notify('${CHANNEL}', json_build_object('source', new.source, 'from', old.position,
      'to', new.position, 'holder', new.holder)::text);
    return null;
  end $$;
  create trigger test_position_moved after update on subscriptions for each row
    when (old.position is distinct from new.position) execute function test_position_moved();
  create function test_done() returns trigger language plpgsql as $$
  begin
    perform pg_notify('${CHANNEL}', json_build_object('source', tg_argv[1],
      'done', to_json(new) ->> tg_argv[0])::text);
    return null;
  end $$;
  ${effects
    .map(
      ({ table, when, name, source }) => `
  create trigger test_done after insert on ${table} for each row when (${when})
    execute function test_done('${name}', '${source}');`,
    )
    .join('')}`

/** Begins to keep a record of a service's subscriptions, over a connection of its own. */
export async function openAppliedRecord(url: string, effects: Effect[]): Promise<AppliedRecord> {
  const client = new pg.Client({ connectionString: url, application_name: 'record' })
  await client.connect()
  const steps: Step[] = []
  client.on('notification', ({ payload = '' }) => {
    const told = JSON.parse(payload) as Step | { source: string; done: string }
    if ('from' in told) steps.push({ ...told, done: [] })
    else lastOf(steps, told.source).done.push(told.done)
  })
  await client.query(`listen ${CHANNEL}`)
  const begun = await addTriggers(client, effects)
  const stepsOf = (source: string) => steps.filter((step) => step.source === source)
  return {
    stepsOf,
    assertWholeWay(source, newest) {
      let at = begun.get(source) ?? 0
      for (const { from, to } of stepsOf(source)) {
        assert.deepEqual([from, to > from], [at, true], `a step from ${from} to ${to}, after ${at}`)
        at = to
      }
      assert.equal(at, newest)
    },
    close: () => client.end(),
  }
}

/** Adds the triggers; gives the positions at which the record begins. */
async function addTriggers(client: pg.Client, effects: Effect[]): Promise<Map<string, number>> {
  await client.query('begin')
  await client.query(triggersOf(effects))
  const { rows } = await client.query<{ source: string; position: string }>(
    'select source, position from subscriptions',
  )
  await client.query('commit')
  return new Map(rows.map(({ source, position }) => [source, Number(position)]))
}

// The position moves first of all (rule 19), so what was done follows it.
function lastOf(steps: Step[], source: string): Step {
  const step = steps.findLast((each) => each.source === source)
  assert.ok(step !== undefined, `an effect of ${source} before any position moved`)
  return step
}
