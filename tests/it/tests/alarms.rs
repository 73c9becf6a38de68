//! Silent loss on the real lab: each of the fifteen causes is really caused, the alarm names the right place within three
//! surveys, nothing else is alarmed, and it ends as designed when its cause is gone. So are tasks whose worker went, and what is so of one
//! of two flows that copy.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Result;
use muster_domain::alarm::AlarmCode;
use muster_it::alarms::{WITHIN, a_worker_of_two_gone, a_writer_without_a_name, every_cause, of_two_flows};

/// From the beginning of a survey to the next.
const PERIOD: Duration = Duration::from_secs(2);
/// A lab needs the machine to itself.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cause_of_silent_loss_is_alarmed_within_three_surveys() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let raised = every_cause(PERIOD).await?;
    assert!(raised.iter().all(|raised| raised.surveys <= WITHIN), "{raised:#?}");
    let codes: BTreeSet<String> = raised.iter().map(|raised| raised.code.to_string()).collect();
    assert_eq!(
        (raised.len(), codes.len()),
        (20, 15),
        "a topic made anew is caused on either side, a foreign writer where replication rests and where it copies, early deletion by \
         retention and by compaction, and worker and source are both frozen and killed: {codes:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_writer_that_no_broker_remembers_is_alarmed_as_likely_by_numbers_alone() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let raised = a_writer_without_a_name(PERIOD).await?;
    let told: Vec<_> = raised.iter().map(|raised| (raised.code, raised.subject.as_str())).collect();
    assert_eq!(told, [(AlarmCode::ForeignWriter, "orders.alarm-busy")]);
    assert!(raised[0].surveys <= WITHIN, "{raised:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_of_a_worker_that_went_are_missed_while_its_group_waits_for_it() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let raised = a_worker_of_two_gone(PERIOD).await?;
    let told: Vec<_> = raised.iter().map(|raised| (raised.code, raised.subject.as_str())).collect();
    let missing = (AlarmCode::TaskMissing, "orders-west-to-central-source");
    assert_eq!(told, [missing, missing], "ended in order, and killed");
    assert!(raised.iter().all(|raised| raised.surveys <= WITHIN), "{raised:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_both_flows_copy_what_is_so_of_one_is_alarmed_of_that_one() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let raised = of_two_flows(PERIOD).await?;
    let told: Vec<_> = raised.iter().map(|raised| (raised.code, raised.subject.as_str())).collect();
    let expected = [
        (AlarmCode::ReplicationHole, "clicks.alarm-busy (eu-central → eu-west)"),
        (AlarmCode::ReplicationHole, "clicks.alarm-busy (eu-west → eu-central)"),
        (AlarmCode::WorkerGone, "clicks-central-to-west-source (eu-central → eu-west)"),
    ];
    assert_eq!(told, expected);
    assert!(raised.iter().all(|raised| raised.surveys <= WITHIN), "{raised:#?}");
    Ok(())
}
