//! What of a partition is known to have arrived: proven by positions, or fitted from the newest offset sync to the target's end.

use chrono::{DateTime, TimeDelta, Utc};

use super::Judge;
use crate::{
    lag::{fit::fit, replica::There},
    reading::ReadingClass,
    survey::Survey,
    topic::TopicPartition,
};

/// A survey is taken to last as long at least: clocks and Connect's answers are no finer.
const SHORTEST_SURVEY_MS: i64 = 1_000;
/// Of a topic that was made anew, until its positions move.
const NOTHING_OF_THIS_LOG: &str =
    "nothing is known to have been copied: the topic was made anew, its position is of the log before";

/// What the positions say where that is all that counts.
const BY_POSITIONS: &str = "proven as far as the last committed offset or offset sync";
/// The same where the target has more, and nothing has proven that it is the flow's.
const NOTHING_PROVES_THE_REST: &str = "proven as far as the last committed offset or offset sync: neither moved for minutes while the copy held \
     more, which may be somebody else's";

/// What a partition of the source has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    /// First offset still there.
    pub(super) start: i64,
    /// One past the last record the flow could copy.
    pub(super) end: i64,
    /// High watermark: what is open at the end may be committed, and copied, while positions are read.
    pub(super) high: i64,
}

/// What is known to have arrived.
pub(super) struct Arrived {
    pub(super) through: i64,
    pub(super) class: ReadingClass,
    pub(super) reason: String,
    pub(super) at: DateTime<Utc>,
}

impl Judge<'_> {
    /// The last source offset that is proven or fitted to be on the target. `unseen` is for how long the end was not looked at when
    /// the positions were read.
    pub(super) fn arrived(
        &self,
        key: &TopicPartition,
        Log { start, end, high }: Log,
        target: There<'_>,
        unseen: TimeDelta,
    ) -> Result<Arrived, String> {
        if let Some(reason) = &self.renamed {
            return Err(reason.clone());
        }
        if let There::Absent { replica, partitions } = target {
            let reason = match partitions {
                None => format!("its copy `{replica}` is not on the target"),
                Some(n) => format!("its copy `{replica}` has {n} partitions only on the target"),
            };
            let at = self.survey.sides.get(self.flow.direction.to()).topics.at();
            return Ok(Arrived { through: start.saturating_sub(1), class: ReadingClass::Tight, reason, at });
        }
        let observed = self.observed.ok_or("Muster cannot see this flow")?;
        let (committed, pair) = (observed.committed.as_result(), observed.syncs(self.source_answers()));
        if let (Err(committed), Err(pair)) = (committed, pair) {
            return Err(format!(
                "neither committed offsets ({committed}) nor offset syncs ({pair}) could be read"
            ));
        }
        let at = observed.committed.at().min(observed.newest_pairs.at());
        let offset = committed.ok().and_then(|committed| committed.offsets.get(key)).copied();
        let pair = pair.ok().and_then(|pairs| pairs.0.get(key)).copied();
        let (offset, pair) = observed.of_this_log(key, offset, pair);
        let new = |through, class, reason: &str| Arrived { through, class, reason: reason.to_owned(), at };
        let last = end.saturating_sub(1);
        let Some(low) = offset.max(pair.map(|pair| pair.upstream)) else {
            let anew = observed.of_another_log.contains_key(key);
            let nothing = if anew { NOTHING_OF_THIS_LOG } else { "nothing is known to have been copied yet" };
            return Ok(new(start.saturating_sub(1), ReadingClass::LowerBound, nothing));
        };
        let ahead = low.saturating_sub(high.saturating_sub(1));
        if ahead > 0 && ahead > self.pace.may_run_ahead(key, unseen + took(self.survey)) {
            return Err(format!(
                "its position {low} is beyond the source's end {end}: the topic was recreated or cut short, or the position \
                 is not this topic's"
            ));
        }
        let low = low.min(last);
        if low == last || (self.mode.exactly_once && offset.is_some()) {
            return Ok(new(low, ReadingClass::Exact, ""));
        }
        let alike = self.advance_alike(target, key.partition);
        let unproven = observed.unproven.contains_key(key);
        let fitted = pair.zip(target.end()).and_then(fit).filter(|_| alike && !unproven);
        Ok(match fitted {
            Some(fitted) => new(
                fitted.clamp(low, last),
                ReadingClass::Tight,
                "counted from the newest offset sync to the target's end",
            ),
            None => new(
                low,
                ReadingClass::LowerBound,
                if alike && unproven { NOTHING_PROVES_THE_REST } else { BY_POSITIONS },
            ),
        })
    }

    fn source_answers(&self) -> bool {
        self.survey.sides.get(self.flow.direction.from).topics.value().is_some()
    }

    /// Whether each offset behind the newest offset sync on the target is a record of the source. Where transforms leave records out, the
    /// target does not advance as the source does; where somebody writes there in transactions, it has markers.
    fn advance_alike(&self, target: There<'_>, partition: i32) -> bool {
        let There::Found { replica, .. } = target else { return false };
        !self.mode.exactly_once && !self.mode.transforms && self.records_only.on(replica, partition)
    }
}

/// Positions and ends of one survey are read at the same time, so one may be as much later than the other.
fn took(survey: &Survey) -> TimeDelta {
    TimeDelta::try_milliseconds(survey.took_ms.max(SHORTEST_SURVEY_MS)).unwrap_or_else(|| TimeDelta::days(1))
}
