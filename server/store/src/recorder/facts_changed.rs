//! ACLs and configs as they changed: each fact that was kept, told from the one before it.

use std::collections::{BTreeMap, btree_map::Entry};

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::Side,
    recorder::{FactChange, FactKind, FactStanding, FactsLeftOut, WhatChanged},
};
use sqlx::PgConnection;

use super::facts::{FactOf, rows};
use crate::error::{StoreError, failed};

/// The place of a change among those of a pair, which are newest first: two sides can be seen changed by one survey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactPlace {
    /// The survey that saw it.
    pub at: DateTime<Utc>,
    /// Whose.
    pub side: Side,
    /// Of what.
    pub kind: FactKind,
}

impl FactPlace {
    /// Where a change is.
    #[must_use]
    pub fn of(change: &FactChange) -> Self {
        Self { at: change.at, side: change.side, kind: change.kind }
    }
}

/// Which changes; every `None` matches all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactFilter {
    /// Of one side.
    pub side: Option<Side>,
    /// Of one kind.
    pub kind: Option<FactKind>,
    /// Seen at this time or later.
    pub from: DateTime<Utc>,
    /// Seen until this time.
    pub to: DateTime<Utc>,
}

impl FactFilter {
    /// Sides and kinds that match, named one by one, so that the index leads to each.
    fn words(&self) -> (Vec<String>, Vec<String>) {
        let sides = Side::BOTH.into_iter().filter(|side| self.side.is_none_or(|wanted| wanted == *side));
        let kinds = FactKind::ALL.into_iter().filter(|kind| self.kind.is_none_or(|wanted| wanted == *kind));
        (
            sides.map(|side| side.as_str().to_owned()).collect(),
            kinds.map(|kind| kind.as_str().to_owned()).collect(),
        )
    }
}

/// Changes of ACLs and configs of a pair, each told from the fact before it, newest first; at most so many behind a place.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn facts_changed(
    conn: &mut PgConnection,
    pair: &PairName,
    wanted: FactFilter,
    behind: Option<FactPlace>,
    most: i64,
) -> Result<Vec<FactChange>, StoreError> {
    let places = places(conn, pair, wanted, behind, most).await?;
    let mut told: BTreeMap<(Side, FactKind), BTreeMap<DateTime<Utc>, WhatChanged>> = BTreeMap::new();
    for place in &places {
        let of = (place.side, place.kind);
        if let Entry::Vacant(untold) = told.entry(of) {
            let same = places.iter().filter(|other| (other.side, other.kind) == of);
            let times: Vec<DateTime<Utc>> = same.map(|other| other.at).collect();
            let between = times.iter().min().zip(times.iter().max());
            let (oldest, newest) =
                between.map_or((place.at, place.at), |(oldest, newest)| (*oldest, *newest));
            untold.insert(tell(conn, (pair, of.0, of.1), (oldest, newest)).await?);
        }
    }
    let change = |FactPlace { at, side, kind }: FactPlace| {
        let what = told.get_mut(&(side, kind)).and_then(|of| of.remove(&at));
        // It was forgotten between the two questions.
        what.map(|what| FactChange { side, kind, at, what })
    };
    Ok(places.into_iter().filter_map(change).collect())
}

/// What changed of one kind on one side between two times at which something did, both included.
async fn tell(
    conn: &mut PgConnection,
    of: FactOf<'_>,
    (oldest, newest): (DateTime<Utc>, DateTime<Utc>),
) -> Result<BTreeMap<DateTime<Utc>, WhatChanged>, StoreError> {
    // From the whole state before the oldest on, which is told from that.
    let kept = rows(conn, of, (oldest - TimeDelta::microseconds(1), newest)).await?;
    let (mut standing, mut told) = (FactStanding::Nothing, BTreeMap::new());
    for (at, row) in kept {
        if at < oldest {
            standing = standing.after(of.2, row);
            continue;
        }
        let (after, what) = standing.told(of.2, row);
        standing = after;
        told.insert(at, what);
    }
    Ok(told)
}

