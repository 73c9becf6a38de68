-- Until when the ids of a side's topics were seen, written once when it falls silent. Beside the rows of topics, which say when an id was seen
-- first and, once it is over, last: whoever takes a pair over while a side is silent would take the first time for the last.
create table recorder_silent_side (
    pair text not null,
    -- Which: 'a' or 'b'.
    side text not null,
    -- The last survey that saw the ids of all its topics.
    seen_at timestamptz not null,
    primary key (pair, side),
    constraint recorder_silent_side_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint recorder_silent_side_known check (side in ('a', 'b'))
);

-- Of a loss that turned out to be none the topics are removed after some days, and the statement stays. Those of which nothing was lost are few
-- and bare; whether one still has its topics is in a body of some megabytes, which no index is to unpack while nobody can write.
create index loss_of_nothing on loss (at)
where settled
    and truth ->> 'records' = '0'
    and truth ->> 'exact' = 'true';
