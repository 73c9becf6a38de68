//! What teams are told outside of Muster, and in which words.
//!
//! An event is written down in the transaction of the change it tells of, and worded when it is delivered. Words hold
//! names of people, never addresses, and no secret: what comes in is what pages show too.

mod channel;
mod event;
mod formats;
mod kind;
mod message;
mod news;
mod of_run;
mod retry;
#[cfg(test)]
mod tests;

pub use channel::{Channel, ChannelKind, ChannelSecrets, SecretField, WrongChannel, check_channel, told_of};
pub use event::{Alarm, Event, NamedRun, Severity};
pub use formats::{Email, email, pagerduty, slack, teams, webhook};
pub use kind::EventKind;
pub use message::{Message, word};
pub use news::{BETTER_AFTER, Told, news_of_readiness};
pub use of_run::of_run;
pub use retry::{GIVE_UP_AFTER, Next, REFUSED_AT_MOST, after_failure, is_refusal};
