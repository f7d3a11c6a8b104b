-- 'simple' keeps every word as it is written: names and categories are searched in any language.
create table products (
  position bigint generated always as identity,
  id text primary key check (id ~ '^[A-Za-z0-9_-]{1,64}$'),
  name text not null,
  description text not null,
  category text not null,
  price_amount bigint not null check (price_amount >= 0),
  price_currency text not null,
  status text not null check (status in ('active', 'archived')),
  version int not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  search tsvector not null generated always as (
    setweight(to_tsvector('simple', name), 'A')
    || setweight(to_tsvector('simple', category), 'B')
    || setweight(to_tsvector('simple', description), 'C')
  ) stored
);

create unique index products_position on products (position);
create index products_category on products (category, position) where status = 'active';
create index products_name on products (name, id) where status = 'active';
create index products_price on products (price_amount, id) where status = 'active';
create index products_search on products using gin (search);

-- Apart from products: what many want at once is small, has room in its pages, and no index but its key.
create table stock (
  product_id text primary key,
  stocked bigint not null check (stocked >= 0),
  reserved bigint not null check (reserved >= 0),
  check (reserved <= stocked)
) with (fillfactor = 50);

-- The recorded answer to an order's reserve command: the first is the answer for ever.
create table reservations (
  order_id text primary key,
  owner_id text not null,
  fingerprint text not null,
  state text not null check (state in ('claimed', 'reserved', 'refused', 'released', 'sold', 'returned')),
  answer jsonb,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (state not in ('reserved', 'refused', 'sold') or answer is not null)
) with (fillfactor = 70);

-- Why stock is what it is. stocked_delta sums to stocked, reserved_delta to reserved.
create table movements (
  position bigint generated always as identity primary key,
  id text not null unique,
  product_id text not null,
  kind text not null check (kind in ('Allocation', 'Sale', 'Release', 'Cancellation', 'Adjustment')),
  stocked_delta bigint not null,
  reserved_delta bigint not null,
  order_id text,
  note text,
  created_at timestamptz not null
);
create index movements_product on movements (product_id, position);
