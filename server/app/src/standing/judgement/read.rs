//! A judgement as it is to be read later: how old it is decides what of it still stands.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    lag::{FlowLag, Rpo},
    pair::Direction,
    plan::AtStake,
    readiness::{CheckCode, CheckStatus},
    reading::{Reading, ReadingClass},
};
use muster_store::readiness::{self, Kept};
use sqlx::PgConnection;

use super::{FRESH, Judgement};
use crate::http::Answer;

impl Judgement {
    /// As it is to be read now, when its survey began then: what a death would cost grows while nobody looks, and what is too old to stand
    /// is unknown or stale, whatever it said then; checks about people are joined to the others.
    #[must_use]
    pub fn aged(mut self, at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let age = now - at;
        self.checks.append(&mut self.people);
        self.age_rpo(age, now);
        if age > self.stands() {
            self.age_lag(age);
        }
        if age > FRESH {
            self.age_survey(age);
        }
        self
    }

    /// For how long what it says of now stands.
    #[must_use]
    pub fn stands(&self) -> TimeDelta {
        self.rpo_stands_ms.map_or(FRESH, TimeDelta::milliseconds).min(FRESH)
    }

    fn age_survey(&mut self, age: TimeDelta) {
        let seconds = age.num_seconds();
        for check in self.checks.iter_mut().filter(|check| check.code == CheckCode::SurveyFresh) {
            check.status = CheckStatus::Unknown;
            check.reason = format!("the last survey is {seconds} s old");
            check.next_step =
                "Look whether a Muster process surveys this pair; figures of an old survey are not \
                               shown as current."
                    .to_owned();
        }
    }

    /// It was so.
    fn age_lag(&mut self, age: TimeDelta) {
        for lag in &mut self.lag {
            lag.in_open_transactions = None;
            let topics = lag.topics.values_mut().flat_map(|topic| [&mut topic.records, &mut topic.ms]);
            let all =
                [&mut lag.worst_records, &mut lag.total_records, &mut lag.worst_ms].into_iter().chain(topics);
            for reading in all.filter(|reading| reading.value.is_some()) {
                reading.class = ReadingClass::Stale;
                reading.reason = format!("read {} s ago", age.num_seconds());
            }
        }
    }

