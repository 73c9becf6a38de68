//! Translation of groups on the real lab, cell by cell: every kind of topic, flow and group that a pair may have. What is true of a
//! cell is found by brute force: both sides are read whole and compared by what is in the records. Nothing is ever put past a
//! record it has not read, what is said to be exact is, and what cannot be said is refused for the right reason.
//!
//! | cell | flow | where |
//! |---|---|---|
//! | plain, behind, at the end, past the end | exactly once, identity naming | `exactly_once` |
//! | transactional source, read committed | exactly once | `exactly_once` |
//! | compacted on both sides | exactly once | `exactly_once` |
//! | brokers of the target write their own timestamps | exactly once | `exactly_once` |
//! | partitions that differ, one of them empty | exactly once | `exactly_once` |
//! | ahead of what was copied | exactly once, stopped | `exactly_once` |
//! | back to where records came from | exactly once | `exactly_once` |
//! | group of KIP-848, which really goes on there | exactly once | `exactly_once` |
//! | not copied at all | exactly once | `exactly_once` |
//! | longer than may be compared, groups far before the oldest known sync | exactly once and at least once | `long` |
//! | default naming | exactly once | `other_flows` |
//! | custom separator, begun when the source's first records were gone | exactly once | `other_flows` |
//! | begun with the newest records: groups behind the oldest sync | exactly once | `other_flows` |
//! | records dropped by a filter with a predicate | exactly once | `other_flows` |
//! | copies renamed by a router | exactly once | `other_flows` |
//! | second copies after `kill -9` of the worker | at least once | `at_least_once` |
//! | transactional source, read uncommitted | at least once | `at_least_once` |
//! | plain, written after the worker's death | at least once | `at_least_once` |
//!
//! Before groups are moved a drain is proven, and where timestamps are no help that hangs on what records look like: `drains`.

mod applications;
mod at_least_once;
mod drains;
mod exactly_once;
mod long;
mod other_flows;
mod stage;
mod truth;

use anyhow::Result;

/// A lab needs the machine to itself.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_flows_that_copy_exactly_once_are_never_put_past_the_truth() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let stage = stage::Stage::start(true).await?;
    exactly_once::cells(&stage).await?;
    other_flows::cells(&stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_a_flow_that_copies_at_least_once_are_never_put_past_the_truth() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let stage = stage::Stage::start(false).await?;
    at_least_once::cells(&stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_without_timestamps_is_proven_by_records_that_differ_and_not_by_ones_that_repeat()
-> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let stage = stage::Stage::start(false).await?;
    drains::without_timestamps(&stage).await
}
