//! What can be set from outside: one small struct per concern. Every setting names its variable and its default.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use ipnet::IpNet;
use secrecy::SecretString;

use crate::{http::proxies::parse_proxy, process::telemetry::Caps};

/// Everything a process of Muster is set up with.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where its own files are.
    #[command(flatten)]
    pub data: DataConfig,
    /// Its database.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// What it listens on.
    #[command(flatten)]
    pub http: HttpConfig,
    /// The key that seals secrets.
    #[command(flatten)]
    pub secrets: SecretsConfig,
    /// People.
    #[command(flatten)]
    pub people: PeopleConfig,
    /// Signing in at an identity provider.
    #[command(flatten)]
    pub oidc: OidcConfig,
    /// Surveys.
    #[command(flatten)]
    pub survey: SurveyConfig,
    /// Traffic switches.
    #[command(flatten)]
    pub routing: RoutingConfig,
    /// Notifications.
    #[command(flatten)]
    pub notify: NotifyConfig,
    /// Monitoring.
    #[command(flatten)]
    pub metrics: MetricsConfig,
}

/// Where Muster keeps its own files.
#[derive(Debug, Clone, Default, Args)]
pub struct DataConfig {
    /// Directory of the private Postgres and of a generated secrets key. `MUSTER_DATA_DIR`; `/var/lib/muster` when
    /// run by root, `./.muster` otherwise.
    #[arg(long, env = "MUSTER_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

impl DataConfig {
    /// The directory in use.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        match &self.data_dir {
            Some(dir) => dir.clone(),
            None if runs_as_root() => PathBuf::from("/var/lib/muster"),
            None => PathBuf::from("./.muster"),
        }
    }
}

fn runs_as_root() -> bool {
    // The owner of our own /proc entry is our effective user; this needs neither unsafe code nor a crate.
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// The database.
#[derive(Debug, Clone, Args)]
pub struct DatabaseConfig {
    /// Address of an external PostgreSQL (14 or newer). `DATABASE_URL`; without it Muster starts a private one.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Most connections to the database. `MUSTER_DATABASE_CONNECTIONS`; 20.
    #[arg(long, env = "MUSTER_DATABASE_CONNECTIONS", default_value_t = 20, value_name = "N")]
    pub database_connections: u32,
    /// Directory with `initdb` and `postgres` for the private one. `MUSTER_PG_BIN_DIR`; the newest that is installed.
    #[arg(long, env = "MUSTER_PG_BIN_DIR", value_name = "DIR")]
    pub pg_bin_dir: Option<PathBuf>,
    /// User the private Postgres runs as when Muster itself is run by root. `MUSTER_PG_USER`; whoever owns the data that is
    /// there, else `postgres`, and Muster's own user when that is not root.
    #[arg(long, env = "MUSTER_PG_USER", value_name = "USER")]
    pub pg_user: Option<String>,
}

/// What Muster listens on.
#[derive(Debug, Clone, Args)]
pub struct HttpConfig {
    /// Address to listen on. `MUSTER_LISTEN`; `127.0.0.1:8080`.
    #[arg(long, env = "MUSTER_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Address people type into their browser. `MUSTER_PUBLIC_URL`; `http://` and the listen address. Set it behind a
    /// proxy: cross-site posts are told from it, and an `https` address makes the session cookie `Secure`.
    #[arg(long, env = "MUSTER_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Proxies in front, whose `X-Forwarded-For` says where a request comes from: addresses and networks such as `10.0.0.0/8`,
    /// separated by commas. `MUSTER_TRUSTED_PROXIES`; none, and then a request comes from whoever connects.
    #[arg(long, env = "MUSTER_TRUSTED_PROXIES", value_name = "ADDRESSES", value_delimiter = ',',
        value_parser = parse_proxy)]
    pub trusted_proxies: Vec<IpNet>,
    /// Seconds a client may be silent: until the head of a request is complete, between parts of its body, and between two
    /// requests. `MUSTER_CLIENT_SECONDS`; 75, since proxies keep idle connections for 60 and must be the first to close one.
    #[arg(long, env = "MUSTER_CLIENT_SECONDS", default_value_t = 75, value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=600))]
    pub client_seconds: u64,
    /// Most requests of one person in a minute that may change something; what goes beyond is refused.
    /// `MUSTER_WRITES_PER_MINUTE`; 600.
    #[arg(long, env = "MUSTER_WRITES_PER_MINUTE", default_value_t = 600, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..))]
    pub writes_per_minute: u32,
}

