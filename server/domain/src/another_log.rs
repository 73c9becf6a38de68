//! Topics that were deleted and made again under their names: their logs begin anew, and replication's positions do not.
//!
//! MirrorMaker 2 keeps positions by name. While its connector stands, or until it finds out, Connect's committed offset and the newest
//! offset sync are those of the log before, and as numbers they may well fit into the new one. They are taken for positions of the
//! new log only once they have moved.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::{
    pair::Side,
    survey::{FlowObservation, OldPosition, Survey},
    topic::{ByPartition, TopicPartition},
};

/// Topics that are gone and remembered of one side; more are not.
const MOST_GONE: usize = 100_000;

/// Ids of topics of one side that the newest survey does not show, by name: gone, or on a side that does not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoneTopics(BTreeMap<String, Uuid>);

impl GoneTopics {
    /// As an earlier process saw them.
    #[must_use]
    pub fn new(ids: BTreeMap<String, Uuid>) -> Self {
        Self(ids)
    }

    /// Topics of a side that have another id in a survey than when they were seen before it.
    #[must_use]
    pub fn made_anew(&self, survey: &Survey, previous: Option<&Survey>, side: Side) -> BTreeSet<String> {
        let Some(now) = survey.sides.get(side).topics.value() else { return BTreeSet::new() };
        let before = previous.and_then(|previous| previous.sides.get(side).topics.value());
        let id_before = |name: &str| match before.and_then(|before| before.get(name)) {
            Some(topic) => topic.id,
            None => self.0.get(name).copied(),
        };
        now.iter()
            .filter(|(name, topic)| id_before(name).zip(topic.id).is_some_and(|(old, new)| old != new))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Remembers what a survey does not show any more.
    pub fn remember(&mut self, survey: &Survey, previous: Option<&Survey>, side: Side) {
        let now = survey.sides.get(side).topics.value();
        let before = previous.and_then(|previous| previous.sides.get(side).topics.value());
        for (name, topic) in before.into_iter().flatten() {
            if let (Some(id), true) = (topic.id, now.is_none_or(|now| !now.contains_key(name))) {
                self.0.insert(name.clone(), id);
            }
        }
        while self.0.len() > MOST_GONE {
            self.0.pop_first();
        }
    }

    /// Forgets what a survey that is kept shows: its ids are in that.
    pub fn forget_shown(&mut self, survey: &Survey, side: Side) {
        if let Some(now) = survey.sides.get(side).topics.value() {
            self.0.retain(|name, _| !now.contains_key(name));
        }
    }
}

/// Says in a survey which positions of the flow from a side are of logs before: those of topics that were `made_anew`, and those that the
/// survey before said it of and that have not moved.
pub fn mark_old_positions(
    survey: &mut Survey,
    previous: Option<&Survey>,
    from: Side,
    made_anew: &BTreeSet<String>,
) {
    let topics = survey.sides.get(from).topics.value();
    let Some(flow) = survey.flows.iter_mut().find(|flow| flow.direction.from == from) else { return };
    let before = previous.and_then(|survey| survey.flows.iter().find(|flow| flow.direction.from == from));
    let marked = before.into_iter().flat_map(|before| &before.of_another_log);
    let mut old: ByPartition<OldPosition> = marked
        .filter(|(key, _)| !made_anew.contains(&key.topic))
        .filter_map(|(key, position)| Some((key.clone(), still(flow, key, *position)?)))
        .collect();
    for name in made_anew {
        let partitions = topics.and_then(|topics| topics.get(name)).map_or(0, |topic| topic.partitions.len());
        for number in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            let key = TopicPartition::new(name.clone(), number);
            if let Some(position) = stands(flow, before, &key) {
                old.insert(key, position);
            }
        }
    }
    flow.of_another_log = old;
}

/// Where a flow stands on a partition whose log is another one now. A position that went down is of the new log already.
fn stands(
    flow: &FlowObservation,
    before: Option<&FlowObservation>,
    key: &TopicPartition,
) -> Option<OldPosition> {
    let Some((committed, pairs)) = flow.committed.value().zip(flow.newest_pairs.value()) else {
        return Some(OldPosition { unseen: true, ..OldPosition::default() });
    };
    let was_committed = before.and_then(|before| before.committed.value()?.offsets.get(key));
    let was_pair = before.and_then(|before| before.newest_pairs.value()?.0.get(key));
    let committed = committed.offsets.get(key).filter(|now| was_committed.is_none_or(|was| *now >= was));
    let pair = pairs.0.get(key).filter(|now| was_pair.is_none_or(|was| now.upstream >= was.upstream));
    let position = OldPosition { committed: committed.copied(), pair: pair.copied(), unseen: false };
    (position != OldPosition::default()).then_some(position)
}

