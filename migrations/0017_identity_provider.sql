-- Signing in at an OpenID Connect provider: who is who there, which roles its groups give, which attempts are used up.

create table identity (
    issuer text not null,
    -- What the provider calls a person for ever (`sub`). Names and mail addresses change hands, so nobody is found by them.
    subject text not null,
    user_id uuid not null references app_user (id),
    -- As the provider named them at the last sign-in, for whoever asks why somebody may not do something.
    groups text[] not null default '{}',
    linked_at timestamptz not null default clock_timestamp(),
    signed_in_at timestamptz,
    constraint identity_pkey primary key (issuer, subject),
    -- One each: two people of the provider never act under one name.
    constraint identity_one_each unique (user_id)
);

-- What a provider's groups give is replaced at each sign-in; what an admin gave stays.
alter table app_grant
    add column source text not null default 'local',
    add constraint grant_source_known check (source in ('local', 'provider'));

-- An attempt travels in a signed cookie and counts once, in whichever process it comes back.
create table used_sign_in_attempt (
    id uuid primary key,
    used_at timestamptz not null default clock_timestamp()
);
create index used_sign_in_attempt_by_age on used_sign_in_attempt (used_at);

-- Needed once more, to sign out at the provider. Sealed: it says who somebody is and in which groups.
create table session_id_token (
    session_id uuid primary key references session (id) on delete cascade,
    kek_id text not null,
    sealed bytea not null
);
