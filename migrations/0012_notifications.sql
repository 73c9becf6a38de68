-- Where teams are told what happens, and what is still to be told: an outbox, written in the transaction of the change.

create table channel (
    id uuid primary key,
    team text not null,
    name text not null,
    kind text not null,
    -- muster_domain::notification::EventKind
    events text[] not null,
    enabled boolean not null default true,
    recipients text[] not null default '{}',
    -- Of the sealed address; all of it that is ever shown.
    host text not null default '',
    version bigint not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    constraint channel_team_exists foreign key (team) references team (name),
    constraint channel_name_unique unique (team, name),
    constraint channel_name_usable check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    constraint channel_kind_known check (kind in ('email', 'slack', 'teams', 'webhook', 'pagerduty')),
    constraint channel_events_given check (cardinality(events) >= 1),
    constraint channel_recipients_fit_kind check ((kind = 'email') = (cardinality(recipients) >= 1))
);

-- As cluster_secret.
create table channel_secret (
    channel_id uuid not null,
    field text not null,
    kek_id text not null,
    sealed bytea not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (channel_id, field),
    constraint channel_secret_of_channel foreign key (channel_id) references channel (id) on delete cascade,
    constraint channel_secret_field_known check (field in ('url', 'routing_key', 'signing_key'))
);

create table notification (
    id uuid primary key,
    -- Order of events of one subject: whoever writes one holds the run's row, the survey's lease or the occurrence.
    number bigint not null generated always as identity,
    team text not null,
    kind text not null,
    subject text not null,
    -- muster_domain::notification::Event
    body jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint notification_number_unique unique (number),
    constraint notification_kind_fits_body check (body ->> 'kind' = kind)
);
create index notification_by_age on notification (created_at);

create table delivery (
    notification_id uuid not null,
    channel_id uuid not null,
    -- Of the notification, to keep the order without a join.
    number bigint not null,
    subject text not null,
    attempts integer not null default 0,
    -- When it is tried next; while it is tried, when others may think that whoever does so has died. Null once it ended.
    next_at timestamptz default clock_timestamp(),
    last_error text not null default '',
    delivered_at timestamptz,
    gave_up_at timestamptz,
    primary key (notification_id, channel_id),
    constraint delivery_of_notification foreign key (notification_id) references notification (id) on delete cascade,
    constraint delivery_to_channel foreign key (channel_id) references channel (id) on delete cascade,
    constraint delivery_ends_once check (num_nonnulls(next_at, delivered_at, gave_up_at) = 1)
);
create index delivery_to_make on delivery (next_at) where next_at is not null;
create index delivery_in_order on delivery (channel_id, subject, number) where next_at is not null;
create index delivery_by_channel on delivery (channel_id, number desc);

-- What was last told of a pair's readiness, and since when it is better than that (muster_domain::notification::Told).
alter table readiness
    add column told_status text,
    add column better_since timestamptz;

-- Nobody is told today of what came due before anybody could be told.
update drill_occurrence
set due_told_at = clock_timestamp(),
    overdue_told_at = case when closes <= clock_timestamp() then clock_timestamp() end
where due <= clock_timestamp();
create index drill_occurrence_to_tell on drill_occurrence (due) where due_told_at is null or overdue_told_at is null;