/// What is left of a mark: positions that have moved, or are gone, are none of the log before.
fn still(flow: &FlowObservation, key: &TopicPartition, old: OldPosition) -> Option<OldPosition> {
    if old.unseen {
        return stands(flow, None, key);
    }
    let (committed, pairs) = (flow.committed.value(), flow.newest_pairs.value());
    let position = OldPosition {
        committed: old
            .committed
            .filter(|then| committed.is_none_or(|committed| committed.offsets.get(key) == Some(then))),
        pair: old.pair.filter(|then| pairs.is_none_or(|pairs| pairs.0.get(key) == Some(then))),
        unseen: false,
    };
    (position != OldPosition::default()).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        pair::Side::A,
        reading::Observed,
        samples::{self, at, known, topics},
        survey::OffsetPair,
    };

    fn orders() -> TopicPartition {
        TopicPartition::new("orders", 0)
    }

    /// `orders` with this id, of which so much was copied by Connect's word, and by the newest sync.
    fn survey(id: u128, committed: i64, upstream: i64) -> Survey {
        let mut survey = samples::survey();
        topics(&mut survey, A).get_mut("orders").unwrap().id = Some(Uuid::from_u128(id));
        known(&mut survey.flows[0].committed).offsets.insert(orders(), committed);
        let pair = OffsetPair { upstream, downstream: upstream };
        known(&mut survey.flows[0].newest_pairs).0.insert(orders(), pair);
        survey
    }

    fn without_source(mut survey: Survey) -> Survey {
        survey.sides.a.topics = Observed::unknown("connection refused", at(5));
        survey
    }

    fn without_connect(mut survey: Survey) -> Survey {
        survey.flows[0].committed = Observed::unknown("connection refused", at(5));
        survey.flows[0].newest_pairs = Observed::unknown("connection refused", at(5));
        survey
    }

    /// Each survey after the one before, as they are taken and kept: the positions that count in the last of them.
    fn told(surveys: &[Survey]) -> (Option<i64>, Option<i64>) {
        let mut gone = GoneTopics::default();
        let mut kept: Option<Survey> = None;
        for survey in surveys {
            let mut survey = survey.clone();
            let anew = gone.made_anew(&survey, kept.as_ref(), A);
            mark_old_positions(&mut survey, kept.as_ref(), A, &anew);
            gone.remember(&survey, kept.as_ref(), A);
            gone.forget_shown(&survey, A);
            // It comes back from the database.
            kept = Some(serde_json::from_value(serde_json::to_value(&survey).unwrap()).unwrap());
        }
        let flow = &kept.expect("one at least").flows[0];
        (flow.committed_offset(&orders()), flow.newest_pair(&orders()).map(|pair| pair.upstream))
    }

    #[test]
    fn positions_of_a_topic_that_was_made_anew_count_once_they_have_moved() {
        let before = survey(1, 1_499, 1_450);
        assert_eq!(told(&[before.clone(), before.clone()]), (Some(1_499), Some(1_450)));
        let anew = survey(2, 1_499, 1_450);
        assert_eq!(told(&[before.clone(), anew.clone()]), (None, None));
        assert_eq!(told(&[before.clone(), anew.clone(), anew.clone()]), (None, None));
        assert_eq!(told(&[before.clone(), anew.clone(), survey(2, 30, 1_450)]), (Some(30), None));
        assert_eq!(
            told(&[before.clone(), anew.clone(), survey(2, 1_600, 1_550)]),
            (Some(1_600), Some(1_550))
        );
        // Moved and back at the same number: that one is of the new log.
        assert_eq!(told(&[before, anew.clone(), survey(2, 30, 20), anew]), (Some(1_499), Some(1_450)));
    }

    #[test]
    fn what_was_copied_just_before_is_of_the_log_before_and_what_went_down_is_not() {
        assert_eq!(told(&[survey(1, 1_400, 1_400), survey(2, 1_499, 1_450)]), (None, None));
        assert_eq!(told(&[survey(1, 1_499, 1_450), survey(2, 12, 1_450)]), (Some(12), None));
    }

    #[test]
    fn it_is_known_again_after_it_was_gone_or_its_side_did_not_answer() {
        let (before, anew) = (survey(1, 1_499, 1_450), survey(2, 1_499, 1_450));
        let mut deleted = before.clone();
        topics(&mut deleted, A).clear();
        let away = without_source(before.clone());
        for between in [vec![deleted.clone()], vec![away.clone(), away.clone()], vec![deleted, away]] {
            let surveys = [vec![before.clone()], between, vec![anew.clone()]].concat();
            assert_eq!(told(&surveys), (None, None));
        }
        // And a mark outlives that, too.
        assert_eq!(told(&[before.clone(), anew.clone(), without_source(anew.clone()), anew]), (None, None));
        let of_an_earlier_process =
            GoneTopics::new(BTreeMap::from([("orders".to_owned(), Uuid::from_u128(1))]));
        let orders = BTreeSet::from(["orders".to_owned()]);
        assert_eq!(
            of_an_earlier_process.made_anew(&survey(2, 0, 0), Some(&without_source(before)), A),
            orders
        );
    }

    #[test]
    fn while_connect_is_silent_a_mark_stays_and_what_it_says_first_is_taken_for_the_old_position() {
        let (before, anew) = (survey(1, 1_499, 1_450), survey(2, 1_499, 1_450));
        let silent = without_connect(anew.clone());
        assert_eq!(told(&[before.clone(), anew.clone(), silent.clone(), anew.clone()]), (None, None));
        let dark = without_connect(before);
        assert_eq!(told(&[dark.clone(), silent.clone(), silent.clone(), anew.clone()]), (None, None));
        assert_eq!(told(&[dark, silent, anew, survey(2, 30, 20)]), (Some(30), Some(20)));
    }

    #[test]
    fn a_cluster_without_topic_ids_tells_of_none() {
        let mut survey = survey(1, 1_499, 1_450);
        topics(&mut survey, A).get_mut("orders").unwrap().id = None;
        assert_eq!(told(&[survey.clone(), survey]), (Some(1_499), Some(1_450)));
    }
}
