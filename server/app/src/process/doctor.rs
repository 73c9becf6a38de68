//! `muster doctor`: everything Muster needs, line by line. Each line that is not ok says what is missing and what it
//! would break. Changes nothing, and starts nothing but a private PostgreSQL that is there already.

mod clusters;
mod database;
mod flows;
mod provider;
mod secrets;

use std::{process::ExitCode, sync::Arc, time::Duration};

use muster_routing::RoutingOptions;
use sqlx::PgPool;

use crate::{
    app::Hands,
    process::{client_source::StoredClients, config::Config, serve},
};

/// Longest wait for one cluster or one Connect worker.
const BOUND: Duration = Duration::from_secs(20);

/// How a line came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All is well.
    Ok,
    /// It works, but somebody should look.
    Warn,
    /// Something does not work.
    Fail,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How it came out.
    pub verdict: Verdict,
    /// What was looked at.
    pub what: String,
    /// What was found; when not ok, what is missing and what it would break.
    pub found: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = match self.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        write!(f, "{word}  {}: {}", self.what, self.found)
    }
}

fn ok(what: impl Into<String>, found: impl Into<String>) -> Line {
    Line { verdict: Verdict::Ok, what: what.into(), found: found.into() }
}

fn warn(what: impl Into<String>, found: impl Into<String>) -> Line {
    Line { verdict: Verdict::Warn, what: what.into(), found: found.into() }
}

fn fail(what: impl Into<String>, found: impl Into<String>) -> Line {
    Line { verdict: Verdict::Fail, what: what.into(), found: found.into() }
}

/// Looks at everything and prints as it goes.
///
/// # Errors
/// None of its own: what is wrong is a line.
pub async fn doctor(config: Config) -> anyhow::Result<ExitCode> {
    let mut told = Told(Verdict::Ok);
    let database = match database::reach(&config).await {
        Ok(database) => database,
        Err(line) => {
            told.print(vec![line]);
            return Ok(told.exit_code());
        }
    };
    look(&config, &database.pool, &mut told).await;
    serve::close(database).await;
    Ok(told.exit_code())
}

async fn look(config: &Config, pool: &PgPool, told: &mut Told) {
    match database::check(pool).await {
        Ok(lines) => told.print(lines),
        Err(line) => return told.print(vec![line]),
    }
    match database::check_schema(pool).await {
        Ok(line) => told.print(vec![line]),
        // Without its tables nothing further can be asked.
        Err(line) => return told.print(vec![line]),
    }
    told.print(provider::check(config, pool).await);
    let (key, lines) = secrets::check(config, pool).await;
    told.print(lines);
    let Some(key) = key else { return };
    let hands = StoredClients::new(pool.clone(), Arc::new(key), RoutingOptions::default()).keeping_nothing();
    told.print(check_hands(pool, &hands).await);
}

/// Every cluster's rights one by one, then every flow with its Connect worker.
pub async fn check_hands(pool: &PgPool, hands: &dyn Hands) -> Vec<Line> {
    let mut lines = clusters::check(pool, hands).await;
    lines.extend(flows::check(pool, hands).await);
    lines
}

/// What was told so far: the worst of it.
struct Told(Verdict);

impl Told {
    fn print(&mut self, lines: Vec<Line>) {
        for line in lines {
            self.0 = self.0.max(line.verdict);
            println!("{line}");
        }
    }

    fn exit_code(&self) -> ExitCode {
        if self.0 == Verdict::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
