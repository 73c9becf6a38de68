//! The true figure, once the source can be read again.
//!
//! What the source had when it died is told by its own log: a leader that is elected afterwards begins a new epoch there, and
//! where that epoch begins is where everything before it ended (OffsetForLeaderEpoch). So writes that begin again at once are not
//! in the figure. Where the leader is still the same, or the log does not tell, the ends of two surveys have to do.
//!
//! A partition whose brokers died had no leader for a while, which is an epoch of its own, too. Where the next epoch is already the present
//! one, leadership was handed over: perhaps before the source died, or it did not die and the way to it was cut. Then the new leader's
//! records count.
//!
//! A source comes back as it died, piece by piece: what a partition had is told by its first reading, and of all of them once each that
//! is still there was read.

mod method;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::method::first_method;
use super::{Loss, PartitionLoss, TopicLoss, Truth};
use crate::{
    lag::written_end,
    pair::Direction,
    survey::{PartitionObservation, Survey, TopicObservation},
    topic::{ByPartition, TopicPartition},
};

/// Where leaderships of a partition ended, by the log of its present leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaderEnds {
    /// One past the last record or marker of whoever led when the partition was last seen, or led before.
    pub then: i64,
    /// Where the present leader's own begin: whatever is below was written before it was elected.
    pub present_from: i64,
    /// Whether there is an epoch between the two: the partition had no leader, as when it died. Otherwise one followed the other at
    /// once, and what the present one wrote may have been written before the source died.
    pub interrupted: bool,
}

impl LeaderEnds {
    /// Whether these tell where the source ended when it died. Leaders in between may have written before it died or after its return:
    /// nobody knows.
    fn tell(&self) -> bool {
        self.interrupted && self.then == self.present_from
    }
}

/// A partition when it could first be read again, or was found to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadAgain {
    /// High watermark; `None` of one that is gone.
    pub end: Option<i64>,
    /// What its log told of its leaders; `None` where it did not.
    pub leaders: Option<LeaderEnds>,
}

/// Of a source that is back and whose loss is to be settled, the leader epochs whose ends would tell what it had when it died, as far as
/// another leader was elected since: that of when it was last seen, and the one before the present. Of each partition by its first
/// reading.
#[must_use]
pub fn epochs_to_ask(loss: &Loss, survey: &Survey) -> ByPartition<(i32, i32)> {
    let Some(found) = survey.sides.get(loss.direction.from).topics.value() else { return BTreeMap::new() };
    if loss.truth.is_some() {
        return BTreeMap::new();
    }
    let mut asked = BTreeMap::new();
    for topic in &loss.topics {
        let there = same_log(topic, found);
        for lost in topic.partitions.iter().filter(|lost| lost.read_again.is_none()) {
            let led = observed(lost, there).filter(|partition| partition.end.is_some());
            if let (Some(then), Some(now)) = (lost.leader_epoch, led.and_then(|led| led.leader_epoch))
                && now > then
            {
                asked.insert(key(topic, lost), (then, now - 1));
            }
        }
    }
    asked
}

/// Puts the true figure beside what was said, from the first survey that reads again all of the source that is still there. That is the
/// last word where the leaders' logs tell of every partition where it ended; otherwise the survey after it tells whether somebody writes
/// there. As long as a partition has no leader that tells its end the interval stands, and it is said for how many it waits. Answers
/// whether something was added. A survey that was brought forward may be the first, and not the one after it. What had reached the target stands as it was last said: what is copied after the source's
/// return was not there when it was needed.
pub fn settle(loss: &mut Loss, survey: &Survey, ends: &ByPartition<LeaderEnds>) -> bool {
    let topics = &survey.sides.get(loss.direction.from).topics;
    let Some(found) = topics.value() else { return false };
    match &loss.truth {
        None => {
            let told = tell_those_read_again(loss, found, ends);
            let waiting = partitions(loss).filter(|lost| lost.read_again.is_none()).count();
            let news = told || waiting != loss.waits_for_leaders;
            loss.waits_for_leaders = waiting;
            if waiting > 0 {
                return news;
            }
            let mut truth = first_truth(loss, found, topics.at());
            truth.ms = truth.records.and(tell_time(loss, found, survey));
            truth.settled = truth.by_logs && truth.ms.is_some();
            put(loss, truth);
            true
        }
        // That nobody adds to it takes longer to see than the moment since a survey that another followed before it was due.
        Some(truth) if !truth.settled && !survey.brought_forward => {
            let mut truth = truth.clone();
            let still = loss.topics.iter().all(|lost| stood_still(lost, found));
            truth.ms = truth.records.and(tell_time(loss, found, survey));
            truth.settled = true;
            if !truth.by_logs {
                truth.judge_ends(still, partitions(loss).any(written_by_others));
            }
            put(loss, truth);
            true
        }
        Some(_) => false,
    }
}