impl HttpConfig {
    /// How long a client may be silent while it sends a request.
    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.client_seconds)
    }

    /// The address people type, without a slash at the end.
    #[must_use]
    pub fn public_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }

    /// Whether browsers reach Muster by TLS, so that the session cookie can be `Secure`.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.public_url().starts_with("https://")
    }
}

/// The key that seals secrets.
#[derive(Debug, Clone, Default, Args)]
pub struct SecretsConfig {
    /// File with the key that seals stored credentials: 32 bytes in base64. `MUSTER_SECRETS_KEY_FILE`; the key itself
    /// can be in `MUSTER_SECRETS_KEY` instead (never on the command line, where others could read it); otherwise
    /// `secrets.key` in the data directory, made with mode 0600 when it does not exist. Keep a copy elsewhere: without
    /// it the stored credentials cannot be opened.
    #[arg(long, env = "MUSTER_SECRETS_KEY_FILE", value_name = "FILE")]
    pub secrets_key_file: Option<PathBuf>,
}

impl SecretsConfig {
    /// The key file in use.
    #[must_use]
    pub fn key_file(&self, data_dir: &Path) -> PathBuf {
        self.secrets_key_file.clone().unwrap_or_else(|| data_dir.join("secrets.key"))
    }
}

/// People.
#[derive(Debug, Clone, Default, Args)]
pub struct PeopleConfig {
    /// Password of the first admin, `admin`, for unattended installations. `MUSTER_ADMIN_PASSWORD`; none, and then
    /// `/setup` makes the admin for who has the code that is written to the log. Has no effect once there is a person.
    #[arg(long, env = "MUSTER_ADMIN_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub admin_password: Option<String>,
}

/// Signing in at an identity provider, by OpenID Connect.
#[derive(Debug, Clone, Default, Args)]
pub struct OidcConfig {
    /// The provider, as it names itself: `https://login.example.com/realms/main`. `MUSTER_OIDC_ISSUER`; none, and then
    /// people sign in with passwords only.
    #[arg(long, env = "MUSTER_OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id")]
    pub oidc_issuer: Option<String>,
    /// What Muster is called at the provider. `MUSTER_OIDC_CLIENT_ID`; needed with a provider.
    #[arg(long, env = "MUSTER_OIDC_CLIENT_ID", value_name = "ID", requires = "oidc_issuer")]
    pub oidc_client_id: Option<String>,
    /// Muster's secret at the provider. `MUSTER_OIDC_CLIENT_SECRET`; none, and then Muster is a public client.
    #[arg(
        long,
        env = "MUSTER_OIDC_CLIENT_SECRET",
        hide_env_values = true,
        value_name = "SECRET",
        conflicts_with = "oidc_client_secret_file"
    )]
    pub oidc_client_secret: Option<SecretString>,
    /// File with that secret. `MUSTER_OIDC_CLIENT_SECRET_FILE`; none.
    #[arg(long, env = "MUSTER_OIDC_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub oidc_client_secret_file: Option<PathBuf>,
    /// Scopes asked for besides `openid`, separated by spaces. `MUSTER_OIDC_SCOPES`; `profile email`.
    #[arg(long, env = "MUSTER_OIDC_SCOPES", default_value = "profile email", value_name = "SCOPES")]
    pub oidc_scopes: String,
    /// Claim with the groups of a person, of the ID token or else of the userinfo endpoint. `MUSTER_OIDC_GROUPS_CLAIM`;
    /// `groups`.
    #[arg(long, env = "MUSTER_OIDC_GROUPS_CLAIM", default_value = "groups", value_name = "CLAIM")]
    pub oidc_groups_claim: String,
    /// Claim with the user name of a person who comes for the first time; what follows an `@` is left out.
    /// `MUSTER_OIDC_NAME_CLAIM`; `preferred_username`.
    #[arg(long, env = "MUSTER_OIDC_NAME_CLAIM", default_value = "preferred_username", value_name = "CLAIM")]
    pub oidc_name_claim: String,
    /// Which roles the provider's groups give: `kafka-admins=admin;payments-oncall=operator@payments,approver@payments`.
    /// `MUSTER_OIDC_ROLES`; none, and then only people with a role of Muster's own get in.
    #[arg(
        long,
        env = "MUSTER_OIDC_ROLES",
        default_value = "",
        hide_default_value = true,
        value_name = "RULES"
    )]
    pub oidc_roles: String,
    /// What people call the provider; on the sign-in page. `MUSTER_OIDC_NAME`; the host of the issuer.
    #[arg(long, env = "MUSTER_OIDC_NAME", value_name = "NAME")]
    pub oidc_name: Option<String>,
    /// Passwords are taken of admins only, for the day the provider is away. `MUSTER_OIDC_ONLY`; no.
    #[arg(long, env = "MUSTER_OIDC_ONLY", requires = "oidc_issuer")]
    pub oidc_only: bool,
    /// Whether the provider may be on plain `http` elsewhere than on this machine. `MUSTER_OIDC_ALLOW_HTTP`; no.
    #[arg(long, env = "MUSTER_OIDC_ALLOW_HTTP")]
    pub oidc_allow_http: bool,
}

