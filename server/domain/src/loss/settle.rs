//! The true figure, once the source can be read again.
//!
//! What the source had when it died is told by its own log: a leader that is elected afterwards begins a new epoch there, and
//! where that epoch begins is where everything before it ended (OffsetForLeaderEpoch). So writes that begin again at once are not
//! in the figure. Where the leader is still the same, or the log does not tell, the ends of two surveys have to do.
//!
//! A partition whose brokers died had no leader for a while, which is an epoch of its own, too. Where the next epoch is already the present
//! one, leadership was handed over: perhaps before the source died, or it did not die and the way to it was cut. Then the new leader's
//! records count.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Loss, PartitionLoss, TopicLoss, Truth};
use crate::{
    lag::written_end,
    pair::Direction,
    survey::{PartitionObservation, Survey, TopicObservation},
    topic::{ByPartition, TopicPartition},
};

/// Where leaderships of a partition ended, by the log of its present leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Of a source that is back and whose loss is to be settled, the leader epochs whose ends would tell what it had when it died, as far as
/// another leader was elected since: that of when it was last seen, and the one before the present.
#[must_use]
pub fn epochs_to_ask(loss: &Loss, survey: &Survey) -> ByPartition<(i32, i32)> {
    let Some(found) = survey.sides.get(loss.direction.from).topics.value() else { return BTreeMap::new() };
    if loss.truth.is_some() {
        return BTreeMap::new();
    }
    let mut asked = BTreeMap::new();
    for topic in &loss.topics {
        for lost in &topic.partitions {
            let now = observed(lost, found.get(&topic.topic)).and_then(|partition| partition.leader_epoch);
            if let (Some(then), Some(now)) = (lost.leader_epoch, now)
                && now > then
            {
                asked.insert(key(topic, lost), (then, now - 1));
            }
        }
    }
    asked
}

/// Puts the true figure beside what was said, from the first survey that reads the source again. That is the last word where the
/// leaders' logs tell of every partition where it ended; otherwise a second survey tells whether somebody writes there. Answers
/// whether something was added. What had reached the target stands as it was last said: what is copied after the source's
/// return was not there when it was needed.
pub fn settle(
    loss: &mut Loss,
    survey: &Survey,
    previous: Option<&Survey>,
    ends: &ByPartition<LeaderEnds>,
) -> bool {
    let topics = &survey.sides.get(loss.direction.from).topics;
    let Some(found) = topics.value() else { return false };
    if loss.truth.is_none() && first_reading(loss, previous) && !all_led(loss, found) {
        // It has just come back and is still electing leaders: the next survey tells.
        return false;
    }
    match &loss.truth {
        None => {
            for topic in &mut loss.topics {
                let observed = found.get(&topic.topic);
                let name = topic.topic.clone();
                for partition in &mut topic.partitions {
                    let ends = ends.get(&TopicPartition::new(name.clone(), partition.partition));
                    partition.truth = beyond(partition, observed, ends);
                }
                topic.truth = total(topic.partitions.iter().map(|partition| partition.truth));
            }
            let records = total(loss.topics.iter().map(|topic| topic.truth));
            let told = |ends: Option<&LeaderEnds>| ends.is_some_and(LeaderEnds::tell);
            let told = loss
                .topics
                .iter()
                .all(|topic| topic.partitions.iter().all(|lost| told(ends.get(&key(topic, lost)))));
            let by_logs = told && records.is_some();
            let method = first_method(loss, ends, records, by_logs);
            let ms = tell_time(loss, found, survey);
            let (exact, settled) = (by_logs && records == Some(0), by_logs && ms.is_some());
            let mut truth = Truth { at: topics.at(), records, ms, by_logs, exact, settled, method };
            if settled {
                truth.say_time();
            }
            loss.truth = Some(truth);
            true
        }
        Some(truth) if !truth.settled && previous.is_some() => {
            let mut truth = truth.clone();
            let before = previous.and_then(|previous| previous.sides.get(loss.direction.from).topics.value());
            let still =
                before.is_some_and(|before| loss.topics.iter().all(|lost| stood_still(lost, before, found)));
            truth.ms = tell_time(loss, found, survey);
            truth.settled = true;
            if !truth.by_logs {
                truth.judge_ends(still);
            }
            truth.say_time();
            loss.truth = Some(truth);
            true
        }
        Some(_) => false,
    }
}

impl Truth {
    /// What a second survey makes of it, where the logs do not tell.
    fn judge_ends(&mut self, still: bool) {
        self.exact = still && self.records == Some(0);
        if self.exact {
            "The source's ends after its return, all of which had reached the target. They stood still over two surveys, so \
             nobody added to them."
                .clone_into(&mut self.method);
        } else if still && self.records.is_some() {
            self.method = format!(
                "The source's ends after its return, less what was proven to have reached the target. They stood still over \
                 two surveys, so nobody added to them. {AT_MOST}"
            );
        }
    }

    fn say_time(&mut self) {
        if let Some(ms) = self.ms.filter(|ms| *ms > 0) {
            self.method.push_str(&format!(
                " The oldest of them says by its own timestamp that it was written {ms} ms before the source was found not to \
                 answer."
            ));
        }
    }
}

