//! What a survey means: judged once by the domain's rules when it is taken, kept beside it, read by pages and API.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    alarm::StandingAlarm,
    canary::Standing,
    direction::{ActiveSide, active_side, copying},
    ids::{PairName, TeamName},
    lag::{Clock, FlowLag, PartitionLag, Rpo, judge_flow},
    notification::{Told, news_of_readiness},
    pair::{BySide, Direction, Flow, Pair, Side},
    people::Actor,
    plan::AtStake,
    readiness::{CheckCode, CheckResult, CheckStatus, evaluate, judge_approvers, judge_canary, overall},
    reading::{Reading, ReadingClass},
    survey::Survey,
};
use muster_operations::PairClients;
use muster_store::{
    StoreError, alarms,
    lag::{self, LagSample},
    outbox, pairs,
    readiness::{self, CheckStatus as KeptStatus, Kept},
    runs,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::{app::App, http::Answer, lag_history::LagHistory};

/// How long the number of problems on every page may be old.
const CAUSES_WITHIN: Duration = Duration::from_secs(2);

/// Older surveys are not shown as current. The same as the domain's own check of freshness.
pub const FRESH: TimeDelta = TimeDelta::seconds(60);

/// What a survey means.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Judgement {
    /// The readiness checks.
    pub checks: Vec<CheckResult>,
    /// Those about people, kept apart and joined to the others when read: a process of the version before, which may serve
    /// pages over the same rows during an upgrade, reads `checks` and knows no such code.
    #[serde(default)]
    people: Vec<CheckResult>,
    /// Side applications are on; `None` when it cannot be told.
    pub active: Option<Side>,
    /// Why it cannot be told.
    pub active_unknown: Option<String>,
    /// How far each flow's target is behind.
    pub lag: Vec<FlowLag>,
    /// Whether the flow from a side copies records; unknown where that was not observed. Read by `store::canaries`.
    #[serde(default)]
    copying: Option<BySide<Option<bool>>>,
    /// For how long what it says of a death now stands, in milliseconds: three survey periods and the survey itself. Of a process
    /// of the version before it is not known.
    #[serde(default)]
    rpo_stands_ms: Option<i64>,
}

impl Judgement {
    /// Judges a survey. `approvers` are those who may approve runs of the pair's team now; `history` is what was remembered
    /// before the survey, `canaries` what was measured until now, and
    /// whether this process has just taken the pair over. With it comes the lag of the partitions of each flow, for the flight recorder.
    #[must_use]
    pub fn of(
        clients: &PairClients,
        approvers: &[String],
        survey: &Survey,
        previous: Option<&Survey>,
        history: &LagHistory,
        (canaries, just_taken): (&[Standing], bool),
        clock: Clock,
    ) -> (Self, Vec<Vec<PartitionLag>>) {
        let (pair, clusters) = (&clients.pair, &clients.clusters);
        let (active, active_unknown) = match active_side(pair, survey) {
            ActiveSide::Active(direction) => (Some(direction.from), None),
            ActiveSide::NeitherKnown { reason } | ActiveSide::Contested { reason } => (None, Some(reason)),
        };
        let judge = |flow: &Flow| judge_flow(pair, flow, survey, history.of(flow.direction.from), clock);
        let (lag, partitions) = pair.flows.iter().map(judge).unzip();
        let mut checks = evaluate(pair, clusters, survey, previous, clock.now);
        for check in checks.iter_mut().filter(|check| check.code == CheckCode::Canary) {
            *check = judge_canary(check.clone(), pair, canaries, just_taken);
        }
        let judgement = Self {
            checks,
            people: vec![judge_approvers(pair, approvers)],
            active,
            active_unknown,
            lag,
            copying: Some(copying(pair, survey)),
            rpo_stands_ms: Some((clock.period * 3).num_milliseconds().saturating_add(survey.took_ms)),
        };
        (judgement, partitions)
    }

    fn all(&self) -> impl Iterator<Item = &CheckResult> {
        self.checks.iter().chain(&self.people)
    }

