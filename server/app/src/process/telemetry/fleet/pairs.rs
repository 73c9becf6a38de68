//! Figures of pairs: how old the survey is, what it means, how far the standby is behind.

use chrono::TimeDelta;
use muster_domain::{
    direction::ActiveSides,
    lag::{self, FlowLag},
    pair::Side,
    readiness::{CheckStatus, overall},
    reading::{Reading, ReadingClass},
};
use muster_store::figures::PairFigures;
use prometheus_client::registry::Registry;

use super::{
    super::{Figure, figure, seconds, set, set_known},
    Fleet,
};
use crate::standing::judgement::{FRESH, Judgement};

pub(super) fn register(fleet: &Fleet, registry: &mut Registry) {
    let (survey, readiness, rpo, lag) =
        (Survey::new(registry), Readiness::new(registry), Rpo::new(registry), Lag::new(registry));
    let objectives = Objectives::new(registry);
    for pair in &fleet.pairs {
        let age = pair.kept.as_ref().map(|kept| fleet.now - kept.at);
        let judgement = pair.kept.as_ref().map(|kept| kept.results.clone().aged(kept.at, fleet.now));
        survey.tell(pair, age);
        let fresh = judgement.as_ref().filter(|_| age.is_some_and(|age| age <= FRESH));
        readiness.tell(pair, judgement.as_ref());
        rpo.tell(pair, fresh);
        objectives.tell(pair);
        for flow in judgement.iter().flat_map(|judgement| &judgement.lag) {
            lag.tell(pair, flow);
        }
    }
}

struct Survey {
    age: Figure,
    duration: Figure,
}

impl Survey {
    fn new(registry: &mut Registry) -> Self {
        Self {
            age: figure(
                registry,
                "muster_survey_age_seconds",
                "Age of a pair's newest survey; absent before the first",
            ),
            duration: figure(registry, "muster_survey_duration_seconds", "How long the newest survey took"),
        }
    }

    fn tell(&self, pair: &PairFigures<Judgement>, age: Option<TimeDelta>) {
        let labels = [("pair", pair.pair.as_str())];
        set_known(&self.age, labels, age.map(|age| seconds(age.num_milliseconds())));
        set_known(&self.duration, labels, pair.took_ms.map(seconds));
    }
}

struct Readiness {
    status: Figure,
    checks: Figure,
    trouble: Figure,
}

impl Readiness {
    fn new(registry: &mut Registry) -> Self {
        Self {
            status: figure(
                registry,
                "muster_readiness_status",
                "1 for the worst status of a pair's checks, 0 for the others; unknown when it was never surveyed",
            ),
            checks: figure(registry, "muster_readiness_checks", "Checks of a pair, by status"),
            trouble: figure(
                registry,
                "muster_readiness_check_trouble",
                "Always 1: a check that is a warning, critical or unknown",
            ),
        }
    }

    fn tell(&self, pair: &PairFigures<Judgement>, judgement: Option<&Judgement>) {
        let name = pair.pair.as_str();
        let checks = judgement.map_or(&[][..], |judgement| &judgement.checks);
        let worst = overall(checks);
        for status in CheckStatus::ALL {
            let labels = [("pair", name), ("status", status.as_str())];
            set(&self.status, labels, if status == worst { 1.0 } else { 0.0 });
            if judgement.is_some() {
                set(
                    &self.checks,
                    labels,
                    checks.iter().filter(|check| check.status == status).count() as f64,
                );
            }
        }
        for check in checks {
            match check.status {
                CheckStatus::Ok | CheckStatus::NotApplicable => {}
                CheckStatus::Warning | CheckStatus::Unknown | CheckStatus::Critical => {
                    let status = check.status.as_str();
                    set(
                        &self.trouble,
                        [("pair", name), ("check", check.code.as_str()), ("status", status)],
                        1.0,
                    );
                }
            }
        }
    }
}

/// What would be lost if the active side died now; where both sides are active, the worst of both. Known only while the survey is fresh
/// and it is told which are active.
struct Rpo {
    active: Figure,
    known: Figure,
    at_least: Figure,
    at_most: Figure,
    seconds: Figure,
}

impl Rpo {
    fn new(registry: &mut Registry) -> Self {
        Self {
            active: figure(
                registry,
                "muster_active_side",
                "Always 1: the cluster applications are on, as observed, each of both where both are active; absent when it cannot be told",
            ),
            known: figure(
                registry,
                "muster_rpo_known",
                "Whether it is known what would be lost in time if the active side died now",
            ),
            at_least: figure(
                registry,
                "muster_rpo_at_least_records",
                "At least so many records would be lost",
            ),
            at_most: figure(registry, "muster_rpo_at_most_records", "At most so many records would be lost"),
            seconds: figure(
                registry,
                "muster_rpo_at_most_seconds",
                "Writes of at most the last so many seconds would be lost",
            ),
        }
    }