/// The last word says how long ago it was, and needs nothing of how it was found.
fn put(loss: &mut Loss, mut truth: Truth) {
    if truth.settled {
        truth.say_time();
        for topic in &mut loss.topics {
            topic.partitions.iter_mut().for_each(|lost| lost.read_again = None);
        }
    }
    loss.truth = Some(truth);
}

/// Tells of each partition what it was by its first reading, before more is written there; answers whether there was any. One that is
/// gone is told, too: there is nothing to wait for.
fn tell_those_read_again(
    loss: &mut Loss,
    found: &BTreeMap<String, TopicObservation>,
    ends: &ByPartition<LeaderEnds>,
) -> bool {
    let mut any = false;
    for topic in &mut loss.topics {
        let there = same_log(topic, found);
        for lost in topic.partitions.iter_mut().filter(|lost| lost.read_again.is_none()) {
            if waits(lost, there) {
                continue;
            }
            let leaders = ends.get(&TopicPartition::new(topic.topic.clone(), lost.partition)).copied();
            let end = observed(lost, there).and_then(|partition| partition.end);
            lost.truth = beyond(lost, there, leaders.as_ref());
            lost.read_again = Some(ReadAgain { end, leaders });
            any = true;
        }
        let all = topic.partitions.iter().all(|lost| lost.read_again.is_some());
        topic.truth = all.then(|| total(topic.partitions.iter().map(|lost| lost.truth))).flatten();
    }
    any
}

/// Whether nothing can be told of a partition yet: it is there, and nobody tells its end. Where it is not known what had reached the
/// target, nothing will be.
fn waits(lost: &PartitionLoss, topic: Option<&TopicObservation>) -> bool {
    lost.through.is_some() && observed(lost, topic).is_some_and(|partition| partition.end.is_none())
}

/// A topic as it is now, if it is the one that something was lost of. One that was deleted and made again is another log: its offsets say
/// nothing of the one before, which is gone.
fn same_log<'a>(
    lost: &TopicLoss,
    found: &'a BTreeMap<String, TopicObservation>,
) -> Option<&'a TopicObservation> {
    found.get(&lost.topic).filter(|there| !is_made_anew(lost, there))
}

fn is_made_anew(lost: &TopicLoss, there: &TopicObservation) -> bool {
    lost.topic_id.zip(there.id).is_some_and(|(then, now)| then != now)
}

/// What all partitions together tell; each was read again or is gone.
fn first_truth(loss: &Loss, found: &BTreeMap<String, TopicObservation>, at: DateTime<Utc>) -> Truth {
    // A loss that names no partition says nothing, and that is not that nothing was lost.
    let some = partitions(loss).next().is_some();
    let records = total(loss.topics.iter().map(|topic| topic.truth)).filter(|_| some);
    let told = partitions(loss).all(|lost| leaders(lost).is_some_and(|ends| ends.tell()));
    let by_logs = told && records.is_some();
    let anew = |topic: &&TopicLoss| {
        topic.truth.is_none() && found.get(&topic.topic).is_some_and(|there| is_made_anew(topic, there))
    };
    let made_anew: Vec<&str> = loss.topics.iter().filter(anew).map(|topic| topic.topic.as_str()).collect();
    let method = first_method(loss, &made_anew, records, by_logs);
    let exact = by_logs && records == Some(0);
    Truth { at, records, ms: None, by_logs, exact, settled: false, method }
}

fn partitions(loss: &Loss) -> impl Iterator<Item = &PartitionLoss> {
    loss.topics.iter().flat_map(|topic| &topic.partitions)
}

fn leaders(lost: &PartitionLoss) -> Option<LeaderEnds> {
    lost.read_again?.leaders
}

