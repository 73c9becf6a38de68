//! A cluster as text, to compare worlds: what repeating a step must not change.

use std::fmt::Write;

use super::cluster::{ClusterState, Topic};
use crate::mover::Isolation;

/// Draws one cluster.
pub(super) fn draw(cluster: &ClusterState) -> String {
    let mut text = format!("cluster {} ({})\n", cluster.name, cluster.id);
    for (name, topic) in &cluster.topics {
        draw_topic(&mut text, name, topic);
    }
    for (name, group) in &cluster.groups {
        let members: Vec<_> = group.members.iter().map(|member| member.member_id.as_str()).collect();
        line(&mut text, format_args!("  group {name} {:?} members {members:?}", group.kind));
        for (at, committed) in &group.offsets {
            line(&mut text, format_args!("    {at} at {}", committed.offset));
        }
    }
    for binding in cluster.authorizer.bindings() {
        line(&mut text, format_args!("  {binding}"));
    }
    for (id, txn) in cluster.txns.iter().filter(|(_, txn)| !txn.partitions.is_empty()) {
        line(&mut text, format_args!("  open transaction {id} on {} partitions", txn.partitions.len()));
    }
    text
}

fn draw_topic(text: &mut String, name: &str, topic: &Topic) {
    line(text, format_args!("  topic {name} {} {:?}", topic.id, topic.configs));
    for (number, log) in topic.partitions.iter().enumerate() {
        let records: Vec<_> = log
            .visible(log.start(), log.end(), Isolation::ReadCommitted)
            .map(|record| String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned())
            .collect();
        line(text, format_args!("    {number}: {}..{} {}", log.start(), log.end(), records.join(" ")));
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{content}");
}
