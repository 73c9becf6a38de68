-- The audit: append-only, hash-chained (muster_domain::audit).

create table audit_entry (
    number bigint primary key,
    at timestamptz not null,
    actor text not null,
    action text not null,
    object text not null,
    outcome text not null,
    -- json, not jsonb: jsonb rewrites numbers, and the hash covers what was written.
    detail json not null,
    previous_hash text not null,
    hash text not null,
    constraint audit_outcome_known check (outcome in ('done', 'refused')),
    -- Nothing follows the same entry twice: a chain, not a tree.
    constraint audit_previous_unique unique (previous_hash),
    constraint audit_hash_unique unique (hash)
);
create index audit_by_object on audit_entry (object, number desc);
create index audit_by_actor on audit_entry (actor, number desc);
create index audit_by_action on audit_entry (action text_pattern_ops, number desc);
create index audit_by_time on audit_entry (at);

-- Where the chain ends. Its row lock makes writers take turns; it also shows when the newest entries were cut off.
create table audit_head (
    one boolean primary key default true,
    number bigint not null,
    hash text not null,
    constraint audit_head_is_one check (one)
);
insert into audit_head (number, hash)
values (0, '0000000000000000000000000000000000000000000000000000000000000000');

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit is append-only'
        using errcode = 'restrict_violation', constraint = 'audit_is_append_only', table = 'audit_entry';
end
$$;
create trigger audit_is_append_only
    before update or delete on audit_entry
    for each row
    execute function audit_is_append_only();
create trigger audit_is_not_truncated
    before truncate on audit_entry
    for each statement
    execute function audit_is_append_only();
