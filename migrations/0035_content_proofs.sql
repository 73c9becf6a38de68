-- Content proofs: what was asked for and planned, and the stretches that several processes compare.

alter table proof
    -- muster_domain::proof::content::ContentAsk
    add column content jsonb,
    -- muster_domain::proof::content::ContentPlan, once there is one.
    add column planned jsonb;

-- Gone once the evidence holds what they found.
create table proof_stretch (
    proof uuid not null references proof (id) on delete cascade,
    number integer not null,
    -- muster_domain::proof::content::Stretch
    stretch jsonb not null,
    -- Source offsets in it, and how many of them are compared.
    size bigint not null,
    done bigint not null default 0,
    -- muster_domain::proof::content::Checkpoint: where it goes on.
    checkpoint jsonb,
    -- muster_domain::proof::content::StretchEnd
    outcome jsonb,
    -- The process that compared it.
    ended_by text not null default '',
    constraint proof_stretch_number primary key (proof, number)
);
create index proof_stretch_open on proof_stretch (proof) where outcome is null;
