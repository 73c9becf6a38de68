//! How a pair stands, gathered for its page and for the fleet: judgement, history, runs, and whether one of them shows that it can be moved.

mod history;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    alarm::StandingAlarm,
    direction::ActiveSides,
    ids::PairName,
    loss::BriefLoss,
    pair::{Direction, Pair},
    readiness::{CheckResult, CheckStatus},
    reading::Reading,
    record::{Run, RunStep},
    run::RunState,
};
use muster_store::{alarms, losses, plans, readiness::Kept, run_steps, runs, waiting};
use muster_web::{
    fleet::{DrillDuty, Duties, PairFacts, Verification},
    pair::FlowFigures,
    parts::LagPoint,
    readiness::{Check, CheckState},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    http::{Answer, Failure},
    standing::judgement::{self, Judgement, OfPair},
};

/// Why nothing is known of a pair before its first survey.
const NOT_OBSERVED: &str = "the pair has not been observed yet";

/// How one pair stands. Figures are of the flow away from the side that is active, the worst of both where both copy; where the active
/// side cannot be told, or without any survey, they are unknown, never zero and never those of one of two flows.
#[derive(Debug)]
pub struct Standing {
    pair: Pair,
    /// Sides applications are on.
    active: ActiveSides,
    /// The readiness checks of the newest survey, by what of them still stands at its age; empty when there was none.
    checks: Vec<Check>,
    /// Writes of at most so many milliseconds would be lost if the side that is left died now.
    rpo: Reading,
    /// How long the worst partition is behind, in milliseconds.
    lag: Reading,
    /// Of the flow away from each side that is active; where all pairs are shown, of none.
    pub flows: Vec<FlowFigures>,
    /// Lag in time, oldest first: of as many hours as were asked for, of the last one where all pairs are shown.
    history: Vec<LagPoint>,
    /// Whether its newest ended drill shows that the pair, as it is now, can be moved.
    verification: Verification,
    /// The newest passed run: one that moved applications and reached its end.
    passed: Option<Run>,
    /// The newest run that waits for an approval, or for its start.
    waiting: Option<Run>,
    /// The run that holds the pair, with its steps; there is one at most.
    active_run: Option<(Run, Vec<RunStep>)>,
    /// Alarms of silent loss that are open.
    alarms: Vec<StandingAlarm>,
    /// Losses whose last word is not said.
    losses: Vec<BriefLoss>,
    /// What waits for somebody; `None` where it was not asked for, which is on the page of one pair.
    duties: Option<Duties>,
}

