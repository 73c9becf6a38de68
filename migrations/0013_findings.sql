-- What came up: raised by a run when it ends, or by people; owned, due, closed. Its text is never changed.

create table finding (
    id uuid primary key,
    number bigint not null generated always as identity,
    pair text not null,
    team text not null,
    run_id uuid references run (id),
    -- What a run raised it about, for example 'check content_equal'; null for what people raised.
    about text,
    text text not null,
    severity text not null,
    owner text not null default '',
    due date,
    link text not null default '',
    raised_by uuid not null,
    raised_by_name text not null,
    raised_at timestamptz not null default clock_timestamp(),
    closed_at timestamptz,
    closed_by_name text,
    resolution text not null default '',
    -- The run that showed it is mended.
    retest uuid references run (id),
    version bigint not null default 1,
    constraint finding_number_unique unique (number),
    -- A run that is concluded twice, by two workers, raises each thing once.
    constraint finding_raised_once unique (run_id, about),
    constraint finding_says_something check (text <> ''),
    constraint finding_severity_known check (severity in ('low', 'medium', 'high')),
    constraint finding_closed_with_resolution check (
        (closed_at is null) = (closed_by_name is null) and (closed_at is null or resolution <> '')
    )
);
create index finding_by_pair on finding (pair, number desc);
create index finding_by_team on finding (team, number desc);
create index finding_open on finding (due) where closed_at is null;
create index finding_by_run on finding (run_id) where run_id is not null;