    fn tell(&self, pair: &PairFigures<Judgement>, fresh: Option<&Judgement>) {
        let labels = [("pair", pair.pair.as_str())];
        let active = fresh.map_or(ActiveSides::NotKnown, Judgement::active_sides);
        for side in Side::BOTH.into_iter().filter(|side| active.includes(*side)) {
            let [pair_label] = labels;
            set(&self.active, [pair_label, ("cluster", pair.clusters.get(side).as_str())], 1.0);
        }
        let worst = |bound: fn(&lag::Rpo) -> Option<i64>| fresh?.worst_bound(bound);
        let known = worst(|rpo| rpo.ms_at_most);
        set(&self.known, labels, if known.is_some() { 1.0 } else { 0.0 });
        set_known(&self.seconds, labels, known.map(seconds));
        set_known(&self.at_least, labels, worst(|rpo| rpo.records_at_least).map(|n| n as f64));
        set_known(&self.at_most, labels, worst(|rpo| rpo.records_at_most).map(|n| n as f64));
    }
}

struct Lag {
    records: Figure,
    seconds: Figure,
    class: Figure,
    open: Figure,
    topic_records: Figure,
    topic_seconds: Figure,
}

impl Lag {
    fn new(registry: &mut Registry) -> Self {
        Self {
            records: figure(
                registry,
                "muster_lag_records",
                "Records of a flow that are not copied; absent when unknown",
            ),
            seconds: figure(
                registry,
                "muster_lag_seconds",
                "Age of what the worst partition of a flow has not copied; absent when unknown",
            ),
            class: figure(
                registry,
                "muster_lag_class",
                "Always 1: how sure the records and the seconds of a flow are; stale and unknown ones have no value",
            ),
            open: figure(
                registry,
                "muster_in_open_transactions_offsets",
                "Offsets on the source of a flow in open transactions, or behind such; absent when unknown",
            ),
            topic_records: figure(
                registry,
                "muster_topic_lag_records",
                "As muster_lag_records, of a source topic",
            ),
            topic_seconds: figure(
                registry,
                "muster_topic_lag_seconds",
                "As muster_lag_seconds, of a source topic",
            ),
        }
    }

    fn tell(&self, pair: &PairFigures<Judgement>, flow: &FlowLag) {
        let name = pair.pair.as_str();
        let from = pair.clusters.get(flow.direction.from).as_str();
        let to = pair.clusters.get(flow.direction.to()).as_str();
        let labels = [("pair", name), ("from", from), ("to", to)];
        set_known(&self.records, labels, standing(&flow.total_records).map(|n| n as f64));
        set_known(&self.seconds, labels, standing(&flow.worst_ms).map(seconds));
        set_known(&self.open, labels, flow.in_open_transactions.map(|n| n as f64));
        for (of, reading) in [("records", &flow.total_records), ("seconds", &flow.worst_ms)] {
            let [pair, from, to] = labels;
            set(&self.class, [pair, from, to, ("of", of), ("class", class_word(reading))], 1.0);
        }
        for (topic, lag) in &flow.topics {
            let [pair, from, to] = labels;
            let labels = [pair, from, to, ("topic", topic)];
            set_known(&self.topic_records, labels, standing(&lag.records).map(|n| n as f64));
            set_known(&self.topic_seconds, labels, standing(&lag.ms).map(seconds));
        }
    }
}

/// The value, while it stands: Prometheus would give a stale one the time of the scrape.
fn standing(reading: &Reading) -> Option<i64> {
    match reading.class {
        ReadingClass::Exact | ReadingClass::Tight | ReadingClass::LowerBound => reading.value,
        ReadingClass::Stale | ReadingClass::Unknown => None,
    }
}

fn class_word(reading: &Reading) -> &'static str {
    reading.value.map_or(ReadingClass::Unknown, |_| reading.class).as_str()
}

struct Objectives {
    rpo: Figure,
    rto: Figure,
    proof: Figure,
}

impl Objectives {
    fn new(registry: &mut Registry) -> Self {
        Self {
            rpo: figure(registry, "muster_objective_rpo_seconds", "Most data that may be lost"),
            rto: figure(
                registry,
                "muster_objective_rto_seconds",
                "Longest time until applications work again",
            ),
            proof: figure(
                registry,
                "muster_objective_proof_seconds",
                "For so long a passed run shows that applications can be moved",
            ),
        }
    }

    fn tell(&self, pair: &PairFigures<Judgement>) {
        let labels = [("pair", pair.pair.as_str())];
        set(&self.rpo, labels, pair.objectives.rpo_seconds as f64);
        set(&self.rto, labels, pair.objectives.rto_seconds as f64);
        set(&self.proof, labels, pair.objectives.verify_within_days as f64 * 86_400.0);
    }
}
