//! How looks at a pair's sources go: whether anything is kept of them for the day they are dead, and what is in the way.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::proof::looks::{Looks, Trouble, UnreadPartition};

use crate::{
    format,
    parts::{Mark, Tone, When},
};

/// Looks come every ten seconds, while groups' positions are read; one as old as this is missed.
const LATE: TimeDelta = TimeDelta::minutes(2);

/// A source.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) state: Mark,
    pub(super) said: String,
    pub(super) unread: Vec<Unread>,
    /// Partitions that cannot be read and are not told of one by one.
    pub(super) left_out: String,
}

/// A partition that cannot be read.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) name: String,
    pub(super) since: When,
    pub(super) because: String,
}

impl Source {
    pub(super) fn new(looks: &Looks, now: DateTime<Utc>) -> Self {
        let unread = |one: &UnreadPartition| Unread {
            name: format!("{}-{}", one.topic, one.partition),
            since: When::moment(now, one.since),
            because: one.because.clone(),
        };
        let told = i64::try_from(looks.partitions.len()).unwrap_or(i64::MAX);
        Self {
            name: looks.from.to_string(),
            state: state(looks, now),
            said: said(looks),
            unread: looks.partitions.iter().map(unread).collect(),
            left_out: match looks.unread - told {
                ..=0 => String::new(),
                more => format!("{} more cannot be read.", format::number(more)),
            },
        }
    }
}

/// The worst of it.
fn state(looks: &Looks, now: DateTime<Utc>) -> Mark {
    let since = |trouble: &Trouble| format::moment(now, trouble.since);
    let Some(looked_at) = looks.looked_at else { return Mark::new(Tone::Unk, "not looked at yet") };
    if let Some(trouble) = &looks.silent {
        return Mark::new(Tone::Bad, format!("not readable since {}", since(trouble)));
    }
    if let Some(trouble) = &looks.failing {
        return Mark::new(Tone::Bad, format!("looks fail since {}", since(trouble)));
    }
    let ago = format!("looked at {}", format::ago(now, looked_at));
    match (now - looked_at > LATE, looks.unread, looks.beyond) {
        (true, ..) => Mark::new(Tone::Unk, ago),
        (false, 0, 0) => Mark::new(Tone::Ok, ago),
        (false, ..) => Mark::new(Tone::Warn, ago),
    }
}

/// What it means.
fn said(looks: &Looks) -> String {
    let mut said = Vec::new();
    match (&looks.silent, &looks.failing, looks.looked_at) {
        (.., None) => said.push(
            "Nothing is kept of it. Looks begin when a survey has read the groups' positions.".to_owned(),
        ),
        (Some(trouble), ..) | (None, Some(trouble), Some(_)) => {
            said.push(format!("What was kept until then stays. What came back: {}", trouble.because));
        }
        (None, None, Some(_)) => {}
    }
    if looks.unread > 0 {
        let partitions = partitions(looks.unread);
        said.push(format!(
            "{partitions} cannot be read: for groups there nothing is kept but what was kept before. They are tried again after a minute."
        ));
    }
    if looks.beyond > 0 {
        let partitions = partitions(looks.beyond);
        said.push(format!(
            "{partitions} with groups go without, for rings are kept of 10,000: first those where every group has read everything."
        ));
    }
    said.join(" ")
}

fn partitions(n: i64) -> String {
    format::count(usize::try_from(n).unwrap_or_default(), "partition")
}
