-- What Muster signs in with at the Connect REST of a flow, sealed as the credentials of clusters are (store::secrets). In a table of
-- its own, so that whoever keeps or rotates secrets locks the key first and then rows that nobody else does. A process of the
-- version before knows nothing of it and asks Connect without signing in, as ever.

create table connect_secret (
    pair text not null,
    -- The side the flow's records come from.
    from_side text not null,
    -- Scheme, host and port it was entered for, bound into the seal: it is sent nowhere else.
    address text not null,
    -- Of basic authentication; null: a bearer token is kept.
    username text,
    kek_id text not null,
    sealed bytea not null,
    entered_at timestamptz not null default clock_timestamp(),
    primary key (pair, from_side),
    constraint connect_secret_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint connect_secret_side_known check (from_side in ('a', 'b'))
);
