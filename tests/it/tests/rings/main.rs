//! Groups of a dead source on the real lab: it dies under load, and every group goes on by what was kept of it, never past a
//! record it had not read. What is true is read from both logs: the target's before anybody comes back, the source's after it
//! was started again. Keys of a megabyte are among what is read.

mod copies;
mod long_keys;
mod stage;
mod truth;

use anyhow::{Context as _, Result};
use chrono::Utc;
use muster_domain::pair::Side;
use muster_it::WEST;
use tokio::sync::Mutex;

use crate::{
    stage::{A_TO_B, Real},
    truth::Truth,
};

/// Two labs at once are more than two cores carry.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
/// Records of each partition before the first look.
const ENOUGH: i64 = 150;
/// The same where offset syncs alone are to tell of groups: a few of each partition.
const ENOUGH_SYNCED: i64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn when_the_source_is_dead_groups_go_on_by_rings_and_never_past_the_truth() -> Result<()> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let began = Utc::now();
    let mut real = Real::start().await?;
    real.bring_long_keys().await?;
    real.look_until_it_dies(ENOUGH).await?;
    real.notice_silence().await?;
    let proof = real.prove().await?;
    println!("{}", proof.sentence());
    long_keys::are_told(&proof)?;
    println!("{:?}", proof.dead_source);
    let source = proof.dead_source.as_ref().context("it says that the source is dead")?;
    assert!(source.silent_since >= source.positions_at, "{source:?}");
    assert!(source.positions_at > began, "{source:?}");
    let there = real.logs(Side::B).await?;
    // Without what was kept nothing is exact.
    real.forget_rings().await?;
    let none = real.prove().await?;
    println!("without rings: {}", none.sentence());
    assert_eq!((none.summary.exactly, none.summary.reprocess), (0, 0), "{none:#?}");
    assert!(none.summary.cannot_say > 0, "{none:#?}");
    real.lab.restart(WEST).await?;
    Truth { here: real.readable_again().await?, there }.judge(&proof)
}

/// MirrorMaker 2 keeps its offset syncs on the source unless it is told otherwise: they die with it, and here Muster does, too. All that
/// the next one has is what is kept.
#[tokio::test(flavor = "multi_thread")]
async fn where_offset_syncs_died_with_the_source_a_new_muster_goes_on_by_those_that_are_kept() -> Result<()> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut real = Real::with_syncs_on_source().await?;
    real.look_until_it_dies(ENOUGH_SYNCED).await?;
    real.begin_anew()?;

    let survey = real.survey().await?;
    let flow = survey.flows.iter().find(|flow| flow.direction == A_TO_B).context("the flow")?;
    assert!(flow.newest_pairs.value().is_none(), "{:?}", flow.newest_pairs);
    let last = flow.last_pairs.as_ref().context("offset syncs that are known of before")?;
    println!("offset syncs of {} partitions as of {}", last.newest.0.len(), last.read_at);
    assert!(last.read_at < survey.began_at, "{last:?}");
    assert!(real.all.iter().all(|at| last.newest.0.contains_key(at)), "{last:?}");

    real.notice_silence().await?;
    let by_all = real.prove().await?;
    println!("by all that is kept: {}", by_all.sentence());
    let source = by_all.dead_source.as_ref().context("it says that the source is dead")?;
    assert!(source.syncs_at.is_some_and(|at| at <= last.read_at), "{source:?}");
    let there = real.logs(Side::B).await?;
    real.forget_rings().await?;
    let by_syncs = real.prove().await?;
    println!("by offset syncs alone: {}", by_syncs.sentence());
    real.lab.restart(WEST).await?;
    let truth = Truth { here: real.readable_again().await?, there };
    truth.judge(&by_all)?;
    truth.judge_by_syncs(&by_syncs)
}
