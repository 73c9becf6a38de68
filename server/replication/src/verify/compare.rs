//! Comparing two streams of records by their prints, with bounded memory. Pure.
//!
//! Streams that are equal cost little more than counting. Where they differ, up to `LOOK_AHEAD` records of both are held to
//! tell what is missing, extra, out of order or copied twice. Whether the source holds a record further up than is remembered, it
//! asks whoever reads for it.

mod again;
mod alone;
mod early;
mod place;
mod resume;

use std::collections::HashSet;

use muster_domain::{
    content::{Compacted, Difference, DifferenceKind, Found},
    proof::content::MissedRecord,
};
use muster_kafka::RecordPrint;

pub(crate) use again::{LookBack, SeenBefore};

use self::{
    again::{LookedBack, Missed, Reader},
    place::Apart,
};
use super::{
    held::{Held, Newest, Remembered},
    waiting::Waiting,
};

/// Records of each side held to find one again after a difference.
pub(crate) const LOOK_AHEAD: usize = 20_000;

/// Which side may begin with records the other has no answer to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// Neither: both begin with the same record.
    #[default]
    Same,
    /// The source: retention removed their copies.
    SourceEarlier,
    /// The target: retention removed what they are copies of, or the comparison begins in the middle.
    TargetEarlier,
    /// Either: retention overtook the reading of both.
    Either,
}

/// What is known of the two ends of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edges {
    pub(crate) beginning: Beginning,
    /// One past the last source offset whose record must be on the target.
    pub(crate) required_until: i64,
    /// The target goes on behind the last record of the source: what stands there is not looked at.
    pub(crate) target_goes_on: bool,
    /// Both sides keep the producer's timestamps, so they tell which record is older.
    pub(crate) timestamps: bool,
}

impl Default for Edges {
    fn default() -> Self {
        Self { beginning: Beginning::Same, required_until: i64::MAX, target_goes_on: false, timestamps: true }
    }
}

/// How far a comparison looks ahead, in records of each side.
#[derive(Debug, Clone, Copy)]
struct Ahead(usize);

impl Default for Ahead {
    fn default() -> Self {
        Self(LOOK_AHEAD)
    }
}

/// A comparison under way.
#[derive(Default)]
pub(crate) struct Comparison {
    ahead: Ahead,
    source: Held,
    target: Held,
    matched: Remembered,
    /// Records of the source that were told to be missing, or not to be there yet: they may arrive further down.
    missed: Missed,
    /// Records of the target that were told to be foreign: the source may come to them further down.
    early: Missed,
    /// The same of those that were told to be undecided.
    early_unknown: Missed,
    /// Of both those that were told to be second copies since: another record of the source may be alike.
    early_copies: Missed,
    /// Of each source record from this offset on it is known whether it was matched.
    known_from: i64,
    /// Records of the source before its beginning of which that is not known.
    unsure: HashSet<u64>,
    /// Whether the source is read once more where that is asked for.
    reader: Reader,
    /// Nothing is told until that was done.
    asking: bool,
    looked_back: LookedBack,
    /// Of a compacted target: the newest matched record of each key.
    newest: Newest,
    compacted: Compacted,
    edges: Edges,
    /// Which side shows records the other cannot answer: at the beginning, and again where retention overtook the reading. None
    /// once one record was found on both.
    leads: Beginning,
    /// Before this source offset both sides are known to have a record in common.
    common_at: i64,
    /// What the target shows while the end of the source is not there.
    apart: Apart,
    /// On the source only, so far.
    missing: Waiting,
    /// On the target only, so far.
    extra: Waiting,
    found: Found,
    /// The source was read to its end.
    pub(crate) source_done: bool,
    /// The target was read to its end.
    pub(crate) target_done: bool,
}

