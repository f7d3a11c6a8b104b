-- The log in parts of a million events each, so that retention drops a part instead of deleting rows.
-- What is there already becomes the first part.
alter table events rename to events_1;
alter index events_pkey rename to events_1_pkey;
create table events (
  sequence bigint primary key,
  id text not null,
  type text not null,
  subject text not null,
  time timestamptz not null,
  data jsonb not null
) partition by range (sequence);
do $$
declare
  bound bigint := ((select last_sequence from event_counter) / 1000000 + 2) * 1000000;
begin
  execute format('alter table events attach partition events_1 for values from (1) to (%s)', bound);
end $$;

-- Who reads this service's events, and up to which all is done there. What a subscriber has not
-- acknowledged is kept for it, however long.
create table subscribers (
  name text primary key,
  acknowledged bigint not null,
  seen_at timestamptz not null
);

-- How far this service has come with the events of others. The position moves in the transaction of
-- the effect; the lease only spares replicas each other's work.
create table subscriptions (
  source text primary key,
  position bigint not null,
  holder text,
  leased_until timestamptz
);

-- Events that could not be applied, and those of the same subject that wait behind them.
create table set_aside_events (
  source text not null,
  sequence bigint not null,
  id text not null,
  type text not null,
  subject text not null,
  time timestamptz not null,
  data jsonb not null,
  reason text not null,
  set_aside_at timestamptz not null,
  primary key (source, sequence)
);
create index set_aside_events_subject on set_aside_events (source, subject, sequence);
