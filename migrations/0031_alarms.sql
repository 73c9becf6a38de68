-- Silent loss: alarms that stand and that stood, and what has to be remembered from one survey to the next to judge them.
-- Both are written in the transaction of the survey, under its lease.

create table alarm (
    id uuid primary key,
    number bigint not null generated always as identity,
    pair text not null,
    team text not null,
    code text not null,
    subject text not null,
    -- muster_domain::alarm::Alarm, as the newest survey that showed it says.
    body jsonb not null,
    opened_survey bigint not null,
    opened_at timestamptz not null,
    last_seen_at timestamptz not null,
    -- Why it could not be looked at again since then.
    not_seen_because text not null default '',
    ended_at timestamptz,
    -- Null: a survey showed that its cause is gone.
    ended_by_name text,
    comment text not null default '',
    constraint alarm_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint alarm_number_unique unique (number),
    constraint alarm_ended_by_whom check (ended_by_name is null or ended_at is not null),
    constraint alarm_code_fits_body check (body ->> 'code' = code and body ->> 'subject' = subject)
);
-- One is open of each code and subject; what comes back after its end is another one.
create unique index alarm_open_once on alarm (pair, code, subject) where ended_at is null;
create index alarm_by_pair on alarm (pair, number desc);
create index alarm_by_team on alarm (team, number desc);

create table alarm_memory (
    pair text primary key,
    survey_number bigint not null,
    -- muster_domain::alarm::Memory
    body jsonb not null,
    constraint alarm_memory_of_pair foreign key (pair) references pair (name) on delete cascade
);