impl Standing {
    /// Gathers how one pair stands, with its lag of so many hours and topic by topic.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn read(conn: &mut PgConnection, pair: Pair, hours: i64, now: DateTime<Utc>) -> Answer<Self> {
        let kept = judgement::latest(conn, &pair.name).await?;
        let history = history::read(conn, &pair, kept.as_ref(), hours, now).await?;
        let flows = flow_figures(kept.as_ref(), now);
        let runs = TellingRuns::read(conn, std::slice::from_ref(&pair.name)).await?;
        let alarms = alarms::open_of(conn, std::slice::from_ref(&pair.name)).await?;
        let losses = losses::open_of(conn, std::slice::from_ref(&pair.name)).await?;
        Ok(Self { flows, alarms, losses, ..Self::new(pair, kept, history, &runs, now) })
    }

    /// Gathers how pairs stand, with their lag of the last hour; asks as many questions for hundreds of pairs as for two.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn of_all(app: &App, pairs: Vec<Pair>, now: DateTime<Utc>) -> Answer<Vec<Self>> {
        let names: Vec<PairName> = pairs.iter().map(|pair| pair.name.clone()).collect();
        // Each on a connection of its own, and none waits for another's: together they take as long as the longest.
        let observed = async {
            let conn = &mut app.pool.acquire().await?;
            let kept = judgement::latest_of_all(conn, &names).await?;
            Ok::<_, Failure>((history::hours_of_all(app, conn, &pairs, &kept, now).await?, kept))
        };
        let told = async {
            let conn = &mut app.pool.acquire().await?;
            let (runs, alarms) =
                (TellingRuns::read(conn, &names).await?, alarms::open_of(conn, &names).await?);
            Ok((runs, alarms, losses::open_of(conn, &names).await?))
        };
        let owed = async { duties(&mut *app.pool.acquire().await?, &names, now).await };
        let ((mut histories, mut kept), (runs, alarms, losses), mut duties) =
            tokio::try_join!(observed, told, owed)?;
        let mut alarms_of = by_pair(alarms, |alarm| &alarm.pair);
        let mut losses_of = by_pair(losses, |loss| &loss.pair);
        let standing = |pair: Pair| {
            let alarms = alarms_of.remove(&pair.name).unwrap_or_default();
            let losses = losses_of.remove(&pair.name).unwrap_or_default();
            let history = histories.remove(&pair.name).unwrap_or_default();
            let kept = kept.remove(&pair.name);
            let duties = Some(duties.remove(pair.name.as_str()).unwrap_or_default());
            Self { alarms, losses, duties, ..Self::new(pair, kept, history, &runs, now) }
        };
        Ok(pairs.into_iter().map(standing).collect())
    }

    fn new(
        pair: Pair,
        kept: Option<Kept<Judgement>>,
        history: Vec<LagPoint>,
        runs: &TellingRuns,
        now: DateTime<Utc>,
    ) -> Self {
        let OfPair { rpo, lag, .. } = match &kept {
            Some(kept) => kept.results.of_pair(kept.at),
            None => OfPair::unknown(now, NOT_OBSERVED),
        };
        let of_pair = || runs.of(&pair.name).iter();
        let active_run = of_pair().find(|run| run.state.holds_pair());
        Self {
            active: active_sides(kept.as_ref()),
            checks: kept.map(|kept| shown(kept.results.checks, kept.at)).unwrap_or_default(),
            rpo,
            lag,
            flows: Vec::new(),
            history,
            verification: runs.verification(&pair, now),
            passed: of_pair().find(|run| is_passed(run)).cloned(),
            waiting: of_pair()
                .find(|run| matches!(run.state, RunState::AwaitingApproval | RunState::Approved))
                .cloned(),
            active_run: active_run
                .map(|run| (run.clone(), runs.steps.get(&run.id).cloned().unwrap_or_default())),
            alarms: Vec::new(),
            losses: Vec::new(),
            duties: None,
            pair,
        }
    }

    /// As the pages take it.
    #[must_use]
    pub fn facts(&self) -> PairFacts<'_> {
        PairFacts {
            pair: &self.pair,
            active: self.active,
            checks: &self.checks,
            rpo: self.rpo.clone(),
            lag: self.lag.clone(),
            history: &self.history,
            verification: self.verification.clone(),
            last_proof: self.passed.as_ref(),
            active_run: self.active_run.as_ref().map(|(run, steps)| (run, steps.as_slice())),
            alarms: &self.alarms,
            losses: &self.losses,
            waiting: self.waiting.as_ref(),
            duties: self.duties,
        }
    }
}

fn active_sides(kept: Option<&Kept<Judgement>>) -> ActiveSides {
    kept.map_or(ActiveSides::NotKnown, |kept| kept.results.active_sides())
}

/// Figures of the flow away from each side that is active. Where it cannot be told which is, those of a pair are not known, and topics are
/// told of the flow away from the side that is drawn first.
fn flow_figures(kept: Option<&Kept<Judgement>>, now: DateTime<Utc>) -> Vec<FlowFigures> {
    let active = active_sides(kept);
    let of = |direction: Direction| {
        let found = match (kept, active) {
            (None, _) => OfPair::unknown(now, NOT_OBSERVED),
            (Some(kept), ActiveSides::NotKnown) => kept.results.of_pair(kept.at),
            (Some(kept), ActiveSides::One(_) | ActiveSides::Both) => kept.results.of_flow_away(direction),
        };
        let OfPair { rpo, lag, behind, first_missing, in_open_transactions } = found;
        let of_topics = kept.iter().flat_map(|kept| &kept.results.lag).find(|lag| lag.direction == direction);
        let topics = of_topics.map(judgement::by_topic).unwrap_or_default();
        FlowFigures { direction, rpo, lag, behind, first_missing, in_open_transactions, topics }
    };
    active.sources().into_iter().map(|from| of(Direction { from })).collect()
}

