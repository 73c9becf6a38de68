//! Alarms of silent loss: opened, seen again and ended by surveys, under the lease of the survey; ended by people too.

use chrono::{DateTime, Utc};
use muster_domain::{
    alarm::{Alarm, AlarmCode, Change, Ending, Judged, Memory, StandingAlarm, settle},
    ids::{PairName, TeamName},
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    error::{StoreError, failed},
    leases::{self, survey_lease},
};

/// An alarm as its row is.
#[derive(Debug)]
struct AlarmRow {
    id: Uuid,
    number: i64,
    pair: String,
    team: String,
    body: serde_json::Value,
    opened_survey: i64,
    opened_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    not_seen_because: String,
    ended_at: Option<DateTime<Utc>>,
    ended_by_name: Option<String>,
    comment: String,
}

impl TryFrom<AlarmRow> for StandingAlarm {
    type Error = StoreError;

    fn try_from(row: AlarmRow) -> Result<Self, StoreError> {
        let unreadable = |column| StoreError::unreadable("alarm", column, row.number.to_string());
        let alarm: Alarm = serde_json::from_value(row.body.clone()).map_err(|_| unreadable("body"))?;
        Ok(Self {
            id: row.id,
            number: row.number,
            pair: PairName::new(&row.pair).map_err(|_| unreadable("pair"))?,
            team: TeamName::new(&row.team).map_err(|_| unreadable("team"))?,
            severity: alarm.severity().as_str().to_owned(),
            alarm,
            opened_survey: row.opened_survey,
            opened_at: row.opened_at,
            last_seen_at: row.last_seen_at,
            not_seen_because: row.not_seen_because,
            ended: row.ended_at.map(|at| Ending { at, by: row.ended_by_name, comment: row.comment }),
        })
    }
}

/// What has to be remembered to judge a pair's next survey; nothing before its first.
///
/// # Errors
/// When the database refuses or it does not read back.
pub async fn memory(conn: &mut PgConnection, pair: &PairName) -> Result<Memory, StoreError> {
    let body = sqlx::query_scalar!("select body from alarm_memory where pair = $1", pair.as_str())
        .fetch_optional(conn)
        .await
        .map_err(failed("read what alarms remember"))?;
    match body {
        None => Ok(Memory::default()),
        Some(body) => serde_json::from_value(body)
            .map_err(|_| StoreError::unreadable("alarm_memory", "body", pair.to_string())),
    }
}

/// What changed by a survey and is to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// The alarm as it is now.
    pub alarm: StandingAlarm,
    /// Whether it is over.
    pub over: bool,
}

/// Keeps what a survey says of all alarms of its pair, and what has to be remembered; answers what is to be told.
///
/// # Errors
/// `LeaseLost` when another process observes the pair now; otherwise when the database refuses.
pub async fn keep(
    conn: &mut PgConnection,
    (pair, team): (&PairName, &TeamName),
    epoch: i64,
    (number, at): (i64, DateTime<Utc>),
    judged: Judged,
    memory: &Memory,
) -> Result<Vec<News>, StoreError> {
    leases::hold(conn, &survey_lease(pair), epoch).await?;
    let open = lock_open(conn, pair).await?;
    let mut told = Vec::new();
    for change in settle(&open, judged) {
        match change {
            Change::Open(alarm) => {
                let id = insert(conn, (pair, team), (number, at), &alarm).await?;
                told.push((id, false));
            }
            Change::Seen { id, alarm, grown } => {
                seen(conn, id, at, &alarm).await?;
                told.extend(grown.then_some((id, false)));
            }
            Change::NotSeen { id, reason } => not_seen(conn, id, &reason).await?,
            Change::Stays { id } => not_seen(conn, id, "").await?,
            Change::End { id } => {
                end(conn, id, at).await?;
                told.push((id, true));
            }
        }
    }
    remember(conn, pair, number, memory).await?;
    let mut news = Vec::new();
    for (id, over) in told {
        news.extend(get(conn, id).await?.map(|alarm| News { alarm, over }));
    }
    Ok(news)
}

async fn lock_open(conn: &mut PgConnection, pair: &PairName) -> Result<Vec<StandingAlarm>, StoreError> {
    sqlx::query_as!(
        AlarmRow,
        "select
            id, number, pair, team, body, opened_survey, opened_at, last_seen_at, not_seen_because, ended_at,
            ended_by_name, comment
        from alarm
        where pair = $1
            and ended_at is null
        order by number
        for update",
        pair.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read open alarms"))?
    .into_iter()
    .map(StandingAlarm::try_from)
    .collect()
}

async fn insert(
    conn: &mut PgConnection,
    (pair, team): (&PairName, &TeamName),
    (survey, at): (i64, DateTime<Utc>),
    alarm: &Alarm,
) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
    sqlx::query!(
        "insert into alarm (id, pair, team, code, subject, body, opened_survey, opened_at, last_seen_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        id,
        pair.as_str(),
        team.as_str(),
        alarm.code.as_str(),
        alarm.subject,
        Json(alarm) as _,
        survey,
        at
    )
    .execute(conn)
    .await
    .map_err(failed("open alarm"))?;
    Ok(id)
}