/// Whether leaders that were elected later have written into what counts of a partition.
fn written_by_others(lost: &PartitionLoss) -> bool {
    let again = lost.read_again.and_then(|again| again.leaders.zip(again.end));
    again.is_some_and(|(leaders, end)| !leaders.tell() && leaders.then < end)
}

/// Puts the true time of each topic and partition beside its records; answers that of all of them.
fn tell_time(loss: &mut Loss, found: &BTreeMap<String, TopicObservation>, survey: &Survey) -> Option<i64> {
    for topic in &mut loss.topics {
        let there = same_log(topic, found);
        for partition in &mut topic.partitions {
            let of = (loss.direction, topic.topic.as_str());
            partition.truth_ms = written_before(partition, of, there, survey, loss.noticed_at);
        }
        topic.truth_ms = longest(topic.partitions.iter().map(|partition| partition.truth_ms));
    }
    longest(loss.topics.iter().map(|topic| topic.truth_ms))
}

/// Whether more had been copied than the leader that was last seen has now, by a log that would tell.
fn copied_past(lost: &PartitionLoss, ends: &LeaderEnds) -> bool {
    ends.tell() && lost.through.is_some_and(|through| through >= ends.then)
}

fn key(topic: &TopicLoss, lost: &PartitionLoss) -> TopicPartition {
    TopicPartition::new(topic.topic.clone(), lost.partition)
}

/// `None` where any is not known.
fn total(mut each: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    each.try_fold(0_i64, |sum, one| Some(sum.saturating_add(one?)))
}

/// `None` where any is not known.
fn longest(mut each: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    each.try_fold(0_i64, |longest, one| Some(longest.max(one?)))
}

/// See [`PartitionLoss::truth_ms`]. The oldest record that is missing now is the oldest that was lost as long as nothing behind
/// what had arrived was copied since.
fn written_before(
    lost: &PartitionLoss,
    (direction, topic): (Direction, &str),
    there: Option<&TopicObservation>,
    survey: &Survey,
    noticed_at: DateTime<Utc>,
) -> Option<i64> {
    if lost.truth? == 0 {
        return Some(0);
    }
    let through = lost.through?;
    let first = there?.partitions.get(usize::try_from(lost.partition).ok()?)?.first_missing?;
    let key = TopicPartition::new(topic, lost.partition);
    let flow = survey.flows.iter().find(|observed| observed.direction == direction)?;
    let committed = flow.committed.value().and_then(|committed| committed.offsets.get(&key).copied());
    let pair = flow.newest_pairs.value().and_then(|pairs| Some(pairs.0.get(&key)?.upstream));
    let stands = committed.max(pair).is_some_and(|now| now <= through);
    let is_first = first.offset == through.saturating_add(1) || (stands && first.offset > through);
    is_first.then(|| noticed_at.timestamp_millis().saturating_sub(first.timestamp_ms).max(0))
}

fn observed<'a>(
    lost: &PartitionLoss,
    topic: Option<&'a TopicObservation>,
) -> Option<&'a PartitionObservation> {
    topic?.partitions.get(usize::try_from(lost.partition).ok()?)
}

/// Offsets beyond what had arrived, without what is known to be no record, and without what leaders wrote that were elected since. A
/// log that is shorter than the one last seen is another log, or one that was cut.
fn beyond(lost: &PartitionLoss, topic: Option<&TopicObservation>, ends: Option<&LeaderEnds>) -> Option<i64> {
    let partition = observed(lost, topic)?;
    let end = partition.end?;
    if end < lost.end || ends.is_some_and(|ends| ends.then < lost.end || copied_past(lost, ends)) {
        return None;
    }
    let end = ends.filter(|ends| ends.tell()).map_or(end, |ends| end.min(ends.present_from));
    Some(end.min(written_end(partition)?).saturating_sub(1).saturating_sub(lost.through?).max(0))
}

/// Whether every partition of a topic ends where it did when it was first read again.
fn stood_still(lost: &TopicLoss, found: &BTreeMap<String, TopicObservation>) -> bool {
    let there = same_log(lost, found);
    lost.partitions.iter().all(|lost| {
        let end = observed(lost, there).and_then(|partition| partition.end);
        lost.read_again.is_some_and(|again| again.end == end)
    })
}
