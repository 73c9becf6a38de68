-- Canaries: what Muster's own records on the partitions of a flow have shown, for every process and after a restart. Written
-- by the process that holds the lease of the pair's survey.

create table canary (
    pair text not null,
    from_side text not null,
    partition_number integer not null,
    -- muster_domain::canary::Track
    body jsonb not null,
    turned_at timestamptz not null,
    primary key (pair, from_side, partition_number),
    constraint canary_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint canary_side_known check (from_side in ('a', 'b'))
);

-- What was seen in a minute. Old ones are removed, so the newest hours are all there is.
create table canary_minute (
    pair text not null,
    from_side text not null,
    partition_number integer not null,
    at timestamptz not null,
    -- All that were seen; milliseconds are kept one by one of the first 600 of a minute.
    seen bigint not null,
    min_ms bigint not null,
    max_ms bigint not null,
    last_ms bigint not null,
    samples_ms bigint[] not null,
    primary key (pair, from_side, partition_number, at),
    constraint canary_minute_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint canary_minute_side_known check (from_side in ('a', 'b')),
    constraint canary_minute_has_some check (seen >= 1 and min_ms <= max_ms)
);
create index canary_minute_by_time on canary_minute (at);
