//! What the applications' own ledger says of a switchover.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use muster_lab::EU_CENTRAL;

use super::stage::{PAIR, Stage};

const CATCH_UP: Duration = Duration::from_secs(180);

/// A switchover as applications saw it.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Longest time without an acknowledged write of any one topic.
    pub(super) away_s: f64,
    /// From the first action to the last.
    pub(super) total_s: f64,
    pub(super) lost: u64,
    pub(super) duplicates: u64,
    pub(super) groups: BTreeMap<String, Group>,
}

/// One group of the pair that was moved.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    pub(super) reprocessed: u64,
    pub(super) skipped: u64,
}

/// Ends the applications and compares what they were told with what is on the new side.
pub(super) async fn judge(stage: &mut Stage, total: Duration) -> Result<Verdict> {
    let end = stage.workload.finish(CATCH_UP).await?;
    let there = stage.workload.check_cluster(EU_CENTRAL).await?;
    stage.lab.expect_running().await?;
    let mut redirects = end.redirects.iter().filter(|redirect| redirect.pair == PAIR);
    let redirect = redirects.next().context("no producer followed")?;
    ensure!(redirects.next().is_none(), "producers were sent more than once");
    let away_ms = redirect.write_unavailability_ms.context("not every topic is written again")?;
    // The other pair was not moved.
    let moved =
        || there.topics.iter().filter(|(topic, _)| !topic.starts_with("clicks.")).map(|(_, topic)| topic);
    Ok(Verdict {
        away_s: f64::from(i32::try_from(away_ms)?) / 1e3,
        total_s: total.as_secs_f64(),
        lost: moved().map(|topic| topic.lost).sum(),
        duplicates: moved().map(|topic| topic.duplicates).sum(),
        groups: end
            .groups
            .iter()
            .filter(|(_, group)| group.cluster == EU_CENTRAL)
            .map(|(name, seen)| {
                // What was not handed out within the bound counts as never processed.
                let group = Group { reprocessed: seen.reprocessed, skipped: seen.skipped.max(seen.pending) };
                (name.clone(), group)
            })
            .collect(),
    })
}
