-- Pages that show all pairs or clusters at once read one small row of each, not every survey and every sample.

-- What was last seen of each cluster, by whichever pair's survey looked last.
create table cluster_look (
    cluster text primary key,
    at timestamptz not null,
    -- muster_domain::reading::Observed of ClusterDescription, and of the rights of Muster's principal.
    description jsonb not null,
    rights jsonb not null,
    constraint look_of_cluster foreign key (cluster) references cluster (name) on delete cascade
);

-- The worst of each minute of a flow's lag. One sample that could not be read makes the minute unknown.
create table flow_lag_minute (
    pair text not null,
    from_side text not null,
    -- Start of the minute.
    at timestamptz not null,
    worst_lag_records bigint,
    total_lag_records bigint,
    records_class text not null,
    lag_ms bigint,
    ms_class text not null,
    primary key (pair, from_side, at),
    constraint lag_minute_of_pair foreign key (pair) references pair (name) on delete cascade
);
create index flow_lag_minute_by_time on flow_lag_minute (at);

insert into flow_lag_minute
select pair, from_side, date_trunc('minute', at),
    case when bool_and(worst_lag_records is not null) then max(worst_lag_records) end,
    case when bool_and(total_lag_records is not null) then max(total_lag_records) end,
    ('{exact,tight,lower_bound,stale,unknown}'::text[])[
        max(array_position('{exact,tight,lower_bound,stale,unknown}', records_class))
    ],
    case when bool_and(lag_ms is not null) then max(lag_ms) end,
    ('{exact,tight,lower_bound,stale,unknown}'::text[])[
        max(array_position('{exact,tight,lower_bound,stale,unknown}', ms_class))
    ]
from flow_lag_sample
group by pair, from_side, date_trunc('minute', at);
