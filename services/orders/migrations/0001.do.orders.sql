-- An order is its own saga log and its own idempotency record. No index on anything that a drive
-- updates, and room in each page, so that updates stay HOT.
create table orders (
  position bigint generated always as identity,
  id text primary key check (id ~ '^[A-Za-z0-9_-]{1,64}$'),
  owner_id text not null,
  idempotency_key text,
  request_hash text not null,
  lines jsonb not null,
  payment_method text,
  capture_method text not null check (capture_method in ('automatic', 'manual')),
  expected_total jsonb,
  pricing_version int not null,
  shipping_address jsonb,
  expires_at timestamptz not null,
  created_at timestamptz not null,

  status text not null check (status in ('pending', 'confirmed', 'completed', 'canceling', 'canceled')),
  payment_status text not null,
  fulfillment_status text not null check (fulfillment_status in ('not_fulfilled', 'fulfilled', 'canceled')),
  priced_lines jsonb,
  totals jsonb,
  payment_id text,
  cancel_reason text,
  decline_code text,
  next_action jsonb,
  confirmed_at timestamptz,
  updated_at timestamptz not null,

  check (status not in ('confirmed', 'completed') or (totals is not null and payment_id is not null and confirmed_at is not null)),
  check (status not in ('canceling', 'canceled') or cancel_reason is not null)
) with (fillfactor = 60);

create unique index orders_key on orders (owner_id, idempotency_key) where idempotency_key is not null;
create unique index orders_position on orders (position);
create index orders_owner on orders (owner_id, position);

-- The orders under way. drive_at is lease, back-off and expiry at once.
create table open_orders (
  order_id text primary key,
  drive_at timestamptz not null,
  attempts int not null default 0
);
create index open_orders_drive_at on open_orders (drive_at);
