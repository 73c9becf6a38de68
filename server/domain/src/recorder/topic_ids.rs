//! Which id the topics of a side had, and until when. A topic that is deleted and made anew under its name has another one.
//!
//! What is not read changes nothing: a side that does not answer has the topics it had, and a topic whose id is not told (brokers before
//! 2.8) is neither the one that was there nor another. When a side falls silent it is told until when its ids were seen.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{RecreatedTopic, TopicIdSeen};
use crate::{pair::Side, patterns::Scope, survey::Survey};

/// An id of a topic, and the last survey that is known to have seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastId {
    /// The id.
    pub id: Uuid,
    /// When that survey began.
    pub seen_at: DateTime<Utc>,
}

/// The ids of the topics that are there on a side, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastIds {
    ids: BTreeMap<String, LastId>,
    /// That the side does not answer was told.
    silent: bool,
}

/// What a survey says otherwise than those before. Mostly nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdsChanged {
    /// Topics with an id that they were not known to have, in the order of names.
    pub begun: Vec<(String, Uuid)>,
    /// Topics that are gone, or have another id, with the one they had, in the order of names.
    pub over: Vec<(String, LastId)>,
    /// Where the side has fallen silent: the last survey that is known to have seen the ids of all its topics.
    pub seen_until: Option<DateTime<Utc>>,
}

impl LastIds {
    /// As they are kept.
    #[must_use]
    pub fn new(kept: BTreeMap<String, LastId>) -> Self {
        Self { ids: kept, silent: false }
    }

    /// Takes the next survey; says what it changes. The canary is nobody's topic.
    pub fn see(&mut self, scope: &Scope, side: Side, survey: &Survey) -> IdsChanged {
        let mut changed = IdsChanged::default();
        let Some(topics) = survey.sides.get(side).topics.value() else {
            if !self.silent {
                changed.seen_until = self.ids.values().map(|last| last.seen_at).min();
            }
            self.silent = true;
            return changed;
        };
        self.silent = false;
        self.ids.retain(|name, last| {
            let there = topics.get(name);
            let is_over = there.is_none_or(|topic| topic.id.is_some_and(|id| id != last.id));
            if is_over {
                changed.over.push((name.clone(), *last));
            }
            !is_over
        });
        let seen_at = survey.began_at;
        for (name, topic) in topics {
            let Some(id) = topic.id.filter(|_| !scope.canary(side, name)) else { continue };
            if self.ids.insert(name.clone(), LastId { id, seen_at }).is_none() {
                changed.begun.push((name.clone(), id));
            }
        }
        changed
    }
}