/// Surveys.
#[derive(Debug, Clone, Args)]
pub struct SurveyConfig {
    /// Seconds between two surveys of a pair; more than 20 are taken as 20, since a survey older than a minute counts for nothing.
    /// `MUSTER_SURVEY_SECONDS`; 5.
    #[arg(long, env = "MUSTER_SURVEY_SECONDS", default_value_t = 5, value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..))]
    pub survey_seconds: u64,

    /// Hours every survey's numbers are kept in full; roll-ups by the hour are kept for a year, and what lies around incidents
    /// for good. `MUSTER_RECORDER_HOURS`; 24.
    #[arg(long, env = "MUSTER_RECORDER_HOURS", default_value_t = 24, value_name = "HOURS",
        value_parser = clap::value_parser!(i64).range(1..=8784))]
    pub recorder_hours: i64,
}

impl SurveyConfig {
    /// As many seconds between two surveys as leave three of them within a minute, which is how long a survey counts.
    const LONGEST_SECONDS: u64 = 20;

    /// Time between two surveys of a pair: as set, and 20 s at most. Versions before took any number; who set a longer one then is not
    /// left without Muster by an upgrade.
    #[must_use]
    pub fn period(&self) -> Duration {
        Duration::from_secs(self.survey_seconds.min(Self::LONGEST_SECONDS))
    }

    /// Why surveys come more often than was set, as a sentence for the log; `None` where they come as set.
    #[must_use]
    pub fn shortened(&self) -> Option<String> {
        let (set, longest) = (self.survey_seconds, Self::LONGEST_SECONDS);
        (set > longest).then(|| {
            format!(
                "pairs are surveyed every {longest} s, not every {set} s as MUSTER_SURVEY_SECONDS says: a survey older than a minute counts \
                 for nothing, so figures would come and go, canaries pause and alerts fire. Set it to {longest} or less."
            )
        })
    }
}

/// Traffic switches.
#[derive(Debug, Clone, Default, Args)]
pub struct RoutingConfig {
    /// Key webhooks are signed with (HMAC-SHA256). `MUSTER_WEBHOOK_SECRET`; none, and then they are not signed.
    #[arg(long, env = "MUSTER_WEBHOOK_SECRET", hide_env_values = true, value_name = "KEY")]
    pub webhook_secret: Option<String>,
    /// Whether webhooks, those of notifications too, may be on loopback and private addresses.
    /// `MUSTER_ALLOW_PRIVATE_WEBHOOKS`; no.
    #[arg(long, env = "MUSTER_ALLOW_PRIVATE_WEBHOOKS")]
    pub allow_private_webhooks: bool,
}

