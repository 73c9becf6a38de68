-- Drill schedules and the times they came due. An occurrence is kept whatever becomes of its schedule: that a drill was due
-- and not held is evidence too.

create table schedule (
    id uuid primary key,
    pair text not null,
    -- muster_domain::schedule::Schedule; its version is the column's, whatever it says.
    body jsonb not null,
    version bigint not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    removed_at timestamptz,
    -- The first occurrence that is not recorded yet, and when it is to be; null when there is none.
    next_nominal timestamptz,
    next_at timestamptz,
    constraint schedule_next_is_whole check ((next_nominal is null) = (next_at is null)),
    constraint schedule_columns_fit_body check (body ->> 'pair' = pair and body ->> 'id' = id::text)
);
create index schedule_by_pair on schedule (pair) where removed_at is null;
create index schedule_to_record on schedule (next_at) where removed_at is null and next_at is not null;

create table drill_occurrence (
    schedule_id uuid not null references schedule (id),
    nominal timestamptz not null,
    pair text not null,
    drill text not null,
    due timestamptz not null,
    closes timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    -- The run asked for by it; none while no plan could be made.
    run_id uuid references run (id),
    trouble text not null default '',
    -- Until when nobody tries again to make the plan.
    rest_until timestamptz,
    due_told_at timestamptz,
    overdue_told_at timestamptz,
    -- Exactly once, whatever processes believe.
    constraint drill_occurrence_once primary key (schedule_id, nominal),
    constraint drill_occurrence_in_order check (nominal <= due and due < closes)
);
create index drill_occurrence_by_pair on drill_occurrence (pair, due desc);
create index drill_occurrence_by_due on drill_occurrence (due desc);
create index drill_occurrence_by_run on drill_occurrence (run_id) where run_id is not null;
create index drill_occurrence_to_prepare on drill_occurrence (rest_until) where run_id is null;

-- An approval of a scheduled run holds until its window closes, however early it was given.
alter table run add column use_until timestamptz;
