//! Asking a source that is back where the leaders it had when it died ended, by its own logs: what was written since is not lost.
//!
//! It is asked once for each partition of a loss, by the first survey that reads that one again. What it does not answer is left to the
//! ends of two surveys, as it is with brokers that do not tell leader epochs.

use std::collections::BTreeMap;

use muster_domain::{
    loss::{LeaderEnds, Loss, epochs_to_ask},
    survey::Survey,
    topic::ByPartition,
};
use muster_kafka::{ClusterAdmin, admin::EpochEnds};

use crate::clients::PairClients;

/// A loss whose last word is not said, with what the logs of its source tell now.
pub type Unsettled = (Loss, ByPartition<LeaderEnds>);

/// Asks for what each of these losses wants to know after a survey.
pub async fn ask_leader_ends(clients: &PairClients, survey: &Survey, losses: Vec<Loss>) -> Vec<Unsettled> {
    let mut unsettled = Vec::with_capacity(losses.len());
    for loss in losses {
        let epochs = epochs_to_ask(&loss, survey);
        let ends = if epochs.is_empty() {
            BTreeMap::new()
        } else {
            ask(clients.admin.get(loss.direction.from).as_ref(), &epochs).await
        };
        unsettled.push((loss, ends));
    }
    unsettled
}

async fn ask(admin: &dyn ClusterAdmin, epochs: &ByPartition<(i32, i32)>) -> ByPartition<LeaderEnds> {
    let then: ByPartition<i32> = epochs.iter().map(|(at, (then, _))| (at.clone(), *then)).collect();
    let before: ByPartition<i32> = epochs.iter().map(|(at, (_, before))| (at.clone(), *before)).collect();
    let (then, before) = match tokio::join!(admin.end_of_epoch(&then), admin.end_of_epoch(&before)) {
        (Ok(then), Ok(before)) => (then, before),
        (Err(e), _) | (_, Err(e)) => {
            tracing::info!(cluster.name = admin.cluster(), cause = %e, "could not ask `{}` where its leaders of then had ended; two surveys tell instead", admin.cluster());
            return BTreeMap::new();
        }
    };
    let ends = epochs.iter().filter_map(|(at, (led, before_present))| {
        let end = |answers: &EpochEnds| answers.get(at)?.as_ref().ok().copied().flatten();
        let interrupted = before_present > led;
        Some((at.clone(), LeaderEnds { then: end(&then)?, present_from: end(&before)?, interrupted }))
    });
    ends.collect()
}
