-- What lists say of a loss, beside its body: of a hundred thousand partitions a body is some megabytes, and a list of losses unpacked
-- each for a few numbers. Made by the database of what is written, by a process of the version before, too.
alter table loss
    add column owner text generated always as (body ->> 'owner') stored,
    add column reason text generated always as (body ->> 'reason') stored,
    -- muster_domain::loss::Interval
    add column total jsonb generated always as (body -> 'total') stored,
    -- muster_domain::loss::Truth; null until it is told.
    add column truth jsonb generated always as (nullif(body -> 'truth', 'null'::jsonb)) stored;