/// What waits for somebody, by pair. Of several schedules what is most pressing counts: what is overdue, and longest, then what is
/// due, then what comes next.
async fn duties(
    conn: &mut PgConnection,
    pairs: &[PairName],
    now: DateTime<Utc>,
) -> Answer<BTreeMap<String, Duties>> {
    let mut found: BTreeMap<String, Duties> = BTreeMap::new();
    for duty in waiting::drill_duties(conn, pairs, now).await? {
        let next = match (duty.overdue_since, duty.due, duty.closes) {
            (Some(since), _, _) => Some(DrillDuty::Overdue { since }),
            (None, Some(due), Some(until)) if due <= now => Some(DrillDuty::Now { until }),
            (None, Some(due), _) => Some(DrillDuty::Ahead { due }),
            (None, None, _) => None,
        };
        let of_pair = found.entry(duty.pair).or_default();
        of_pair.drill = of_pair.drill.into_iter().chain(next).min();
    }
    for (pair, open_findings) in waiting::open_findings_of(conn, pairs).await? {
        found.entry(pair).or_default().open_findings = open_findings;
    }
    Ok(found)
}

/// What is said of many pairs, by pair, in the order it came in.
fn by_pair<T>(said: Vec<T>, of: impl Fn(&T) -> &PairName) -> BTreeMap<PairName, Vec<T>> {
    let mut sorted: BTreeMap<PairName, Vec<T>> = BTreeMap::new();
    for one in said {
        sorted.entry(of(&one).clone()).or_default().push(one);
    }
    sorted
}

/// The runs that say how pairs stand, with the steps of those that hold theirs.
struct TellingRuns {
    /// Of each pair, newest first.
    runs: BTreeMap<PairName, Vec<Run>>,
    steps: BTreeMap<Uuid, Vec<RunStep>>,
    /// Version of the pair each run's plan was made for.
    versions: BTreeMap<Uuid, i64>,
}

impl TellingRuns {
    /// Of many pairs at once; whoever has none has an empty list.
    async fn read(conn: &mut PgConnection, pairs: &[PairName]) -> Answer<Self> {
        let runs = runs::telling(conn, pairs).await?;
        let mut steps = BTreeMap::new();
        for run in runs.iter().filter(|run| run.state.holds_pair()) {
            steps.insert(run.id, run_steps::list(conn, run.id).await?);
        }
        let drills: Vec<Uuid> = runs.iter().filter(|run| is_ended_drill(run)).map(|run| run.plan).collect();
        let versions = plans::pair_versions(conn, &drills).await?;
        Ok(Self { versions, runs: by_pair(runs, |run| &run.pair), steps })
    }

    /// Those of a pair, newest first.
    fn of(&self, pair: &PairName) -> &[Run] {
        self.runs.get(pair).map_or(&[], Vec::as_slice)
    }

    /// Verified only while the newest ended drill passed, on the pair as it is now, within the policy's age.
    fn verification(&self, pair: &Pair, now: DateTime<Utc>) -> Verification {
        let needs = |reason: &str| Verification::NeedsVerification { reason: reason.to_owned() };
        let Some(drill) = self.of(&pair.name).iter().find(|run| is_ended_drill(run)) else {
            return needs("never drilled");
        };
        let at = drill.ended_at.unwrap_or(drill.created_at);
        if drill.state != RunState::Passed {
            return Verification::Failed { at };
        }
        if self.versions.get(&drill.plan) != Some(&pair.version) {
            return needs("settings edited since the last drill");
        }
        if now - at > TimeDelta::days(pair.objectives.verify_within_days) {
            let days = pair.objectives.verify_within_days;
            return needs(&format!("last drill passed more than {days} days ago"));
        }
        Verification::Verified { at }
    }
}

/// Whether a run moved applications and reached its end, which shows that the pair can be moved.
fn is_passed(run: &Run) -> bool {
    !run.operation.only_looks()
        && matches!(run.state, RunState::Succeeded | RunState::SucceededWithExceptions | RunState::Passed)
}

/// Whether a run is a drill of moving applications that was begun and is over, however it ended.
fn is_ended_drill(run: &Run) -> bool {
    run.drill && !run.operation.only_looks() && run.started_at.is_some() && run.state.ended()
}

/// Checks as pages take them.
fn shown(checks: Vec<CheckResult>, at: DateTime<Utc>) -> Vec<Check> {
    let state = |status| match status {
        CheckStatus::Ok => CheckState::Ok,
        CheckStatus::Warning => CheckState::Warning,
        CheckStatus::Critical => CheckState::Critical,
        CheckStatus::Unknown => CheckState::Unknown,
        CheckStatus::NotApplicable => CheckState::NotApplicable,
    };
    checks
        .into_iter()
        .map(|check| Check {
            code: check.code.as_str().to_owned(),
            group: String::new(),
            state: state(check.status),
            reason: check.reason,
            next_step: check.next_step,
            at,
        })
        .collect()
}
