//! What the latest survey of a pair means, as the domain judged it, and a log of what changed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::ids::{PairName, TeamName};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{PgConnection, types::Json};

use crate::{
    error::{StoreError, failed},
    leases::{self, survey_lease},
};

/// Most changes that one statement removes.
const CHANGES_AT_ONCE: i64 = 5_000;

/// The status of one check, to find what changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckStatus<'a> {
    /// Stable name of the check: `standby_topics_exist`.
    pub check: &'a str,
    /// `ok`, `warning`, `critical`, `unknown` or `not_applicable`.
    pub status: &'a str,
    /// Why, in one sentence.
    pub reason: &'a str,
}

/// The results of the latest survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<T> {
    /// Number of the survey they are about.
    pub survey_number: i64,
    /// When that survey began.
    pub at: DateTime<Utc>,
    /// The results.
    pub results: T,
}

/// A check that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Counts up over all changes.
    pub id: i64,
    /// Stable name of the check.
    pub check: String,
    /// What it was; `None` when the check is new.
    pub from: Option<String>,
    /// What it is; `None` when the check is gone.
    pub to: Option<String>,
    /// Why.
    pub reason: String,
    /// When the survey began that showed it.
    pub at: DateTime<Utc>,
    /// Number of that survey.
    pub survey_number: i64,
}

/// Keeps the results of a survey, in full and in brief as [`latest_of_all`] gives them, and logs what changed since the one
/// before; returns how many changes.
///
/// # Errors
/// `LeaseLost` when another process observes the pair now; otherwise when the database refuses.
pub async fn keep(
    conn: &mut PgConnection,
    pair: &PairName,
    epoch: i64,
    survey: (i64, DateTime<Utc>),
    (results, brief): (&(impl Serialize + Sync), &(impl Serialize + Sync)),
    statuses: &[CheckStatus<'_>],
) -> Result<usize, StoreError> {
    leases::hold(conn, &survey_lease(pair), epoch).await?;
    let before = sqlx::query_scalar!(
        r#"select states as "states: Json<BTreeMap<String, String>>"
        from readiness
        where pair = $1"#,
        pair.as_str()
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(failed("read readiness"))?
    .map(|Json(states)| states)
    .unwrap_or_default();
    let now: BTreeMap<&str, &CheckStatus<'_>> =
        statuses.iter().map(|status| (status.check, status)).collect();
    let mut changes = 0;
    for (check, new) in &now {
        let old = before.get(*check).map(String::as_str);
        if old != Some(new.status) {
            insert_change(conn, pair, survey, check, old, Some(new.status), new.reason).await?;
            changes += 1;
        }
    }
    for (check, old) in before.iter().filter(|(check, _)| !now.contains_key(check.as_str())) {
        insert_change(conn, pair, survey, check, Some(old), None, "the check does not apply any more")
            .await?;
        changes += 1;
    }
    let brief = serde_json::to_string(brief)
        .map_err(|_| StoreError::unreadable("readiness", "brief", pair.to_string()))?;
    let states: BTreeMap<&str, &str> = now.iter().map(|(check, new)| (*check, new.status)).collect();
    sqlx::query!(
        r#"insert into readiness (pair, survey_number, at, results, states, brief, brief_of)
        values ($1, $2, $3, $4, $5, $6, $2)
        on conflict (pair) do update
        set survey_number = excluded.survey_number,
            at = excluded.at,
            results = excluded.results,
            states = excluded.states,
            brief = excluded.brief,
            brief_of = excluded.brief_of"#,
        pair.as_str(),
        survey.0,
        survey.1,
        Json(results) as _,
        Json(states) as _,
        brief
    )
    .execute(conn)
    .await
    .map_err(failed("keep readiness"))?;
    Ok(changes)
}

async fn insert_change(
    conn: &mut PgConnection,
    pair: &PairName,
    (survey_number, at): (i64, DateTime<Utc>),
    check: &str,
    from: Option<&str>,
    to: Option<&str>,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into readiness_change (pair, check_name, from_status, to_status, reason, at, survey_number)
        values ($1, $2, $3, $4, $5, $6, $7)",
        pair.as_str(),
        check,
        from,
        to,
        reason,
        at,
        survey_number
    )
    .execute(conn)
    .await
    .map_err(failed("log change of readiness"))?;
    Ok(())
}

/// The results of the latest survey of a pair.
///
/// # Errors
/// When the database refuses or the results do not read back.
pub async fn latest<T: DeserializeOwned>(
    conn: &mut PgConnection,
    pair: &PairName,
) -> Result<Option<Kept<T>>, StoreError> {
    let row = sqlx::query!(
        "select survey_number, at, results
        from readiness
        where pair = $1",
        pair.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read readiness"))?;
    row.map(|row| {
        let results = serde_json::from_value(row.results)
            .map_err(|_| StoreError::unreadable("readiness", "results", pair.to_string()))?;
        Ok(Kept { survey_number: row.survey_number, at: row.at, results })
    })
    .transpose()
}

/// The results of the latest survey of each of many pairs, in brief where a brief of them was kept, else in full. Pairs never
/// observed are left out.
///
/// # Errors
/// When the database refuses or results do not read back.
pub async fn latest_of_all<T: DeserializeOwned>(
    conn: &mut PgConnection,
    pairs: &[PairName],
) -> Result<BTreeMap<PairName, Kept<T>>, StoreError> {
    let names: Vec<String> = pairs.iter().map(PairName::to_string).collect();
    let rows = sqlx::query!(
        r#"select pair, survey_number, at,
            case when brief_of = survey_number then brief else results::text end as "results!"
        from readiness
        where pair = any($1)"#,
        &names
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read readiness of all pairs"))?;
    let mut all = BTreeMap::new();
    for row in rows {
        let unreadable = |column| StoreError::unreadable("readiness", column, row.pair.clone());
        let name = PairName::new(row.pair.clone()).map_err(|_| unreadable("pair"))?;
        let results = serde_json::from_str(&row.results).map_err(|_| unreadable("results"))?;
        all.insert(name, Kept { survey_number: row.survey_number, at: row.at, results });
    }
    Ok(all)
}

/// How the checks of one pair stood at its latest survey, in short; or that there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// The pair.
    pub pair: PairName,
    /// Its team.
    pub team: TeamName,
    /// When that survey began; `None` when the pair was never observed.
    pub at: Option<DateTime<Utc>>,
    /// Names of checks that were critical or unknown; none when it was never observed.
    pub checks: Vec<String>,
}

/// Which checks of all pairs are bad, of those never observed too. Reads states only, not why: it is asked for every page.
///
/// # Errors
/// When the database refuses or a name does not read back.
pub async fn bad_of_all(conn: &mut PgConnection) -> Result<Vec<Bad>, StoreError> {
    let rows = sqlx::query!(
        r#"select pair.name as "name!", pair.team as "team!", readiness.at as "at?", array(
                select state.key
                from jsonb_each_text(readiness.states) as state
                where state.value in ('critical', 'unknown')
            ) as "checks!"
        from pair
        left join readiness on readiness.pair = pair.name"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read bad checks of all pairs"))?;
    let bad = rows.into_iter().map(|row| {
        let unreadable = |column| StoreError::unreadable("pair", column, row.name.clone());
        Ok(Bad {
            pair: PairName::new(row.name.clone()).map_err(|_| unreadable("name"))?,
            team: TeamName::new(row.team.clone()).map_err(|_| unreadable("team"))?,
            at: row.at,
            checks: row.checks,
        })
    });
    bad.collect()
}

