-- Named leases: exactly one process does a thing at a time, and the writes of one that lost it are refused.

create table lease (
    name text primary key,
    -- The process; '' once released.
    owner text not null,
    -- Raised by every claim; rows are never deleted, so it never goes back.
    epoch bigint not null,
    -- By the database's clock.
    until timestamptz not null,
    constraint lease_epoch_counts_from_one check (epoch >= 1)
);
