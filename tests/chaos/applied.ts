/** Owns a record of what readers of events applied: a table beside theirs that triggers write in the same commit. It survives PostgreSQL. */
import type { Superuser } from './superuser.ts'

/** A position that moved, or an effect; those of one `tx` were one commit. In the order of commits per source. */
export type Applied = {
  tx: string
  source: string
  /** Of a step; null for an effect. */
  from: number | null
  to: number | null
  /** What was done: the subject of the event, and of what. Null for a step. */
  subject: string | null
  part: string | null
}

export const READERS = ['products', 'orders', 'payments'] as const
export type Reader = (typeof READERS)[number]

/** Tables whose new rows are effects of events. */
const EFFECTS: Record<Reader, { table: string; when: string; fields: string; source: string }[]> = {
  products: [
    {
      table: 'movements',
      when: `new.kind = 'Sale'`,
      fields: 'new.order_id, new.product_id',
      source: 'orders',
    },
    { table: 'erased_subjects', when: 'true', fields: `new.subject, ''`, source: 'users' },
  ],
  orders: [{ table: 'erased_subjects', when: 'true', fields: `new.subject, ''`, source: 'users' }],
  payments: [
    { table: 'erased_subjects', when: 'true', fields: `new.subject, ''`, source: 'users' },
  ],
}

// The services' roles write here through the functions alone.
const triggersOf = (reader: Reader) => `
  create table chaos_applied (
    position bigint generated always as identity primary key,
    tx xid8 not null default pg_current_xact_id(),
    source text not null, from_position bigint, to_position bigint, subject text, part text
  );
  create function chaos_moved() returns trigger language plpgsql security definer
    set search_path = public as $$
  begin
    insert into chaos_applied (source, from_position, to_position)
    values (new.source, old.position, new.position);
    return null;
  end $$;
  create trigger chaos_moved after update on subscriptions for each row
    when (old.position is distinct from new.position) execute function chaos_moved();
  ${EFFECTS[reader].map(effectTrigger).join('\n')}`

const effectTrigger = ({ table, when, fields, source }: (typeof EFFECTS)[Reader][number]) => `
  create function chaos_done_${table}() returns trigger language plpgsql security definer
    set search_path = public as $$
  begin
    insert into chaos_applied (source, subject, part) select '${source}', ${fields};
    return null;
  end $$;
  create trigger chaos_done after insert on ${table} for each row when (${when})
    execute function chaos_done_${table}();`

export type Positions = Map<string, number>

/** Begins the record; gives the positions at which it begins, by `reader source`. */
export async function beginRecord(superuser: Superuser): Promise<Positions> {
  const begun: Positions = new Map()
  for (const reader of READERS) {
    await superuser.query(reader, triggersOf(reader))
    const rows = await superuser.query<{ source: string; from: number | null }>(
      reader,
      `select source, coalesce((select min(from_position) from chaos_applied as applied
         where applied.source = subscriptions.source), position) as from from subscriptions`,
    )
    for (const { source, from } of rows) begun.set(`${reader} ${source}`, from ?? 0)
  }
  return begun
}

export const readRecord = (superuser: Superuser, reader: Reader): Promise<Applied[]> =>
  superuser.query<Applied>(
    reader,
    `select tx::text, source, from_position as from, to_position as to, subject, part
     from chaos_applied order by position`,
  )
