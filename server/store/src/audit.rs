//! The audit: append-only and hash-chained. An entry is written in the transaction of the change it tells of, as the
//! transaction's last write: entries take turns on one row, and who holds that row should not wait for anything else.
//! A refusal is written in a transaction of its own, since what was refused is rolled back.

use chrono::{DateTime, Utc};
use muster_domain::audit::{AuditContent, AuditEntry, BrokenChain, entry_hash, verify_chain};
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder, types::Json};

use crate::error::{StoreError, failed};

/// Entries read at a time.
const CHUNK: i64 = 1000;

/// Appends an entry. `outcome` is `done` or `refused`; `detail` holds no secret.
///
/// # Errors
/// `Conflict` with `audit_outcome_known`; otherwise when the database refuses.
pub async fn append(
    conn: &mut PgConnection,
    actor: &str,
    action: &str,
    object: &str,
    outcome: &str,
    detail: serde_json::Value,
) -> Result<AuditEntry, StoreError> {
    // Whoever waited here for another writer gets the row that writer left, and with it a clock read after the wait:
    // entries never go back in time. Found out by the test, since it hangs on how PostgreSQL rechecks a locked row.
    let head = sqlx::query!(
        r#"select number, hash, clock_timestamp() as "at!"
        from audit_head
        for update"#
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(failed("lock the end of the audit"))?;
    let content = AuditContent {
        number: head.number + 1,
        at: head.at,
        actor: printable(actor),
        action: printable(action),
        object: printable(object),
        outcome: outcome.to_owned(),
        detail,
    };
    let hash = entry_hash(&head.hash, &content)
        .map_err(|_| StoreError::unreadable("audit_entry", "detail", content.number.to_string()))?;
    let entry = AuditEntry { content, previous_hash: head.hash, hash };
    insert(conn, &entry).await?;
    Ok(entry)
}

/// PostgreSQL's text cannot hold a NUL. A stranger who sends one as a user name must not escape the audit by it.
fn printable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

async fn insert(conn: &mut PgConnection, entry: &AuditEntry) -> Result<(), StoreError> {
    let content = &entry.content;
    let done = sqlx::query!(
        "with kept as (
            insert into audit_entry (number, at, actor, action, object, outcome, detail, previous_hash, hash)
            -- By way of text: sqlx sends JSON as jsonb, which rewrites numbers and refuses some text.
            values ($1, $2, $3, $4, $5, $6, $7::text::json, $8, $9)
            returning number, hash
        )
        update audit_head
        set number = kept.number,
            hash = kept.hash
        from kept",
        content.number,
        content.at,
        content.actor,
        content.action,
        content.object,
        content.outcome,
        content.detail.to_string(),
        entry.previous_hash,
        entry.hash
    )
    .execute(conn)
    .await
    .map_err(failed("keep audit entry"))?;
    StoreError::expect_rows("keep audit entry", done.rows_affected(), 1)
}

/// Which entries to list; `None` does not filter.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Exactly this actor.
    pub actor: Option<String>,
    /// This action or, ending in a dot, all that begin with it: `run.`.
    pub action: Option<String>,
    /// Exactly this object: `pair payments`.
    pub object: Option<String>,
    /// `done` or `refused`.
    pub outcome: Option<String>,
    /// From this time on.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub to: Option<DateTime<Utc>>,
    /// Cursor: only entries with a lower number, the last one of the page before.
    pub before: Option<i64>,
}

/// An entry as its row is.
#[derive(FromRow)]
struct EntryRow {
    number: i64,
    at: DateTime<Utc>,
    actor: String,
    action: String,
    object: String,
    outcome: String,
    detail: Json<serde_json::Value>,
    previous_hash: String,
    hash: String,
}

