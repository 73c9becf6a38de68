-- What changed of a side's ACLs and configs between two states that are kept whole (recorder_fact), so that ten thousand topics are not
-- written again for each that is made. Beside that table and not in it: a process of the version before takes each row there for the
-- whole. What it writes meanwhile is whole, and what is here before that counts no more.

create table recorder_fact_change (
    pair text not null,
    side text not null,
    kind text not null,
    at timestamptz not null,
    -- Null where changes are left out from here until the next whole state: those of the day had taken too much room.
    body jsonb,
    primary key (pair, side, kind, at),
    constraint recorder_fact_change_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint recorder_fact_change_side_known check (side in ('a', 'b')),
    constraint recorder_fact_change_kind_known check (kind in ('acls', 'configs'))
);
create index recorder_fact_change_left_out on recorder_fact_change (pair, at) where body is null;
