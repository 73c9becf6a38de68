//! What `muster serve` has in memory when nobody asks it anything.

use std::time::Duration;

use anyhow::Result;
use muster_domain::{
    cluster::Cluster,
    ids::{ClusterName, PairName, TeamName},
    pair::{BySide, Pair},
};
use muster_kafka::synthetic::{CLUSTER_ID, cluster_at};
use muster_store::{
    clusters, pairs,
    teams::{self, Team},
    testing::TestDatabase,
};

use crate::{
    big_cluster::Size,
    figures::{Bench, Figure},
    machine,
    process::Process,
    survey::{
        pair,
        synthetic::{Brokers, start_brokers},
    },
};

/// The goal, in MB.
const LIMIT_MB: f64 = 80.0;
/// How long it is left alone before it is looked at, and how long it is looked at.
const SETTLE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(30);
const PAIRS: usize = 200;
const SIZE: Size = Size { topics: 10, groups: 10, latency_ms: 5 };

/// Starts one with nothing registered, and one that observes pairs.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let empty = TestDatabase::new().await;
    let nothing = Process::serve(&empty).await?;
    tokio::time::sleep(SETTLE).await;
    let mut figures = vec![
        Figure::new("nothing registered: resident", nothing.resident_mb(LOOK).await?, "MB").under(LIMIT_MB),
        Figure::new("nothing registered: CPU since it began", nothing.cpu()?.as_secs_f64(), "s"),
    ];
    drop(nothing);

    let database = TestDatabase::new().await;
    let [a, b] = [start_brokers(SIZE).await?, start_brokers(SIZE).await?];
    register(&database, [&a, &b]).await?;
    let observing = Process::serve(&database).await?;
    tokio::time::sleep(SETTLE).await;
    let before = observed(&database).await?;
    let what = format!("{PAIRS} pairs observed");
    let resident = observing.resident_mb(LOOK).await?;
    let surveys = observed(&database).await? - before;
    figures.extend([
        Figure::new(format!("{what}: resident"), resident, "MB").under(LIMIT_MB),
        Figure::new(format!("{what}: surveys in {} s", LOOK.as_secs()), f64::from(surveys), "surveys"),
    ]);
    let version: String = sqlx::query_scalar("show server_version").fetch_one(database.pool()).await?;
    Ok(Bench {
        name: "idle",
        how: vec![format!(
            "`muster serve` as a process of its own, `DATABASE_URL` set, so without a PostgreSQL of its own; the largest of \
             its resident memory (VmRSS) looked at every half second for {} s, after {} s alone. Once with nothing \
             registered; once with {PAIRS} pairs between two synthetic clusters of {} partitions and {} groups each, which it \
             surveys every 5 s over TCP.",
            LOOK.as_secs(),
            SETTLE.as_secs(),
            SIZE.partitions(),
            SIZE.groups
        )],
        load_before,
        versions: vec![("PostgreSQL", version)],
        figures,
    })
}

/// Both clusters, and pairs of them.
async fn register(database: &TestDatabase, sides: [&Brokers; 2]) -> Result<()> {
    let mut conn = database.conn().await;
    let team = Team { name: TeamName::new("bench")?, description: String::new() };
    teams::insert(&mut conn, &team).await?;
    let names = BySide { a: ClusterName::new("north")?, b: ClusterName::new("south")? };
    for (name, side) in [&names.a, &names.b].into_iter().zip(sides) {
        // All synthetic clusters have one id, and no two clusters may: the second is one that was not checked yet.
        let expected_cluster_id = (name == &names.a).then(|| CLUSTER_ID.to_owned());
        let cluster = Cluster { name: name.clone(), expected_cluster_id, ..cluster_at(side.port) };
        clusters::insert(&mut conn, &cluster).await?;
    }
    for number in 0..PAIRS {
        let named = pair::of(names.clone(), "orders[.].*", "group-.*")?;
        let pair = Pair { name: PairName::new(format!("pair-{number:03}"))?, ..named };
        pairs::insert(&mut conn, &pair).await?;
    }
    Ok(())
}

/// Surveys kept so far.
async fn observed(database: &TestDatabase) -> Result<i32> {
    let sql = "select coalesce(sum(number), 0)::integer from survey";
    Ok(sqlx::query_scalar(sql).fetch_one(database.pool()).await?)
}
