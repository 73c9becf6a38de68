//! How canaries stand now: what is kept of them, read with the rules of the domain.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    canary::{CanarySettings, Hour, Standing, Track, judge},
    ids::PairName,
    pair::{Mechanism, Pair},
};
use muster_store::{StoreError, canaries};
use sqlx::PgConnection;

/// The canaries of a pair, one for each partition of each flow that is attached; none when it has no canary.
///
/// # Errors
/// When the database refuses.
pub async fn of_pair(
    conn: &mut PgConnection,
    pair: &Pair,
    now: DateTime<Utc>,
) -> Result<Vec<Standing>, StoreError> {
    let mut all = of_pairs(conn, std::slice::from_ref(pair), now).await?;
    Ok(all.remove(&pair.name).unwrap_or_default())
}

/// The canaries of pairs; those without any are left out. Asks as many questions for hundreds as for one.
///
/// # Errors
/// When the database refuses.
pub async fn of_pairs(
    conn: &mut PgConnection,
    pairs: &[Pair],
    now: DateTime<Utc>,
) -> Result<BTreeMap<PairName, Vec<Standing>>, StoreError> {
    let with: Vec<(&Pair, CanarySettings)> =
        pairs.iter().filter_map(|pair| Some((pair, CanarySettings::of(pair)?))).collect();
    if with.is_empty() {
        return Ok(BTreeMap::new());
    }
    let names: Vec<PairName> = with.iter().map(|(pair, _)| pair.name.clone()).collect();
    let tracks = canaries::tracks(conn, &names).await?;
    let hours = canaries::measured(conn, &names, now - TimeDelta::hours(1)).await?;
    let standing = |(pair, settings): (&Pair, CanarySettings)| {
        let kept: Vec<&Track> =
            tracks.iter().filter(|(name, _)| *name == pair.name).map(|(_, track)| track).collect();
        let hours: &[(canaries::Place, Hour)] = hours.get(&pair.name).map_or(&[], Vec::as_slice);
        (pair.name.clone(), stand(pair, &settings, &kept, hours, now))
    };
    Ok(with.into_iter().map(standing).collect())
}

fn stand(
    pair: &Pair,
    settings: &CanarySettings,
    kept: &[&Track],
    hours: &[(canaries::Place, Hour)],
    now: DateTime<Utc>,
) -> Vec<Standing> {
    let attached = pair.flows.iter().filter(|flow| flow.mechanism != Mechanism::Unattached);
    let places = attached.flat_map(|flow| (0..settings.partitions).map(|number| (flow.direction, number)));
    let of = |place: canaries::Place| {
        let track = kept.iter().find(|track| (track.direction, track.partition) == place).copied();
        let hour = hours.iter().find(|(of, _)| *of == place).map(|(_, hour)| *hour);
        judge(pair, settings, place, track, hour, now)
    };
    places.map(of).collect()
}
