//! Years of history, made of one real pair, plan and run, multiplied by the database itself.

use anyhow::{Context, Result};
use muster_app::acts::findings;
use muster_domain::finding::Severity;
use uuid::Uuid;

use crate::house::{House, refused};

/// What was kept, and one of each to ask for.
pub(super) struct Kept {
    pub(super) pairs: i64,
    pub(super) runs: i64,
    pub(super) steps: i64,
    pub(super) audit: i64,
    pub(super) findings: i64,
    pub(super) schedules: i64,
    pub(super) occurrences: i64,
    pub(super) run: Uuid,
    /// One that waits for its approval, with its plan.
    pub(super) asked: Uuid,
    pub(super) plan: Uuid,
}

/// In order: each builds on the ones before.
const MULTIPLIED: &[&str] = &[
    // 200 pairs.
    "insert into pair (name, team, cluster_a, cluster_b, mode, body)
    select named.name, p.team, p.cluster_a, p.cluster_b, p.mode, jsonb_set(p.body, '{name}', to_jsonb(named.name))
    from pair p, lateral (select 'pair-' || lpad(n::text, 3, '0') as name from generate_series(1, 199) n) as named",
    "insert into survey (pair, number, began_at, took_ms, epoch, body)
    select pair.name, s.number, s.began_at, s.took_ms, s.epoch, jsonb_set(s.body, '{pair}', to_jsonb(pair.name))
    from survey s, pair where pair.name like 'pair-%'",
    "insert into readiness (pair, survey_number, at, results, states, brief, brief_of)
    select pair.name, r.survey_number, r.at, r.results, r.states, r.brief, r.brief_of
    from readiness r, pair where pair.name like 'pair-%'",
    // A day of lag, a reading every five seconds would be 17,280; housekeeping keeps fewer.
    "insert into flow_lag_sample (pair, from_side, at, worst_lag_records, total_lag_records, records_class, lag_ms, ms_class)
    select pair.name, 'a', now() - make_interval(secs => n * 30), n % 90, n % 900, 'tight', n % 4000, 'tight'
    from pair, generate_series(1, 2880) n where pair.name like 'pair-%'",
    "insert into flow_lag_minute (pair, from_side, at, worst_lag_records, total_lag_records, records_class, lag_ms, ms_class)
    select pair, from_side, date_trunc('minute', at), max(worst_lag_records), max(total_lag_records), 'tight', max(lag_ms),
        'tight'
    from flow_lag_sample where pair like 'pair-%' group by pair, from_side, date_trunc('minute', at)",
    // 2,000 plans, 100,000 runs over four years, ten steps each.
    "insert into plan (id, pair, operation, hash, created_by, created_at, body)
    select gen_random_uuid(), 'pair-' || lpad((n % 199 + 1)::text, 3, '0'), p.operation, p.hash, p.created_by,
        now() - make_interval(hours => n * 17), p.body
    from plan p, generate_series(1, 2000) n",
    "insert into run (
        id, plan_id, plan_hash, pair, team, operation, from_side, course, drill, state, requested_by, requested_by_name,
        reason, created_at, decide_by, approvals_needed, approved_at, driver, driver_name, started_at, ended_at, outcome
    )
    select gen_random_uuid(), r.plan_id, r.plan_hash, 'pair-' || lpad((n % 199 + 1)::text, 3, '0'), r.team, r.operation,
        case when n % 2 = 0 then 'a' else 'b' end, r.course, n % 3 = 0,
        (array['succeeded', 'passed', 'rolled_back', 'succeeded', 'failed'])[n % 5 + 1], r.requested_by,
        r.requested_by_name, 'brokers are slow, INC ' || n % 1000, at, at, 1, at, r.requested_by, r.requested_by_name, at,
        at + interval '70 seconds',
        jsonb_build_object(
            'lost_records', 0, 'reprocessed_by_group', '{}'::jsonb, 'skipped_by_group', '{}'::jsonb,
            'write_unavailability_ms', 1800 + n % 900, 'write_fence_ms', 1500,
            'rto_ms_by_phase', jsonb_build_object('fence', 300, 'drain', 900 + n % 4000, 'settle', 9000),
            'resumed_ms_by_group', '{}'::jsonb, 'checks', '[]'::jsonb, 'summary', '0 records lost, every check passed'
        )
    from run r, lateral (
        select n, now() - make_interval(mins => (100000 - n) * 20) as at from generate_series(1, 99999) n
    ) as times",
    "insert into run_step (
        run_id, position, name, title, phase, after, undoable, point_of_no_return, expected_ms, state, attempt, started_at,
        ended_at, sentence, evidence
    )
    select run.id, s.position, s.name, s.title, s.phase, s.after, s.undoable, s.point_of_no_return, s.expected_ms,
        'succeeded', 1, run.started_at, run.ended_at, 'read back and compared', s.evidence
    from run_step s, run where run.started_at is not null and s.position <= 10",
    "insert into finding (id, pair, team, run_id, text, severity, owner, raised_by, raised_by_name, closed_at,
        closed_by_name, resolution)
    select gen_random_uuid(), run.pair, run.team, run.id, 'Clients kept the old address: DNS cached, case ' || run.number,
        (array['low', 'medium', 'high'])[run.number % 3 + 1], 'otto', run.requested_by, 'otto',
        case when run.number % 10 > 0 then now() end, case when run.number % 10 > 0 then 'otto' end,
        case when run.number % 10 > 0 then 'TTL lowered' else '' end
    from run where run.number % 10 = 0 or run.number % 7 = 0",
    // Four years of quarterly drills of each pair, three of four with the run they asked for.
    "insert into schedule (id, pair, body, next_nominal, next_at)
    select md5('schedule of ' || pair.name)::uuid, pair.name, jsonb_build_object(
            'id', md5('schedule of ' || pair.name)::uuid::text, 'pair', pair.name, 'drill', 'switchover',
            'cadence', jsonb_build_object('every', 'quarter', 'month', 2, 'day', 12, 'at', '09:00:00'),
            'zone', 'Europe/Berlin', 'window_minutes', 240, 'blackouts', '[]'::jsonb, 'owners', jsonb_build_array('otto'),
            'lead_days', 7, 'enabled', true, 'version', 1
        ),
        next, next - interval '7 days'
    from pair, lateral (
        select date_trunc('quarter', now()) + interval '3 months' + interval '1 month 11 days 8 hours' as next
    ) as coming",
    "insert into drill_occurrence (
        schedule_id, nominal, pair, drill, due, closes, recorded_at, run_id, due_told_at, overdue_told_at
    )
    select schedule.id, came, schedule.pair, 'switchover', came, came + interval '4 hours', came - interval '7 days',
        case when n % 4 > 0 then (
            select run.id
            from run
            where run.pair = schedule.pair
                and run.drill
                and run.created_at >= came - interval '7 days'
            order by run.number
            limit 1
        ) end,
        came, came + interval '4 hours'
    from schedule, generate_series(1, 16) n, lateral (
        select date_trunc('quarter', now()) - make_interval(months => n * 3) + interval '1 month 11 days 8 hours' as came
    ) as times",
    // What the schedules of all pairs have just asked for waits for its second approver, in every other case for the first: the frame of
    // every page counts these.
    "insert into run (
        id, plan_id, plan_hash, pair, team, operation, from_side, course, drill, state, requested_by, requested_by_name,
        reason, created_at, decide_by, approvals_needed
    )
    select gen_random_uuid(), r.plan_id, r.plan_hash, pair.name, pair.team, r.operation, r.from_side, r.course, true,
        'awaiting_approval', '00000000-0000-0000-0000-000000000000', 'muster', 'scheduled drill', now(),
        now() + interval '7 days', 2
    from pair, (select * from run order by number limit 1) as r where pair.name like 'pair-%'",
    "insert into approval (run_id, person, person_name, vote, comment, plan_hash)
    select id, md5('abel')::uuid, 'abel', 'approve', 'go', plan_hash
    from run where requested_by_name = 'muster' and state = 'awaiting_approval' and number % 2 = 0",
    // A million entries. The chain is not a real one: nothing here verifies it.
    "insert into audit_entry (number, at, actor, action, object, outcome, detail, previous_hash, hash)
    select number, now() - make_interval(mins => (1000000 - n) * 2),
        (array['otto', 'mira', 'abel', 'muster'])[n % 4 + 1],
        (array['run.request', 'run.approve', 'session.open', 'plan.make'])[n / 7 % 4 + 1], 'pair pair-007', 'done', '{}',
        md5(number::text) || md5('p'), md5((number + 1)::text) || md5('p')
    from generate_series(1, 1000000) n, lateral (select n + (select max(number) from audit_entry) as number) as numbered",
    "update audit_head set number = (select max(number) from audit_entry)",
    // What years of housekeeping would have done by now, and not while pages are measured.
    "vacuum analyze",
    "checkpoint",
];