    /// What pages of many pairs need of it: no lag topic by topic, no evidence, and no words about what is well. That is most of
    /// it, and is read for each look at the fleet.
    fn brief(&self) -> Self {
        let brief = |check: &CheckResult| {
            let (reason, next_step) = match check.status {
                CheckStatus::Ok | CheckStatus::NotApplicable => (String::new(), String::new()),
                CheckStatus::Warning | CheckStatus::Critical | CheckStatus::Unknown => {
                    (check.reason.clone(), check.next_step.clone())
                }
            };
            let evidence = serde_json::Value::Null;
            CheckResult { code: check.code, status: check.status, reason, evidence, next_step }
        };
        let checks = |all: &[CheckResult]| all.iter().map(brief).collect();
        let lag = |flow: &FlowLag| FlowLag { topics: BTreeMap::new(), ..flow.clone() };
        Self {
            checks: checks(&self.checks),
            people: checks(&self.people),
            active: self.active,
            active_unknown: self.active_unknown.clone(),
            lag: self.lag.iter().map(lag).collect(),
            copying: self.copying.clone(),
            rpo_stands_ms: self.rpo_stands_ms,
        }
    }

    /// Keeps it, in the transaction that keeps the survey.
    ///
    /// # Errors
    /// When the lease is lost or the database refuses.
    pub async fn keep(&self, conn: &mut PgConnection, survey: &Survey, epoch: i64) -> Result<(), StoreError> {
        let statuses: Vec<KeptStatus<'_>> = self
            .all()
            .map(|check| KeptStatus {
                check: check.code.as_str(),
                status: status_word(check.status),
                reason: &check.reason,
            })
            .collect();
        let of = (survey.number, survey.began_at);
        readiness::keep(conn, &survey.pair, epoch, of, (self, &self.brief()), &statuses).await?;
        self.tell(conn, survey).await?;
        for flow in &self.lag {
            lag::keep(conn, &survey.pair, epoch, flow.direction, &sample(flow, survey.began_at)).await?;
        }
        Ok(())
    }

    /// Writes what the team is told of it. While a run moves the pair its readiness is not news: everybody who asked to be
    /// told follows the run, and what is left of it is told after its end.
    async fn tell(&self, conn: &mut PgConnection, survey: &Survey) -> Result<(), StoreError> {
        let Some(pair) = pairs::get(conn, &survey.pair).await? else { return Ok(()) };
        let told = readiness::told(conn, &pair.name).await?;
        let told =
            told.and_then(|(word, better_since)| Some(Told { status: parse_status(&word)?, better_since }));
        let all: Vec<CheckResult> = self.all().cloned().collect();
        let (now, event) = news_of_readiness(told, &pair.name, &all, survey.began_at);
        if told == Some(now) || (told.is_some() && runs::active_for_pair(conn, &pair.name).await?.is_some()) {
            return Ok(());
        }
        if let Some(event) = event {
            outbox::write(conn, &pair.team, &event).await?;
        }
        readiness::keep_told(conn, &pair.name, status_word(now.status), now.better_since).await
    }

    /// As it is to be read at a later time: what is too old to stand is unknown or stale, whatever it said then.
    #[must_use]
    pub fn aged(mut self, age: TimeDelta) -> Self {
        self.checks.append(&mut self.people);
        self.age_rpo(age);
        if age <= FRESH {
            return self;
        }
        let seconds = age.num_seconds();
        for check in self.checks.iter_mut().filter(|check| check.code == CheckCode::SurveyFresh) {
            check.status = CheckStatus::Unknown;
            check.reason = format!("the last survey is {seconds} s old");
            check.next_step =
                "Look whether a Muster process surveys this pair; figures of an old survey are not \
                               shown as current."
                    .to_owned();
        }
        for lag in &mut self.lag {
            let topics = lag.topics.values_mut().flat_map(|topic| [&mut topic.records, &mut topic.ms]);
            let all =
                [&mut lag.worst_records, &mut lag.total_records, &mut lag.worst_ms].into_iter().chain(topics);
            for reading in all.filter(|reading| reading.value.is_some()) {
                reading.class = ReadingClass::Stale;
                reading.reason = format!("read {seconds} s ago");
            }
        }
        self
    }