/// Topics that had more than one id, by what tracks tell and by what surveys told. Where both know an id, surveys do to the survey; ids from
/// before they were kept are known by tracks only.
#[must_use]
pub fn join_recreated(
    by_tracks: Vec<RecreatedTopic>,
    by_surveys: Vec<RecreatedTopic>,
) -> Vec<RecreatedTopic> {
    let mut joined: BTreeMap<(Side, String), Vec<TopicIdSeen>> = BTreeMap::new();
    for RecreatedTopic { side, topic, ids } in by_tracks {
        joined.insert((side, topic), ids);
    }
    for RecreatedTopic { side, topic, ids } in by_surveys {
        let all = joined.entry((side, topic)).or_default();
        all.retain(|earlier| ids.iter().all(|seen| seen.id != earlier.id));
        all.extend(ids);
    }
    joined.into_iter().map(|((side, topic), ids)| RecreatedTopic { side, topic, ids }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        reading::Observed,
        samples::{self, at, topics},
    };

    /// A survey so many seconds after the first, in which `orders` on the target has this id; without one the brokers do not tell it.
    fn survey(seconds: i64, id: Option<u128>) -> Survey {
        let mut survey = samples::survey();
        survey.began_at = at(seconds);
        let topics = topics(&mut survey, Side::B);
        topics.retain(|name, _| name == "orders");
        topics.get_mut("orders").unwrap().id = id.map(Uuid::from_u128);
        survey
    }

    fn without_target(seconds: i64) -> Survey {
        let mut survey = survey(seconds, Some(9));
        survey.sides.b.topics = Observed::unknown("connection refused", at(seconds));
        survey
    }

    fn gone(seconds: i64) -> Survey {
        let mut survey = survey(seconds, None);
        topics(&mut survey, Side::B).clear();
        survey
    }

    /// Ids that began, and those that were over, with when they were seen last.
    type Told = (Vec<u128>, Vec<(u128, DateTime<Utc>)>);

    /// Each survey after the one before.
    fn told(surveys: &[Survey]) -> Vec<Told> {
        let (mut last, scope) = (LastIds::default(), Scope::of(&samples::pair()));
        let changes = surveys.iter().map(|survey| {
            let IdsChanged { begun, over, .. } = last.see(&scope, Side::B, survey);
            let over = over.iter().map(|(_, last)| (last.id.as_u128(), last.seen_at));
            (begun.iter().map(|(_, id)| id.as_u128()).collect(), over.collect())
        });
        changes.collect()
    }

    #[test]
    fn a_copy_that_is_made_anew_has_another_id_and_what_stays_as_it_is_changes_nothing() {
        let surveys = [survey(0, Some(1)), survey(5, Some(1)), survey(10, Some(2)), survey(15, Some(2))];
        let nothing: Told = (vec![], vec![]);
        assert_eq!(
            told(&surveys),
            [(vec![1], vec![]), nothing.clone(), (vec![2], vec![(1, at(5))]), nothing]
        );
    }

    #[test]
    fn one_that_is_gone_is_over_and_the_next_begins_when_it_is_seen() {
        let surveys = [survey(0, Some(1)), gone(5), gone(10), survey(15, Some(2))];
        let nothing: Told = (vec![], vec![]);
        assert_eq!(
            told(&surveys),
            [(vec![1], vec![]), (vec![], vec![(1, at(0))]), nothing, (vec![2], vec![])]
        );
    }

    #[test]
    fn what_is_not_read_is_neither_gone_nor_another() {
        let nothing: Told = (vec![], vec![]);
        let away = [survey(0, Some(1)), without_target(5), survey(10, None), survey(15, Some(1))];
        assert_eq!(told(&away), [(vec![1], vec![]), nothing.clone(), nothing.clone(), nothing.clone()]);
        let anew = [survey(0, Some(1)), without_target(5), survey(10, None), survey(15, Some(2))];
        assert_eq!(told(&anew)[3], (vec![2], vec![(1, at(0))]), "it was not seen since");
        assert_eq!(told(&[survey(0, None), survey(5, Some(1))]), [nothing, (vec![1], vec![])]);
    }

    #[test]
    fn until_when_ids_were_seen_is_told_once_when_a_side_falls_silent() {
        let (mut last, scope) = (LastIds::default(), Scope::of(&samples::pair()));
        let mut seen_until = |survey: &Survey| last.see(&scope, Side::B, survey).seen_until;
        assert_eq!(seen_until(&without_target(0)), None, "nothing was seen");
        let surveys = [
            survey(5, Some(1)),
            survey(10, Some(1)),
            without_target(15),
            without_target(20),
            survey(25, Some(1)),
            // An id that is not told is not seen.
            survey(30, None),
            without_target(35),
        ];
        let told: Vec<_> = surveys.iter().map(seen_until).collect();
        assert_eq!(told, [None, None, Some(at(10)), None, None, None, Some(at(25))]);
    }

    #[test]
    fn what_another_process_kept_is_gone_on_from() {
        let kept = LastId { id: Uuid::from_u128(1), seen_at: at(-60) };
        let mut last = LastIds::new(BTreeMap::from([("orders".to_owned(), kept)]));
        let scope = Scope::of(&samples::pair());
        let changed = last.see(&scope, Side::B, &survey(0, Some(2)));
        assert_eq!(changed.begun, [("orders".to_owned(), Uuid::from_u128(2))]);
        assert_eq!(changed.over, [("orders".to_owned(), kept)]);
    }

    #[test]
    fn ids_that_only_tracks_know_come_before_those_that_surveys_told() {
        let of =
            |side, topic: &str, ids: Vec<TopicIdSeen>| RecreatedTopic { side, topic: topic.to_owned(), ids };
        let noted = |id: u128| TopicIdSeen { id: Uuid::from_u128(id), seen_at: at(0), surveys: None };
        let seen = |id: u128| TopicIdSeen { surveys: Some((at(10), Some(at(20)))), ..noted(id) };
        let tracks = vec![
            of(Side::A, "orders", vec![noted(1), noted(2), noted(3)]),
            of(Side::A, "refunds", vec![noted(7), noted(8)]),
        ];
        let surveys = vec![
            of(Side::B, "copies", vec![seen(5), seen(6)]),
            of(Side::A, "orders", vec![seen(2), seen(3)]),
        ];
        let joined = join_recreated(tracks, surveys);
        let expected = [
            of(Side::A, "orders", vec![noted(1), seen(2), seen(3)]),
            of(Side::A, "refunds", vec![noted(7), noted(8)]),
            of(Side::B, "copies", vec![seen(5), seen(6)]),
        ];
        assert_eq!(joined, expected);
    }
}
