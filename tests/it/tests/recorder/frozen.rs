//! A source that freezes: its connections stay open and nothing answers. Where that comes while it is looked at, topics are listed and
//! their ends are not read any more.

use std::time::{Duration, Instant};

use chrono::Utc;
use muster_it::WEST;
use muster_lab::{Lab, LabOptions, Workload, WorkloadOptions, wait_until};

use crate::{
    ONE_AT_A_TIME, SOON, lost_within,
    observer::{Observer, PERIOD},
};

/// Surveys before it freezes.
const SURVEYS: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn what_dies_with_a_source_that_freezes_while_it_is_looked_at_is_in_the_interval() -> anyhow::Result<()>
{
    let _turn = ONE_AT_A_TIME.lock().await;
    let lab = Lab::start(LabOptions::default()).await?;
    let mut workload =
        Workload::start(lab.describe(), &lab.describe().dir, WorkloadOptions::default()).await?;
    let observer = Observer::start(&lab).await?;
    let mut ticks = tokio::time::interval(PERIOD);
    let mut took = Duration::ZERO;
    for _ in 0..SURVEYS {
        ticks.tick().await;
        let began = Instant::now();
        assert_eq!(observer.observe().await?, None, "nobody died");
        took = began.elapsed();
    }
    // Somewhere in the next survey, wherever the bytes of a fresh id put it.
    let part = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
    println!("frozen {part}/256 of {took:?} into a survey");
    ticks.tick().await;
    let freeze = async {
        tokio::time::sleep(took * part / 256).await;
        lab.freeze(WEST).await
    };
    let before = Utc::now();
    let (observed, frozen) = tokio::join!(observer.observe(), freeze);
    frozen?;
    observed?;
    let said = wait_until("the death to be stated", SOON, || observer.observe()).await?;
    println!("{:#?}", said.total);
    assert!(said.noticed_at > before, "{said:#?}");
    // What was on its way to the target still arrives. Frozen it acknowledges nothing, and it does not wake up to.
    let said = observer.observe().await?.unwrap_or(said);
    lab.kill(WEST).await?;
    workload.finish(Duration::from_secs(1)).await?;
    let truth = lost_within(&said, &workload).await?;

    lab.restart(WEST).await?;
    let settled = wait_until("the true figure", SOON, || async {
        let loss = observer.observe().await?;
        Ok(loss.filter(|loss| loss.truth.as_ref().is_some_and(|truth| truth.settled)))
    })
    .await?;
    let told = settled.truth.clone().expect("it is settled");
    println!("{told:#?}");
    assert!(told.records >= Some(truth), "{truth} lost, {told:#?}");
    assert!(told.records <= settled.total.records_at_most, "{told:#?}, {:?}", settled.total);
    Ok(())
}