    /// What a death would cost is bounded until the next look only: what was written since an older one nobody knows.
    fn age_rpo(&mut self, age: TimeDelta) {
        let stands = self.rpo_stands_ms.map_or(FRESH, TimeDelta::milliseconds).min(FRESH);
        if age <= stands {
            return;
        }
        let why = format!("last looked at {} s ago: what was written since is not known", age.num_seconds());
        for lag in &mut self.lag {
            let topics = lag.topics.values_mut().map(|topic| &mut topic.rpo);
            for rpo in topics.chain([&mut lag.rpo]) {
                *rpo = Rpo::not_known(why.as_str());
            }
        }
    }

    /// Records that exist on the side that is left only.
    #[must_use]
    pub fn behind(&self, direction: Direction) -> Reading {
        self.of_flow(direction, |lag| lag.total_records.clone())
    }

    /// How long the worst partition is behind, in milliseconds.
    #[must_use]
    pub fn lag(&self, direction: Direction) -> Reading {
        self.of_flow(direction, |lag| lag.worst_ms.clone())
    }

    /// Writes of at most so many milliseconds would be lost if the side that is left died now. That is more than its lag: what is
    /// written until somebody looks again would be lost as well.
    #[must_use]
    pub fn rpo(&self, direction: Direction) -> Reading {
        self.of_flow(direction, FlowLag::rpo_in_time)
    }

    /// When the oldest record that was found to be missing was written by its own timestamp; `None` when no such was read.
    #[must_use]
    pub fn first_missing(&self, direction: Direction) -> Option<DateTime<Utc>> {
        let lag = self.lag.iter().find(|lag| lag.direction == direction)?;
        DateTime::from_timestamp_millis(lag.first_missing_timestamp?)
    }

    /// What would be lost if the side that is left died now; `None` when nothing current says anything of it.
    #[must_use]
    pub fn at_stake(&self, direction: Direction, at: DateTime<Utc>) -> Option<AtStake> {
        let lag = self.lag.iter().find(|lag| lag.direction == direction)?;
        let Rpo { records_at_least, records_at_most, ms_at_most, .. } = lag.rpo;
        let known = [records_at_least, records_at_most, ms_at_most].iter().any(Option::is_some);
        let stale = [&lag.total_records, &lag.worst_ms].iter().any(|r| r.class == ReadingClass::Stale);
        (known && !stale).then_some(AtStake { records_at_least, records_at_most, ms_at_most, at })
    }

    fn of_flow(&self, direction: Direction, reading: fn(&FlowLag) -> Reading) -> Reading {
        match self.lag.iter().find(|lag| lag.direction == direction) {
            Some(lag) => reading(lag),
            None => Reading::unknown(DateTime::UNIX_EPOCH, "no flow carries records this way"),
        }
    }
}

fn sample(flow: &FlowLag, at: DateTime<Utc>) -> LagSample {
    let records_class =
        if flow.worst_records.value.is_some() { flow.worst_records.class } else { ReadingClass::Unknown };
    let ms_class = if flow.worst_ms.value.is_some() { flow.worst_ms.class } else { ReadingClass::Unknown };
    LagSample {
        at,
        worst_lag_records: flow.worst_records.value,
        total_lag_records: flow.worst_records.value.and(flow.total_records.value),
        records_class,
        lag_ms: flow.worst_ms.value,
        ms_class,
    }
}

/// The stored word of a status.
#[must_use]
pub fn status_word(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Ok => "ok",
        CheckStatus::Warning => "warning",
        CheckStatus::Critical => "critical",
        CheckStatus::Unknown => "unknown",
        CheckStatus::NotApplicable => "not_applicable",
    }
}

/// From the stored word.
fn parse_status(word: &str) -> Option<CheckStatus> {
    let all = [
        CheckStatus::Ok,
        CheckStatus::Warning,
        CheckStatus::Critical,
        CheckStatus::Unknown,
        CheckStatus::NotApplicable,
    ];
    all.into_iter().find(|status| status_word(*status) == word)
}

/// The newest judgement of a pair.
///
/// # Errors
/// When the database refuses.
pub async fn latest(conn: &mut PgConnection, pair: &PairName) -> Answer<Option<Kept<Judgement>>> {
    Ok(readiness::latest::<Judgement>(conn, pair).await?.map(as_of_now))
}

