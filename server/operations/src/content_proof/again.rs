//! Trying a stretch once more after what may pass by itself: an election takes seconds, a broker that starts anew a minute.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use muster_domain::topic::TopicPartition;
use muster_kafka::KafkaError;

/// Times a stretch is tried whose brokers say "not now": with the pauses between, for a minute.
const TRIES_NOT_NOW: u32 = 6;
/// Times a stretch is tried while nobody answers: longer than it takes to call that a standstill of the whole proof.
const TRIES_SILENT: u32 = 16;
/// Pause before the second try; each one after is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Partitions of which a stretch was tried as often as it may be, in vain: their other stretches are tried once each, until one answers.
#[derive(Debug, Default)]
pub(super) struct GivenUp(Mutex<BTreeSet<TopicPartition>>);

impl GivenUp {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<TopicPartition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody waits for these any longer: who tries one of their stretches now does so for the last time.
    pub(super) fn add(&self, partitions: impl IntoIterator<Item = TopicPartition>) {
        self.lock().extend(partitions);
    }
}

/// How often one stretch was tried since it last got on.
pub(super) struct Tries<'a> {
    given_up: &'a GivenUp,
    at: TopicPartition,
    made: u32,
    pause: Duration,
}

impl<'a> Tries<'a> {
    /// Not yet.
    pub(super) fn of(given_up: &'a GivenUp, at: &TopicPartition) -> Self {
        Self { given_up, at: at.clone(), made: 0, pause: FIRST_PAUSE }
    }

    /// The last try got on: what ended it has nothing to do with what ended those before.
    pub(super) fn got_on(&mut self) {
        (self.made, self.pause) = (0, FIRST_PAUSE);
    }

    /// How long to wait before it is tried again after an error; `None` when it is not.
    pub(super) fn again_after(&mut self, error: &KafkaError) -> Option<Duration> {
        self.made += 1;
        if !error.may_pass() {
            return None;
        }
        let most = if error.code().is_some() { TRIES_NOT_NOW } else { TRIES_SILENT };
        if self.made >= most {
            self.given_up.lock().insert(self.at.clone());
        }
        if self.given_up.lock().contains(&self.at) {
            return None;
        }
        tracing::info!(partition = %self.at, cause = %error, "a stretch could not be compared; tried again shortly");
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }

    /// The partition answers.
    pub(super) fn answered(&self) {
        self.given_up.lock().remove(&self.at);
    }

    /// Why it was given up.
    pub(super) fn because(&self, error: &KafkaError) -> String {
        match self.made {
            0 | 1 => error.to_string(),
            made => format!("tried {made} times, the last time: {error}"),
        }
    }
}
