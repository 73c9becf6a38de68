//! The database: reached, recent, durable, with its tables, and agreeing on the time.

use chrono::Utc;
use muster_store::{
    clock, database,
    server::{self, ServerFacts},
};
use sqlx::{PgConnection, PgPool, postgres::PgConnectOptions};

use super::{Line, fail, ok, warn};
use crate::{
    http::failure::chain,
    process::{
        config::Config,
        serve::{self, Database},
    },
};

/// Reaches the database. A private one that another process of Muster holds is asked through its socket; one that
/// rests is started for as long as the doctor looks.
pub(super) async fn reach(config: &Config) -> Result<Database, Line> {
    let failed = |e: anyhow::Error| fail("database", format!("{e:#}. Without it Muster does nothing."));
    if config.database.database_url.is_some() {
        let url = config.database.database_url.as_deref().unwrap_or_default();
        return match database::connect(url, 5).await {
            Ok(pool) => Ok(Database::external(pool)),
            Err(e) => Err(failed(anyhow::anyhow!(chain(&e)))),
        };
    }
    let dir = config.data.dir();
    if !dir.join("pgdata").exists() {
        return Err(warn(
            "database",
            format!(
                "DATABASE_URL is not set and there is no private PostgreSQL in {} yet: `muster serve` makes one. \
                 Nothing else can be looked at before. Where Muster has a database already, run this with the settings \
                 it is started with, and as its user (docs/OPERATING.md).",
                dir.display()
            ),
        ));
    }
    let options = PgConnectOptions::new_without_pgpass()
        .socket(dir.join("socket"))
        .username("muster")
        .password("")
        .database("muster");
    if let Ok(pool) = database::connect_with(options, 5).await {
        return Ok(Database::external(pool));
    }
    serve::open_database(&config.data, &config.database).await.map_err(failed)
}

/// Whether the tables this Muster needs are there; an error when it is not so, or cannot be told.
pub(super) async fn check_schema(pool: &PgPool) -> Result<Line, Line> {
    let pending = async {
        let failed = |source| muster_store::StoreError::Database { op: "look at the schema", source };
        // Rolled back: looking makes the table of migrations when it is missing.
        let mut tx = muster_store::begin(pool).await.map_err(failed)?;
        database::pending_migrations(&mut tx).await
    };
    match pending.await {
        Ok(pending) if pending.is_empty() => Ok(ok("schema", "up to date")),
        Ok(pending) => Err(warn(
            "schema",
            format!(
                "{} migrations are missing ({pending:?}): `muster migrate` or `muster serve` applies them. Keys, \
                 clusters and flows can be looked at after that.",
                pending.len()
            ),
        )),
        Err(e) => Err(fail("schema", format!("{}. Nothing can be stored or shown.", chain(&e)))),
    }
}

/// The server, how safe it keeps what is committed, and its clock; an error when it cannot be asked.
pub(super) async fn check(pool: &PgPool) -> Result<Vec<Line>, Line> {
    let silent = |cause: String| fail("database", format!("{cause}. Without it Muster does nothing."));
    let mut conn = pool.acquire().await.map_err(|e| silent(e.to_string()))?;
    let facts = server::facts(&mut conn).await.map_err(|e| silent(chain(&e)))?;
    let mut lines = judge_server(&facts);
    lines.push(check_clock(&mut conn).await);
    Ok(lines)
}

fn judge_server(facts: &ServerFacts) -> Vec<Line> {
    let mut lines = vec![if facts.version_number >= 140_000 {
        ok("database", format!("PostgreSQL {}", facts.version))
    } else {
        fail("database", format!("PostgreSQL {} is older than 14, which Muster needs.", facts.version))
    }];
    let durable = [&facts.fsync, &facts.full_page_writes].iter().all(|s| *s == "on")
        && facts.synchronous_commit != "off";
    lines.push(if durable {
        ok("database durability", "fsync, full page writes and synchronous commit are on")
    } else {
        fail(
            "database durability",
            format!(
                "fsync {}, full_page_writes {}, synchronous_commit {}: after a power cut a run could repeat a step it \
                 has already done, and the audit could lose its end. Turn them on.",
                facts.fsync, facts.full_page_writes, facts.synchronous_commit
            ),
        )
    });
    lines.push(if facts.data_checksums == "on" {
        ok("database checksums", "on")
    } else {
        warn(
            "database checksums",
            "off: a damaged disk block would go unnoticed. Turn them on with pg_checksums.",
        )
    });
    lines
}

async fn check_clock(conn: &mut PgConnection) -> Line {
    let before = Utc::now();
    match clock::now(conn).await {
        Err(e) => fail("clock", chain(&e)),
        Ok(theirs) => {
            let middle = before + (Utc::now() - before) / 2;
            let off = (theirs - middle).num_milliseconds();
            match off.abs() {
                0..1_000 => ok("clock", format!("this host and the database differ by {off} ms")),
                1_000..30_000 => warn(
                    "clock",
                    format!(
                        "this host and the database differ by {off} ms: ages of readings are off by as much. Use NTP on both."
                    ),
                ),
                _ => fail(
                    "clock",
                    format!(
                        "this host and the database differ by {off} ms: sessions and the ages of readings are wrong. Use NTP on both."
                    ),
                ),
            }
        }
    }
}
