-- Pairs: columns for what is queried or constrained, the rest as the domain writes it.

create table pair (
    name text primary key,
    team text not null,
    cluster_a text not null,
    cluster_b text not null,
    mode text not null,
    -- muster_domain::pair::Pair; its version and updated_at are the columns', whatever it says.
    body jsonb not null,
    version bigint not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    constraint pair_name_usable check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    constraint pair_team_exists foreign key (team) references team (name),
    constraint pair_cluster_a_exists foreign key (cluster_a) references cluster (name),
    constraint pair_cluster_b_exists foreign key (cluster_b) references cluster (name),
    constraint pair_has_two_clusters check (cluster_a <> cluster_b),
    constraint pair_mode_known check (mode in ('active_passive', 'active_active')),
    -- The columns never say something else than the body.
    constraint pair_columns_fit_body check (
        body ->> 'name' = name
        and body ->> 'team' = team
        and body -> 'clusters' ->> 'a' = cluster_a
        and body -> 'clusters' ->> 'b' = cluster_b
        and body ->> 'mode' = mode
    )
);
create index pair_by_team on pair (team);
create index pair_by_cluster_a on pair (cluster_a);
create index pair_by_cluster_b on pair (cluster_b);
