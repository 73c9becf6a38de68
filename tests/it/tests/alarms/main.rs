//! Silent loss on the real lab: each of the fifteen causes is really caused, the alarm names the right place within three
//! surveys, nothing else is alarmed, and it ends as designed when its cause is gone.
//!
//! One lab and one story: what disturbs others most (a worker that is gone, a source that is gone) comes last.
#![expect(clippy::unwrap_used, reason = "tests")]

mod causes;
mod gone;
mod stage;

use anyhow::Result;
use stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cause_of_silent_loss_is_alarmed_within_three_surveys() -> Result<()> {
    let mut stage = Stage::start().await?;
    stage.nothing_is_alarmed().await?;
    stage.a_hole_that_replication_jumped_over().await?;
    stage.a_topic_made_anew_on_the_source().await?;
    stage.a_topic_made_anew_on_the_standby().await?;
    stage.a_partition_on_the_source_only().await?;
    stage.replication_set_back().await?;
    stage.a_foreign_writer().await?;
    stage.a_hung_transaction().await?;
    stage.a_deny_that_was_copied().await?;
    stage.a_brokers_default_that_deletes_early().await?;
    stage.a_group_active_on_the_standby().await?;
    stage.leftover_offsets().await?;
    stage.a_converter_that_rewrites().await?;
    stage.both_directions_at_once().await?;
    stage.the_worker_gone().await?;
    stage.the_source_gone_and_a_task_with_it().await
}
