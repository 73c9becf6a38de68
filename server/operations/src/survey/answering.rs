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
use tokio::time::{Instant, interval_at, sleep};

/// Between two questions.
const AGAIN: Duration = Duration::from_secs(1);
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
    let mut again = interval_at(began + AGAIN, AGAIN);
    let mut enough = pin!(sleep(waits.patience));
    let outcome = loop {
        tokio::select! {
            biased;
            Some(answer) = asked.next() => match answer {
                Ok(cluster) => break Ok(cluster),
                Err(error) if asked.is_empty() => break Err(error.to_string()),
                // Another question is under way.
                Err(_) => {}
            },
            () = &mut enough => break Err(format!(
                "cluster `{}` was asked {} times within {} ms and did not answer",
                admin.cluster(),
                asked.len(),
                waits.patience.as_millis()
            )),
            _ = again.tick() => asked.push(ask(admin)),
        }
    };
    if !asked.is_empty() {
        // They end by their own bound, and with them connections that nothing comes on. One that is dropped leaves its connection to
        // whoever asks next.
        tokio::spawn(async move { while asked.next().await.is_some() {} });
    }
    outcome.map_err(|reason| Unanswered { reason, waited: began.elapsed() })
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
}
