-- Which log this is: a broker may still hold events of another one that bore the same name.
alter table event_counter add column log_id text;

-- How far this service's own log was published to a broker. As for subscriptions, the lease only
-- spares replicas each other's work.
create table publications (
  source text primary key,
  position bigint not null,
  holder text,
  leased_until timestamptz
);
