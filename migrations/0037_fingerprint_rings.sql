-- Fingerprint rings: what is kept of a flow's source for the day it is dead. Prints of records, hashes, next to positions and
-- before the end of each partition; never what is in a record. Written by the process that holds the lease of the pair's
-- survey, replaced when it looks again, kept while it cannot.

-- When the source of a flow was looked at last.
create table ring_look (
    pair text not null,
    from_side text not null,
    looked_at timestamptz not null,
    -- The survey whose positions of groups were looked at; the flight recorder has them.
    positions_at timestamptz not null,
    -- Since when it cannot be read, and what came back; null and empty while it can.
    silent_since timestamptz,
    silent_because text not null,
    primary key (pair, from_side),
    constraint ring_look_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint ring_look_side_known check (from_side in ('a', 'b'))
);

create table ring (
    pair text not null,
    from_side text not null,
    topic text not null,
    partition_number integer not null,
    looked_at timestamptz not null,
    -- muster_domain::translation::Rings, packed.
    body bytea not null,
    primary key (pair, from_side, topic, partition_number),
    constraint ring_of_look foreign key (pair, from_side) references ring_look (pair, from_side) on delete cascade
);
create index ring_by_age on ring (pair, from_side, looked_at);
-- Hashes do not compress.
alter table ring alter column body set storage external;
