//! What the flight recorder kept of a pair beside lag, as people look at it: a group hour by hour, and what changed. Read from what is
//! stored; nothing here waits for Kafka.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::{Direction, Pair, Side},
    recorder::{FactChange, FactsLeftOut, GroupHour, GroupThen, RecreatedTopic, group_hours, join_recreated},
};
use muster_store::recorder::{self, FactFilter, FactPlace};
use sqlx::PgConnection;

use crate::http::Answer;

/// Changes on one page: each is told from two facts, and those of a large pair are long.
pub const CHANGES: usize = 10;
/// Changes that are looked through for a name at once.
const LOOKED_THROUGH: usize = 50;
/// Hours shown before a time; of the first only where the group stood at its end is used.
const HOURS: TimeDelta = TimeDelta::hours(25);
/// Times that are listed of which changes were left out.
const LEFT_OUT: i64 = 20;
/// Topics that are listed as recreated.
const RECREATED: i64 = 100;

/// Where a group of a flow's source stood at a time, and what it did in the day before, hour by hour.
///
/// # Errors
/// When the database refuses or bytes do not read back.
pub async fn of_group(
    conn: &mut PgConnection,
    of: (&PairName, Direction),
    group: &str,
    at: DateTime<Utc>,
) -> Answer<(Option<GroupThen>, Vec<GroupHour>)> {
    let then = recorder::group_then(conn, of, group, at).await?;
    let kept = recorder::group_hours(conn, of, group, (at - HOURS, at)).await?;
    let day = at - HOURS + TimeDelta::hours(1);
    let hours = group_hours(&kept).into_iter().filter(|hour| hour.at > day).collect();
    Ok((then, hours))
}

/// Changes that were found.
#[derive(Debug, Default)]
pub struct Changes {
    /// Newest first.
    pub found: Vec<FactChange>,
    /// The place to read on behind, when there may be more.
    pub next: Option<FactPlace>,
    /// Until when changes were looked through, when that was not all of them.
    pub looked_until: Option<DateTime<Utc>>,
    /// Of which times changes were left out that reach into the time asked about, whatever their names: the newest 20.
    pub left_out: Vec<FactsLeftOut>,
}

/// What changed of ACLs and configs behind a place, about names with this text in them: a page of it. Where few are about the name only
/// so many are looked through, and the next page goes on behind these.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn changes(
    conn: &mut PgConnection,
    pair: &PairName,
    wanted: FactFilter,
    name: &str,
    behind: Option<FactPlace>,
) -> Answer<Changes> {
    let left_out = recorder::facts_left_out(conn, pair, wanted, LEFT_OUT).await?;
    let mut changes = Changes { left_out, ..Changes::default() };
    // All at once: each is told from the one before it, from the last whole state on. One more says whether there are more.
    let most = if name.is_empty() { CHANGES } else { LOOKED_THROUGH };
    let with_next = i64::try_from(most).map_or(i64::MAX, |most| most.saturating_add(1));
    let mut read = recorder::facts_changed(conn, pair, wanted, behind, with_next).await?.into_iter();
    let mut last = None;
    for change in read.by_ref().take(most) {
        last = Some(FactPlace::of(&change));
        changes.found.extend(change.about(name));
        if changes.found.len() >= CHANGES {
            break;
        }
    }
    changes.next = last.filter(|_| read.next().is_some());
    changes.looked_until = changes.next.filter(|_| !name.is_empty()).map(|place| place.at);
    Ok(changes)
}

/// Topics that were recreated on a side, or on both, with this text in their names; of each side at most a hundred that tracks tell and as many
/// that surveys told.
///
/// # Errors
/// When the database refuses.
pub async fn recreated(
    conn: &mut PgConnection,
    pair: &Pair,
    side: Option<Side>,
    text: &str,
) -> Answer<Vec<RecreatedTopic>> {
    let (mut by_tracks, mut by_surveys) = (Vec::new(), Vec::new());
    for from in Side::BOTH.into_iter().filter(|from| side.is_none_or(|side| side == *from)) {
        by_tracks.extend(recorder::recreated(conn, &pair.name, Direction { from }, text, RECREATED).await?);
        let of = (&pair.name, from);
        by_surveys.extend(recorder::recreated_by_surveys(conn, of, text, RECREATED).await?);
    }
    Ok(join_recreated(by_tracks, by_surveys))
}
