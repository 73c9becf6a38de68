//! The loops of a process: when each began, when it last did its work, whether it has ended though nobody asked it to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

/// A loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoopName {
    /// Observes pairs.
    Surveys,
    /// Carries runs.
    Engine,
    /// Looks after drill schedules.
    Schedules,
    /// Ends overdue requests, removes old rows.
    Housekeeping,
    /// Delivers messages.
    Notifications,
    /// Carries out proofs.
    Proofs,
    /// Carries canaries.
    Canaries,
    /// Keeps fingerprint rings.
    Rings,
}

impl LoopName {
    /// Its word in figures and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Surveys => "surveys",
            Self::Engine => "engine",
            Self::Schedules => "schedules",
            Self::Housekeeping => "housekeeping",
            Self::Notifications => "notifications",
            Self::Proofs => "proofs",
            Self::Canaries => "canaries",
            Self::Rings => "rings",
        }
    }
}

/// What is known of a loop.
#[derive(Debug, Clone)]
pub(super) struct LoopState {
    pub(super) began: DateTime<Utc>,
    pub(super) last_success: Option<DateTime<Utc>>,
    pub(super) failures: u64,
    turned: Instant,
    silent_within: Duration,
    ended: bool,
}

/// The loops of this process.
#[derive(Debug, Default)]
pub struct Loops(Mutex<BTreeMap<LoopName, LoopState>>);

impl Loops {
    /// Takes a loop in; it turns at least once in `silent_within`, or it is taken for stalled.
    pub fn begin(self: &Arc<Self>, name: LoopName, silent_within: Duration) -> Beat {
        let state = LoopState {
            began: Utc::now(),
            last_success: None,
            failures: 0,
            turned: Instant::now(),
            silent_within,
            ended: false,
        };
        self.with(|loops| loops.insert(name, state));
        Beat(Some((Arc::clone(self), name)))
    }

    /// A loop that ended though nobody asked it to: only a new process brings it back.
    #[must_use]
    pub fn ended(&self) -> Option<LoopName> {
        self.with(|loops| loops.iter().find(|(_, state)| state.ended).map(|(name, _)| *name))
    }

    /// A loop that has not turned for too long, and for how long.
    #[must_use]
    pub fn stalled(&self) -> Option<(LoopName, Duration)> {
        self.with(|loops| {
            let silence =
                loops.iter().map(|(name, state)| (*name, state.turned.elapsed(), state.silent_within));
            silence.filter(|(_, silent, bound)| silent > bound).map(|(name, silent, _)| (name, silent)).next()
        })
    }

    pub(super) fn all(&self) -> BTreeMap<LoopName, LoopState> {
        self.with(|loops| loops.clone())
    }

    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<LoopName, LoopState>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a loop tells its turns to. The default one tells nobody, for tests of the loop alone.
#[derive(Debug, Clone, Default)]
pub struct Beat(Option<(Arc<Loops>, LoopName)>);

impl Beat {
    /// The loop has turned: it did its work, or could not and will try again.
    pub fn turned(&self, worked: bool) {
        self.change(|state| {
            state.turned = Instant::now();
            match worked {
                true => state.last_success = Some(Utc::now()),
                false => state.failures += 1,
            }
        });
    }

    /// Carries the loop. When it is dropped before `meant_to_end` says so, as by a panic, it has ended.
    pub async fn carry(self, work: impl Future<Output = ()>, meant_to_end: impl Fn() -> bool) {
        let _watch = EndWatch { beat: self, meant_to_end };
        work.await;
    }

    fn change(&self, f: impl FnOnce(&mut LoopState)) {
        if let Some((loops, name)) = &self.0 {
            loops.with(|all| all.get_mut(name).map(f));
        }
    }
}

struct EndWatch<F: Fn() -> bool> {
    beat: Beat,
    meant_to_end: F,
}

impl<F: Fn() -> bool> Drop for EndWatch<F> {
    fn drop(&mut self) {
        if !(self.meant_to_end)() {
            tracing::error!("a loop has ended though nobody asked it to; restart this process");
            self.beat.change(|state| state.ended = true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_does_not_turn_is_stalled_and_one_that_fails_is_not() {
        let loops = Arc::new(Loops::default());
        let beat = loops.begin(LoopName::Surveys, Duration::ZERO);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(loops.stalled().map(|(name, _)| name), Some(LoopName::Surveys));
        let other = loops.begin(LoopName::Surveys, Duration::from_secs(60));
        beat.turned(false);
        other.turned(false);
        assert_eq!(loops.stalled(), None);
        let state = loops.all()[&LoopName::Surveys].clone();
        assert_eq!((state.failures, state.last_success), (2, None));
        beat.turned(true);
        assert!(loops.all()[&LoopName::Surveys].last_success.is_some());
    }

    #[tokio::test]
    async fn a_loop_that_panics_has_ended_and_one_that_is_stopped_has_not() {
        let loops = Arc::new(Loops::default());
        let stopped = loops.begin(LoopName::Schedules, Duration::from_secs(60));
        stopped.carry(async {}, || true).await;
        assert_eq!(loops.ended(), None);
        let beat = loops.begin(LoopName::Engine, Duration::from_secs(60));
        let died = tokio::spawn(beat.carry(async { panic!("a bug") }, || false)).await;
        assert!(died.is_err());
        assert_eq!(loops.ended(), Some(LoopName::Engine));
    }
}
