-- An account. An erased one stays as a tombstone without personal data: its id is never given again.
create table users (
  position bigint generated always as identity,
  id text primary key check (id ~ '^[A-Za-z0-9_-]{1,64}$'),
  email text check (email !~ '[A-Z[:space:]]'),
  name text,
  role text not null check (role in ('customer', 'admin')),
  password_hash text check (password_hash like '$argon2id$%'),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  erased_at timestamptz,

  check (erased_at is not null or (email is not null and name is not null)),
  check (erased_at is null or (email is null and name is null and password_hash is null))
) with (fillfactor = 70);

-- Erased accounts have no e-mail, and nulls are distinct: unique among the living.
create unique index users_email on users (email);
create unique index users_position on users (position);

-- A session is a family of refresh tokens: generation counts its rotations, issued the tokens of the
-- newest generation. No index on what a rotation updates, so that it stays HOT.
create table sessions (
  id text primary key,
  user_id text not null references users (id),
  generation int not null check (generation >= 1),
  issued int not null check (issued >= 1),
  rotated_at timestamptz not null,
  created_at timestamptz not null,
  revoked_at timestamptz,
  revoke_reason text check (revoke_reason in ('logged_out', 'token_reused', 'password_changed', 'erased')),

  check ((revoked_at is null) = (revoke_reason is null))
) with (fillfactor = 60);
create index sessions_user on sessions (user_id);

-- Only hashes. Used ones stay until they expire, so that their reuse is noticed.
create table refresh_tokens (
  hash text primary key,
  session_id text not null references sessions (id) on delete cascade,
  generation int not null check (generation >= 1),
  expires_at timestamptz not null
);
create index refresh_tokens_session on refresh_tokens (session_id);
create index refresh_tokens_expires_at on refresh_tokens (expires_at);

-- Failed log-ins by a hash of the e-mail, whether or not there is such an account.
create table login_failures (
  account text primary key,
  failures int not null check (failures >= 1),
  window_started_at timestamptz not null
) with (fillfactor = 60);

-- Keys that sign access tokens. The private half is sealed with a secret that is not in the database.
create table signing_keys (
  kid text primary key,
  public_key jsonb not null,
  sealed_private_key text not null,
  created_at timestamptz not null,
  signs_from timestamptz not null
);

-- Erasing an account deletes the kept answers that tell of it.
create index idempotency_keys_location on idempotency_keys ((answer #>> '{headers,location}'));
