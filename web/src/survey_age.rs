//! How old a survey is: what an old one showed is not how things stand.

use chrono::{DateTime, Utc};
use muster_domain::survey::FRESH;

use crate::{
    format,
    parts::{Notice, Tone},
};

/// Whether what was read then is too old to be shown as current.
pub(crate) fn is_old(now: DateTime<Utc>, read_at: DateTime<Utc>) -> bool {
    now - read_at > FRESH
}

/// What is said above what an old survey showed; nothing of one that is not.
pub(crate) fn notice(now: DateTime<Utc>, began_at: DateTime<Utc>) -> Option<Notice> {
    is_old(now, began_at).then(|| {
        Notice::new(
            Tone::Unk,
            format!("Nobody has looked for {}: what is below is as of then.", format::age(now, began_at)),
            "Look whether a Muster process surveys this pair.",
        )
    })
}
