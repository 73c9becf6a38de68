//! `muster doctor`: everything Muster needs, line by line. Each line that is not ok says what is missing and what it
//! would break. Changes nothing.

use std::{process::ExitCode, sync::Arc, time::Duration};

use chrono::Utc;
use muster_domain::{
    cluster::Cluster,
    pair::{Direction, Pair},
    reading::Observed,
    survey::{ConnectState, FlowObservation, RightHeld, RightObservation},
};
use muster_operations::ClientSource as _;
use muster_routing::RoutingOptions;
use muster_store::{
    clock, clusters, database, pairs, secrets,
    secrets::SecretsKey,
    server::{self, ServerFacts},
};
use sqlx::{PgConnection, PgPool, postgres::PgConnectOptions};

use crate::{app::Hands as _, client_source::StoredClients, config::Config, http::failure::chain, serve};

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
    let mut worst = Verdict::Ok;
    let mut print = |lines: Vec<Line>| {
        for line in lines {
            worst = worst.max(line.verdict);
            let word = match line.verdict {
                Verdict::Ok => "ok  ",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            println!("{word}  {}: {}", line.what, line.found);
        }
    };
    let pool = match reach_database(&config).await {
        Ok((pool, _private)) => pool,
        Err(e) => {
            print(vec![fail("database", format!("{e:#}. Without it Muster does nothing."))]);
            return Ok(ExitCode::FAILURE);
        }
    };
    print(check_database(&pool).await);
    let key = Arc::new(match serve::load_key(&config.secrets, &config.data.dir()) {
        Ok(key) => key,
        Err(e) => {
            print(vec![fail("secrets key", format!("{e:#}. No cluster with a password can be reached."))]);
            return Ok(ExitCode::FAILURE);
        }
    });
    print(check_secrets(&pool, &key).await);
    let clients = StoredClients::new(pool.clone(), key, RoutingOptions::default());
    print(check_clusters(&pool, &clients).await);
    print(check_flows(&pool, &clients).await);
    Ok(if worst == Verdict::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The database; when another process of Muster holds the private one, that one is asked through its socket.
async fn reach_database(config: &Config) -> anyhow::Result<(PgPool, Option<serve::Database>)> {
    let socket = config.data.dir().join("socket");
    if config.database.database_url.is_none() && socket.exists() {
        let options =
            PgConnectOptions::new_without_pgpass().socket(&socket).username("muster").database("muster");
        if let Ok(pool) = database::connect_with(options, 5).await {
            return Ok((pool, None));
        }
    }
    let database = serve::open_database(&config.data, &config.database).await?;
    Ok((database.pool.clone(), Some(database)))
}

async fn check_database(pool: &PgPool) -> Vec<Line> {
    let mut conn = match pool.acquire().await {
        Ok(conn) => conn,
        Err(e) => return vec![fail("database", format!("{e}. Without it Muster does nothing."))],
    };
    let mut lines = match server::facts(&mut conn).await {
        Ok(facts) => judge_server(&facts),
        Err(e) => vec![fail("database", chain(&e))],
    };
    lines.push(check_migrations(&mut conn).await);
    lines.push(check_clock(&mut conn).await);
    lines
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

async fn check_migrations(conn: &mut PgConnection) -> Line {
    match database::pending_migrations(conn).await {
        Ok(pending) if pending.is_empty() => ok("schema", "up to date"),
        Ok(pending) => warn(
            "schema",
            format!("migrations {pending:?} are missing; `muster migrate` or `serve` applies them."),
        ),
        Err(e) => fail("schema", chain(&e)),
    }
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

async fn check_secrets(pool: &PgPool, key: &SecretsKey) -> Vec<Line> {
    let Ok(mut conn) = pool.acquire().await else { return Vec::new() };
    let all = match clusters::list(&mut conn).await {
        Ok(all) => all,
        Err(e) => return vec![fail("secrets", chain(&e))],
    };
    let mut lines = Vec::new();
    for cluster in &all {
        if let Err(e) = secrets::get(&mut conn, key, &cluster.name).await {
            lines.push(fail(
                format!("secrets of {}", cluster.name),
                format!(
                    "{}. Muster cannot sign in there: set the right key, or enter the credentials again.",
                    chain(&e)
                ),
            ));
        }
    }
    if lines.is_empty() {
        lines
            .push(ok("secrets", format!("key {} opens the secrets of all {} clusters", key.id(), all.len())));
    }
    lines
}

async fn check_clusters(pool: &PgPool, clients: &StoredClients) -> Vec<Line> {
    let Ok(mut conn) = pool.acquire().await else { return Vec::new() };
    let all = match clusters::list(&mut conn).await {
        Ok(all) => all,
        Err(e) => return vec![fail("clusters", chain(&e))],
    };
    drop(conn);
    if all.is_empty() {
        return vec![ok("clusters", "none are registered yet")];
    }
    let checks = all.iter().map(|cluster| check_cluster(cluster, clients));
    futures_util::future::join_all(checks).await.into_iter().flatten().collect()
}

async fn check_cluster(cluster: &Cluster, clients: &StoredClients) -> Vec<Line> {
    let what = format!("cluster {}", cluster.name);
    match tokio::time::timeout(BOUND, ask_cluster(cluster, clients)).await {
        Ok(lines) => lines,
        Err(_) => vec![fail(what, "no answer within 20 s: nothing can be observed or done there.")],
    }
}

async fn ask_cluster(cluster: &Cluster, clients: &StoredClients) -> Vec<Line> {
    let what = format!("cluster {}", cluster.name);
    let admin = match clients.cluster_admin(&cluster.name).await {
        Ok(admin) => admin,
        Err(e) => return vec![fail(what, format!("{e}. Nothing can be observed or done there."))],
    };
    let found = match admin.describe_cluster().await {
        Ok(found) => found,
        Err(e) => return vec![fail(what, format!("{e}. Nothing can be observed or done there."))],
    };
    let mut lines = vec![match &cluster.expected_cluster_id {
        Some(id) if *id == found.cluster_id => ok(&what, format!("{} brokers, id {id}", found.brokers.len())),
        Some(id) => fail(
            &what,
            format!("id {} answers, {id} is expected: nothing is ever changed there.", found.cluster_id),
        ),
        None => warn(
            &what,
            format!(
                "id {} was never recorded: nothing is ever changed there. Run `muster clusters check {}`.",
                found.cluster_id, cluster.name
            ),
        ),
    }];
    match admin.rights().await {
        Ok(rights) => lines.extend(rights.iter().map(|right| judge_right(&what, right))),
        Err(e) => lines.push(fail(format!("{what}, rights"), e.to_string())),
    }
    lines
}

fn judge_right(what: &str, right: &RightObservation) -> Line {
    let what = format!("{what}, {}", right.right);
    match &right.held {
        RightHeld::Yes => ok(what, "held"),
        RightHeld::No { error } => fail(what, format!("missing ({error}): needed for {}.", right.needed_for)),
        RightHeld::Unknown { reason } => {
            warn(what, format!("not known ({reason}): needed for {}.", right.needed_for))
        }
    }
}

async fn check_flows(pool: &PgPool, clients: &StoredClients) -> Vec<Line> {
    let Ok(mut conn) = pool.acquire().await else { return Vec::new() };
    let all = match pairs::list(&mut conn, None, None).await {
        Ok(all) => all,
        Err(e) => return vec![fail("pairs", chain(&e))],
    };
    drop(conn);
    futures_util::future::join_all(all.iter().map(|pair| check_pair(pair, clients)))
        .await
        .into_iter()
        .flatten()
        .collect()
}

async fn check_pair(pair: &Pair, clients: &StoredClients) -> Vec<Line> {
    let hands = match clients.pair_clients(&pair.name).await {
        Ok(hands) => hands,
        Err(e) => return vec![fail(format!("pair {}", pair.name), e.to_string())],
    };
    let mut lines = Vec::new();
    for flow in &pair.flows {
        let what = format!("flow {} of {}", pair.course(flow.direction), pair.name);
        let Some(steered) = hands.flow(flow.direction) else {
            lines.push(warn(what, "not attached to its connectors: it can be neither seen nor steered."));
            continue;
        };
        match tokio::time::timeout(BOUND, steered.observe(Utc::now())).await {
            Ok(seen) => {
                let target = hands.clusters.get(Direction::to(flow.direction));
                lines.extend(judge_flow(&what, &seen, target));
            }
            Err(_) => {
                lines.push(fail(what, "no answer within 20 s: the flow can be neither seen nor steered."))
            }
        }
    }
    lines
}

fn judge_flow(what: &str, seen: &FlowObservation, target: &Cluster) -> Vec<Line> {
    let mut lines = vec![match &seen.worker {
        Observed::Unknown { reason, .. } => {
            return vec![fail(what, format!("{reason}. The flow can be neither seen nor steered."))];
        }
        Observed::Known { value, .. }
            if target.expected_cluster_id.as_ref() == Some(&value.kafka_cluster_id) =>
        {
            ok(what, format!("Connect {} is attached to {}", value.version, target.name))
        }
        Observed::Known { value, .. } => warn(
            what,
            format!(
                "Connect is attached to cluster id {} and not to {}: its own state does not survive where the records are.",
                value.kafka_cluster_id, target.name
            ),
        ),
    }];
    for (role, connector) in &seen.connectors {
        let what = format!("{what}, {role} connector");
        lines.push(match connector {
            Observed::Unknown { reason, .. } => fail(what, reason.clone()),
            Observed::Known { value, .. } => {
                match value.tasks.iter().find(|task| task.state == ConnectState::Failed) {
                    Some(task) => fail(
                        what,
                        format!("task {} FAILED: {}", task.id, task.trace.as_deref().unwrap_or("no trace")),
                    ),
                    None if value.state == ConnectState::Failed => fail(what, "FAILED: nothing is copied."),
                    None => ok(
                        what,
                        format!("{} is {} with {} tasks", value.name, value.state, value.tasks.len()),
                    ),
                }
            }
        });
    }
    lines
}
