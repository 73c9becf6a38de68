//! What does not mean well: requests that are forged, misplaced, too large or too slow, texts that would be more than text,
//! and times beyond all calendars.

mod large_and_slow;
mod requests;
mod texts;
mod times;
