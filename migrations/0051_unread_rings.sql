-- What is in the way of keeping fingerprint rings, while the source lives and something can be done about it: partitions that cannot be
-- read, each with its reason, and looks that fail as a whole. A process of the version before leaves all of it as it is.

alter table ring_look
    -- Since when looks fail although the source answers, and what came back last; null and empty while they do not.
    add column failing_since timestamptz,
    add column failing_because text not null default '',
    -- Partitions that groups stand on beyond those that rings are kept of.
    add column beyond bigint not null default 0;

-- Partitions that could not be read when they were tried last; rings that were kept of them before stay.
create table ring_unread (
    pair text not null,
    from_side text not null,
    topic text not null,
    partition_number integer not null,
    -- The first time and the last.
    since timestamptz not null,
    tried_at timestamptz not null,
    because text not null,
    primary key (pair, from_side, topic, partition_number),
    constraint ring_unread_of_look foreign key (pair, from_side) references ring_look (pair, from_side) on delete cascade
);
create index ring_unread_by_age on ring_unread (pair, from_side, tried_at);
