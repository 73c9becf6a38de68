-- What differed of the parts that a pair's newest survey cannot compare, as it was when that was possible last. On the day a side is dead
-- that is megabytes of a large pair: it is written when it changes, not with every survey, and read by whoever asks for differences.
-- No row where all can be compared, and where nothing is known of the rest. A process of the version before leaves it as it is.

create table differences_compared (
    pair text primary key,
    -- When the survey began it was written with.
    at timestamptz not null,
    body jsonb not null,
    constraint differences_of_pair foreign key (pair) references pair (name) on delete cascade
);