/// Where changes are, newest first. Behind a place nothing is looked at that is after it, and of either table no more than is asked for: a year
/// of a pair that changes all the time is long.
async fn places(
    conn: &mut PgConnection,
    pair: &PairName,
    wanted: FactFilter,
    behind: Option<FactPlace>,
    most: i64,
) -> Result<Vec<FactPlace>, StoreError> {
    let (sides, kinds) = wanted.words();
    let to = behind.map_or(wanted.to, |place| place.at.min(wanted.to));
    let rows = sqlx::query!(
        r#"select kept.side as "side!", kept.kind as "kind!", kept.at as "at!"
        from (
            (
                select fact.side, fact.kind, fact.at
                from recorder_fact fact
                where fact.pair = $1
                    and fact.side = any($2)
                    and fact.kind = any($3)
                    and fact.at >= $4
                    and fact.at <= $5
                    and (
                        $6::timestamptz is null
                        or (fact.at, fact.side, fact.kind) < ($6, $7::text, $8::text)
                    )
                order by fact.at desc, fact.side desc, fact.kind desc
                limit $9
            )
            union all
            (
                select change.side, change.kind, change.at
                from recorder_fact_change change
                where change.pair = $1
                    and change.side = any($2)
                    and change.kind = any($3)
                    and change.at >= $4
                    and change.at <= $5
                    and (
                        $6::timestamptz is null
                        or (change.at, change.side, change.kind) < ($6, $7::text, $8::text)
                    )
                order by change.at desc, change.side desc, change.kind desc
                limit $9
            )
        ) kept
        order by kept.at desc, kept.side desc, kept.kind desc
        limit $9"#,
        pair.as_str(),
        &sides,
        &kinds,
        wanted.from,
        to,
        behind.map(|place| place.at),
        behind.map(|place| place.side.as_str()),
        behind.map(|place| place.kind.as_str()),
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list changes of ACLs and configs"))?;
    rows.into_iter()
        .map(|row| {
            let (side, kind) = read_words(pair, (&row.side, &row.kind), row.at)?;
            Ok(FactPlace { at: row.at, side, kind })
        })
        .collect()
}

fn read_words(
    pair: &PairName,
    (side, kind): (&str, &str),
    at: DateTime<Utc>,
) -> Result<(Side, FactKind), StoreError> {
    let strange = |column| StoreError::unreadable("recorder_fact", column, format!("{pair} at {at}"));
    Ok((
        Side::parse(side).ok_or_else(|| strange("side"))?,
        FactKind::parse(kind).ok_or_else(|| strange("kind"))?,
    ))
}

/// Of which times changes were left out that reach into the time of a filter, newest first; at most so many.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn facts_left_out(
    conn: &mut PgConnection,
    pair: &PairName,
    wanted: FactFilter,
    most: i64,
) -> Result<Vec<FactsLeftOut>, StoreError> {
    let (sides, kinds) = wanted.words();
    let rows = sqlx::query!(
        r#"select change.side, change.kind, change.at as since, again.at as "until?"
        from recorder_fact_change change
        left join lateral (
            select min(fact.at) as at
            from recorder_fact fact
            where fact.pair = change.pair
                and fact.side = change.side
                and fact.kind = change.kind
                and fact.at > change.at
        ) again on true
        where change.pair = $1
            and change.body is null
            and change.side = any($2)
            and change.kind = any($3)
            and change.at <= $5
            and (again.at is null or again.at > $4)
        order by change.at desc, change.side desc, change.kind desc
        limit $6"#,
        pair.as_str(),
        &sides,
        &kinds,
        wanted.from,
        wanted.to,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list when changes of ACLs and configs were left out"))?;
    rows.into_iter()
        .map(|row| {
            let (side, kind) = read_words(pair, (&row.side, &row.kind), row.since)?;
            Ok(FactsLeftOut { side, kind, since: row.since, until: row.until })
        })
        .collect()
}
