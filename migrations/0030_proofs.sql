-- Proofs: what comparing the records of both sides shows, asked for by people, carried out by whichever process takes it.

create table proof (
    id uuid primary key,
    number bigint not null generated always as identity,
    -- A pair may go; what was proven of it stays.
    pair text not null,
    team text not null,
    kind text not null,
    from_cluster text not null,
    to_cluster text not null,
    asked_by uuid not null,
    asked_by_name text not null,
    asked_at timestamptz not null default clock_timestamp(),
    state text not null default 'waiting',
    reason text not null default '',
    done bigint not null default 0,
    of_all bigint not null default 0,
    -- The process that has it: raised at every taking, carried by every write.
    epoch bigint not null default 0,
    lease_until timestamptz,
    ended_at timestamptz,
    sentence text not null default '',
    -- muster_domain::proof::ProofEvidence, once it is done.
    evidence jsonb,
    constraint proof_number_unique unique (number),
    constraint proof_kind_known check (kind in ('translation', 'content')),
    constraint proof_state_known check (state in ('waiting', 'running', 'done', 'failed', 'cancelled')),
    constraint proof_ended check ((ended_at is not null) = (state in ('done', 'failed', 'cancelled'))),
    constraint proof_done_is_kept check ((evidence is not null) = (state = 'done'))
);
create index proof_by_pair on proof (pair, number desc);
create index proof_open on proof (asked_at) where ended_at is null;
-- One of a kind at a time for each pair: they would read the same records.
create unique index proof_one_at_a_time on proof (pair, kind) where ended_at is null;
