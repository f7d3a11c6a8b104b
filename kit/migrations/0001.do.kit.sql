-- Events: writers insert into outbox; the sequencer moves rows to events and numbers them.
create table outbox (
  position bigint generated always as identity primary key,
  id text not null,
  type text not null,
  subject text not null,
  time timestamptz not null,
  data jsonb not null
);

create table events (
  sequence bigint primary key,
  id text not null,
  type text not null,
  subject text not null,
  time timestamptz not null,
  data jsonb not null
);

-- A counter row, because max(sequence) + 1 would start again after retention.
create table event_counter (
  singleton boolean primary key default true check (singleton),
  last_sequence bigint not null
);
insert into event_counter (last_sequence) values (0);

-- Answers to keyed POSTs. scope is a hash of who, which route and key.
create table idempotency_keys (
  scope text primary key,
  request_hash text not null,
  leased_until timestamptz not null,
  answer jsonb,
  created_at timestamptz not null
);
create index idempotency_keys_created_at on idempotency_keys (created_at);

-- Public keys of whoever signs tokens that this service accepts.
create table key_sets (
  issuer text primary key,
  keys jsonb not null,
  fetched_at timestamptz not null
);
