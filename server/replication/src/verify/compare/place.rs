//! Keeping one's place in both streams: where retention overtook the reading, and where they have nothing in common for long.

use muster_kafka::RecordPrint;

use super::{Beginning, Comparison};

/// How often as many records of the target as are held are passed over to come to the end of the source.
const PASSED_OVER: usize = 10;

/// Records of the target with which the end of the source has nothing in common.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// Target offset behind them.
    until: i64,
    age: Age,
    /// How often there were such.
    times: usize,
}

/// How old records of the target are beside all that is left of the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Age {
    /// Neither, or timestamps do not tell.
    #[default]
    Unknown,
    /// All of them are older.
    Older,
    /// All of them are younger.
    Younger,
}

impl Comparison {
    /// Where retention overtook the reading of one side, the other shows records from before until one is found on both.
    pub(super) fn cross(&mut self) {
        if self.source.crosses() {
            self.leads = match self.leads {
                Beginning::Same | Beginning::TargetEarlier => Beginning::TargetEarlier,
                Beginning::SourceEarlier | Beginning::Either => Beginning::Either,
            };
        }
        if self.target.crosses() {
            self.leads = match self.leads {
                Beginning::Same | Beginning::SourceEarlier => Beginning::SourceEarlier,
                Beginning::TargetEarlier | Beginning::Either => Beginning::Either,
            };
        }
    }

    /// Which side leads for whoever goes on with what was found.
    pub(super) fn leads_anew(&self) -> Beginning {
        if self.found.matched == 0 { self.edges.beginning } else { Beginning::Same }
    }

    /// Both were overtaken by retention: what is not on the other side leaves, the older one first. It is judged neither way, so
    /// times that deceive cost records that are not compared, and nothing else.
    pub(super) fn resume(&mut self, source: RecordPrint, target: RecordPrint) {
        match (self.target.holds(source.fingerprint), self.source.holds(target.fingerprint)) {
            (true, _) => self.surplus(target),
            (false, true) => self.shortfall(source),
            (false, false) if target.timestamp <= source.timestamp => self.surplus(target),
            (false, false) => self.shortfall(source),
        }
    }

    /// Neither first record is on the other side as far as is looked ahead. What is left of a side that was read to its end is all there
    /// is of it, so what it does not hold is not there. Of two sides that go on and have nothing at all in common nobody knows which
    /// has more: records copied again from before what is remembered, a foreign block, a hole. The first is looked for on the source; the
    /// others are not guessed.
    pub(super) fn tell_apart(&mut self, source: RecordPrint, target: RecordPrint) {
        if self.ends_apart(source, target) {
            return;
        }
        match (self.source_done, self.target_done) {
            (true, false) => self.surplus(target),
            (false, false) if !self.is_plain() => self.leave_older(source, target),
            (false, false) if self.is_among_copies(target) || self.have_nothing_in_common(source) => {
                self.go_back(source, target);
            }
            // Nobody knows which of the records left of a key is newer: it may be explained by one that is still to come.
            (true | false, true) if !self.is_plain() => self.leave_source(source, true),
            (true | false, true) | (false, false) => self.shortfall(source),
        }
    }

    /// The source was read to its end, the target goes on behind that, and nothing that is left of the source is among what is held of the
    /// target. That may be what follows the end, which is no part of what is compared, so it is not read on for long, and none of it is called
    /// foreign. Of older records the target may be before the end; of younger ones it is behind. False where this is not so.
    pub(super) fn ends_apart(&mut self, source: RecordPrint, target: RecordPrint) -> bool {
        let leads = self.leads == Beginning::TargetEarlier;
        if !self.source_done || self.target_done || !self.edges.target_goes_on {
            return false;
        }
        if leads && !self.edges.timestamps {
            // It begins where the log does, however far that is from the source's beginning.
            return false;
        }
        let Some(age) = self.age_apart(source, target) else { return false };
        let may_come = age == Age::Older || (leads && age == Age::Unknown);
        if may_come && self.apart.times <= PASSED_OVER {
            self.leave_target(target, !self.is_plain());
        } else if !self.is_plain() {
            // Where only the source is cleaned, its records stand far apart on the target.
            self.leave_source(source, !self.compacted.target);
        } else if age == Age::Younger {
            self.shortfall(source);
        } else {
            self.go_back(source, target);
        }
        true
    }

    /// How old what is held of the target is beside what is left of the source; `None` where they have a record in common. Looked at
    /// once for as many records as are held: the source has no more to come.
    fn age_apart(&mut self, source: RecordPrint, target: RecordPrint) -> Option<Age> {
        if target.offset < self.apart.until {
            return Some(self.apart.age);
        }
        if !self.have_nothing_in_common(source) {
            return None;
        }
        self.apart.until = self.target.prints().last().map_or(0, |last| last.offset.saturating_add(1));
        self.apart.age = self.age_of_target();
        self.apart.times += 1;
        Some(self.apart.age)
    }

    fn age_of_target(&self) -> Age {
        let (Some(source), Some(target)) = (self.source.times(), self.target.times()) else {
            return Age::Unknown;
        };
        if !self.edges.timestamps || source.0 < 0 || target.0 < 0 {
            Age::Unknown
        } else if target.1 < source.0 {
            Age::Older
        } else if target.0 > source.1 {
            Age::Younger
        } else {
            Age::Unknown
        }
    }

    fn have_nothing_in_common(&mut self, first: RecordPrint) -> bool {
        if first.offset < self.common_at {
            return false;
        }
        let Self { source, target, .. } = self;
        let common = source.prints().find(|print| target.holds(print.fingerprint)).map(|print| print.offset);
        self.common_at = common.unwrap_or(self.common_at);
        common.is_none()
    }
}
