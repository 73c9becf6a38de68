//! One task a pair, pairs coming and going: what surveys, canaries and rings have in common.

use std::{collections::BTreeMap, time::Duration};

use muster_domain::ids::PairName;
use muster_store::StoreError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{http::failure::chain, process::telemetry::Beat};

/// Looks after every listed pair until shutdown, and lists them again every so often; `begin` makes the tasks of new ones. A
/// task ends when its pair is gone, or by shutdown, which is waited for.
pub(crate) async fn each_pair<Listing, Task>(
    (what, every): (&'static str, Duration),
    beat: &Beat,
    shutdown: &CancellationToken,
    list: impl Fn() -> Listing,
    begin: impl Fn(Vec<PairName>) -> Vec<(PairName, Task)>,
) where
    Listing: Future<Output = Result<Vec<PairName>, StoreError>>,
    Task: Future<Output = ()> + Send + 'static,
{
    let mut tasks: BTreeMap<PairName, JoinHandle<()>> = BTreeMap::new();
    while !shutdown.is_cancelled() {
        let names = list().await;
        beat.turned(names.is_ok());
        match names {
            Ok(mut names) => {
                tasks.retain(|_, task| !task.is_finished());
                names.retain(|name| !tasks.contains_key(name));
                tasks.extend(begin(names).into_iter().map(|(name, task)| (name, tokio::spawn(task))));
            }
            Err(e) => {
                tracing::warn!(cause = %chain(&e), "could not list pairs for {what}; tried again shortly")
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(every) => {}
        }
    }
    for (_, task) in tasks {
        // One that failed has said so.
        let _ = task.await;
    }
}
