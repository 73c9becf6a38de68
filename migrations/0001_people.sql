-- People, the teams they work for and the roles they hold (design section 6).

create table team (
    name text primary key,
    description text not null default '',
    created_at timestamptz not null default clock_timestamp(),
    -- muster_domain::ids
    constraint team_name_usable check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$')
);

create table app_user (
    id uuid primary key,
    -- What people sign in with and the audit shows.
    name text not null,
    display_name text not null,
    -- argon2id in PHC form; null: cannot sign in with a password.
    password_hash text,
    -- Set: cannot sign in; sessions and tokens stop working at once. People are never deleted, the audit names them.
    disabled_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    constraint user_name_unique unique (name),
    constraint user_name_usable check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    -- `muster` and the nil id are Muster itself in runs and in the audit.
    constraint user_is_not_muster check (name <> 'muster' and id <> '00000000-0000-0000-0000-000000000000')
);

create table app_grant (
    user_id uuid not null references app_user (id),
    role text not null,
    -- Null: for all teams.
    team text,
    granted_at timestamptz not null default clock_timestamp(),
    constraint grant_role_known check (role in ('viewer', 'operator', 'approver', 'owner', 'admin')),
    constraint grant_admin_has_no_team check (role <> 'admin' or team is null),
    constraint grant_team_exists foreign key (team) references team (name)
);
-- Not `nulls not distinct`: that needs PostgreSQL 15 and 14 is supported. No team is named ''.
create unique index grant_unique on app_grant (user_id, role, coalesce(team, ''));
create index grant_by_team on app_grant (team);
