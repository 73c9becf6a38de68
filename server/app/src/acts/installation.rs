//! What this installation is and is set to, for its admins. Nothing is changed here: settings are those of its processes.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use muster_store::{
    StoreError, leases, secrets,
    server::{self, SizeFacts},
};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::{
    acts::tokens::LONGEST_DAYS,
    app::App,
    auth::{IDLE_SECONDS, passwords, tokens::SESSION_HOURS},
    http::Answer,
    loops::housekeeping::{CHANGE_DAYS, INCIDENT_GB, LAG_DAYS, MESSAGE_DAYS, RPO_DAYS},
    process::settings::Setting,
};

/// How long the size of the database may be old.
const SIZE_WITHIN: Duration = Duration::from_secs(60);

/// What an installation is and is set to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Installation {
    /// Version of the process that answers.
    pub version: String,
    /// Address people type.
    pub public_url: String,
    /// Its database; never where that is.
    pub database: DatabaseView,
    /// Processes that observe pairs or carry out runs now.
    pub processes: Vec<ProcessView>,
    /// The key that seals credentials.
    pub secrets_key: KeyView,
    /// How people sign in.
    pub sign_in: SignInView,
    /// How long what is kept.
    pub retention: Vec<Fixed>,
    /// Bounds nobody sets.
    pub limits: Vec<Fixed>,
    /// Settings of the process that answers.
    pub settings: Vec<Setting>,
}

/// The database.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DatabaseView {
    /// Version of PostgreSQL.
    pub version: String,
    /// Whether Muster runs it itself.
    pub private: bool,
    /// Bytes on disk.
    pub bytes: i64,
    /// When that was; at most a minute ago.
    pub bytes_at: DateTime<Utc>,
    /// Number of the newest migration.
    pub migration: i64,
    /// When it was applied.
    pub migrated_at: DateTime<Utc>,
}

/// A process that holds something.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProcessView {
    /// As it names itself.
    pub name: String,
    /// Pairs it observes.
    pub pairs: i64,
    /// Runs it carries out.
    pub runs: i64,
}

/// The key that seals credentials, by its id: nothing of the key itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyView {
    /// Id of the key the process that answers has.
    pub id: String,
    /// Id of the key the credentials are sealed with; null before any is.
    pub sealed_with: Option<String>,
    /// Whether they are the same. Otherwise the key was rotated since this process started: restart it with the new one.
    pub fits: bool,
}

/// How people sign in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SignInView {
    /// Whether passwords are taken of everybody, or of admins only.
    pub passwords_of: String,
    /// The identity provider, by what people call it.
    pub provider: Option<String>,
    /// And by its issuer.
    pub issuer: Option<String>,
}

/// Something that is as it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fixed {
    /// What.
    pub what: String,
    /// How long or how much.
    pub is: String,
}

/// What this installation is and is set to.
///
/// # Errors
/// When the database refuses.
pub async fn get(app: &App, conn: &mut PgConnection) -> Answer<Installation> {
    let sealed_with = secrets::key_in_use(conn).await?;
    let id = app.secrets_key.id().to_owned();
    let processes = leases::holders(conn).await?.into_iter();
    Ok(Installation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        public_url: app.public_url.to_string(),
        database: database(app, conn).await?,
        processes: processes
            .map(|held| ProcessView { name: held.process, pairs: held.pairs, runs: held.runs })
            .collect(),
        secrets_key: KeyView {
            fits: sealed_with.as_ref().is_none_or(|sealed| *sealed == id),
            id,
            sealed_with,
        },
        sign_in: sign_in(app),
        retention: retention(),
        limits: limits(),
        settings: app.settings.to_vec(),
    })
}

async fn database(app: &App, conn: &mut PgConnection) -> Answer<DatabaseView> {
    let facts = server::facts(conn).await?;
    let (bytes_at, size) = app.database_size.read(conn).await?;
    let external = |setting: &Setting| setting.name == "DATABASE_URL" && setting.value.is_some();
    Ok(DatabaseView {
        version: facts.version,
        private: !app.settings.iter().any(external),
        bytes: size.bytes,
        bytes_at,
        migration: size.migration,
        migrated_at: size.migrated_at,
    })
}

/// The size of the database, asked for once a minute: PostgreSQL looks at every file of every table for it.
#[derive(Debug, Default)]
pub struct DatabaseSize(tokio::sync::Mutex<Option<(Instant, DateTime<Utc>, SizeFacts)>>);

impl DatabaseSize {
    async fn read(&self, conn: &mut PgConnection) -> Result<(DateTime<Utc>, SizeFacts), StoreError> {
        let mut kept = self.0.lock().await;
        let fresh = kept.take().filter(|(read, _, _)| read.elapsed() < SIZE_WITHIN);
        let (read, at, size) = match fresh {
            Some(fresh) => fresh,
            None => (Instant::now(), Utc::now(), server::size(conn).await?),
        };
        *kept = Some((read, at, size.clone()));
        Ok((at, size))
    }
}

fn sign_in(app: &App) -> SignInView {
    let provider = app.oidc.as_ref();
    let only = provider.is_some_and(|provider| provider.only());
    SignInView {
        passwords_of: if only { "admins only" } else { "everybody who has one" }.to_owned(),
        provider: provider.map(|provider| provider.label().to_owned()),
        issuer: provider.map(|provider| provider.issuer().to_owned()),
    }
}

fn fixed(what: &str, is: impl Into<String>) -> Fixed {
    Fixed { what: what.to_owned(), is: is.into() }
}

fn retention() -> Vec<Fixed> {
    vec![
        fixed("Runs, reports and the audit", "for ever"),
        fixed("Lag at full resolution", format!("{LAG_DAYS} days")),
        fixed("RPO by the hour", format!("{RPO_DAYS} days")),
        fixed("Changes of readiness checks", format!("{CHANGE_DAYS} days")),
        fixed(
            "The flight recorder around incidents",
            format!("up to {INCIDENT_GB} GB a pair, the oldest go first"),
        ),
        fixed("Messages to channels", format!("{MESSAGE_DAYS} days")),
        fixed("Sessions that ended", "7 days"),
    ]
}

fn limits() -> Vec<Fixed> {
    vec![
        fixed("A session", format!("{SESSION_HOURS} hours, or {} idle hours", IDLE_SECONDS / 3600.0)),
        fixed("A password", format!("{} to {} characters", passwords::SHORTEST, passwords::LONGEST)),
        fixed("Tries to sign in as one person", "8 in 15 minutes, then none for 15 minutes"),
        fixed("An API token", format!("1 to {LONGEST_DAYS} days")),
        fixed("A request", "2 MB"),
        fixed("An answer", "begins within 30 s"),
    ]
}
