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
    /// As it is to be read when it is that old: what is too old to stand is unknown or stale, whatever it said then; checks about
    /// people are joined to the others.
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
            lag.in_open_transactions = None;
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
    Kept { results: kept.results.aged(Utc::now() - kept.at), ..kept }
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
    use muster_domain::{lag::TopicLag, pair::Side};

    use super::*;

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
                in_open_transactions: Some(7),
                holes: Vec::new(),
                first_missing_timestamp: None,
                rpo: rpo.clone(),
            }],
            copying: None,
            rpo_stands_ms,
            last_compared: None,
        };
        // Nothing is behind, and writes of a period could be lost all the same.
        let now = judgement(Some(15_100)).aged(TimeDelta::seconds(15));
        assert_eq!((now.rpo(forward).value, now.lag(forward).value), (Some(5_000), Some(0)));
        assert_eq!((&now.lag[0].rpo, now.in_open_transactions(forward)), (&rpo, Some(7)));
        for (stands, seconds) in [(Some(15_100), 16), (None, 61), (Some(3_600_000), 61)] {
            let old = judgement(stands).aged(TimeDelta::seconds(seconds));
            for rpo in [&old.lag[0].rpo, &old.lag[0].topics["orders"].rpo] {
                assert_eq!((rpo.records_at_least, rpo.records_at_most, rpo.ms_at_most), (None, None, None));
                let reason = format!("last looked at {seconds} s ago");
                assert!(rpo.reason.starts_with(&reason), "{rpo:?}");
            }
            let shown = old.rpo(forward);
            assert_eq!((shown.value, shown.reason), (None, old.lag[0].rpo.reason.clone()));
            assert_eq!(old.in_open_transactions(forward), (seconds <= 60).then_some(7));
        }
    }
}
