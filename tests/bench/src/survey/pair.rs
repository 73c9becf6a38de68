//! A pair without flows between two clusters, and its clients.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Result;
use chrono::Utc;
use muster_domain::{
    cluster::{Cluster, ClusterSecrets},
    ids::{ClusterName, PairName, TeamName},
    pair::{ApprovalRule, BySide, Objectives, Pair, PairMode},
};
use muster_kafka::{ClientOptions, ClusterAdmin, KafkaAdmin, KafkaMover, RecordMover};
use muster_operations::PairClients;

/// Topics and groups are patterns.
pub(super) fn clients(
    sides: &BySide<(Cluster, ClusterSecrets)>,
    topics: &str,
    groups: &str,
) -> Result<PairClients> {
    let options = ClientOptions::default();
    let admin = |(cluster, secrets): &(Cluster, ClusterSecrets)| -> Arc<dyn ClusterAdmin> {
        Arc::new(KafkaAdmin::new(cluster, secrets, options))
    };
    let mover = |(cluster, secrets): &(Cluster, ClusterSecrets)| -> Arc<dyn RecordMover> {
        Arc::new(KafkaMover::new(cluster, secrets, options))
    };
    let pair = of(BySide { a: sides.a.0.name.clone(), b: sides.b.0.name.clone() }, topics, groups)?;
    Ok(PairClients {
        pair,
        clusters: BySide { a: sides.a.0.clone(), b: sides.b.0.clone() },
        admin: BySide { a: admin(&sides.a), b: admin(&sides.b) },
        mover: BySide { a: mover(&sides.a), b: mover(&sides.b) },
        flows: BTreeMap::new(),
        routing: Vec::new(),
    })
}

/// The pair alone. Topics and groups are patterns.
pub(crate) fn of(clusters: BySide<ClusterName>, topics: &str, groups: &str) -> Result<Pair> {
    Ok(Pair {
        name: PairName::new("bench")?,
        team: TeamName::new("bench")?,
        clusters,
        mode: PairMode::ActivePassive,
        topics: vec![topics.to_owned()],
        topics_exclude: Vec::new(),
        groups: vec![groups.to_owned()],
        groups_exclude: Vec::new(),
        flows: Vec::new(),
        objectives: Objectives { rpo_seconds: 10, rto_seconds: 120, verify_within_days: 90 },
        approval: ApprovalRule::new(1, 60, 60),
        routing: Vec::new(),
        canary_topic: None,
        canary_partitions: 1,
        canary_seconds: 5,
        show_payload: false,
        unused_settings: BTreeMap::new(),
        version: 1,
        updated_at: Utc::now(),
    })
}
