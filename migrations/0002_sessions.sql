-- Signing in: sessions and API tokens that can be revoked, and a lock-out that holds across processes.

create table session (
    id uuid primary key,
    user_id uuid not null references app_user (id),
    created_at timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    -- When the password was last asked for, for dangerous actions; signing in counts.
    stepped_up_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz,
    user_agent text not null,
    address text not null,
    constraint session_ends check (expires_at > created_at)
);
create index session_by_user on session (user_id);
create index session_by_end on session (expires_at);

-- Failed sign-ins by what is counted: `user:mira.holt` or `address:10.0.0.7`.
create table login_failure (
    key text primary key,
    failures integer not null,
    -- Start of the window the failures are counted in.
    since timestamptz not null,
    locked_until timestamptz,
    constraint login_failure_counted check (failures >= 1)
);

create table api_token (
    id uuid primary key,
    -- Shown in the audit as `token:name`.
    name text not null,
    -- Whose rights it has, narrowed by the scopes.
    user_id uuid not null references app_user (id),
    -- SHA-256 of the token, hex. The token itself is shown once and never stored; it is random, so a plain hash is enough.
    hash text not null,
    scopes text[] not null,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    last_used_at timestamptz,
    revoked_at timestamptz,
    constraint token_name_unique unique (name),
    constraint token_name_usable check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    constraint token_hash_unique unique (hash),
    constraint token_hash_is_one check (hash ~ '^[0-9a-f]{64}$'),
    constraint token_ends check (expires_at > created_at)
);
create index token_by_user on api_token (user_id);
