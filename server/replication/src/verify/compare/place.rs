//! Keeping one's place in both streams: where retention overtook the reading, and where they have nothing in common for long.

use muster_kafka::RecordPrint;

use super::{Beginning, Comparison};

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
        match (self.source_done, self.target_done) {
            (true, false) => self.surplus(target),
            (false, false) if !self.is_plain() => self.leave_older(source, target),
            (false, false) if self.is_among_copies(target) || self.have_nothing_in_common(source) => {
                self.go_back(source, target);
            }
            (true | false, true) | (false, false) => self.shortfall(source),
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
