-- Idempotency-Key on POST: the same request again gets the same answer, another request with the same key is refused.

create table idempotency_key (
    -- User id; keys of different people never meet.
    actor uuid not null,
    key text not null,
    -- SHA-256 of method, path and body.
    request_hash text not null,
    -- The answer; null only inside the transaction that does the work.
    status smallint,
    location text,
    body jsonb,
    created_at timestamptz not null default clock_timestamp(),
    primary key (actor, key),
    constraint idempotency_key_fits check (length(key) between 1 and 255),
    constraint idempotency_status_known check (status between 100 and 599)
);
create index idempotency_key_by_age on idempotency_key (created_at);
