-- As of when a flow's offset pairs are, and which topics of the target they are about: once their source is dead nobody reads on or
-- compares records, and a copy that was made anew would be taken for the one before it.

-- When the log was read to its end last; null where a version before kept them.
alter table offset_syncs
    add column read_at timestamptz;

create table offset_syncs_copy (
    pair text not null,
    from_side text not null,
    -- On the source.
    topic text not null,
    -- Id of the topic on the target that its pairs are of; all zero where copies are under another name than the flow's policy gives.
    copy_id uuid not null,
    primary key (pair, from_side, topic),
    constraint offset_syncs_copy_of_log foreign key (pair, from_side)
        references offset_syncs (pair, from_side) on delete cascade
);
