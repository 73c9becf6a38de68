-- Clusters as people register them, and their secrets, sealed (store::secrets).

create table cluster (
    name text primary key,
    bootstrap text[] not null,
    -- muster_domain::cluster::Security
    security jsonb not null,
    -- muster_domain::cluster::ProbePrincipal
    probe jsonb,
    -- Set once by the first check that succeeds; nothing is ever changed on a cluster whose id is not known.
    expected_cluster_id text,
    region text not null default '',
    version bigint not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    constraint cluster_name_usable check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    constraint cluster_bootstrap_given check (cardinality(bootstrap) >= 1),
    constraint cluster_id_given check (expected_cluster_id <> '')
);
-- One Kafka cluster under two names would make a pair of a cluster with itself, and two runs at once on one cluster.
create unique index cluster_id_unique on cluster (expected_cluster_id);

-- The id may be forgotten (a cluster rebuilt, by an explicit act), but never silently replaced by another.
create function cluster_id_set_once() returns trigger language plpgsql as $$
begin
    raise exception 'the id of cluster % is already known', old.name
        using errcode = 'check_violation', constraint = 'cluster_id_set_once', table = 'cluster';
end
$$;
create trigger cluster_id_set_once
    before update on cluster
    for each row
    when (old.expected_cluster_id <> new.expected_cluster_id)
    execute function cluster_id_set_once();

create table cluster_secret (
    cluster text not null,
    field text not null,
    -- Which key the envelope needs; also inside it, bound to it.
    kek_id text not null,
    sealed bytea not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (cluster, field),
    constraint cluster_secret_of_cluster foreign key (cluster) references cluster (name) on delete cascade,
    constraint cluster_secret_field_known check (field in ('password', 'client_key_pem', 'probe_password'))
);

-- The one key in use: refuses writes of a process that still has the key from before a rotation.
create table secrets_key (
    one boolean primary key default true,
    kek_id text not null,
    since timestamptz not null default clock_timestamp(),
    constraint secrets_key_is_one check (one)
);
