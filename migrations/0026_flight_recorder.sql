-- The flight recorder: every survey's numbers, in compressed columns. What is old goes by dropping whole partitions of a
-- table, so nothing is ever searched for or vacuumed away.

-- One per flow and kind of tracks. A pair that is made anew under a name gets other streams.
create table recorder_stream (
    id bigint primary key generated always as identity,
    pair text not null,
    -- The side records come from: 'a' or 'b'.
    from_side text not null,
    kind text not null,
    constraint recorder_stream_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint recorder_stream_side_known check (from_side in ('a', 'b')),
    constraint recorder_stream_kind_known check (kind in ('partitions', 'groups')),
    constraint recorder_stream_is_one unique (pair, from_side, kind)
);

-- What the tracks of a stream are. Numbers are dense from 0 in the order tracks were first seen.
create table recorder_track (
    stream bigint not null,
    number integer not null,
    -- Empty when the track is no group's.
    group_id text not null,
    topic text not null,
    -- All zero when the cluster has no topic ids.
    topic_id uuid not null,
    partition integer not null,
    seen_at timestamptz not null,
    primary key (stream, number),
    constraint recorder_track_of_stream foreign key (stream) references recorder_stream (id) on delete cascade,
    constraint recorder_track_is_one unique (stream, topic, group_id, topic_id, partition)
);

-- What is not sealed yet: one row per survey and chunk of tracks. A few minutes' worth, deleted by the transaction that
-- seals it, so that a sample is in one place at any time, whoever dies.
create table recorder_open (
    stream bigint not null,
    chunk integer not null,
    at timestamptz not null,
    -- Whether it stands alone; the others say how they differ from the one before.
    starts boolean not null,
    body bytea not null,
    primary key (stream, chunk, at),
    constraint recorder_open_of_stream foreign key (stream) references recorder_stream (id) on delete cascade
);
-- Compressed already.
alter table recorder_open alter column body set storage external;

create table recorder_block (
    stream bigint not null,
    chunk integer not null,
    from_at timestamptz not null,
    -- Of the last sample in it.
    to_at timestamptz not null,
    samples integer not null,
    body bytea not null,
    primary key (stream, chunk, from_at)
) partition by range (from_at);
alter table recorder_block alter column body set storage external;

-- One roll-up per hour and chunk.
create table recorder_hour (
    stream bigint not null,
    chunk integer not null,
    at timestamptz not null,
    body bytea not null,
    primary key (stream, chunk, at)
) partition by range (at);
alter table recorder_hour alter column body set storage external;

-- Blocks of incidents, for good: copied here before their partition is dropped.
create table recorder_frozen (
    stream bigint not null,
    chunk integer not null,
    from_at timestamptz not null,
    to_at timestamptz not null,
    samples integer not null,
    body bytea not null,
    primary key (stream, chunk, from_at),
    constraint recorder_frozen_of_stream foreign key (stream) references recorder_stream (id) on delete cascade
);
alter table recorder_frozen alter column body set storage external;

-- What changes seldom: a side's ACLs and configs, kept when they differ from what was kept last.
create table recorder_fact (
    pair text not null,
    side text not null,
    kind text not null,
    at timestamptz not null,
    hash text not null,
    body jsonb not null,
    primary key (pair, side, kind, at),
    constraint recorder_fact_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint recorder_fact_side_known check (side in ('a', 'b')),
    constraint recorder_fact_kind_known check (kind in ('acls', 'configs'))
);

-- Makes the partition of a table that holds a time, if there is none. Its name says its bounds in seconds since 1970.
-- Made beside the table and attached, so that readers and writers of the others go on.
create function recorder_cover(parent text, moment timestamptz, width bigint) returns void language plpgsql as $$
declare
    start bigint := floor(extract(epoch from moment) / width)::bigint * width;
    name text := format('%s_%s_%s', parent, start, start + width);
begin
    if to_regclass(name) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtext('recorder_cover'));
    if to_regclass(name) is not null then
        return;
    end if;
    execute format('create table %I (like %I including all)', name, parent);
    execute format(
        'alter table %I attach partition %I for values from (%L) to (%L)',
        parent, name, to_timestamp(start), to_timestamp(start + width)
    );
end
$$;

-- Drops the partitions that end at a time or before, oldest first; says how many.
create function recorder_drop(parent text, moment timestamptz) returns bigint language plpgsql as $$
declare
    name text;
    dropped bigint := 0;
begin
    for name in
        select c.relname
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        where i.inhparent = parent::regclass
            and to_timestamp(substring(c.relname from '_([0-9]+)$')::bigint) <= moment
        order by 1
    loop
        execute format('drop table %I', name);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;