/// Puts the true time of each topic and partition beside its records; answers that of all of them.
fn tell_time(loss: &mut Loss, found: &BTreeMap<String, TopicObservation>, survey: &Survey) -> Option<i64> {
    for topic in &mut loss.topics {
        let there = found.get(&topic.topic);
        for partition in &mut topic.partitions {
            let of = (loss.direction, topic.topic.as_str());
            partition.truth_ms = written_before(partition, of, there, survey, loss.noticed_at);
        }
        topic.truth_ms = longest(topic.partitions.iter().map(|partition| partition.truth_ms));
    }
    longest(loss.topics.iter().map(|topic| topic.truth_ms))
}

fn first_reading(loss: &Loss, previous: Option<&Survey>) -> bool {
    previous.is_some_and(|previous| previous.sides.get(loss.direction.from).topics.value().is_none())
}

fn all_led(loss: &Loss, found: &BTreeMap<String, TopicObservation>) -> bool {
    loss.topics.iter().all(|topic| {
        let led =
            |lost| observed(lost, found.get(&topic.topic)).is_none_or(|partition| partition.end.is_some());
        topic.partitions.iter().all(led)
    })
}

const AT_MOST: &str = "It is at most so many: transaction markers count among the offsets, and so do records that arrived behind the \
    last committed offset or offset sync.";

fn first_method(loss: &Loss, ends: &ByPartition<LeaderEnds>, records: Option<i64>, settled: bool) -> String {
    if let Some(said) = cut(loss, ends).or_else(|| ran_past(loss, ends)) {
        return said;
    }
    match records {
        Some(0) if settled => "Up to where the leaders that were last seen had ended when others were elected, by the source's own \
                               logs as they are now: all of it had reached the target. What was written since is not in it."
            .to_owned(),
        Some(_) if settled => format!(
            "Up to where the leaders that were last seen had ended when others were elected, by the source's own logs as they are \
             now, less what was proven to have reached the target. What was written since is not in it. {AT_MOST}"
        ),
        Some(_) => "The source's ends when it was first read again, less what had reached the target: at most so many, since \
                    somebody may have written there between its return and that reading."
            .to_owned(),
        None if unknown(loss) => "What had reached the target was not known of every partition when the source died, so neither is what \
                                  was lost."
            .to_owned(),
        None => {
            "Not every partition of then can be read again, or it is shorter than it was: it was not restored whole."
                .to_owned()
        }
    }
}

/// What is to be said of a log that lost what it had: a replica that lagged was elected, or a disk was not whole. Partitions that
/// lost most first; what the target has of it is nowhere else any more.
fn cut(loss: &Loss, ends: &ByPartition<LeaderEnds>) -> Option<String> {
    let partitions =
        loss.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |lost| (topic, lost)));
    let mut cut: Vec<(TopicPartition, LeaderEnds, &PartitionLoss)> = partitions
        .filter_map(|(topic, lost)| {
            let key = key(topic, lost);
            let ends = *ends.get(&key)?;
            (ends.then < lost.end).then_some((key, ends, lost))
        })
        .collect();
    cut.sort_by_key(|(_, ends, lost)| ends.then.saturating_sub(lost.end));
    let (first, ends, lost) = cut.first()?;
    let others = match cut.len() - 1 {
        0 => String::new(),
        others => format!(" ({others} more partitions alike)"),
    };
    let only_there =
        lost.through.map_or(0, |through| through.saturating_add(1).saturating_sub(ends.then)).max(0);
    let on_the_target = if only_there > 0 {
        format!(", of which {only_there} offsets had reached the target and are only there now")
    } else {
        String::new()
    };
    Some(format!(
        "The source came back without what it had: `{first}` had been seen up to offset {}, and the log of the leader that was elected \
         since has what was there only up to {}{on_the_target}{others}. What was lost cannot be told from its ends: a replica that \
         lagged was elected, or a log was cut.",
        lost.end, ends.then
    ))
}

/// What is to be said of a log that ends, by its own word, before what had been copied of it, though not before what had been seen.
fn ran_past(loss: &Loss, ends: &ByPartition<LeaderEnds>) -> Option<String> {
    let partitions = loss
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(move |lost| (key(topic, lost), lost)));
    let mut past = partitions.filter_map(|(key, lost)| {
        let ends = ends.get(&key)?;
        Some((key, ends.then, lost.through?)).filter(|_| copied_past(lost, ends))
    });
    let (first, then, through) = past.next()?;
    let others = match past.count() {
        0 => String::new(),
        others => format!(" ({others} more partitions alike)"),
    };
    Some(format!(
        "`{first}` had been copied up to offset {through}, and by the log as it is now the leader that was last seen had what was there \
         only up to {then}{others}. What was lost cannot be told from that: the log was cut, or it was written and copied on while \
         Muster could not reach it."
    ))
}

/// Whether of some partition nothing could be told when the source died.
fn unknown(loss: &Loss) -> bool {
    loss.topics.iter().any(|topic| topic.partitions.iter().any(|lost| lost.through.is_none()))
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

fn stood_still(
    lost: &TopicLoss,
    before: &BTreeMap<String, TopicObservation>,
    now: &BTreeMap<String, TopicObservation>,
) -> bool {
    let ends = |topics: &BTreeMap<String, TopicObservation>| {
        topics.get(&lost.topic).map(|topic| topic.partitions.iter().map(|p| p.end).collect::<Vec<_>>())
    };
    ends(before) == ends(now)
}
