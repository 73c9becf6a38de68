//! The last hour of lag of many pairs, minute by minute, for pages that show them all.
//!
//! Minutes that are over do not change, so a process remembers them and asks only for what came since: an hour of two hundred
//! pairs is twelve thousand rows, and most of the time such a page took.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::{Direction, Pair, Side},
};
use muster_store::{
    StoreError,
    lag::{self, LagMinute},
};
use sqlx::PgConnection;

/// Minutes younger than this may still change: a survey is kept a while after it began.
const UNSETTLED: TimeDelta = TimeDelta::minutes(3);

/// See the module.
#[derive(Debug, Default)]
pub struct LagHours(Mutex<BTreeMap<(PairName, Side), Hour>>);

/// What is remembered of one flow.
#[derive(Debug)]
struct Hour {
    /// When the pair was last written: one that was removed and made again has another hour.
    of: DateTime<Utc>,
    /// Oldest first.
    minutes: Vec<LagMinute>,
}

impl LagHours {
    /// The minutes since an hour ago of one flow of each of these pairs, oldest first.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn read(
        &self,
        conn: &mut PgConnection,
        flows: &[(&Pair, Direction)],
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<PairName, Vec<LagMinute>>, StoreError> {
        let hour_ago = now - TimeDelta::hours(1);
        let asked: Vec<(PairName, Direction, DateTime<Utc>)> = {
            let hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let since = |pair: &Pair, flow: Direction| {
                let known =
                    hours.get(&(pair.name.clone(), flow.from)).filter(|hour| hour.of == pair.updated_at);
                let last =
                    known.and_then(|hour| hour.minutes.last()).map_or(hour_ago, |last| last.at - UNSETTLED);
                last.max(hour_ago)
            };
            flows.iter().map(|(pair, flow)| (pair.name.clone(), *flow, since(pair, *flow))).collect()
        };
        let mut came = lag::minutes_of_all(conn, &asked).await?;
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hours.retain(|_, hour| hour.minutes.last().is_some_and(|last| last.at >= hour_ago));
        let mut all = BTreeMap::new();
        for ((pair, flow), (name, _, since)) in flows.iter().zip(asked) {
            let mut minutes = match hours.remove(&(name.clone(), flow.from)) {
                Some(hour) if hour.of == pair.updated_at => hour.minutes,
                Some(_) | None => Vec::new(),
            };
            // Another request may have asked in between: what both were given is taken once.
            minutes.retain(|minute| minute.at >= hour_ago && minute.at < since);
            minutes.extend(came.remove(&name).unwrap_or_default());
            all.insert(name.clone(), minutes.clone());
            hours.insert((name, flow.from), Hour { of: pair.updated_at, minutes });
        }
        Ok(all)
    }
}
