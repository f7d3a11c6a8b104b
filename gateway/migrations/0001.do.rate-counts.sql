-- How many requests a key has made in a minute, over all replicas. Unlogged: what a crash forgets was
-- a minute's count.
create unlogged table rate_counts (
  key text not null,
  minute bigint not null,
  count int not null,
  primary key (key, minute)
) with (fillfactor = 50);
