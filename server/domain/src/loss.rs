//! What was lost when a source died: as an interval while it is away, and as a figure once it can be read again.
//!
//! What is proven: the ends the source had when it was last seen, each partition by the last survey that read it, and what has reached
//! the target. How much was written after that nobody can read while the source is away; it is bounded by the fastest rate of the kept
//! history.
//! Offsets count transaction markers as well, which no consumer gets: what is proven to be missing is reckoned without them
//! (`lag::surely_missing`), and the upper bound is one of records too.

mod brief;
mod last_ends;
mod owners;
mod settle;
mod stage;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_flows;
#[cfg(test)]
mod tests_of_pieces;
#[cfg(test)]
mod tests_of_return;
#[cfg(test)]
mod tests_of_takeover;
mod unseen;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use self::stage::Stage;
pub use self::{
    brief::{BriefLoss, LossId},
    last_ends::{EndRead, LastEnd, LastEnds},
    owners::{OwnerLoss, TopicsOfOwner, by_owner, topics_by_owner},
    settle::{LeaderEnds, ReadAgain, epochs_to_ask, settle},
};
use crate::{
    direction::{copies, source_state},
    ids::TeamName,
    lag::{EndsAt, Pace},
    pair::{Direction, Flow, Pair, PairMode},
    survey::Survey,
    topic::TopicPartition,
};

/// What was lost of one flow when its source died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Loss {
    /// Which flow.
    pub direction: Direction,
    /// Team the pair belongs to: whose loss it is.
    pub owner: TeamName,
    /// When the source's ends were last read; of partitions that did not answer any more by then it was before (`end_read`).
    pub seen_at: DateTime<Utc>,
    /// When it was found not to answer: it died in between.
    pub noticed_at: DateTime<Utc>,
    /// What came back instead of an answer.
    pub reason: String,
    /// All partitions together.
    pub total: Interval,
    /// By source topic, in the order of names.
    pub topics: Vec<TopicLoss>,
    /// How the interval was found, in sentences.
    pub method: String,
    /// Partitions the true figure still waits for, once the source answers again: they are there, and have no leader yet that tells
    /// their ends. Until then the interval stands, and what partitions turned out to be that could be read again is told with each.
    #[serde(default)]
    pub waits_for_leaders: usize,
    /// What it turned out to be, once the source could be read again.
    pub truth: Option<Truth>,
}

/// A loss as an interval. `None` is not known, and is neither zero nor the end of the interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    /// At least so many records: proven.
    pub records_at_least: i64,
    /// At most so many records, if nothing was written faster than in the kept history.
    pub records_at_most: Option<i64>,
    /// Writes of at least so many milliseconds.
    pub ms_at_least: i64,
    /// Writes of at most the last so many milliseconds before it was found not to answer. In a flow that copies committed records
    /// only, a record was written when its transaction was committed.
    pub ms_at_most: Option<i64>,
}

/// What was lost of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TopicLoss {
    /// Name on the source.
    pub topic: String,
    /// Id of the topic when the source was last seen: one that is made anew has offsets of its own. `None` where the brokers did not tell
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<Uuid>,
    /// Whose it is.
    pub owner: TeamName,
    /// All its partitions together.
    pub lost: Interval,
    /// Partition by partition.
    pub partitions: Vec<PartitionLoss>,
    /// Records it turned out to be; `None` until then, or when it cannot be told.
    pub truth: Option<i64>,
    /// Writes of so many milliseconds it turned out to be: the longest of its partitions; `None` when any is not known.
    #[serde(default)]
    pub truth_ms: Option<i64>,
}

/// What was lost of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartitionLoss {
    /// Its number.
    pub partition: i32,
    /// High watermark of the source when it was last seen, without what was known to be no record before it. Where a transaction was
    /// open, what it had written counts: it may have been committed before the source died. 0 where it was never read.
    pub end: i64,
    /// When that was, where not with the others.
    #[serde(default, skip_serializing_if = "EndRead::is_then")]
    pub end_read: EndRead,
    /// Last source offset proven to be on the target; `None` when nothing can be told about it: it was not read, or it is beyond
    /// whatever the source can have had.
    pub through: Option<i64>,
    /// First offset the source still had, where every record behind it would be copied and kept: then some can be proven to be
    /// missing. `None` for compacted topics, flows that copy committed records only or have transforms, and where that was not read.
    #[serde(default)]
    pub counts_from: Option<i64>,
    /// Epoch of its leader when the source was last seen: where that leader's records end tells what it had when it died. `None`
    /// where the brokers did not tell it.
    #[serde(default)]
    pub leader_epoch: Option<i32>,
    /// How much.
    pub lost: Interval,
    /// Records it turned out to be.
    pub truth: Option<i64>,
    /// How long before the source was found not to answer the oldest record that was lost was written, by its own timestamp: as good
    /// as the clock of whoever wrote it. `None` where that record was not read.
    #[serde(default)]
    pub truth_ms: Option<i64>,
    /// What its log told when it could be read again, while others cannot be yet; `None` before that and once all is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_again: Option<ReadAgain>,
}

