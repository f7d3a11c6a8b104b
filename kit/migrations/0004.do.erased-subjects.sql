-- Subjects whose data was erased, for ever: nothing is taken from them any more. The rest says how far
-- what is kept of them here is forgotten.
create table erased_subjects (
  position bigint generated always as identity,
  subject text primary key,
  erased_at timestamptz not null,
  progress bigint not null default 0,
  forgotten_at timestamptz
);
create unique index erased_subjects_position on erased_subjects (position);
create index erased_subjects_unforgotten on erased_subjects (position) where forgotten_at is null;

-- Who asked, so that what was answered is forgotten with them. Null for who was not known.
alter table idempotency_keys add column subject text;
create index idempotency_keys_subject on idempotency_keys (subject) where subject is not null;
