-- Offset pairs: what was read of a flow's offset-syncs topic. MirrorMaker 2 has that topic compacted, so of a group that is far
-- behind it soon knows nothing, and a process that starts would know less than the one before it. Numbers only.

-- The log that a flow's pairs were read from, and how far.
create table offset_syncs (
    pair text not null,
    from_side text not null,
    -- How often something was kept: who keeps more says after which turn, so of two that read the same one keeps it.
    turn bigint not null,
    cluster text not null,
    topic text not null,
    -- Another id is another log: what was kept of the one before goes.
    topic_id uuid not null,
    -- Next offset to read.
    next_offset bigint not null,
    -- What of it could not be read: how many records, and why the last of them.
    unreadable bigint not null,
    unreadable_last text not null,
    primary key (pair, from_side),
    constraint offset_syncs_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint offset_syncs_side_known check (from_side in ('a', 'b')),
    constraint offset_syncs_counted check (turn > 0 and unreadable >= 0)
);

-- What stretches of it say, in order. Small ones become one; few are left at any time.
create table offset_syncs_part (
    pair text not null,
    from_side text not null,
    from_offset bigint not null,
    until_offset bigint not null,
    pairs integer not null,
    -- muster_domain::offset_pairs::ReadPairs, packed.
    body bytea not null,
    primary key (pair, from_side, from_offset),
    constraint offset_syncs_part_of_log foreign key (pair, from_side)
        references offset_syncs (pair, from_side) on delete cascade,
    constraint offset_syncs_part_ordered check (from_offset < until_offset)
);
-- Packed already; and their size is known without reading them.
alter table offset_syncs_part alter column body set storage external;
