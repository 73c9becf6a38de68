-- What a death of a flow's source would have cost at the worst moment of each hour, for as long as hours of partitions are kept. It is told
-- from every survey, and those are gone after a day. Hours before this are not told, and neither are those that a process of the
-- version before looked at: it leaves the table as it is.

create table flow_rpo_hour (
    pair text not null,
    -- The side records come from: 'a' or 'b'.
    from_side text not null,
    -- Begin of the hour.
    at timestamptz not null,
    -- From when on the figure holds, up to the last survey: the survey before the first of the hour, or this where there was none.
    since timestamptz not null,
    -- Writes of at most so many milliseconds would have been lost; null when that was unknown at any time.
    ms_at_most bigint,
    -- The last survey of the hour.
    last_at timestamptz not null,
    -- What it would have been at that very moment; null when unknown.
    last_ms bigint,
    primary key (pair, from_side, at),
    constraint rpo_hour_of_pair foreign key (pair) references pair (name) on delete cascade
);
create index flow_rpo_hour_by_time on flow_rpo_hour (at);
