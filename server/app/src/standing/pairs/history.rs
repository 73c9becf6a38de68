//! Lag of a pair in time: of the flow away from the side that is active, the worse of both where both copy, of none where that cannot be
//! told.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::{Direction, Pair},
};
use muster_store::{lag, readiness::Kept};
use muster_web::parts::LagPoint;
use sqlx::PgConnection;

use crate::{app::App, http::Answer, standing::judgement::Judgement};

/// Points of a chart at most.
const POINTS: i32 = 240;

/// The flows whose lag is the pair's; none where that cannot be told.
fn ways(kept: Option<&Kept<Judgement>>) -> Vec<Direction> {
    kept.and_then(|kept| kept.results.ways().ok()).unwrap_or_default()
}

/// The last hour of many pairs, minute by minute, oldest first. Where both flows of any copy the second ones are asked for, too.
pub(super) async fn hours_of_all(
    app: &App,
    conn: &mut PgConnection,
    pairs: &[Pair],
    kept: &BTreeMap<PairName, Kept<Judgement>>,
    now: DateTime<Utc>,
) -> Answer<BTreeMap<PairName, Vec<LagPoint>>> {
    let mut histories: BTreeMap<PairName, Vec<LagPoint>> = BTreeMap::new();
    let ways: Vec<_> = pairs.iter().map(|pair| (pair, ways(kept.get(&pair.name)))).collect();
    for number in 0..2 {
        let flows: Vec<(&Pair, Direction)> =
            ways.iter().filter_map(|(pair, ways)| Some((*pair, *ways.get(number)?))).collect();
        if flows.is_empty() {
            break;
        }
        for (pair, minutes) in app.lag_hours.read(conn, &flows, now).await? {
            let points = minutes.into_iter().map(|minute| point(minute.at, minute.lag_ms)).collect();
            let worst = match histories.remove(&pair) {
                Some(other) => worst_of_both(other, points),
                None => points,
            };
            histories.insert(pair, worst);
        }
    }
    Ok(histories)
}

/// Lag in time of the pair over so many hours until now, oldest first.
pub(super) async fn read(
    conn: &mut PgConnection,
    pair: &Pair,
    kept: Option<&Kept<Judgement>>,
    hours: i64,
    now: DateTime<Utc>,
) -> Answer<Vec<LagPoint>> {
    let since = now - TimeDelta::hours(hours);
    let mut of_all: Option<Vec<LagPoint>> = None;
    for way in ways(kept) {
        let samples = lag::history(conn, &pair.name, way, since, now, POINTS).await?;
        let points = samples.into_iter().map(|sample| point(sample.at, sample.lag_ms)).collect();
        of_all = Some(match of_all {
            Some(other) => worst_of_both(other, points),
            None => points,
        });
    }
    Ok(of_all.unwrap_or_default())
}

/// Two flows of a pair, stretch by stretch of the same width: the worse of both, and what is not known of one is worst.
fn worst_of_both(one: Vec<LagPoint>, other: Vec<LagPoint>) -> Vec<LagPoint> {
    let of_other: BTreeMap<DateTime<Utc>, Option<i64>> =
        other.iter().map(|point| (point.at, point.worst_ms)).collect();
    let of_one: BTreeMap<DateTime<Utc>, Option<i64>> =
        one.iter().map(|point| (point.at, point.worst_ms)).collect();
    let times: BTreeSet<DateTime<Utc>> = of_one.keys().chain(of_other.keys()).copied().collect();
    let worst = |at: DateTime<Utc>| {
        let both = of_one.get(&at).copied().flatten().zip(of_other.get(&at).copied().flatten());
        point(at, both.map(|(one, other)| one.max(other)))
    };
    times.into_iter().map(worst).collect()
}

fn point(at: DateTime<Utc>, worst_ms: Option<i64>) -> LagPoint {
    LagPoint { at, worst_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_flows_the_worse_is_drawn_and_what_is_not_known_of_one_is_a_gap() {
        let points = |points: &[(i64, Option<i64>)]| -> Vec<LagPoint> {
            let at = |minute| DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
            points.iter().map(|(minute, ms)| point(at(*minute), *ms)).collect()
        };
        let one = points(&[(0, Some(5)), (1, Some(9)), (2, None), (3, Some(1))]);
        let other = points(&[(0, Some(7)), (1, Some(2)), (2, Some(3)), (4, Some(1))]);
        let drawn: Vec<Option<i64>> =
            worst_of_both(one, other).into_iter().map(|point| point.worst_ms).collect();
        assert_eq!(drawn, [Some(7), Some(9), None, None, None]);
    }
}
