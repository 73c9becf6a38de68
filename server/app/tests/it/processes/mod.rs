//! Several processes of the real binary over one database: what they share, and what is left when one dies or stops.

mod killed;
mod stopped;

use std::{process::Command, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kafka_protocol::{
    messages::{ApiKey, DescribeClusterResponse, RequestKind, ResponseKind},
    protocol::StrBytes,
};
use muster_domain::{
    cluster::Cluster,
    ids::{ClusterName, PairName},
    pair::{BySide, Pair},
};
use muster_kafka::synthetic::{Brokers, Reply, World};
use muster_store::{clusters, pairs};
use sqlx::{ConnectOptions as _, PgPool};

use crate::{
    muster::{Dir, PATIENCE, Running, muster},
    test_app::{KEY, TestApp},
};

/// The database of a test as a house that processes of Muster move into and out of.
struct House {
    app: TestApp,
    dir: Dir,
}

impl House {
    async fn new() -> Self {
        Self { app: TestApp::with_pair().await, dir: Dir::new() }
    }

    fn pool(&self) -> &PgPool {
        &self.app.app.pool
    }

    /// One more `muster serve`, until it serves.
    fn serve(&self) -> Running {
        Running::serve(self.command())
    }

    fn command(&self) -> Command {
        let mut command = muster(&["serve", "--data-dir", self.dir.data().to_str().unwrap()]);
        command
            .env("DATABASE_URL", self.app.connect_options().to_url_lossy().as_str())
            .env("MUSTER_DATABASE_CONNECTIONS", "6")
            .env("MUSTER_SECRETS_KEY", STANDARD.encode(KEY))
            .env("MUSTER_SURVEY_SECONDS", "1")
            .env("MUSTER_ALLOW_PRIVATE_WEBHOOKS", "true");
        command
    }

    /// The pair of the simulated clusters stays this test's to observe: processes could not reach those.
    async fn keep_the_simulated_pair(&self) {
        sqlx::query("update lease set until = 'infinity' where name = 'survey:orders'")
            .execute(self.pool())
            .await
            .unwrap();
    }

    /// Registers clusters that answer, and so many pairs of them, `pair-1` and so on.
    async fn add_pairs(&self, sides: &[Brokers; 2], count: i32) {
        let mut conn = self.pool().acquire().await.unwrap();
        for (side, name) in sides.iter().zip(SIDES) {
            let cluster = Cluster {
                name: ClusterName::new(name).unwrap(),
                expected_cluster_id: Some(side.world.cluster_id.clone()),
                ..side.cluster()
            };
            clusters::insert(&mut conn, &cluster).await.unwrap();
        }
        for number in 1..=count {
            let pair = Pair {
                name: PairName::new(format!("pair-{number}")).unwrap(),
                clusters: BySide {
                    a: ClusterName::new(SIDES[0]).unwrap(),
                    b: ClusterName::new(SIDES[1]).unwrap(),
                },
                flows: Vec::new(),
                ..self.app.small.pair.clone()
            };
            pairs::insert(&mut conn, &pair).await.unwrap();
        }
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }
}

/// Names of the clusters that answer.
const SIDES: [&str; 2] = ["north", "south"];

/// A broker for each of two clusters. It offers little of Kafka, and each answer comes so many milliseconds late.
async fn brokers(latency_ms: u64) -> [Brokers; 2] {
    [one_broker(SIDES[0], latency_ms).await, one_broker(SIDES[1], latency_ms).await]
}

async fn one_broker(id: &'static str, latency_ms: u64) -> Brokers {
    let offered = [
        ApiKey::ApiVersions,
        ApiKey::Metadata,
        ApiKey::FindCoordinator,
        ApiKey::ListOffsets,
        ApiKey::ListGroups,
        ApiKey::OffsetFetch,
        ApiKey::DescribeCluster,
    ];
    let withheld =
        (0..=100).filter_map(|key| ApiKey::try_from(key).ok()).filter(|key| !offered.contains(key));
    let world = World {
        cluster_id: id.to_owned(),
        latency: Duration::from_millis(latency_ms),
        caps: withheld.map(|key| (key as i16, -1)).collect(),
        ..World::default()
    };
    let world = world.with_topic("orders.placed", &[0, 0]).with_script(move |_, request, _| {
        if !matches!(request, RequestKind::DescribeCluster(_)) {
            return Reply::Usual;
        }
        let answer = DescribeClusterResponse::default().with_cluster_id(StrBytes::from_static_str(id));
        Reply::with(ResponseKind::DescribeCluster(answer))
    });
    Brokers::start(1, world).await
}

/// Waits for something that has to happen.
pub(crate) async fn until(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let come = async {
        while !happened().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, come).await.is_err() {
        panic!("never came: {what}");
    }
}
