//! The flight recorder on the real lab: what dies with a source under load lies in the interval that is stated, however it dies, and
//! the true figure comes after its return. That it died is looked for long before the next survey is due. What the explorer shows of it is what was recorded. So it is where transactions were open,
//! where the source died several times in a row, and where a connector drops or renames what it copies. How things stood before it died is
//! told after it, and kept longer than the rest.

mod behind;
mod elections;
mod explorer;
mod frozen;
mod hours;
mod incident;
mod observer;
mod open_transactions;
mod raw;
mod served;
mod transforms;

use std::time::Duration;

use anyhow::Context as _;
use muster_domain::loss::Loss;
use muster_it::{CENTRAL, WEST};
use muster_lab::{Lab, LabOptions, WaitBound, Workload, WorkloadOptions, wait_until};
use tokio::time::Interval;

use crate::observer::{Observer, PERIOD};

/// Surveys before the death.
const SURVEYS: u32 = 15;
/// So many of them before an application and an administrator change something.
const SURVEYS_BEFORE: u32 = 5;
const SOON: WaitBound = WaitBound { within: Duration::from_secs(90), every: PERIOD };
/// Between two surveys that are due: longer than anything is waited for here.
const NOT_DUE: Duration = Duration::from_secs(3_600);
/// A lab needs the machine to itself.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Acknowledged records that are not on the target: so many are in the interval of each of the pair's topics and of all, and none of
/// the topics is left out.
async fn lost_within(said: &Loss, workload: &Workload) -> anyhow::Result<i64> {
    let check = workload.check_cluster(CENTRAL).await?;
    println!("{check:#?}");
    let mut truth = 0;
    let of_pair = |topic: &str| topic.starts_with("orders.") || topic.starts_with("payments.");
    for (topic, checked) in check.topics.iter().filter(|(topic, _)| of_pair(topic)) {
        let lost = i64::try_from(checked.lost)?;
        let stated = said.topics.iter().find(|stated| stated.topic == *topic);
        let interval = stated.with_context(|| format!("{topic} is left out of {said:#?}"))?.lost;
        println!("{topic}: {lost} of {interval:?}");
        assert!(interval.records_at_least <= lost, "{topic}: {lost} lost, {interval:?}");
        assert!(interval.records_at_most >= Some(lost), "{topic}: {lost} lost, {interval:?}");
        truth += lost;
    }
    assert!(check.topics.contains_key("payments.captured"), "{check:#?}");
    let total = said.total;
    assert!(
        total.records_at_least <= truth && total.records_at_most >= Some(truth),
        "{truth} lost, {total:?}"
    );
    Ok(truth)
}

/// Only that its connections are closed tells that it died: the next survey is due in an hour. What is stated then.
async fn killed_with_no_survey_due(lab: &Lab, observer: &Observer) -> anyhow::Result<Loss> {
    let before = observer.survey().await?.number;
    let until_stated = async {
        let alive = wait_until("the loop's first survey", SOON, || async {
            Ok(Some(observer.survey().await?).filter(|survey| survey.number > before))
        })
        .await?;
        // Some time after it, however long the bytes of a fresh id make that.
        let part = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
        println!("killed {part}/256 of {PERIOD:?} after a survey");
        tokio::time::sleep(PERIOD * part / 256).await;
        lab.kill(WEST).await?;
        let said = wait_until("the death to be stated", SOON, || observer.newest_loss()).await?;
        anyhow::Ok((alive, said))
    };
    let (alive, said) = observer.left_alone(NOT_DUE, until_stated).await?;
    assert!(!alive.brought_forward && alive.sides.a.cluster.value().is_some(), "{alive:#?}");
    let dead = observer.survey().await?;
    assert_eq!(dead.number, alive.number + 1, "one look was enough");
    assert!(dead.brought_forward && dead.sides.a.cluster.value().is_none(), "{dead:#?}");
    assert!(said.noticed_at > alive.began_at, "{said:#?}");
    Ok(said)
}

/// Surveys of a living source.
async fn look(observer: &Observer, ticks: &mut Interval, surveys: u32) -> anyhow::Result<()> {
    for _ in 0..surveys {
        ticks.tick().await;
        assert_eq!(observer.observe().await?, None, "nobody died");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dies_with_the_source_is_in_the_interval_and_its_return_tells_the_true_figure()
-> anyhow::Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let lab = Lab::start(LabOptions::default()).await?;
    let mut workload =
        Workload::start(lab.describe(), &lab.describe().dir, WorkloadOptions::default()).await?;
    let observer = incident::observer(&lab).await?;
    let mut ticks = tokio::time::interval(PERIOD);
    look(&observer, &mut ticks, SURVEYS_BEFORE).await?;
    let before = incident::change(&observer).await?;
    look(&observer, &mut ticks, SURVEYS - SURVEYS_BEFORE).await?;
    let said = killed_with_no_survey_due(&lab, &observer).await?;
    println!("{:#?}", said.total);
    incident::is_told_after_the_death(&observer, before, said.seen_at).await?;
    // What was on its way to the target still arrives.
    ticks.reset();
    ticks.tick().await;
    let said = observer.observe().await?.unwrap_or(said);
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
    // Offsets: markers count as well, so it is no less than what applications know to be lost. The coordinator ends transactions
    // that the death left open: those markers are of the leader that was elected since, and not in it.
    assert!(told.records >= Some(truth), "{truth} lost, {told:#?}");
    assert!(told.method.contains("What was written since is not in it"), "{told:#?}");
    assert!(told.records <= settled.total.records_at_most, "{told:#?}, {:?}", settled.total);
    assert_eq!(settled.total, said.total, "what was said stays beside it");
    incident::outlives_what_is_not_kept(&observer, before, said.seen_at).await
}