    /// What a death would cost grows until the next look, and by how much nobody knows any more when that is long overdue. A process of
    /// the version before does not say how it grows: what it said stands for a period.
    fn age_rpo(&mut self, age: TimeDelta, now: DateTime<Utc>) {
        let stands = self.stands();
        let why = format!("last looked at {} s ago: what was written since is not known", age.num_seconds());
        for lag in &mut self.lag {
            let topics = lag.topics.values_mut().map(|topic| &mut topic.rpo);
            for rpo in topics.chain([&mut lag.rpo]) {
                let grows_unknown = rpo.is_bounded() && rpo.unseen.is_none() && age > stands / 3;
                *rpo = if age > stands || grows_unknown {
                    Rpo::not_known(why.as_str())
                } else {
                    std::mem::take(rpo).told_at(now)
                };
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

    /// Offsets on the side that is left that are in open transactions, or behind such; `None` when that is not known.
    #[must_use]
    pub fn in_open_transactions(&self, direction: Direction) -> Option<i64> {
        self.lag.iter().find(|lag| lag.direction == direction)?.in_open_transactions
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

    /// A reading of the flow away from a side; unknown, read at no time, where no flow carries records that way.
    fn of_flow(&self, direction: Direction, reading: fn(&FlowLag) -> Reading) -> Reading {
        match self.lag.iter().find(|lag| lag.direction == direction) {
            Some(lag) => reading(lag),
            None => Reading::unknown(DateTime::UNIX_EPOCH, "no flow carries records this way"),
        }
    }
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

/// With its age counted against it: see [`Judgement::aged`].
fn as_of_now(kept: Kept<Judgement>) -> Kept<Judgement> {
    Kept { results: kept.results.aged(kept.at, Utc::now()), ..kept }
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
    use muster_domain::{
        lag::{Rate, TopicLag, Unseen},
        pair::Side,
    };

    use super::*;

    const FORWARD: Direction = Direction { from: Side::A };

    fn second(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// Nothing is behind, and writes of a period, 20 records a second, could be lost all the same.
    fn judgement(rpo_stands_ms: Option<i64>) -> Judgement {
        let reading = |value| Reading::new(value, ReadingClass::Exact, second(0), "");
        let rate = Rate { records: 100, ms: 5_000 };
        let rpo = Rpo {
            records_at_least: Some(0),
            records_at_most: Some(120),
            ms_at_most: Some(5_000),
            reason: String::new(),
            unseen: Some(Unseen { since: second(0), ms: 5_000, written: Some(rate) }),
        };
        let topic = TopicLag { records: reading(0), ms: reading(0), rpo: rpo.clone() };
        Judgement {
            checks: Vec::new(),
            people: Vec::new(),
            active: Some(Side::A),
            both: false,
            active_unknown: None,
            lag: vec![FlowLag {
                direction: FORWARD,
                worst_records: reading(0),
                total_records: reading(0),
                worst_ms: reading(0),
                worst: None,
                topics: BTreeMap::from([("orders".to_owned(), topic)]),
                in_open_transactions: Some(7),
                holes: Vec::new(),
                first_missing_timestamp: None,
                rpo,
            }],
            copying: None,
            looks: Vec::new(),
            rpo_stands_ms,
        }
    }

    fn after(judgement: Judgement, seconds: i64) -> Judgement {
        judgement.aged(second(0), second(seconds))
    }

    #[test]
    fn what_a_death_would_cost_grows_until_somebody_looks_again() {
        for (seconds, records, ms) in [(0, 120, 5_000), (5, 120, 5_000), (10, 229, 10_000), (15, 335, 15_000)]
        {
            let now = after(judgement(Some(15_100)), seconds);
            for rpo in [&now.lag[0].rpo, &now.lag[0].topics["orders"].rpo] {
                let told = (rpo.records_at_least, rpo.records_at_most, rpo.ms_at_most);
                assert_eq!(told, (Some(0), Some(records), Some(ms)), "after {seconds} s");
                assert_eq!(rpo.unseen, None, "nobody who reads it needs to know");
            }
            assert_eq!((now.rpo(FORWARD).value, now.lag(FORWARD).value), (Some(ms), Some(0)));
            assert_eq!(now.in_open_transactions(FORWARD), Some(7));
            let stake = now.at_stake(FORWARD, second(seconds)).expect("it stands");
            assert_eq!((stake.records_at_most, stake.ms_at_most), (Some(records), Some(ms)));
        }
    }

    #[test]
    fn what_a_version_before_said_of_a_death_stands_for_a_period() {
        let of_before = |seconds| {
            let mut judgement = judgement(Some(15_100));
            judgement.lag[0].rpo.unseen = None;
            after(judgement, seconds).lag[0].rpo.clone()
        };
        assert_eq!((of_before(5).records_at_most, of_before(5).ms_at_most), (Some(120), Some(5_000)));
        let later = of_before(6);
        assert_eq!((later.records_at_least, later.records_at_most, later.ms_at_most), (None, None, None));
        assert!(later.reason.starts_with("last looked at 6 s ago"), "{later:?}");
    }

    #[test]
    fn what_a_death_would_cost_is_not_known_from_an_old_survey_and_lag_is_stale() {
        for (stands, seconds) in [(Some(15_100), 16), (None, 61), (Some(3_600_000), 61)] {
            let old = after(judgement(stands), seconds);
            for rpo in [&old.lag[0].rpo, &old.lag[0].topics["orders"].rpo] {
                assert_eq!((rpo.records_at_least, rpo.records_at_most, rpo.ms_at_most), (None, None, None));
                let reason = format!("last looked at {seconds} s ago");
                assert!(rpo.reason.starts_with(&reason), "{rpo:?}");
            }
            let shown = old.rpo(FORWARD);
            assert_eq!((shown.value, shown.reason), (None, old.lag[0].rpo.reason.clone()));
            for lag in [old.lag(FORWARD), old.behind(FORWARD), old.lag[0].topics["orders"].ms.clone()] {
                assert_eq!((lag.value, lag.class), (Some(0), ReadingClass::Stale), "after {seconds} s");
                assert_eq!(lag.reason, format!("read {seconds} s ago"));
            }
            assert_eq!(old.in_open_transactions(FORWARD), None);
            assert_eq!(old.at_stake(FORWARD, second(seconds)), None);
        }
        let still = after(judgement(None), 60);
        assert_eq!(still.lag(FORWARD).class, ReadingClass::Exact, "nobody said how often it is looked");
    }
}
