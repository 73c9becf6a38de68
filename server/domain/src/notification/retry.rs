//! When a delivery that failed is tried again, and when no more.

use chrono::{DateTime, TimeDelta, Utc};

/// Pause after the first failure; it doubles with each.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
/// Longest pause. What comes later of its subject waits for it, however urgent it is.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(5);
/// So often in a row a receiver may say that a message is wrong: it is the same at every attempt.
pub const REFUSED_AT_MOST: i32 = 6;
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

/// What follows attempt number `attempts` (from 1) of a message written at `created`, which failed `now`. `refusals` is how
/// often in a row it was refused as wrong, this attempt included.
#[must_use]
pub fn after_failure(created: DateTime<Utc>, attempts: i32, refusals: i32, now: DateTime<Utc>) -> Next {
    if now - created >= GIVE_UP_AFTER || refusals >= REFUSED_AT_MOST {
        return Next::GiveUp;
    }
    let doublings = attempts.clamp(1, 12) - 1;
    let pause = (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE);
    Next::Again((now + pause).min(created + GIVE_UP_AFTER))
}

/// Whether a status says that the message is wrong, or its address, so that the same again is refused again: any 4xx but
/// those that ask to come later (408, 425, 429).
#[must_use]
pub fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status) && ![408, 425, 429].contains(&status)
}