/// The newest judgement of each of many pairs in brief: of what is well, and topic by topic, nothing is said. Pairs never
/// observed are left out.
///
/// # Errors
/// When the database refuses.
pub async fn latest_of_all(
    conn: &mut PgConnection,
    pairs: &[PairName],
) -> Answer<BTreeMap<PairName, Kept<Judgement>>> {
    let all = readiness::latest_of_all::<Judgement>(conn, pairs).await?;
    Ok(all.into_iter().map(|(pair, kept)| (pair, as_of_now(kept))).collect())
}

fn as_of_now(kept: Kept<Judgement>) -> Kept<Judgement> {
    Kept { results: kept.results.aged(Utc::now() - kept.at), ..kept }
}

/// How a pair stands in one line.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Glance {
    /// The worst status of its checks; `unknown` when it was never observed.
    pub readiness: String,
    /// Cluster applications are on, as observed; null when it cannot be told.
    pub active: Option<String>,
    /// When it was last observed.
    pub observed_at: Option<DateTime<Utc>>,
}

impl Glance {
    /// From the newest judgement of a pair, if it was ever observed.
    #[must_use]
    pub fn of(pair: &Pair, kept: Option<&Kept<Judgement>>) -> Self {
        match kept {
            None => Self { readiness: "unknown".to_owned(), active: None, observed_at: None },
            Some(kept) => Self {
                readiness: worst(&kept.results.checks).to_owned(),
                active: kept.results.active.map(|side| pair.cluster(side).to_string()),
                observed_at: Some(kept.at),
            },
        }
    }
}

/// The worst status; what could not be looked at is worse than a warning, and nothing looked at is unknown.
#[must_use]
pub fn worst(checks: &[CheckResult]) -> &'static str {
    status_word(overall(checks))
}

/// Causes of trouble by team, kept for a moment: every page shows their number.
#[derive(Debug, Default)]
pub struct Causes(tokio::sync::Mutex<Option<(Instant, CausesByTeam)>>);

/// Codes of checks that are not well, each with the team of its pair.
type CausesByTeam = Vec<(TeamName, String)>;

/// How many different causes of trouble there are in the pairs somebody may see.
///
/// # Errors
/// When the database refuses.
pub async fn count_causes(app: &App, conn: &mut PgConnection, actor: &Actor) -> Answer<usize> {
    let mut kept = app.causes.0.lock().await;
    let fresh = kept.take().filter(|(at, _)| at.elapsed() < CAUSES_WITHIN);
    let (at, causes) = match fresh {
        Some(fresh) => fresh,
        None => (Instant::now(), read_causes(conn).await?),
    };
    let seen: BTreeSet<&str> =
        causes.iter().filter(|(team, _)| actor.may_read(team)).map(|(_, code)| code.as_str()).collect();
    let count = seen.len();
    *kept = Some((at, causes));
    Ok(count)
}

async fn read_causes(conn: &mut PgConnection) -> Answer<CausesByTeam> {
    let (now, mut causes, mut names) = (Utc::now(), Vec::new(), Vec::new());
    for bad in readiness::bad_of_all(conn).await? {
        causes.extend(bad.checks.into_iter().map(|check| (bad.team.clone(), check)));
        if now - bad.at > FRESH {
            // As [`Judgement::aged`] says it.
            causes.push((bad.team, CheckCode::SurveyFresh.as_str().to_owned()));
        }
        names.push(bad.pair);
    }
    let open = alarms::open_of(conn, &names).await?.into_iter().filter(StandingAlarm::is_bad);
    causes.extend(open.map(|kept| (kept.team, kept.alarm.code.as_str().to_owned())));
    Ok(causes)
}

