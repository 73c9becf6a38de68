//! Whether a cluster answers at all.
//!
//! Nobody is taken for silent by one question. It is asked anew every second, each time on the connection that has waited least: a broker
//! that hangs is asked once, and then another of its cluster. So neither a slow answer nor one broker of many makes a cluster silent.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{
    future::{BoxFuture, FutureExt as _},
    stream::{FuturesUnordered, StreamExt as _},
};
use muster_domain::cluster::ClusterDescription;
use muster_kafka::{ClusterAdmin, KafkaError};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

/// Between two questions.
const AGAIN: Duration = Duration::from_secs(1);
/// The next question may be as much late. Where it is later this process stood still (a snapshot of its machine), and heard nobody: then it
/// begins to wait anew.
const LATE: Duration = Duration::from_secs(1);
/// As often as this; a process that always stands still would wait for ever.
const MOST_ANEW: u32 = 3;
/// A survey waits as long for a cluster at most, as for any call to it.
const LONGEST: Duration = Duration::from_secs(10);
/// And as long at least: alarms take nothing shorter for silence (`muster_domain::alarm`).
const SHORTEST: Duration = Duration::from_secs(5);
/// What is left of two periods for what else a survey does, so that it is judged within them.
const REST: Duration = Duration::from_millis(1_500);

/// Nobody said who the cluster is.
#[derive(Debug, Clone)]
pub(super) struct Unanswered {
    /// What was tried and what came back.
    pub(super) reason: String,
    /// How long that took.
    waited: Duration,
}

/// How long a survey waits for a cluster that does not answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    patience: Duration,
    /// Whether a cluster that falls silent while it is read is left after that time: where it is a whole period, it says enough.
    leaves: bool,
}

impl Waits {
    /// Of surveys a period apart: what died right after one is given up by the next before three periods are over. `None` of a single one.
    pub(super) fn of(period: Option<Duration>) -> Self {
        let two = period.map_or(LONGEST, |period| period.saturating_mul(2).saturating_sub(REST));
        let patience = two.clamp(SHORTEST, LONGEST);
        Self { patience, leaves: period.is_some_and(|period| period <= patience) }
    }
}

/// Who the cluster is.
///
/// # Errors
/// When every question was refused, or none was answered for as long as a survey waits.
pub(super) async fn identity(
    admin: &Arc<dyn ClusterAdmin>,
    waits: Waits,
) -> Result<ClusterDescription, Unanswered> {
    let began = Instant::now();
    let mut asked = FuturesUnordered::new();
    asked.push(ask(admin));
    let mut questions = 1_u32;
    let mut again = interval_at(began + AGAIN, AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut enough = pin!(sleep(waits.patience));
    let (mut woke, mut anew) = (began, 0);
    let outcome = loop {
        let turn = tokio::select! {
            biased;
            Some(answer) = asked.next() => Turn::Answered(answer),
            () = &mut enough => Turn::Enough,
            _ = again.tick() => Turn::Again,
        };
        let slept = woke.elapsed() > AGAIN + LATE && anew < MOST_ANEW;
        woke = Instant::now();
        if slept {
            anew += 1;
            enough.as_mut().reset(woke + waits.patience);
        }
        match turn {
            Turn::Answered(Ok(cluster)) => break Ok(cluster),
            Turn::Answered(Err(error)) if asked.is_empty() && !slept => break Err(error.to_string()),
            // Another question is under way.
            Turn::Answered(Err(_)) if !slept => {}
            Turn::Enough if !slept => {
                break Err(format!(
                    "cluster `{}` was asked {questions} times within {} ms and did not answer",
                    admin.cluster(),
                    began.elapsed().as_millis()
                ));
            }
            Turn::Answered(Err(_)) | Turn::Enough | Turn::Again => {
                asked.push(ask(admin));
                questions = questions.saturating_add(1);
            }
        }
    };
    if !asked.is_empty() {
        // They end by their own bound, and with them connections that nothing comes on. One that is dropped leaves its connection to
        // whoever asks next.
        tokio::spawn(async move { while asked.next().await.is_some() {} });
    }
    outcome.map_err(|reason| Unanswered { reason, waited: began.elapsed() })
}

/// What a question is waited for with.
enum Turn {
    Answered(Result<ClusterDescription, KafkaError>),
    Enough,
    Again,
}

fn ask(admin: &Arc<dyn ClusterAdmin>) -> BoxFuture<'static, Result<ClusterDescription, KafkaError>> {
    let admin = Arc::clone(admin);
    async move { admin.describe_cluster().await }.boxed()
}

