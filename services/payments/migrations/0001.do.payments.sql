-- A payment, or the tombstone of one: an order that was undone before it was paid has no amount.
create table payments (
  position bigint generated always as identity,
  id text primary key check (id ~ '^[A-Za-z0-9_-]{1,64}$'),
  order_id text unique,
  owner_id text not null,
  amount bigint check (amount >= 0),
  currency text,
  capture_method text not null check (capture_method in ('automatic', 'manual')),
  pays_later boolean not null,
  created_at timestamptz not null,

  status text not null check (status in ('requires_payment_method', 'requires_confirmation',
    'requires_action', 'processing', 'requires_capture', 'succeeded', 'canceled', 'failed')),
  payment_method text,
  attempt int not null,
  undo boolean not null,
  capture_amount bigint check (capture_amount between 1 and amount),
  amount_capturable bigint not null check (amount_capturable between 0 and coalesce(amount, 0)),
  amount_received bigint not null check (amount_received between 0 and coalesce(amount, 0)),
  refunds_claimed bigint not null check (refunds_claimed between 0 and amount_received),
  amount_refunded bigint not null check (amount_refunded between 0 and refunds_claimed),
  code text,
  next_action jsonb,
  updated_at timestamptz not null,

  check ((amount is null) = (currency is null)),
  check (amount is not null or status = 'canceled')
) with (fillfactor = 60);

create unique index payments_position on payments (position);
create index payments_owner on payments (owner_id, position);

create table refunds (
  position bigint generated always as identity,
  id text primary key check (id ~ '^[A-Za-z0-9_-]{1,64}$'),
  payment_id text not null references payments (id),
  amount bigint not null check (amount > 0),
  status text not null check (status in ('pending', 'succeeded', 'failed', 'canceled')),
  reason text,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index refunds_payment on refunds (payment_id, position);

-- Payments that wait for the provider. drive_at is lease and back-off at once.
create table open_payments (
  payment_id text primary key,
  drive_at timestamptz not null,
  attempts int not null default 0
);
create index open_payments_drive_at on open_payments (drive_at);

-- Double entry: each posting takes from a source what it gives to a destination, so the books balance
-- by construction. The id names what moved the money, so that it is booked once.
create table ledger_transactions (
  position bigint generated always as identity,
  id text primary key,
  kind text not null check (kind in ('charge', 'refund')),
  payment_id text not null,
  created_at timestamptz not null
);
create unique index ledger_transactions_position on ledger_transactions (position);
create index ledger_transactions_payment on ledger_transactions (payment_id, position);

create table ledger_postings (
  transaction_id text not null references ledger_transactions (id),
  source text not null,
  destination text not null,
  amount bigint not null check (amount > 0),
  currency text not null,
  check (source <> destination)
);
create index ledger_postings_transaction on ledger_postings (transaction_id);
create index ledger_postings_source on ledger_postings (source, currency);
create index ledger_postings_destination on ledger_postings (destination, currency);
