-- Runs started without approval, and what somebody else said of that afterwards.

create table break_glass (
    run_id uuid primary key references run (id),
    by uuid not null,
    by_name text not null,
    reason text not null,
    -- Codes of the blockers that were overridden, each named by the person.
    overridden text[] not null,
    at timestamptz not null default clock_timestamp(),
    review_due timestamptz not null,
    reviewed_by uuid,
    reviewed_by_name text,
    reviewed_at timestamptz,
    verdict text,
    comment text not null default '',
    constraint break_glass_reason_given check (reason <> ''),
    constraint break_glass_verdict_known check (verdict in ('justified', 'not_justified')),
    constraint break_glass_reviewed_whole check (
        (reviewed_at is null) = (reviewed_by is null)
        and (reviewed_at is null) = (verdict is null)
        and (reviewed_at is null) = (reviewed_by_name is null)
    ),
    constraint break_glass_reviewed_by_another check (reviewed_by <> by)
);
create index break_glass_unreviewed on break_glass (review_due) where reviewed_at is null;