/// Notifications.
#[derive(Debug, Clone, Default, Args)]
pub struct NotifyConfig {
    /// Mail server: `smtps://user:password@host:465`, `smtp://user:password@host:587?tls=required` or, without a password,
    /// `smtp://host:25`. `MUSTER_SMTP_URL`; none, and then no mail is sent.
    #[arg(long, env = "MUSTER_SMTP_URL", hide_env_values = true, value_name = "URL", requires = "smtp_from")]
    pub smtp_url: Option<String>,
    /// Who mails are from: `Muster <muster@example.com>`. `MUSTER_SMTP_FROM`; needed with a mail server.
    #[arg(long, env = "MUSTER_SMTP_FROM", value_name = "ADDRESS")]
    pub smtp_from: Option<String>,
    /// File with the certificate of an authority (PEM) that signs the mail server's, trusted beside the system's authorities.
    /// `MUSTER_SMTP_CA_FILE`; none.
    #[arg(long, env = "MUSTER_SMTP_CA_FILE", value_name = "FILE", requires = "smtp_url")]
    pub smtp_ca_file: Option<PathBuf>,
}

/// Monitoring.
#[derive(Debug, Clone, Args)]
pub struct MetricsConfig {
    /// Address of a second listener with `/metrics`, `/healthz` and `/readyz` only, without signing in: whoever reaches
    /// it may read the names of all pairs. `MUSTER_METRICS_LISTEN`; none, and then `/metrics` is on the first listener
    /// only, for people and tokens with a role for all teams.
    #[arg(long, env = "MUSTER_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// Most pairs with figures in `/metrics`, the first by name. `MUSTER_METRICS_PAIRS`; 200.
    #[arg(long, env = "MUSTER_METRICS_PAIRS", default_value_t = Caps::default().pairs, value_name = "N")]
    pub metrics_pairs: u32,
    /// Most topics of each flow with figures in `/metrics`, the shortest names first; 0 neither tells nor counts them,
    /// for fleets of very many. `MUSTER_METRICS_TOPICS`; 50.
    #[arg(long, env = "MUSTER_METRICS_TOPICS", default_value_t = Caps::default().topics, value_name = "N")]
    pub metrics_topics: u32,
}

impl MetricsConfig {
    /// The bounds of the number of series.
    #[must_use]
    pub fn caps(&self) -> Caps {
        Caps { pairs: self.metrics_pairs, topics: self.metrics_topics }
    }
}

/// Logs.
#[derive(Debug, Clone, Args)]
pub struct LogConfig {
    /// What is logged, as in `info,muster_kafka=debug`. `MUSTER_LOG`; `info`.
    #[arg(long, env = "MUSTER_LOG", default_value = "info", global = true, value_name = "FILTER")]
    pub log: String,
    /// How lines are written: `text` or `json`. `MUSTER_LOG_FORMAT`; `text`.
    #[arg(long, env = "MUSTER_LOG_FORMAT", default_value = "text", global = true, value_name = "FORMAT",
        value_parser = ["text", "json"])]
    pub log_format: String,
    /// Address of an OpenTelemetry collector that takes traces by OTLP over HTTP, as in `http://127.0.0.1:4318`; needs a
    /// build with the feature `otlp`. `MUSTER_OTLP_ENDPOINT`; none, and then nothing is sent.
    #[arg(long, env = "MUSTER_OTLP_ENDPOINT", global = true, value_name = "URL")]
    pub otlp_endpoint: Option<String>,
}

/// Where the client commands find the server.
#[derive(Debug, Clone, Args)]
pub struct ClientConfig {
    /// Address of the server. `MUSTER_URL`; `http://127.0.0.1:8080`.
    #[arg(
        long,
        env = "MUSTER_URL",
        default_value = "http://127.0.0.1:8080",
        global = true,
        value_name = "URL"
    )]
    pub url: String,
    /// Bearer token. `MUSTER_TOKEN`; the session kept by `muster login`.
    #[arg(long, env = "MUSTER_TOKEN", hide_env_values = true, global = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    pub json: bool,
}