/// Where a comparison that was interrupted goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    /// Next source offset to tell; `None`: whatever is read next.
    pub(crate) source: Option<i64>,
    /// The same of the target.
    pub(crate) target: Option<i64>,
    /// What was found before.
    pub(crate) found: Found,
    /// The last records of the source that were not found.
    pub(crate) missed: Vec<MissedRecord>,
    /// Of each source record from this offset on it is known whether it was found.
    pub(crate) known_from: i64,
}

impl Comparison {
    /// Of topics some of which may be compacted.
    pub(crate) fn of(compacted: Compacted, edges: Edges) -> Self {
        let (missing, extra) = (Waiting::of(compacted.target), Waiting::of(compacted.source));
        Self { compacted, edges, leads: edges.beginning, missing, extra, ..Self::default() }
    }

    /// Goes on behind what was found before. What was matched before is not remembered: see [`Self::remember`].
    pub(crate) fn after(mut self, found: Found) -> Self {
        let digest = |hex: &str| u64::from_str_radix(hex, 16).unwrap_or(0);
        self.source = Held::after(digest(&found.source_digest), found.on_source);
        self.target = Held::after(digest(&found.target_digest), found.on_target);
        self.found = found;
        self.leads = self.leads_anew();
        self
    }

    fn keep_newest(&mut self, print: &RecordPrint) {
        if self.compacted.target
            && let Some(key) = print.key
        {
            self.newest.keep(key, print.fingerprint);
        }
    }

    /// Takes records of the source. `jumps` are offsets before which retention removed some before they were read.
    pub(crate) fn take_source(&mut self, records: &[RecordPrint], jumps: &[i64]) {
        self.source.jump(jumps);
        self.source.take(records);
    }

    /// The same of the target.
    pub(crate) fn take_target(&mut self, records: &[RecordPrint], jumps: &[i64]) {
        self.target.jump(jumps);
        self.target.take(records);
    }

    /// Whether more of the source is of use now.
    pub(crate) fn wants_source(&self) -> bool {
        !self.source_done && !self.is_held_up() && self.source.len() < self.ahead.0
    }

    /// Whether more of the target is of use now.
    pub(crate) fn wants_target(&self) -> bool {
        !self.target_done && !self.is_held_up() && self.target.len() < self.ahead.0
    }

    /// Nothing more is told.
    fn is_lost(&self) -> bool {
        self.found.lost_place.is_some()
    }

    /// Nothing more is told, or not now.
    fn is_held_up(&self) -> bool {
        self.is_lost() || self.asking
    }

    /// Neither side keeps only the newest record of each key.
    fn is_plain(&self) -> bool {
        self.compacted == Compacted::default()
    }

    /// Compares as far as what was taken allows.
    pub(crate) fn go_on(&mut self) {
        while !self.is_held_up() {
            self.cross();
            let can_tell = !self.wants_source() && !self.wants_target();
            match (self.source.first(), self.target.first()) {
                (Some(source), Some(target)) if source.fingerprint == target.fingerprint => {
                    self.source.pop();
                    self.target.pop();
                    self.match_one(source, target);
                }
                (Some(source), Some(target)) if can_tell => self.tell(source, target),
                (Some(source), None) if self.target_done => self.shortfall(source),
                (None, _) if self.source_done && self.edges.target_goes_on => {
                    self.target_done = true;
                    return;
                }
                (None, Some(target)) if self.source_done && self.waits_to_look_back(target) => return,
                (None, Some(target)) if self.source_done => self.surplus(target),
                (Some(_), Some(_)) | (Some(_), None) | (None, Some(_)) | (None, None) => return,
            }
        }
    }

    /// Where it could go on if it ended now: when everything before is told.
    pub(crate) fn level(&self) -> Option<Level> {
        let (source, target) = (self.source.first(), self.target.first());
        let told = self.source.is_level() && self.target.is_level() && (source.is_none() || target.is_none());
        let nothing_waits = self.missing.is_empty() && self.extra.is_empty();
        // Whoever goes on does not know that some were forgotten.
        let forgot = self.missing.forgot() || self.extra.forgot();
        // Whoever goes on does not know where retention overtook the reading.
        let overtaken =
            self.leads != self.leads_anew() || self.source.will_cross() || self.target.will_cross();
        (told && nothing_waits && !forgot && !overtaken).then(|| {
            let (missed, known_from) = self.missed_so_far();
            let [source, target] = [source, target].map(|first| first.map(|print| print.offset));
            Level { source, target, found: self.so_far(), missed, known_from }
        })
    }

