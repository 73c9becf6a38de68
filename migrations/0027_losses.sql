-- What was lost each time a source died: one row per flow and death, written while it is away and settled after its return.
create table loss (
    pair text not null,
    from_side text not null,
    -- When the source's ends were last read.
    seen_at timestamptz not null,
    noticed_at timestamptz not null,
    -- muster_domain::loss::Loss
    body jsonb not null,
    -- Whether the last word is said.
    settled boolean not null default false,
    -- When it was last written.
    at timestamptz not null default clock_timestamp(),
    primary key (pair, from_side, seen_at),
    constraint loss_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint loss_side_known check (from_side in ('a', 'b'))
);