async fn seen(conn: &mut PgConnection, id: Uuid, at: DateTime<Utc>, alarm: &Alarm) -> Result<(), StoreError> {
    const OP: &str = "keep alarm that was seen again";
    let done = sqlx::query!(
        "update alarm
        set body = $2,
            last_seen_at = $3,
            not_seen_because = ''
        where id = $1",
        id,
        Json(alarm) as _,
        at
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    StoreError::expect_rows(OP, done.rows_affected(), 1)
}

async fn not_seen(conn: &mut PgConnection, id: Uuid, reason: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "update alarm
        set not_seen_because = $2
        where id = $1
            and not_seen_because <> $2",
        id,
        reason
    )
    .execute(conn)
    .await
    .map_err(failed("keep why an alarm was not seen again"))?;
    Ok(())
}

async fn end(conn: &mut PgConnection, id: Uuid, at: DateTime<Utc>) -> Result<(), StoreError> {
    const OP: &str = "end alarm";
    let done = sqlx::query!(
        "update alarm
        set ended_at = $2,
            not_seen_because = ''
        where id = $1
            and ended_at is null",
        id,
        at
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    StoreError::expect_rows(OP, done.rows_affected(), 1)
}

async fn remember(
    conn: &mut PgConnection,
    pair: &PairName,
    survey: i64,
    memory: &Memory,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into alarm_memory (pair, survey_number, body)
        values ($1, $2, $3)
        on conflict (pair) do update
        set survey_number = excluded.survey_number,
            body = excluded.body",
        pair.as_str(),
        survey,
        Json(memory) as _
    )
    .execute(conn)
    .await
    .map_err(failed("keep what alarms remember"))?;
    Ok(())
}

/// An alarm by id.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<StandingAlarm>, StoreError> {
    sqlx::query_as!(
        AlarmRow,
        "select
            id, number, pair, team, body, opened_survey, opened_at, last_seen_at, not_seen_because, ended_at,
            ended_by_name, comment
        from alarm
        where id = $1",
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read alarm"))?
    .map(StandingAlarm::try_from)
    .transpose()
}

/// Open alarms of many pairs, newest first.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn open_of(conn: &mut PgConnection, pairs: &[PairName]) -> Result<Vec<StandingAlarm>, StoreError> {
    let names: Vec<String> = pairs.iter().map(PairName::to_string).collect();
    sqlx::query_as!(
        AlarmRow,
        "select
            id, number, pair, team, body, opened_survey, opened_at, last_seen_at, not_seen_because, ended_at,
            ended_by_name, comment
        from alarm
        where ended_at is null
            and pair = any($1)
        order by number desc",
        &names
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read open alarms of pairs"))?
    .into_iter()
    .map(StandingAlarm::try_from)
    .collect()
}

/// Which alarms to list; every `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct AlarmFilter {
    /// Pair.
    pub pair: Option<String>,
    /// Code word.
    pub code: Option<AlarmCode>,
    /// Only open ones, or only those that ended.
    pub open: Option<bool>,
    /// Only these teams; `None` for all.
    pub teams: Option<Vec<String>>,
}

/// Alarms, newest first, at most `limit`, with a number below `before`.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list(
    conn: &mut PgConnection,
    filter: &AlarmFilter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<StandingAlarm>, StoreError> {
    sqlx::query_as!(
        AlarmRow,
        "select
            id, number, pair, team, body, opened_survey, opened_at, last_seen_at, not_seen_because, ended_at,
            ended_by_name, comment
        from alarm
        where ($1::text is null or pair = $1)
            and ($2::text is null or code = $2)
            and ($3::boolean is null or (ended_at is null) = $3)
            and ($4::text[] is null or team = any($4))
            and ($5::bigint is null or number < $5)
        order by number desc
        limit $6",
        filter.pair,
        filter.code.map(AlarmCode::as_str),
        filter.open,
        filter.teams.as_deref(),
        before,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list alarms"))?
    .into_iter()
    .map(StandingAlarm::try_from)
    .collect()
}

/// Ends an open alarm because somebody has acknowledged it; false when it has ended already.
///
/// # Errors
/// When the database refuses.
pub async fn acknowledge(
    conn: &mut PgConnection,
    id: Uuid,
    by: &str,
    comment: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update alarm
        set ended_at = clock_timestamp(),
            ended_by_name = $2,
            comment = $3,
            not_seen_because = ''
        where id = $1
            and ended_at is null",
        id,
        by,
        comment
    )
    .execute(conn)
    .await
    .map_err(failed("acknowledge alarm"))?;
    Ok(done.rows_affected() == 1)
}

/// How many alarms are open, by pair and code.
///
/// # Errors
/// When the database refuses.
pub async fn count_open(conn: &mut PgConnection) -> Result<Vec<(String, String, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"select pair, code, count(*) as "count!"
        from alarm
        where ended_at is null
        group by pair, code
        order by pair, code"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("count open alarms"))?;
    Ok(rows.into_iter().map(|row| (row.pair, row.code, row.count)).collect())
}