    /// What was found; only once both sides are done and went on.
    pub(crate) fn finish(mut self) -> Found {
        let (missing, undecided) = self.missing.end();
        self.found.undecided += undecided;
        // A newer record of their key may stand behind the end.
        let goes_on = self.edges.target_goes_on || self.is_lost();
        for source in missing {
            if goes_on || self.extra.forgot() { self.found.undecided += 1 } else { self.miss(source) }
        }
        let (extra, undecided) = self.extra.end();
        self.found.undecided += undecided;
        for target in extra {
            if goes_on || self.missing.forgot() {
                self.found.undecided += 1;
            } else {
                self.found.note(difference(DifferenceKind::Extra, None, Some(target)));
            }
        }
        self.so_far()
    }

    fn so_far(&self) -> Found {
        Found {
            on_source: self.source.passed(),
            on_target: self.target.passed(),
            source_digest: format!("{:016x}", self.source.digest()),
            target_digest: format!("{:016x}", self.target.digest()),
            ..self.found.clone()
        }
    }

    /// Both sides come to the same record, so they have one in common again.
    fn match_one(&mut self, source: RecordPrint, target: RecordPrint) {
        self.leads = Beginning::Same;
        self.match_elsewhere(source, target);
    }

    /// The same record, and one side passed it before: that says nothing of where the sides are now.
    fn match_elsewhere(&mut self, source: RecordPrint, target: RecordPrint) {
        self.tell_early_copies(source);
        self.found.matched += 1;
        self.matched.add(source.fingerprint);
        self.keep_newest(&source);
        self.found.compacted += self.missing.settle_before(target.key, source.offset)
            + self.extra.settle_before(source.key, target.offset);
    }

    /// The first records differ, and enough of both sides is held to say why.
    fn tell(&mut self, source: RecordPrint, target: RecordPrint) {
        match self.leads {
            Beginning::SourceEarlier if !self.target.holds(source.fingerprint) => {
                return self.shortfall(source);
            }
            Beginning::TargetEarlier if !self.source.holds(target.fingerprint) => {
                if !self.ends_apart(source, target) {
                    self.surplus(target);
                }
                return;
            }
            Beginning::Either => return self.resume(source, target),
            Beginning::Same | Beginning::SourceEarlier | Beginning::TargetEarlier => {}
        }
        if self.knows(&target) && !self.source.holds(target.fingerprint) {
            return self.surplus(target);
        }
        if self.extra.holds(&source) && !self.target.holds(source.fingerprint) {
            return self.shortfall(source);
        }
        match (self.target.holds(source.fingerprint), self.source.holds(target.fingerprint)) {
            (true, true) => {
                self.source.pop();
                let moved = self.target.remove(source.fingerprint);
                self.match_one(source, moved.unwrap_or(target));
                self.found.note(difference(DifferenceKind::OutOfOrder, Some(source), moved));
            }
            (true, false) => self.surplus(target),
            (false, true) => self.shortfall(source),
            (false, false) => self.tell_apart(source, target),
        }
    }
}

/// A difference without what is in the record.
fn difference(kind: DifferenceKind, source: Option<RecordPrint>, target: Option<RecordPrint>) -> Difference {
    let record = source.or(target);
    Difference {
        kind,
        source_offset: source.map(|print| print.offset),
        target_offset: target.map(|print| print.offset),
        key_hash: record.and_then(|print| print.key).map(|key| format!("{key:016x}")),
        timestamp: record.map(|print| print.timestamp),
        bytes: record.map(|print| print.bytes),
    }
}

#[cfg(test)]
mod tests;