/// Makes it all.
pub(super) async fn keep(house: &House) -> Result<Kept> {
    // Not as Muster connects: its statements may not take half a minute.
    let pool = house.database.pool();
    let (plan, run) = house.request_run().await?;
    let mut tx = muster_store::begin(pool).await?;
    let pair = &house.small.pair;
    let finding = findings::NewFinding {
        pair: pair.name.clone(),
        run: Some(run.id),
        text: "DNS cached".to_owned(),
        severity: Severity::Low,
        owner: String::new(),
        due: None,
        link: String::new(),
    };
    findings::raise(&mut tx, finding, &house.admin).await.map_err(refused)?;
    tx.commit().await?;
    // Making it takes longer than any page may.
    let mut conn = pool.acquire().await?;
    sqlx::query("set statement_timeout = 0").execute(&mut *conn).await?;
    for sql in MULTIPLIED.iter().copied() {
        sqlx::query(sql).execute(&mut *conn).await.with_context(|| format!("in: {sql}"))?;
    }
    let mut count =
        async |sql: &'static str| -> Result<i64> { Ok(sqlx::query_scalar(sql).fetch_one(&mut *conn).await?) };
    Ok(Kept {
        pairs: count("select count(*) from pair").await?,
        runs: count("select count(*) from run").await?,
        steps: count("select count(*) from run_step").await?,
        audit: count("select count(*) from audit_entry").await?,
        findings: count("select count(*) from finding").await?,
        schedules: count("select count(*) from schedule").await?,
        occurrences: count("select count(*) from drill_occurrence").await?,
        run: sqlx::query_scalar(
            "select id from run where pair = 'pair-007' and ended_at is not null order by number desc limit 1",
        )
        .fetch_one(pool)
        .await?,
        asked: run.id,
        plan: plan.id,
    })
}
