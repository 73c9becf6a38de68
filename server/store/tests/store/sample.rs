//! Rows to test with.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    cluster::{Cluster, ProbePrincipal, Sasl, Security, Tls},
    ids::{ClusterName, PairName, TeamName},
    lag::RpoLook,
    pair::{
        ApprovalRule, BySide, Direction, Flow, Mechanism, NamingPolicy, Objectives, Pair, PairMode,
        RoutingTarget, Side,
    },
    people::Grant,
    recorder::explorer::FlowLook,
    survey::{SideObservation, Survey},
};
use muster_store::{StoreError, clusters, pairs, people, teams, teams::Team};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

thread_local! {
    /// Each test has a thread of its own.
    static BEGAN: DateTime<Utc> = Utc::now();
}

/// When this test began. Its hours and days are counted from there: between two looks at the clock another may begin.
pub(crate) fn now() -> DateTime<Utc> {
    BEGAN.with(|began| *began)
}

/// The full hour `hours` ago, and so many seconds after it.
pub(crate) fn at(hours: i64, seconds: i64) -> DateTime<Utc> {
    let hour = now().timestamp() / 3600 - hours;
    DateTime::from_timestamp(hour * 3600 + seconds, 0).expect("a time")
}

pub(crate) fn team(name: &str) -> TeamName {
    TeamName::new(name).expect("a usable name")
}

pub(crate) fn cluster_name(name: &str) -> ClusterName {
    ClusterName::new(name).expect("a usable name")
}

pub(crate) fn pair_name(name: &str) -> PairName {
    PairName::new(name).expect("a usable name")
}

/// What a survey says of a flow of which each partition is so many records and ten times as many milliseconds behind; unknown is `None`.
pub(crate) fn look_at(at: DateTime<Utc>, behind: &[Option<i64>]) -> FlowLook {
    let unknown = behind.iter().filter(|records| records.is_none()).count();
    let worst = behind.iter().copied().max().flatten().filter(|_| unknown == 0);
    let band = |worst: Option<i64>| {
        let class = if worst.is_some() { "exact" } else { "unknown" };
        json!({"p50": worst, "p90": worst, "p99": worst, "worst": worst, "class": class, "known_class": "exact"})
    };
    let ms = worst.map(|records| records * 10);
    let said = json!({
        "until": at,
        "surveys": 1,
        "unknown_surveys": usize::from(unknown > 0),
        "partitions": behind.len(),
        "by_class": {"unknown": unknown, "stale": 0, "lower_bound": 0, "tight": 0, "exact": behind.len() - unknown},
        "records": band(worst),
        "ms": band(ms),
        "total_records": worst,
        "records_at_least": worst.map(|_| 0),
        "records_at_most": worst.map(|records| records + 65),
        "ms_at_least": worst.map(|_| 0),
        "last": worst.map(|records| json!({
            "records_at_most": records + 65,
            "unseen": {"since": at, "ms": 5_000, "written": {"records": 50, "ms": 5_000}},
        })),
    });
    FlowLook {
        rpo: RpoLook { at, ms_at_most: ms.map(|ms| ms + 5_000), ms_then: ms },
        band: serde_json::from_value(said).expect("a band"),
    }
}

pub(crate) fn cluster(name: &str) -> Cluster {
    Cluster {
        name: cluster_name(name),
        bootstrap: vec![format!("{name}:9092"), format!("{name}-2:9092")],
        security: Security {
            tls: Some(Tls::default()),
            sasl: Some(Sasl::ScramSha512 { username: "muster".to_owned() }),
        },
        probe: Some(ProbePrincipal { username: "muster-probe".to_owned() }),
        expected_cluster_id: None,
        region: "Frankfurt".to_owned(),
        version: 0,
        updated_at: DateTime::<Utc>::UNIX_EPOCH,
    }
}

pub(crate) fn pair(name: &str) -> Pair {
    let flow = |from: Side, enabled| Flow {
        direction: Direction { from },
        mechanism: Mechanism::Mm2OnConnect {
            connect_url: "http://connect:8083".to_owned(),
            source_connector: "source".to_owned(),
            checkpoint_connector: None,
            heartbeat_connector: None,
        },
        source_alias: "west".to_owned(),
        target_alias: "central".to_owned(),
        naming: NamingPolicy::Identity,
        enabled,
    };
    Pair {
        name: pair_name(name),
        team: team("payments"),
        clusters: BySide { a: cluster_name("eu-west"), b: cluster_name("eu-central") },
        mode: PairMode::ActivePassive,
        topics: vec!["orders.*".to_owned()],
        topics_exclude: Vec::new(),
        groups: vec![".*".to_owned()],
        groups_exclude: Vec::new(),
        flows: vec![flow(Side::A, true), flow(Side::B, false)],
        objectives: Objectives { rpo_seconds: 5, rto_seconds: 60, verify_within_days: 90 },
        approval: ApprovalRule::new(1, 60, 60),
        routing: vec![RoutingTarget::AddressBook { path: "/run/address-book.json".to_owned() }],
        canary_topic: None,
        canary_partitions: 1,
        canary_seconds: 5,
        show_payload: false,
        unused_settings: BTreeMap::from([("tasks.max".to_owned(), "4".to_owned())]),
        version: 0,
        updated_at: DateTime::<Utc>::UNIX_EPOCH,
    }
}

pub(crate) fn survey(pair: &str, number: i64) -> Survey {
    let at = DateTime::<Utc>::UNIX_EPOCH + chrono::Duration::seconds(number);
    Survey {
        pair: pair_name(pair),
        number,
        began_at: at,
        took_ms: 120,
        brought_forward: false,
        sides: BySide {
            a: SideObservation::unreachable("connection refused", at),
            b: SideObservation::unreachable("connection refused", at),
        },
        flows: Vec::new(),
    }
}

/// Team `payments`, clusters `eu-west` and `eu-central`, and a pair of them.
pub(crate) async fn keep_pair(conn: &mut PgConnection, name: &str) -> Result<Pair, StoreError> {
    teams::insert(conn, &Team { name: team("payments"), description: String::new() }).await?;
    for cluster_name in ["eu-west", "eu-central"] {
        clusters::insert(conn, &cluster(cluster_name)).await?;
    }
    pairs::insert(conn, &pair(name)).await
}

pub(crate) async fn keep_user(
    conn: &mut PgConnection,
    name: &str,
    grants: &[Grant],
) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
    people::insert(conn, id, name, name, Some(&"$argon2id$hash".into()), grants).await?;
    Ok(id)
}

/// The name of the constraint a write broke.
pub(crate) fn broken<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    let error = result.expect_err("the write should be refused");
    error.constraint().unwrap_or_else(|| panic!("no constraint in {error:?}")).to_owned()
}