/// Lag by source topic, for the pair's page.
#[must_use]
pub fn by_topic(lag: &FlowLag) -> BTreeMap<String, muster_web::pair::TopicLag> {
    lag.topics
        .iter()
        .map(|(topic, of)| {
            let (records, ms, lost) = (of.records.clone(), of.ms.clone(), of.rpo.clone());
            (topic.clone(), muster_web::pair::TopicLag { records, ms, lost })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use muster_domain::lag::TopicLag;

    use super::*;

    #[test]
    fn in_brief_a_judgement_says_what_is_wrong_and_nothing_of_what_is_well() {
        let check = |code, status| CheckResult {
            code,
            status,
            reason: "why".to_owned(),
            evidence: serde_json::json!({"seen": 7}),
            next_step: "what next".to_owned(),
        };
        let all = [
            check(CheckCode::SurveyFresh, CheckStatus::Ok),
            check(CheckCode::FlowScope, CheckStatus::NotApplicable),
            check(CheckCode::FlowMoving, CheckStatus::Warning),
            check(CheckCode::Canary, CheckStatus::Critical),
            check(CheckCode::StandbyFenced, CheckStatus::Unknown),
        ];
        let people = vec![check(CheckCode::Approvers, CheckStatus::Critical)];
        let judgement = Judgement {
            checks: all.to_vec(),
            people,
            active: Some(Side::B),
            active_unknown: None,
            lag: Vec::new(),
            copying: None,
            rpo_stands_ms: None,
        };
        let brief = judgement.brief();
        let said = |check: &CheckResult| {
            (check.code, check.status, check.reason.is_empty(), check.next_step.is_empty())
        };
        let of = |check: &CheckResult, well| (check.code, check.status, well, well);
        let wanted: Vec<_> =
            all.iter().zip([true, true, false, false, false]).map(|(check, well)| of(check, well)).collect();
        assert_eq!(brief.checks.iter().map(said).collect::<Vec<_>>(), wanted);
        assert_eq!(brief.people.iter().map(said).collect::<Vec<_>>(), [of(&judgement.people[0], false)]);
        assert!(brief.all().all(|check| check.evidence.is_null()));
        assert_eq!(worst(&brief.checks), worst(&judgement.checks), "its verdict is the same");
        assert_eq!(brief.active, Some(Side::B));
    }

    #[test]
    fn what_a_death_would_cost_is_not_known_from_an_old_survey() {
        let at = DateTime::UNIX_EPOCH;
        let reading = |value| Reading::new(value, ReadingClass::Exact, at, "");
        let rpo = Rpo {
            records_at_least: Some(0),
            records_at_most: Some(12),
            ms_at_most: Some(5_000),
            reason: String::new(),
        };
        let topic = TopicLag { records: reading(0), ms: reading(0), rpo: rpo.clone() };
        let forward = Direction { from: Side::A };
        let judgement = |rpo_stands_ms| Judgement {
            checks: Vec::new(),
            people: Vec::new(),
            active: Some(Side::A),
            active_unknown: None,
            lag: vec![FlowLag {
                direction: forward,
                worst_records: reading(0),
                total_records: reading(0),
                worst_ms: reading(0),
                worst: None,
                topics: BTreeMap::from([("orders".to_owned(), topic.clone())]),
                in_open_transactions: 0,
                holes: Vec::new(),
                first_missing_timestamp: None,
                rpo: rpo.clone(),
            }],
            copying: None,
            rpo_stands_ms,
        };
        // Nothing is behind, and writes of a period could be lost all the same.
        let now = judgement(Some(15_100)).aged(TimeDelta::seconds(15));
        assert_eq!((now.rpo(forward).value, now.lag(forward).value), (Some(5_000), Some(0)));
        assert_eq!(now.lag[0].rpo, rpo);
        for (stands, seconds) in [(Some(15_100), 16), (None, 61), (Some(3_600_000), 61)] {
            let old = judgement(stands).aged(TimeDelta::seconds(seconds));
            for rpo in [&old.lag[0].rpo, &old.lag[0].topics["orders"].rpo] {
                assert_eq!((rpo.records_at_least, rpo.records_at_most, rpo.ms_at_most), (None, None, None));
                let reason = format!("last looked at {seconds} s ago");
                assert!(rpo.reason.starts_with(&reason), "{rpo:?}");
            }
            let shown = old.rpo(forward);
            assert_eq!((shown.value, shown.reason), (None, old.lag[0].rpo.reason.clone()));
        }
    }
}