impl From<EntryRow> for AuditEntry {
    fn from(row: EntryRow) -> Self {
        Self {
            content: AuditContent {
                number: row.number,
                at: row.at,
                actor: row.actor,
                action: row.action,
                object: row.object,
                outcome: row.outcome,
                detail: row.detail.0,
            },
            previous_hash: row.previous_hash,
            hash: row.hash,
        }
    }
}

/// Entries newest first, at most `limit`.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    conn: &mut PgConnection,
    filter: &AuditFilter,
    limit: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    let mut query: QueryBuilder<Postgres> = QueryBuilder::new(
        "select number, at, actor, action, object, outcome, detail, previous_hash, hash
        from audit_entry
        where true",
    );
    if let Some(actor) = &filter.actor {
        query.push(" and actor = ").push_bind(actor);
    }
    match &filter.action {
        Some(prefix) if prefix.ends_with('.') => {
            query.push(" and starts_with(action, ").push_bind(prefix).push(")");
        }
        Some(action) => {
            query.push(" and action = ").push_bind(action);
        }
        None => {}
    }
    if let Some(object) = &filter.object {
        query.push(" and object = ").push_bind(object);
    }
    if let Some(outcome) = &filter.outcome {
        query.push(" and outcome = ").push_bind(outcome);
    }
    if let Some(from) = filter.from {
        query.push(" and at >= ").push_bind(from);
    }
    if let Some(to) = filter.to {
        query.push(" and at < ").push_bind(to);
    }
    if let Some(before) = filter.before {
        query.push(" and number < ").push_bind(before);
    }
    query.push(" order by number desc limit ").push_bind(limit);
    let rows: Vec<EntryRow> =
        query.build_query_as().fetch_all(conn).await.map_err(failed("list the audit"))?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Entries after a number, oldest first, at most 1,000: for export and verification, one stretch after another.
///
/// # Errors
/// When the database refuses.
pub async fn after(conn: &mut PgConnection, number: i64) -> Result<Vec<AuditEntry>, StoreError> {
    let rows = sqlx::query_as!(
        EntryRow,
        r#"select number, at, actor, action, object, outcome, detail as "detail: Json<serde_json::Value>",
            previous_hash, hash
        from audit_entry
        where number > $1
        order by number
        limit $2"#,
        number,
        CHUNK
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read the audit"))?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Number and hash of the newest entry; 0 and the genesis hash while there is none. Kept elsewhere from time to time,
/// it shows later that nothing was rewritten.
///
/// # Errors
/// When the database refuses.
pub async fn head(conn: &mut PgConnection) -> Result<(i64, String), StoreError> {
    let row = sqlx::query!(
        "select number, hash
        from audit_head"
    )
    .fetch_one(conn)
    .await
    .map_err(failed("read the end of the audit"))?;
    Ok((row.number, row.hash))
}

/// Checks the whole chain, a stretch at a time, and that it reaches as far as it says: entries cut off at the end are
/// found too. Returns number and hash of the newest entry.
///
/// # Errors
/// When the database refuses; a broken chain is not an error of the store but the inner result.
pub async fn verify(conn: &mut PgConnection) -> Result<Result<(i64, String), BrokenChain>, StoreError> {
    // Read before the entries: what is appended meanwhile makes the chain longer than this, never shorter.
    let (expected, expected_hash) = head(conn).await?;
    let mut at = (0, muster_domain::audit::GENESIS.to_owned());
    loop {
        let mut entries = after(conn, at.0).await?;
        entries.retain(|entry| entry.content.number <= expected);
        if entries.is_empty() {
            break;
        }
        at = match verify_chain((at.0, &at.1), &entries) {
            Ok(reached) => reached,
            Err(broken) => return Ok(Err(broken)),
        };
    }
    Ok(match at {
        (number, _) if number < expected => {
            // `found: 0`: the chain ends here although more was written.
            Err(BrokenChain::Gap { expected: number + 1, found: 0 })
        }
        (number, hash) if hash != expected_hash => Err(BrokenChain::Changed { number }),
        reached => Ok(reached),
    })
}
