-- How often something happened lately, for limits that hold across processes. Unlogged: after a crash of the database
-- counting starts again, which is what a limit can afford and a write for each request is spared the log.

create unlogged table happening (
    -- What is counted: `writes by mira.holt`, `refusals from 10.0.0.7`.
    key text primary key,
    count integer not null,
    -- Start of the window that is counted in.
    since timestamptz not null,
    constraint happening_counted check (count >= 1)
);
create index happening_by_time on happening (since);
