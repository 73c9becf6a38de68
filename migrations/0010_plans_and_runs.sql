-- Plans, runs, their steps, approvals and events: what is approved is what runs, and everything that happened is kept.

create table plan (
    id uuid primary key,
    pair text not null,
    operation text not null,
    hash text not null,
    created_by uuid not null,
    created_at timestamptz not null,
    -- muster_domain::plan::Plan
    body jsonb not null
);
create index plan_by_pair on plan (pair, created_at desc);

create table run (
    id uuid primary key,
    number bigint not null generated always as identity,
    plan_id uuid not null references plan (id),
    plan_hash text not null,
    pair text not null,
    team text not null,
    operation text not null,
    -- 'a' or 'b': the side applications leave
    from_side text not null,
    course text not null,
    drill boolean not null,
    state text not null,
    state_reason text not null default '',
    requested_by uuid not null,
    requested_by_name text not null,
    reason text not null,
    created_at timestamptz not null default clock_timestamp(),
    decide_by timestamptz not null,
    use_by timestamptz,
    approvals_needed integer not null,
    approved_at timestamptz,
    driver uuid,
    driver_name text,
    started_at timestamptz,
    no_return_at timestamptz,
    ended_at timestamptz,
    -- Fencing: raised by every worker that takes the run over; every later write must carry it.
    epoch bigint not null default 0,
    lease_owner text,
    lease_until timestamptz,
    -- What a person asked of the worker, carried out at the next step boundary: 'pause' or 'abort'.
    wanted text,
    wanted_reason text,
    last_event bigint not null default 0,
    -- muster_domain::record::Outcome
    outcome jsonb,
    constraint run_number_unique unique (number),
    constraint run_side_known check (from_side in ('a', 'b')),
    constraint run_wanted_known check (wanted in ('pause', 'abort')),
    constraint run_needs_an_approver check (approvals_needed >= 1),
    constraint run_reason_given check (reason <> '')
);
-- Never two at once on one pair, whatever the code believes.
create unique index run_one_at_a_time_per_pair on run (pair) where state in (
    'running', 'waiting_for_input', 'paused_by_operator', 'paused_by_failure', 'rolling_back', 'stuck', 'verifying',
    'cleaning_up', 'cleanup_incomplete'
);
create index run_wanting_a_worker on run (lease_until)
    where state in ('running', 'rolling_back', 'verifying', 'cleaning_up');
create index run_by_pair on run (pair, number desc);
create index run_by_team on run (team, number desc);
create index run_open_requests on run (decide_by) where state in ('blocked', 'awaiting_approval', 'approved');

create table approval (
    run_id uuid not null references run (id),
    person uuid not null,
    person_name text not null,
    vote text not null,
    comment text not null,
    at timestamptz not null default clock_timestamp(),
    plan_hash text not null,
    -- One voice each; a double click is one vote.
    constraint approval_one_voice_each primary key (run_id, person),
    constraint approval_vote_known check (vote in ('approve', 'reject'))
);

create table run_step (
    run_id uuid not null references run (id),
    position integer not null,
    name text not null,
    title text not null,
    phase text not null,
    after text[] not null,
    undoable boolean not null,
    point_of_no_return boolean not null,
    expected_ms bigint,
    state text not null default 'not_started',
    attempt integer not null default 0,
    started_at timestamptz,
    ended_at timestamptz,
    -- When a retryable failure is tried again.
    retry_at timestamptz,
    sentence text not null default '',
    evidence jsonb not null default 'null',
    -- What later steps need of it.
    output jsonb,
    -- What undo needs, captured and committed before the effect.
    captured jsonb,
    question jsonb,
    -- Who answered the question; the step acts once this is set.
    confirmed_by text,
    primary key (run_id, name)
);
create index run_step_in_order on run_step (run_id, position);

create table run_event (
    run_id uuid not null references run (id),
    number bigint not null,
    at timestamptz not null default clock_timestamp(),
    -- Epoch of the worker that wrote it; 0 for people's decisions.
    epoch bigint not null,
    step text,
    kind text not null,
    message text not null,
    detail jsonb not null default 'null',
    primary key (run_id, number)
);
