//! What every [`ClusterAdmin`] and [`RecordMover`](crate::RecordMover) must do, asserted on the
//! doubles and on real brokers alike. Each function makes its own topics, groups and ACLs under `prefix`.
#![expect(clippy::unwrap_used, reason = "these are tests, kept where both test crates reach them")]

mod admin;
mod closings;
mod groups;
mod records;
mod security;

use std::{collections::BTreeMap, time::Duration};

pub use admin::{configs, epochs, identity, offsets, topics};
pub use closings::closings;
pub use groups::{groups, live_group};
pub use records::{mover, own_time, share, transactions};
pub use security::{acls, client_limits, fence_probe};

use crate::{
    admin::{ClusterAdmin, NewTopic},
    mover::NewRecord,
};

/// How often a condition is looked at before it counts as never.
const LOOKS: usize = 500;

/// Looks until it holds. Each look is a tick of a simulated world and 20 ms on a real cluster.
pub async fn eventually<F: Future<Output = bool>>(what: &str, look: impl Fn() -> F) {
    for _ in 0..LOOKS {
        if look().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

/// A topic with the broker's default replication.
#[must_use]
pub fn new_topic(name: &str, partitions: i32) -> NewTopic {
    NewTopic { name: name.to_owned(), partitions, replication: -1, configs: BTreeMap::new() }
}

/// Creates it, whatever was there before.
pub async fn fresh_topic(admin: &dyn ClusterAdmin, name: &str, partitions: i32) {
    match admin.create_topic(&new_topic(name, partitions)).await {
        Ok(()) => {}
        Err(error) if error.code() == Some(36) => {
            admin.delete_topic(name).await.unwrap();
            admin.create_topic(&new_topic(name, partitions)).await.unwrap();
        }
        Err(error) => panic!("{error}"),
    }
}

/// Records with distinct values and timestamps `first`, `first + 1`, ….
#[must_use]
pub fn records(first: i64, count: i64) -> Vec<NewRecord> {
    let record = |i| NewRecord {
        key: (i % 2 == 0).then(|| format!("key-{i}").into()),
        value: (i % 5 != 4).then(|| format!("value-{i}").into()),
        timestamp: first + i,
    };
    (0..count).map(record).collect()
}
