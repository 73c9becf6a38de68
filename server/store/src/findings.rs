//! Findings: raised, changed, closed.

use chrono::{DateTime, NaiveDate, Utc};
use muster_domain::{
    finding::{Closing, Finding, Severity},
    ids::{PairName, TeamName},
    record::Person,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// A finding to keep.
#[derive(Debug, Clone)]
pub struct NewFinding<'a> {
    /// The pair it is about.
    pub pair: &'a PairName,
    /// The pair's team.
    pub team: &'a TeamName,
    /// The run it came up in.
    pub run: Option<Uuid>,
    /// What a run raised it about; `None` for what people raise.
    pub about: Option<&'a str>,
    /// What was found.
    pub text: &'a str,
    /// How bad.
    pub severity: Severity,
    /// Who sees to it.
    pub owner: &'a str,
    /// Until when.
    pub due: Option<NaiveDate>,
    /// Evidence outside Muster.
    pub link: &'a str,
    /// Who raises it.
    pub raised_by: &'a Person,
}

/// A finding as its row is.
#[derive(Debug)]
struct FindingRow {
    id: Uuid,
    number: i64,
    pair: String,
    team: String,
    run_id: Option<Uuid>,
    text: String,
    severity: String,
    owner: String,
    due: Option<NaiveDate>,
    link: String,
    raised_by: Uuid,
    raised_by_name: String,
    raised_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    closed_by_name: Option<String>,
    resolution: String,
    retest: Option<Uuid>,
    version: i64,
}

impl TryFrom<FindingRow> for Finding {
    type Error = StoreError;

    fn try_from(row: FindingRow) -> Result<Self, StoreError> {
        let unreadable =
            |column| StoreError::Unreadable { table: "finding", column, row: row.number.to_string() };
        let closed = row.closed_at.zip(row.closed_by_name.clone()).map(|(at, by)| Closing {
            at,
            by,
            resolution: row.resolution.clone(),
            retest: row.retest,
        });
        Ok(Self {
            id: row.id,
            number: row.number,
            pair: PairName::new(&row.pair).map_err(|_| unreadable("pair"))?,
            team: TeamName::new(&row.team).map_err(|_| unreadable("team"))?,
            run: row.run_id,
            severity: Severity::parse(&row.severity).ok_or_else(|| unreadable("severity"))?,
            text: row.text,
            owner: row.owner,
            due: row.due,
            link: row.link,
            raised_by: Person { id: row.raised_by, name: row.raised_by_name },
            raised_at: row.raised_at,
            closed,
            version: row.version,
        })
    }
}

/// Keeps a finding; its id, or `None` when the run has raised one about the same thing already.
///
/// # Errors
/// When the database refuses.
pub async fn insert(conn: &mut PgConnection, new: &NewFinding<'_>) -> Result<Option<Uuid>, StoreError> {
    let id = Uuid::now_v7();
    let done = sqlx::query!(
        "insert into finding (
            id, pair, team, run_id, about, text, severity, owner, due, link, raised_by, raised_by_name
        )
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict on constraint finding_raised_once do nothing",
        id,
        new.pair.as_str(),
        new.team.as_str(),
        new.run,
        new.about,
        new.text,
        new.severity.as_str(),
        new.owner,
        new.due,
        new.link,
        new.raised_by.id,
        new.raised_by.name
    )
    .execute(conn)
    .await
    .map_err(failed("keep finding"))?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// A finding by id.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<Finding>, StoreError> {
    sqlx::query_as!(
        FindingRow,
        "select
            id, number, pair, team, run_id, text, severity, owner, due, link, raised_by, raised_by_name, raised_at,
            closed_at, closed_by_name, resolution, retest, version
        from finding
        where id = $1",
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read finding"))?
    .map(Finding::try_from)
    .transpose()
}

/// Which findings to list; every `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct FindingFilter {
    /// Pair.
    pub pair: Option<String>,
    /// Run it came up in.
    pub run: Option<Uuid>,
    /// Severity word.
    pub severity: Option<String>,
    /// Only open ones, or only closed ones.
    pub open: Option<bool>,
    /// Owner's name.
    pub owner: Option<String>,
    /// Words in the text or the resolution.
    pub text: Option<String>,
    /// Only these teams; `None` for all.
    pub teams: Option<Vec<String>>,
}

/// Findings, newest first, at most `limit`, with a number below `before`.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list(
    conn: &mut PgConnection,
    filter: &FindingFilter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Finding>, StoreError> {
    sqlx::query_as!(
        FindingRow,
        "select
            id, number, pair, team, run_id, text, severity, owner, due, link, raised_by, raised_by_name, raised_at,
            closed_at, closed_by_name, resolution, retest, version
        from finding
        where ($1::text is null or pair = $1)
            and ($2::uuid is null or run_id = $2)
            and ($3::text is null or severity = $3)
            and ($4::boolean is null or (closed_at is null) = $4)
            and ($5::text is null or owner = $5)
            and ($6::text is null or position(lower($6) in lower(text || ' ' || resolution)) > 0)
            and ($7::text[] is null or team = any($7))
            and ($8::bigint is null or number < $8)
        order by number desc
        limit $9",
        filter.pair,
        filter.run,
        filter.severity,
        filter.open,
        filter.owner,
        filter.text,
        filter.teams.as_deref(),
        before,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list findings"))?
    .into_iter()
    .map(Finding::try_from)
    .collect()
}

/// Changes all that can be changed of a finding if it still has its version; false when somebody else was faster.
///
/// # Errors
/// When the database refuses.
pub async fn update(conn: &mut PgConnection, finding: &Finding) -> Result<bool, StoreError> {
    let closed = finding.closed.as_ref();
    let done = sqlx::query!(
        "update finding
        set severity = $3,
            owner = $4,
            due = $5,
            link = $6,
            closed_at = $7,
            closed_by_name = $8,
            resolution = $9,
            retest = $10,
            version = version + 1
        where id = $1
            and version = $2",
        finding.id,
        finding.version,
        finding.severity.as_str(),
        finding.owner,
        finding.due,
        finding.link,
        closed.map(|closed| closed.at),
        closed.map(|closed| closed.by.as_str()),
        closed.map_or("", |closed| closed.resolution.as_str()),
        closed.and_then(|closed| closed.retest)
    )
    .execute(conn)
    .await
    .map_err(failed("change finding"))?;
    Ok(done.rows_affected() == 1)
}
