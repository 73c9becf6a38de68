//! Silent loss on the real lab: each of the fifteen causes is really caused, the alarm names the right place within three
//! surveys, nothing else is alarmed, and it ends as designed when its cause is gone.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Result;
use muster_it::alarms::{WITHIN, every_cause};

/// From the beginning of a survey to the next.
const PERIOD: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cause_of_silent_loss_is_alarmed_within_three_surveys() -> Result<()> {
    let raised = every_cause(PERIOD).await?;
    assert!(raised.iter().all(|raised| raised.surveys <= WITHIN), "{raised:#?}");
    let codes: BTreeSet<String> = raised.iter().map(|raised| raised.code.to_string()).collect();
    assert_eq!(
        (raised.len(), codes.len()),
        (18, 15),
        "a topic made anew is caused on either side, a foreign writer where replication rests and where it copies, early deletion by \
         retention and by compaction: {codes:?}"
    );
    Ok(())
}
