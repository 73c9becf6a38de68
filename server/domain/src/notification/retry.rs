//! When a delivery that failed is tried again, and when no more.

use chrono::{DateTime, TimeDelta, Utc};

/// Pause after the first failure; it doubles with each.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
/// Longest pause.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// Nobody needs to hear of it after this.
pub const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(24);

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another attempt then.
    Again(DateTime<Utc>),
    /// None.
    GiveUp,
}

/// What follows attempt number `attempts` (from 1) of a message written at `created`, which failed `now`.
#[must_use]
pub fn after_failure(created: DateTime<Utc>, attempts: i32, now: DateTime<Utc>) -> Next {
    if now - created >= GIVE_UP_AFTER {
        return Next::GiveUp;
    }
    let doublings = attempts.clamp(1, 12) - 1;
    let pause = (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE);
    Next::Again((now + pause).min(created + GIVE_UP_AFTER))
}
