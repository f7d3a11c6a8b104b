/** Owns the SQL of counts that all replicas of the gateway share: one statement, however many keys. */
import type { Database } from '@quartet/kit/postgres'
import type { SharedCounts } from './counter.ts'

/** Counts in the gateway's own database; those of past minutes are deleted on the way. */
export function createSharedCounts(db: Database): SharedCounts {
  let lastMinute = 0
  return {
    async add(minute, counts) {
      // Sorted, so that two replicas lock in one order.
      const keys = [...counts.keys()].toSorted()
      const rows = await db.query<{ key: string; count: number }>(
        `insert into rate_counts (key, minute, count)
         select key, $2, count from unnest($1::text[], $3::int[]) as new (key, count)
         on conflict (key, minute) do update set count = rate_counts.count + excluded.count
         returning key, count`,
        [keys, minute, keys.map((key) => counts.get(key) ?? 0)],
      )
      if (minute !== lastMinute) {
        lastMinute = minute
        await db.query('delete from rate_counts where minute < $1', [minute])
      }
      return new Map(rows.map(({ key, count }) => [key, count]))
    },
  }
}
