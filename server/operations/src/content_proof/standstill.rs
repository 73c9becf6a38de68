//! Whether comparing gets on. A source that died deals nothing out and is read by nobody, and neither ever ends by itself.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use muster_kafka::KafkaError;
use tokio::time::Instant;

use super::work::StretchBook;
use crate::translation_proof::ProofError;

/// How long nothing is dealt or read before a process ends its part: longer than brokers take to start anew.
const LONGEST: Duration = Duration::from_secs(300);

/// What one process knows of it.
#[derive(Debug, Default)]
pub(super) struct Standstill(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Bytes this process had read at the last look.
    read: u64,
    /// What did not answer since then; empty when nothing.
    silent: String,
    /// Since when something is in the way, and what all processes had compared then.
    since: Option<(Instant, i64)>,
}

impl Standstill {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of an error. One that a broker answered with is about its partition, and no standstill of all.
    pub(super) fn hear(&self, error: &KafkaError) {
        if error.may_pass() && error.code().is_none() {
            self.lock().silent = error.to_string();
        }
    }

    /// Looks whether anything got on: what this process has read, or what any has compared. `undealt` says what deals nothing out; empty
    /// when it does.
    ///
    /// # Errors
    /// `StandsStill` when something was in the way for too long and nothing got on.
    pub(super) async fn look(
        &self,
        read: u64,
        undealt: &str,
        book: &dyn StretchBook,
    ) -> Result<(), ProofError> {
        if !self.is_doubtful(read, undealt) {
            return Ok(());
        }
        match book.compared().await {
            Ok(compared) => self.judge(compared, undealt),
            Err(cause) => {
                tracing::warn!(%cause, "could not look how much is compared; tried again shortly");
                Ok(())
            }
        }
    }

    /// Whether it is to be asked what all have compared: when something begins to be in the way, and once it was for too long.
    fn is_doubtful(&self, read: u64, undealt: &str) -> bool {
        let mut state = self.lock();
        if state.read != read {
            *state = State { read, ..State::default() };
        }
        if undealt.is_empty() && state.silent.is_empty() {
            state.since = None;
            return false;
        }
        state.since.is_none_or(|(since, _)| since.elapsed() >= LONGEST)
    }

    fn judge(&self, compared: i64, undealt: &str) -> Result<(), ProofError> {
        let mut state = self.lock();
        let stood = state.since.filter(|(since, before)| *before == compared && since.elapsed() >= LONGEST);
        if stood.is_none() {
            state.since = Some((Instant::now(), compared));
            return Ok(());
        }
        let mut tried = vec![undealt.to_owned()];
        if !state.silent.is_empty() {
            tried.push(format!("the last error was: {}", state.silent));
        }
        tried.retain(|text| !text.is_empty());
        Err(ProofError::StandsStill { minutes: LONGEST.as_secs() / 60, tried: tried.join("; ") })
    }
}
