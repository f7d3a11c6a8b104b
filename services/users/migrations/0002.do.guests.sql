-- A guest can be written to and has no password. Many may have one e-mail: it lets nobody in, and says
-- nothing of the account that has it.
alter table users add column guest boolean not null default false,
  add check (not guest or (role = 'customer' and password_hash is null));

drop index users_email;
create unique index users_email on users (email) where not guest;
create index users_guests on users (created_at) where guest and erased_at is null;
