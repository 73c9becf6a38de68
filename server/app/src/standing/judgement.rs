//! What a survey means: judged once by the domain's rules when it is taken, kept beside it, read by pages and API.

mod compared;
mod glance;
mod of_pair;
mod read;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    canary::Standing,
    direction::{ActiveSide, ActiveSides, active_side, copying},
    lag::{Clock, FlowLag, PartitionLag, judge_flow},
    notification::{Told, news_of_readiness},
    pair::{BySide, Direction, Flow, Side},
    readiness::{CheckCode, CheckResult, CheckStatus, evaluate, judge_approvers, judge_canary},
    reading::ReadingClass,
    recorder::explorer::FlowLook,
    survey::Survey,
};
use muster_operations::PairClients;
use muster_store::{
    StoreError,
    lag::{self, LagSample},
    outbox, pairs,
    readiness::{self, CheckStatus as KeptStatus},
    rpo_hours, runs,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

pub use self::{
    compared::{Remembered, last_compared},
    glance::{Causes, Glance, count_causes, worst},
    of_pair::OfPair,
    read::{by_topic, latest, latest_of_all},
};
pub use muster_domain::survey::FRESH;

use crate::standing::lag_history::LagHistory;

/// What a survey means.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Judgement {
    /// The readiness checks.
    pub checks: Vec<CheckResult>,
    /// Those about people, kept apart and joined to the others when read: a process of the version before, which may serve
    /// pages over the same rows during an upgrade, reads `checks` and knows no such code.
    #[serde(default)]
    people: Vec<CheckResult>,
    /// Side applications are on; `None` when it cannot be told, and when they are on both.
    active: Option<Side>,
    /// Whether both sides are active. A process of the version before says nothing of it, and that both are in `active_unknown`.
    #[serde(default)]
    both: bool,
    /// Why it cannot be told.
    pub active_unknown: Option<String>,
    /// How far each flow's target is behind.
    pub lag: Vec<FlowLag>,
    /// Whether the flow from a side copies records; unknown where that was not observed. Read by `store::canaries`.
    #[serde(default)]
    copying: Option<BySide<Option<bool>>>,
    /// For how long from the survey's beginning what it says of now stands, in milliseconds: three survey periods, and as long as it took
    /// until it was judged. Of a process of the version before it is not known.
    #[serde(default)]
    rpo_stands_ms: Option<i64>,
    /// What it says of the hour of each flow, which is kept for longer than it; empty when read.
    #[serde(skip)]
    looks: Vec<(Direction, FlowLook)>,
}

