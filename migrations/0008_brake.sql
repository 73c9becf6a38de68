-- The global stop. One row that is always there: a starter locks it, so that putting the brake on and starting a run
-- cannot pass each other; and a missing row is an error, never "no brake".

create table brake (
    one boolean primary key default true,
    on_since timestamptz,
    put_by uuid,
    put_by_name text,
    reason text,
    constraint brake_is_one check (one),
    constraint brake_says_who_and_why check (
        (on_since is null and put_by is null and put_by_name is null and reason is null)
        or (on_since is not null and put_by is not null and put_by_name is not null and reason <> '')
    )
);
insert into brake default values;

create function brake_stays() returns trigger language plpgsql as $$
begin
    raise exception 'the brake can be released, not deleted'
        using errcode = 'restrict_violation', constraint = 'brake_stays', table = 'brake';
end
$$;
create trigger brake_stays before delete on brake for each row execute function brake_stays();
create trigger brake_is_not_truncated before truncate on brake for each statement execute function brake_stays();
