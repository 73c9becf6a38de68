//! How a pair stands, gathered for its page and for the fleet: judgement, history, runs, proof.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    pair::{Direction, Pair, Side},
    readiness::{CheckResult, CheckStatus},
    reading::Reading,
    record::{Run, RunStep},
    run::{Operation, RunState},
};
use muster_store::{
    lag, plans, run_steps,
    runs::{self, RunFilter},
};
use muster_web::{
    fleet::{PairFacts, Verification},
    pair::TopicLag,
    parts::LagPoint,
    readiness::{Check, CheckState},
};
use sqlx::PgConnection;

use crate::{http::Answer, judgement};

/// Runs looked at for proofs and shown on the pair's page.
const RUNS: i64 = 20;
/// Points of a chart.
const POINTS: i32 = 240;

/// See the module.
#[derive(Debug)]
pub struct Standing {
    pair: Pair,
    active: Option<Side>,
    checks: Vec<Check>,
    rpo: Reading,
    /// Records on the active side only.
    pub behind: Reading,
    /// By source topic.
    pub topic_lag: BTreeMap<String, TopicLag>,
    history: Vec<LagPoint>,
    verification: Verification,
    /// Newest first.
    pub runs: Vec<Run>,
    /// Those that move applications, newest first: what only looks proves nothing of a move, however often it is done.
    moves: Vec<Run>,
    active_run: Option<(Run, Vec<RunStep>)>,
}

impl Standing {
    /// Gathers it from what is stored.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn read(conn: &mut PgConnection, pair: Pair, hours: i64, now: DateTime<Utc>) -> Answer<Self> {
        let kept = judgement::latest(conn, &pair.name).await?;
        let active = kept.as_ref().and_then(|kept| kept.results.active);
        let direction = Direction { from: active.unwrap_or(Side::A) };
        let never = || Reading::unknown(now, "the pair has not been observed yet");
        let (rpo, behind) = match &kept {
            Some(kept) => (kept.results.rpo(direction), kept.results.behind(direction)),
            None => (never(), never()),
        };
        let filter = RunFilter { pair: Some(pair.name.to_string()), ..RunFilter::default() };
        let runs = runs::list(conn, &filter, None, RUNS).await?;
        // The only operation that moves applications today.
        let moving = RunFilter { operation: Some(Operation::Switchover.as_str().to_owned()), ..filter };
        let moves = runs::list(conn, &moving, None, RUNS).await?;
        let active_run = match runs.iter().find(|run| run.state.holds_pair()) {
            Some(run) => Some((run.clone(), run_steps::list(conn, run.id).await?)),
            None => None,
        };
        Ok(Self {
            active,
            checks: kept.as_ref().map(|kept| shown(&kept.results.checks, kept.at)).unwrap_or_default(),
            topic_lag: kept
                .iter()
                .flat_map(|kept| &kept.results.lag)
                .find(|lag| lag.direction == direction)
                .map(judgement::by_topic)
                .unwrap_or_default(),
            rpo,
            behind,
            history: history(conn, &pair, direction, hours, now).await?,
            verification: verification(conn, &pair, &moves, now).await?,
            runs,
            moves,
            active_run,
            pair,
        })
    }

    /// As the pages take it.
    #[must_use]
    pub fn facts(&self) -> PairFacts<'_> {
        PairFacts {
            pair: &self.pair,
            active: self.active,
            checks: &self.checks,
            rpo: self.rpo.clone(),
            history: &self.history,
            verification: self.verification.clone(),
            last_proof: self.moves.iter().find(|run| is_proof(run)),
            active_run: self.active_run.as_ref().map(|(run, steps)| (run, steps.as_slice())),
            waiting: self
                .runs
                .iter()
                .find(|run| matches!(run.state, RunState::AwaitingApproval | RunState::Approved)),
        }
    }
}

/// A run that proved that the pair can be moved, and back to where it is watched.
fn is_proof(run: &Run) -> bool {
    matches!(run.state, RunState::Succeeded | RunState::SucceededWithExceptions | RunState::Passed)
}

async fn history(
    conn: &mut PgConnection,
    pair: &Pair,
    direction: Direction,
    hours: i64,
    now: DateTime<Utc>,
) -> Answer<Vec<LagPoint>> {
    let since = now - TimeDelta::hours(hours);
    let samples = lag::history(conn, &pair.name, direction, since, now, POINTS).await?;
    // The store keeps the worst partition only; a median nobody measured is not drawn.
    Ok(samples
        .into_iter()
        .map(|sample| LagPoint { at: sample.at, worst_ms: sample.lag_ms, median_ms: None })
        .collect())
}

/// Verified only while the newest ended drill passed, on the pair as it is now, within the policy's age.
async fn verification(
    conn: &mut PgConnection,
    pair: &Pair,
    runs: &[Run],
    now: DateTime<Utc>,
) -> Answer<Verification> {
    let needs = |reason: &str| Ok(Verification::NeedsVerification { reason: reason.to_owned() });
    let ended = |run: &&Run| run.drill && run.started_at.is_some() && run.state.ended();
    let Some(drill) = runs.iter().find(ended) else { return needs("never drilled") };
    let at = drill.ended_at.unwrap_or(drill.created_at);
    if drill.state != RunState::Passed {
        return Ok(Verification::Failed { at });
    }
    let version = plans::get(conn, drill.plan).await?.map(|plan| plan.content.pair_version);
    if version != Some(pair.version) {
        return needs("settings edited since the last drill");
    }
    if now - at > TimeDelta::days(pair.objectives.verify_within_days) {
        return needs(&format!("proof older than {} days", pair.objectives.verify_within_days));
    }
    Ok(Verification::Verified { at })
}

/// Checks as pages take them.
fn shown(checks: &[CheckResult], at: DateTime<Utc>) -> Vec<Check> {
    let state = |status| match status {
        CheckStatus::Ok => CheckState::Ok,
        CheckStatus::Warning => CheckState::Warning,
        CheckStatus::Critical => CheckState::Critical,
        CheckStatus::Unknown => CheckState::Unknown,
        CheckStatus::NotApplicable => CheckState::NotApplicable,
    };
    checks
        .iter()
        .map(|check| Check {
            code: check.code.as_str().to_owned(),
            group: String::new(),
            state: state(check.status),
            reason: check.reason.clone(),
            next_step: check.next_step.clone(),
            at,
        })
        .collect()
}
