-- What was last observed of each pair, what it means, and the history of lag for charts.

create table survey (
    pair text primary key,
    number bigint not null,
    began_at timestamptz not null,
    took_ms bigint not null,
    -- Epoch of the lease it was written under.
    epoch bigint not null,
    -- muster_domain::survey::Survey
    body jsonb not null,
    kept_at timestamptz not null default clock_timestamp(),
    constraint survey_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint survey_number_counts_from_one check (number >= 1)
);

create table readiness (
    pair text primary key,
    survey_number bigint not null,
    at timestamptz not null,
    -- The results as the domain writes them.
    results jsonb not null,
    -- check -> status, to find changes without reading the results.
    states jsonb not null,
    constraint readiness_of_pair foreign key (pair) references pair (name) on delete cascade
);

create table readiness_change (
    id bigint primary key generated always as identity,
    pair text not null,
    check_name text not null,
    -- Null: the check is new, or gone.
    from_status text,
    to_status text,
    reason text not null,
    at timestamptz not null,
    survey_number bigint not null,
    constraint readiness_change_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint readiness_change_is_one check (from_status is distinct from to_status)
);
create index readiness_change_by_pair on readiness_change (pair, id desc);

-- One narrow row per flow and survey. Unknown is null with class `unknown`, never zero.
create table flow_lag_sample (
    pair text not null,
    -- The side records come from: 'a' or 'b'.
    from_side text not null,
    at timestamptz not null,
    -- Records of the worst partition, and of all together.
    worst_lag_records bigint,
    total_lag_records bigint,
    records_class text not null,
    lag_ms bigint,
    ms_class text not null,
    primary key (pair, from_side, at),
    constraint lag_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint lag_side_known check (from_side in ('a', 'b')),
    constraint lag_class_known check (
        records_class in ('exact', 'tight', 'lower_bound', 'stale', 'unknown')
        and ms_class in ('exact', 'tight', 'lower_bound', 'stale', 'unknown')
    ),
    constraint lag_unknown_has_no_value check (
        (worst_lag_records is null) = (records_class = 'unknown')
        and (lag_ms is null) = (ms_class = 'unknown')
        and (total_lag_records is null or worst_lag_records is not null)
    )
);
create index flow_lag_sample_by_time on flow_lag_sample (at);