/// What was last told of a pair's readiness: the status word, and since when it is better. Whoever asks holds the survey's
/// lease, so nobody else writes it meanwhile.
///
/// # Errors
/// When the database refuses.
pub async fn told(
    conn: &mut PgConnection,
    pair: &PairName,
) -> Result<Option<(String, Option<DateTime<Utc>>)>, StoreError> {
    let row = sqlx::query!(
        "select told_status, better_since
        from readiness
        where pair = $1",
        pair.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read what was told of readiness"))?;
    Ok(row.and_then(|row| Some((row.told_status?, row.better_since))))
}

/// Keeps what was told of a pair's readiness.
///
/// # Errors
/// When nothing is kept of its readiness, or the database refuses.
pub async fn keep_told(
    conn: &mut PgConnection,
    pair: &PairName,
    status: &str,
    better_since: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    const OP: &str = "keep what was told of readiness";
    let done = sqlx::query!(
        "update readiness
        set told_status = $2,
            better_since = $3
        where pair = $1",
        pair.as_str(),
        status,
        better_since
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    StoreError::expect_rows(OP, done.rows_affected(), 1)
}

/// Removes changes that surveys showed more than so many days ago; says how many. They are looked for in the order they were written in, some
/// thousand at a time: however many there are, no statement takes long and none reads those that stay.
///
/// # Errors
/// When the database refuses; those removed by then are gone.
pub async fn delete_changes_older_than(conn: &mut PgConnection, days: i32) -> Result<u64, StoreError> {
    let mut removed: u64 = 0;
    loop {
        let done = sqlx::query!(
            "delete from readiness_change
            where at < clock_timestamp() - make_interval(days => $1)
                and id in (
                    select id
                    from readiness_change
                    order by id
                    limit $2
                )",
            days,
            CHANGES_AT_ONCE
        )
        .execute(&mut *conn)
        .await
        .map_err(failed("remove old changes of readiness"))?;
        removed = removed.saturating_add(done.rows_affected());
        if done.rows_affected() == 0 {
            return Ok(removed);
        }
    }
}

/// Changes of a pair, newest first, at most `limit`, older than `before` if given.
///
/// # Errors
/// When the database refuses.
pub async fn changes(
    conn: &mut PgConnection,
    pair: &PairName,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Change>, StoreError> {
    sqlx::query_as!(
        Change,
        r#"select id, check_name as "check", from_status as "from", to_status as "to", reason, at, survey_number
        from readiness_change
        where pair = $1
            and ($2::bigint is null or id < $2)
        order by id desc
        limit $3"#,
        pair.as_str(),
        before,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list changes of readiness"))
}
