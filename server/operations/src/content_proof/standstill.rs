//! Whether comparing gets on. A side that died deals nothing out and answers nobody, and neither ever ends by itself.
//!
//! Each side is judged by what answers there: whoever reads the source again to resume learns nothing of a target that is dead.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use muster_domain::topic::TopicPartition;
use muster_kafka::KafkaError;
use tokio::time::Instant;

use super::work::StretchBook;

/// How long nothing is dealt or read before that is a standstill: longer than brokers take to start anew.
pub(super) const LONGEST: Duration = Duration::from_secs(300);
/// How long something is in the way before it is asked what all have compared: what passes at once costs no question.
const SETTLED: Duration = Duration::from_secs(10);

/// What comparing can be held up by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Obstacle {
    /// Stretches wait for this cluster, and nothing was read there since.
    Silent(String),
    /// This process is dealt nothing that it could compare.
    Undealt,
}

/// What one process knows of it.
#[derive(Debug, Default)]
pub(super) struct Standstill(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By number, the stretches under way to which nobody has answered since they were told so.
    troubles: BTreeMap<i32, Trouble>,
    /// What is in the way, and since when.
    since: BTreeMap<Obstacle, Since>,
}

#[derive(Debug)]
struct Trouble {
    partition: TopicPartition,
    /// The cluster that is silent.
    cluster: String,
    error: String,
    heard: Instant,
}

#[derive(Debug)]
struct Since {
    began: Instant,
    /// What all processes had compared then; `None` when that was not asked yet.
    compared: Option<i64>,
}

impl Since {
    fn now() -> Self {
        Self { began: Instant::now(), compared: None }
    }

    /// Whether it is to be asked what all have compared: once it is clear that something is in the way, and once it was for too long.
    fn asks(&self) -> bool {
        let stood = self.began.elapsed();
        stood >= LONGEST || (self.compared.is_none() && stood >= SETTLED)
    }

    /// Whether nobody got on for too long, knowing what all have compared by now.
    fn is_over(&mut self, compared: i64) -> bool {
        let stood = self.began.elapsed();
        if self.compared == Some(compared) {
            return stood >= LONGEST;
        }
        if self.compared.is_some() || stood >= LONGEST {
            self.began = Instant::now();
        }
        self.compared = Some(compared);
        false
    }
}

impl Standstill {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of an error of a stretch. One that a broker answered with is about its partition, and no standstill of all.
    pub(super) fn hear(&self, number: i32, partition: &TopicPartition, error: &KafkaError) {
        let mut state = self.lock();
        state.troubles.remove(&number);
        if error.may_pass() && error.code().is_none() {
            let trouble = Trouble {
                partition: partition.clone(),
                cluster: error.cluster.clone(),
                error: error.to_string(),
                heard: Instant::now(),
            };
            state.troubles.insert(number, trouble);
        }
    }

    /// A cluster let a stretch read on.
    pub(super) fn answered(&self, number: i32, cluster: &str) {
        let mut state = self.lock();
        state.since.remove(&Obstacle::Silent(cluster.to_owned()));
        if state.troubles.get(&number).is_some_and(|trouble| trouble.cluster == cluster) {
            state.troubles.remove(&number);
        }
    }

    /// A stretch is not under way any more.
    pub(super) fn ended(&self, number: i32) {
        self.lock().troubles.remove(&number);
    }

    /// None but these is under way.
    pub(super) fn keep_only(&self, numbers: &BTreeSet<i32>) {
        self.lock().troubles.retain(|number, _| numbers.contains(number));
    }

    /// What has been in the way for too long without anything getting on: what this process reads where it waits, and what any has
    /// compared.
    pub(super) async fn look(&self, undealt: bool, book: &dyn StretchBook) -> Vec<Obstacle> {
        if !self.is_doubtful(undealt) {
            return Vec::new();
        }
        match book.compared().await {
            Ok(compared) => self.judge(compared),
            Err(cause) => {
                tracing::warn!(%cause, "could not look how much is compared; tried again shortly");
                Vec::new()
            }
        }
    }

    fn is_doubtful(&self, undealt: bool) -> bool {
        let mut state = self.lock();
        let mut there: BTreeSet<Obstacle> =
            state.troubles.values().map(|trouble| Obstacle::Silent(trouble.cluster.clone())).collect();
        if undealt {
            there.insert(Obstacle::Undealt);
        }
        state.since.retain(|obstacle, _| there.contains(obstacle));
        for obstacle in there {
            state.since.entry(obstacle).or_insert_with(Since::now);
        }
        state.since.values().any(Since::asks)
    }

    fn judge(&self, compared: i64) -> Vec<Obstacle> {
        let mut state = self.lock();
        let asked = state.since.iter_mut().filter(|(_, since)| since.asks());
        let over = asked.filter_map(|(obstacle, since)| since.is_over(compared).then(|| obstacle.clone()));
        over.collect()
    }

    /// The partitions of stretches that wait for one of these. They are waited for no longer, and the others have as long as before.
    pub(super) fn give_up(&self, stood: &[Obstacle]) -> BTreeSet<TopicPartition> {
        let mut state = self.lock();
        state.since.retain(|obstacle, _| !stood.contains(obstacle));
        let waits = state.troubles.values().filter(|trouble| trouble.holds_up(stood));
        waits.map(|trouble| trouble.partition.clone()).collect()
    }

    /// The last error of a cluster that is silent.
    pub(super) fn last_error(&self, stood: &[Obstacle]) -> Option<String> {
        let state = self.lock();
        let waits = state.troubles.values().filter(|trouble| trouble.holds_up(stood));
        waits.max_by_key(|trouble| trouble.heard).map(|trouble| trouble.error.clone())
    }
}

impl Trouble {
    fn holds_up(&self, stood: &[Obstacle]) -> bool {
        stood.iter().any(|obstacle| match obstacle {
            Obstacle::Silent(cluster) => *cluster == self.cluster,
            Obstacle::Undealt => false,
        })
    }
}
