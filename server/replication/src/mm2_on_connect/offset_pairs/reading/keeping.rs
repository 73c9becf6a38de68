//! What of an offset-syncs topic is not kept yet: when it is to be, and who else keeps it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use muster_domain::offset_pairs::{KeptUntil, ReadPairs, Seen, SyncsTopic};
use tokio::time::Instant;

use super::Reading;

/// Time between two keepings. Until then the topic has it: compaction does not come to what was just written.
const KEEP_EVERY: Duration = Duration::from_secs(30);
/// Time until it is kept that the topic was read to its end once more, where it had nothing new.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Time until it is looked at again whether the process that keeps them goes on with it: a few times what lies between two keepings.
const LEFT_FOR: Duration = Duration::from_secs(90);
/// So many pairs are kept at once.
const KEEP_AT: usize = 20_000;

/// What of it is not kept yet.
#[derive(Debug)]
pub(super) struct Unkept {
    pub(super) topic: SyncsTopic,
    pub(super) read: ReadPairs,
    /// When the end was reached last as far as that is kept.
    pub(super) said: Option<DateTime<Utc>>,
    /// The turn it goes on from.
    pub(super) turn: Option<i64>,
    /// What was kept in that turn is of this log, and ends where this begins.
    pub(super) joins: bool,
    pub(super) kept_at: Option<Instant>,
    /// Somebody else kept more, or may have: what they kept is to go on from.
    pub(super) overtaken: bool,
    /// Some partitions began anew in it: who else read the same may know more.
    pub(super) has_gaps: bool,
    /// Somebody else keeps what is read here, too.
    pub(super) left: Option<Left>,
}

/// How it stood when it was seen last that somebody else keeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    /// Their turn.
    pub(super) turn: i64,
    /// How far this process had read.
    pub(super) read_until: i64,
}

impl Reading {
    /// Nothing of what follows is kept yet; it goes on from that turn.
    pub(super) fn unkept_from(&mut self, topic: SyncsTopic, turn: Option<i64>, joins: bool) {
        let read = ReadPairs::beginning_at(self.known.until, self.known.unreadable.clone());
        self.unkept = Some(Unkept {
            topic,
            read,
            said: self.read_at,
            turn,
            joins,
            kept_at: None,
            overtaken: false,
            has_gaps: false,
            left: None,
        });
    }

    /// What is to be kept now, and after which turn.
    pub(in crate::mm2_on_connect::offset_pairs) fn due(
        &self,
    ) -> Option<(Option<i64>, &SyncsTopic, &ReadPairs, Seen)> {
        let Unkept { topic, read, said, turn, joins, kept_at, overtaken, .. } = self.unkept.as_ref()?;
        let waited = |time: Duration| kept_at.is_none_or(|at| at.elapsed() >= time);
        let more = read.until > read.from && (waited(KEEP_EVERY) || read.count() >= KEEP_AT);
        // That pairs are forgotten is kept with what is read next; until then their topics stay bound to the copies that are gone.
        let whole = *joins && (read.until > read.from || read.partitions.is_empty());
        let again = whole && self.read_at > *said && waited(SAY_EVERY);
        let bound = whole && !self.copies.unkept().is_empty();
        (!overtaken && (more || again || bound)).then(|| {
            let seen = Seen { read_at: self.read_at, copies: self.copies.unkept().clone() };
            (*turn, topic, read, seen)
        })
    }

    /// It may be that nothing more can be read: what is not kept is kept at once.
    pub(in crate::mm2_on_connect::offset_pairs) fn hurry(&mut self) {
        if let Some(unkept) = self.unkept.as_mut().filter(|unkept| unkept.left.is_none()) {
            unkept.kept_at = None;
        }
    }

    /// It was kept, in that turn; `None` when somebody else came first, or that is not known.
    pub(in crate::mm2_on_connect::offset_pairs) fn kept(&mut self, in_turn: Option<i64>) {
        let Some(unkept) = &mut self.unkept else { return };
        match in_turn {
            Some(turn) => {
                (unkept.turn, unkept.joins) = (Some(turn), true);
                unkept.has_gaps = false;
                unkept.kept_at = Some(Instant::now());
                unkept.said = self.read_at;
                unkept.read = ReadPairs::beginning_at(self.known.until, self.known.unreadable.clone());
                self.copies.are_kept();
            }
            None => unkept.overtaken = true,
        }
    }

    /// Whether somebody else keeps what is read.
    pub(in crate::mm2_on_connect::offset_pairs) fn is_left(&self) -> bool {
        self.unkept.as_ref().is_some_and(|unkept| unkept.left.is_some())
    }

    /// Whether it is time to see who keeps what is read.
    pub(in crate::mm2_on_connect::offset_pairs) fn looks_who_keeps(&self) -> bool {
        self.unkept.as_ref().is_some_and(|unkept| {
            let waited = unkept.kept_at.is_none_or(|at| at.elapsed() >= LEFT_FOR);
            !unkept.overtaken && (unkept.left.is_none() || waited)
        })
    }

    /// Somebody else has kept that far. While they go on with it nothing has to be known of what they keep: all of it was read
    /// here, too. Once they do not, it is to go on from.
    pub(in crate::mm2_on_connect::offset_pairs) fn leave(&mut self, kept: Option<&KeptUntil>) {
        let read_until = self.known.until;
        let Some(unkept) = &mut self.unkept else { return };
        let goes_on = |kept: &&KeptUntil| {
            kept.topic == unkept.topic
                && !unkept.has_gaps
                && unkept.left.is_none_or(|left| kept.turn > left.turn || kept.until >= left.read_until)
        };
        match kept.filter(goes_on) {
            Some(kept) => {
                unkept.left = Some(Left { turn: kept.turn, read_until });
                unkept.kept_at = Some(Instant::now());
                unkept.read = ReadPairs::beginning_at(read_until, self.known.unreadable.clone());
            }
            None => unkept.overtaken = true,
        }
    }

    /// It could not be kept: later again.
    pub(in crate::mm2_on_connect::offset_pairs) fn not_kept(&mut self) {
        if let Some(unkept) = &mut self.unkept {
            unkept.kept_at = Some(Instant::now());
        }
    }
}