/// What the loss turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Truth {
    /// When the source was first read again, with all of it that is still there.
    pub at: DateTime<Utc>,
    /// Records on the source beyond what had reached the target when it died; `None` when it cannot be told.
    pub records: Option<i64>,
    /// Writes of so many milliseconds before it was found not to answer: the longest of all partitions; `None` when any is not known.
    #[serde(default)]
    pub ms: Option<i64>,
    /// Whether the leaders' own logs told where the source's ends were when it died: up to whoever led when it was last seen. What a log
    /// lost that had neither been seen nor copied shows nowhere.
    #[serde(default)]
    pub by_logs: bool,
    /// Whether it was exactly so many: none, and nothing that was added since is in it. Otherwise it was at most so many:
    /// transaction markers and what had arrived behind the last position that is known count as well.
    pub exact: bool,
    /// Whether this is the last word: the leaders' own logs told everything, or the survey after the first was looked at, too.
    pub settled: bool,
    /// How it was found, as a sentence.
    pub method: String,
}

/// What is known of a source that does not answer.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Ends the flow could copy to, as earlier surveys saw them, oldest first.
    pub history: &'a [EndsAt],
    /// Each partition as it was last read.
    pub high: &'a LastEnds,
    /// How fast it was written to.
    pub pace: &'a Pace,
    /// The last survey before this one.
    pub previous: Option<&'a Survey>,
    /// What was said of the same loss before.
    pub said: Option<&'a Loss>,
    /// The way records flowed when that was last told; `None` where it never was, or while a run moves the pair.
    pub active: Option<Direction>,
}

/// What was lost of a flow whose source does not answer in this survey. What was said of the same loss before stands, less what is read
/// to have arrived since: whoever says it again may have seen less of the source. `None` while it answers, when nothing was seen of it
/// before, or when nobody's records flowed this way.
#[must_use]
pub fn state_loss(pair: &Pair, flow: &Flow, survey: &Survey, evidence: &Evidence<'_>) -> Option<Loss> {
    let reason = survey.sides.get(flow.direction.from).topics.as_result().err()?;
    if evidence.said.is_none() && !flowed(pair, flow, survey, evidence) {
        return None;
    }
    // The first time it did not answer stands.
    let noticed_at =
        evidence.said.map_or_else(|| survey.unanswered_at(flow.direction.from), |said| said.noticed_at);
    let reason = evidence.said.map_or(reason, |said| &said.reason).to_owned();
    let stage = Stage::new(pair, flow, survey, evidence, noticed_at);
    let mut by_topic: BTreeMap<&str, Vec<&TopicPartition>> = BTreeMap::new();
    for key in evidence.high.ends.keys() {
        by_topic.entry(&key.topic).or_default().push(key);
    }
    by_topic.retain(|topic, _| stage.scope.application_topic(flow.direction.from, topic));
    if by_topic.is_empty() {
        // Of nothing that was seen nothing can be said, and that is not that nothing was lost.
        return None;
    }
    let topics: Vec<TopicLoss> =
        by_topic.iter().map(|(topic, partitions)| stage.topic(topic, partitions, &pair.team)).collect();
    let everything: Vec<&TopicPartition> = by_topic.into_values().flatten().collect();
    let total = stage.total(&everything, &topics);
    let method = stage.method_that_stands(&topics).unwrap_or_else(|| stage.method(&everything));
    Some(Loss {
        direction: flow.direction,
        owner: pair.team.clone(),
        seen_at: evidence.high.at,
        noticed_at,
        reason,
        total,
        topics,
        method,
        waits_for_leaders: 0,
        truth: None,
    })
}

/// Whether applications wrote where this flow comes from, so that what it did not copy is lost to them. Where that side is known to have
/// been active, whatever became of the connector since: one that was paused for maintenance copied nothing of what they went on writing.
/// Elsewhere records flowed if its connector copied; where that could not be read, what people want of the flow decides.
fn flowed(pair: &Pair, flow: &Flow, survey: &Survey, evidence: &Evidence<'_>) -> bool {
    let from_both = pair.mode == PairMode::ActiveActive && flow.enabled;
    if from_both || evidence.active == Some(flow.direction) {
        return true;
    }
    let state = |survey: &Survey| source_state(survey, flow.direction).ok();
    let copied = evidence.previous.and_then(state).or_else(|| state(survey)).map(copies);
    // Nobody could tell yet, and it is the only way that people want.
    let only_way = flow.enabled && pair.flows.iter().filter(|flow| flow.enabled).count() == 1;
    copied.unwrap_or(flow.enabled) || (evidence.active.is_none() && only_way)
}