/// Ends when a cluster that answered does not any more, for as long as a survey waits. What refuses at once is left to those who read.
pub(super) async fn silence(admin: &Arc<dyn ClusterAdmin>, waits: Waits) -> Unanswered {
    if !waits.leaves {
        return std::future::pending().await;
    }
    loop {
        sleep(AGAIN).await;
        if let Err(unanswered) = identity(admin, waits).await
            && unanswered.waited >= waits.patience
        {
            let reason = format!("it answered when the survey began; then {}", unanswered.reason);
            return Unanswered { reason, ..unanswered };
        }
    }
}

/// What a read answers, or why nothing more is expected of it.
///
/// # Errors
/// Why it failed, or was given up.
pub(super) async fn unless<T>(
    silent: impl Future<Output = Unanswered>,
    read: impl Future<Output = Result<T, KafkaError>>,
) -> Result<T, String> {
    tokio::select! {
        biased;
        read = read => read.map_err(|error| error.to_string()),
        silent = silent => Err(silent.reason),
    }
}

#[cfg(test)]
mod tests {
    use muster_kafka::double::{Call, Fault, When, World};

    use super::*;

    #[test]
    fn what_dies_right_after_a_survey_is_given_up_before_three_periods_are_over() {
        for period in (5..=20).map(Duration::from_secs) {
            let Waits { patience, leaves } = Waits::of(Some(period));
            // Where it waits a whole period one survey is enough, and otherwise the second.
            let surveys = if patience >= period { 1 } else { 2 };
            let told = period * surveys + patience;
            assert!(told <= period * 3, "{period:?}: {patience:?}");
            assert_eq!(leaves, surveys == 1);
        }
        assert_eq!(Waits::of(Some(Duration::from_secs(5))).patience, Duration::from_millis(8_500));
        assert_eq!(Waits::of(Some(Duration::from_secs(1))).patience, SHORTEST);
        assert_eq!(Waits::of(None).patience, LONGEST);
    }

    /// Five seconds of surveys a second apart, of a cluster whose calls end as the hook says.
    async fn unanswered(hook: impl FnMut(&Call, When) -> Option<Fault> + Send + 'static) -> Unanswered {
        let world = World::new(&["west"]);
        world.on_call(hook);
        let admin: Arc<dyn ClusterAdmin> = Arc::new(world.admin("west"));
        identity(&admin, Waits::of(Some(Duration::from_secs(1)))).await.expect_err("nobody answers")
    }

    #[tokio::test(start_paused = true)]
    async fn all_questions_are_counted_and_not_only_those_that_are_open() {
        let mut asked = 0;
        let told = unanswered(move |_, when| {
            asked += u32::from(when == When::Before);
            Some(if asked == 2 { Fault::Timeout } else { Fault::Hang })
        });
        let said = told.await.reason;
        assert!(said.starts_with("cluster `west` was asked 5 times within 50"), "{said}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_stood_still_itself_begins_to_wait_anew() {
        let waiting = tokio::spawn(unanswered(|_, _| Some(Fault::Hang)));
        sleep(Duration::from_millis(1_500)).await;
        // Its machine is stopped, and goes on.
        tokio::time::advance(Duration::from_secs(30)).await;
        let told = waiting.await.expect("it ends");
        assert!(told.waited >= Duration::from_secs(31) + SHORTEST, "{told:?}");
    }
}
