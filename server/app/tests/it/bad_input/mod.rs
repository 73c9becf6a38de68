//! What does not mean well: requests that are forged, misplaced, too large or too slow, and texts that would be more than text.

mod large_and_slow;
mod requests;
mod texts;