impl Judgement {
    /// Judges a survey. `approvers` are those who may approve runs of the pair's team now; `previous` is the survey before, if there
    /// was one; `history` is what was remembered before the survey; `canaries` what was measured until now, and `just_taken` whether
    /// this process has just taken the pair over. With it comes, in the order of the pair's flows, the lag of the partitions of each,
    /// for the flight recorder.
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
        let (active, both, active_unknown) = match active_side(pair, survey) {
            ActiveSide::Active(direction) => (Some(direction.from), false, None),
            ActiveSide::Both { .. } => (None, true, None),
            ActiveSide::NeitherKnown { reason } | ActiveSide::Contested { reason } => {
                (None, false, Some(reason))
            }
        };
        let judge = |flow: &Flow| judge_flow(pair, flow, survey, history.past(flow.direction.from), clock);
        let (lag, partitions): (Vec<FlowLag>, Vec<Vec<PartitionLag>>) = pair.flows.iter().map(judge).unzip();
        let look = |(flow, partitions): (&FlowLag, &Vec<PartitionLag>)| {
            (flow.direction, FlowLook::of(flow, partitions, survey.began_at))
        };
        let looks = lag.iter().zip(&partitions).map(look).collect();
        let mut checks = evaluate(pair, clusters, survey, previous, clock.now);
        for check in checks.iter_mut().filter(|check| check.code == CheckCode::Canary) {
            *check = judge_canary(check.clone(), pair, canaries, just_taken);
        }
        let judgement = Self {
            checks,
            people: vec![judge_approvers(pair, approvers)],
            active,
            both,
            active_unknown,
            lag,
            copying: Some(copying(pair, survey)),
            rpo_stands_ms: Some(stands_ms(clock, survey.began_at, survey.took_ms)),
            looks,
        };
        (judgement, partitions)
    }

    /// Which sides applications are on.
    #[must_use]
    pub fn active_sides(&self) -> ActiveSides {
        match self.active {
            Some(side) => ActiveSides::One(side),
            None if self.both => ActiveSides::Both,
            None => ActiveSides::NotKnown,
        }
    }

    /// Every check, those about people at the end.
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
            both: self.both,
            active_unknown: self.active_unknown.clone(),
            lag: self.lag.iter().map(lag).collect(),
            copying: self.copying.clone(),
            rpo_stands_ms: self.rpo_stands_ms,
            looks: Vec::new(),
        }
    }

    /// Keeps it, in the transaction that has kept the survey.
    ///
    /// # Errors
    /// When the lease is lost or the database refuses.
    pub async fn keep(&self, conn: &mut PgConnection, survey: &Survey, epoch: i64) -> Result<(), StoreError> {
        let statuses: Vec<KeptStatus<'_>> = self
            .all()
            .map(|check| KeptStatus {
                check: check.code.as_str(),
                status: check.status.as_str(),
                reason: &check.reason,
            })
            .collect();
        let of = (survey.number, survey.began_at);
        readiness::keep(conn, &survey.pair, epoch, of, (self, &self.brief()), &statuses).await?;
        self.tell(conn, survey).await?;
        for flow in &self.lag {
            lag::keep(conn, &survey.pair, epoch, flow.direction, &sample(flow, survey.began_at)).await?;
        }
        rpo_hours::keep(conn, &survey.pair, &self.looks).await
    }

    /// Writes what the team is told of it. While a run moves the pair its readiness is not news: everybody who asked to be
    /// told follows the run, and what is left of it is told after its end.
    async fn tell(&self, conn: &mut PgConnection, survey: &Survey) -> Result<(), StoreError> {
        let Some(pair) = pairs::get(conn, &survey.pair).await? else { return Ok(()) };
        let told = readiness::told(conn, &pair.name).await?;
        let told = told
            .and_then(|(word, better_since)| Some(Told { status: CheckStatus::parse(&word)?, better_since }));
        let all: Vec<CheckResult> = self.all().cloned().collect();
        let (now, event) = news_of_readiness(told, survey, &all);
        if told == Some(now) || (told.is_some() && runs::active_for_pair(conn, &pair.name).await?.is_some()) {
            return Ok(());
        }
        if let Some(event) = event {
            outbox::write(conn, &pair.team, &event).await?;
        }
        readiness::keep_told(conn, &pair.name, now.status.as_str(), now.better_since).await
    }
}

/// See [`Judgement::rpo_stands_ms`]. Tails, writers and settings are read after what `took_ms` counts, and where they are slow the next
/// survey is later by as much.
fn stands_ms(clock: Clock, began_at: DateTime<Utc>, took_ms: i64) -> i64 {
    let until_judged = (clock.now - began_at).num_milliseconds();
    // The clock may have been set back meanwhile.
    (clock.period * 3).num_milliseconds().saturating_add(until_judged.max(took_ms))
}

/// A flow's lag as charts keep it; a figure that is not there has the class `unknown`, whatever its reading says.
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn where_what_is_read_after_the_survey_is_slow_what_it_says_stands_for_as_much_longer() {
        let began_at = DateTime::UNIX_EPOCH;
        let of = |after: i64| {
            let clock = Clock { now: began_at + TimeDelta::seconds(after), period: TimeDelta::seconds(5) };
            stands_ms(clock, began_at, 2_000)
        };
        assert_eq!(
            [2, 22, -60].map(of),
            [17_000, 37_000, 17_000],
            "at once, late, and with a clock set back"
        );
    }

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
            both: false,
            active_unknown: None,
            lag: Vec::new(),
            copying: None,
            rpo_stands_ms: None,
            looks: Vec::new(),
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
        assert_eq!(brief.active_sides(), ActiveSides::One(Side::B));
        let both = Judgement { active: None, both: true, ..judgement };
        assert_eq!(both.brief().active_sides(), ActiveSides::Both);
    }
}
