//! What is remembered of parts that cannot be compared any more: on the day a side is dead this is what there is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{COMMANDS, Difference, Differences, Sides, part::Part, sort};
use crate::{
    cluster::Cluster,
    direction::{self, ActiveSide},
    pair::{BySide, Direction, Pair, Side},
    survey::Survey,
};

/// A part that could not be compared, as it was when that was possible last. Nobody can say whether it still is so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Earlier {
    /// Which part, as what was not compared names it.
    pub what: String,
    /// When the survey began that could compare it, by Muster's clock.
    pub at: DateTime<Utc>,
    /// What differed then; none where it was alike.
    pub differences: Vec<Difference>,
}

/// What earlier surveys found of parts that the newest one cannot compare, in one direction; where both sides were active, with the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCompared {
    /// From where to where applications would have moved.
    way: Direction,
    parts: Vec<Earlier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    back: Option<Box<Self>>,
}

impl LastCompared {
    /// Whether there is anything that a survey cannot compare.
    #[must_use]
    pub fn is_wanted(pair: &Pair, survey: &Survey) -> bool {
        let ways = ways_of(pair, survey);
        ways.is_empty() || ways.into_iter().any(|way| !lacking(survey, Some(way)).is_empty())
    }

    /// Whether what is kept with the survey before this one stays as it is: applications are on the same side in both, as far as they
    /// tell, and neither can compare what the other cannot.
    #[must_use]
    pub fn stands(pair: &Pair, survey: &Survey, previous: &Survey) -> bool {
        let ways = ways_of(pair, survey);
        let alike = |way: &Direction| lacking(survey, Some(*way)) == lacking(previous, Some(*way));
        ways == ways_of(pair, previous) && ways.iter().all(alike)
    }

    fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.back.as_deref())
    }

    /// What is known of the parts that a survey cannot compare: as the survey before it compared them, else as they were `kept` with
    /// that one. `None` when it can compare all, or nothing is known of the rest.
    #[must_use]
    pub fn after(
        pair: &Pair,
        clusters: &BySide<Cluster>,
        survey: &Survey,
        previous: Option<&Survey>,
        kept: Option<&Self>,
    ) -> Option<Self> {
        let now = ways_of(pair, survey);
        let before = previous.map(|previous| ways_of(pair, previous)).unwrap_or_default();
        let then = kept.into_iter().flat_map(Self::each).map(|kept| kept.way).collect();
        // Applications are elsewhere now: what would have been different on the way there is of no use on the way back.
        let ways = [now.clone(), before.clone(), then].into_iter().find(|ways| !ways.is_empty())?;
        let both = ways.len() > 1;
        let of_way = |way: Direction| {
            let lacking = lacking(survey, now.contains(&way).then_some(way));
            let of_previous = previous.filter(|_| before.contains(&way)).map(|previous| {
                let can = |part: &&Part| can_compare(previous, way, **part);
                let can = lacking.iter().filter(can).copied().collect();
                compared((pair, clusters, previous), (way, both), can)
            });
            let of_previous = of_previous.unwrap_or_default();
            let kept = kept.into_iter().flat_map(Self::each).find(|kept| kept.way == way);
            let kept = kept.map_or(&[][..], |kept| kept.parts.as_slice());
            let of = |part: &Part| {
                let mut known = of_previous.iter().chain(kept);
                known.find(|earlier| earlier.what == part.as_str()).cloned()
            };
            let parts: Vec<Earlier> = lacking.iter().filter_map(of).collect();
            (!parts.is_empty()).then_some(Self { way, parts, back: None })
        };
        let mut found = ways.into_iter().filter_map(of_way);
        let first = found.next()?;
        Some(Self { back: found.next().map(Box::new), ..first })
    }
}

/// From where to where applications would move: both ways where both sides are active, none where that is not known.
fn ways_of(pair: &Pair, survey: &Survey) -> Vec<Direction> {
    match direction::active_side(pair, survey) {
        ActiveSide::Active(way) => vec![way],
        ActiveSide::Both { .. } => Side::BOTH.map(|from| Direction { from }).to_vec(),
        ActiveSide::NeitherKnown { .. } | ActiveSide::Contested { .. } => Vec::new(),
    }
}

/// What a survey cannot compare: everything, while it does not tell where applications are.
fn lacking(survey: &Survey, way: Option<Direction>) -> Vec<Part> {
    let can = |part: &Part| way.is_some_and(|way| can_compare(survey, way, *part));
    Part::ALL.into_iter().filter(|part| !can(part)).collect()
}

fn can_compare(survey: &Survey, way: Direction, part: Part) -> bool {
    part.was_read(survey.sides.get(way.from), survey.sides.get(way.to())).is_ok()
}

/// These parts of a survey, with all names and as many commands as are ever shown.
fn compared(
    (pair, clusters, survey): (&Pair, &BySide<Cluster>, &Survey),
    (way, both): (Direction, bool),
    parts: Vec<Part>,
) -> Vec<Earlier> {
    if parts.is_empty() {
        return Vec::new();
    }
    let sides = Sides::new(pair, clusters, survey, way, both);
    let of = |part: Part| {
        let mut differences = part.compare(&sides, &mut Vec::new()).ok()?;
        for found in &mut differences {
            found.commands.truncate(COMMANDS);
        }
        sort(&mut differences);
        Some(Earlier { what: part.as_str().to_owned(), at: survey.began_at, differences })
    };
    parts.into_iter().filter_map(of).collect()
}

impl Differences {
    /// With what is remembered of parts that could not be compared.
    #[must_use]
    pub fn with_earlier(mut self, pair: &Pair, last: &LastCompared) -> Self {
        if self.active.is_none() {
            self.earlier.clone_from(&last.parts);
            let back = last.back.as_ref();
            self.back = back.map(|back| Box::new(Self { earlier: back.parts.clone(), ..Self::default() }));
            return self;
        }
        self.add_earlier(pair, last);
        if let Some(back) = &mut self.back {
            back.add_earlier(pair, last);
        }
        self
    }

    fn add_earlier(&mut self, pair: &Pair, last: &LastCompared) {
        let of_way = last.each().find(|last| self.active.as_ref() == Some(pair.cluster(last.way.from)));
        let Some(last) = of_way else { return };
        let asked = |earlier: &&Earlier| self.not_compared.iter().any(|part| part.what == earlier.what);
        self.earlier = last.parts.iter().filter(asked).cloned().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        difference::{DifferenceKind, differences},
        reading::Observed,
        samples::{self, known, topics},
        survey::{ConnectState, SideObservation},
    };

    const DEAD: &str = "primary does not answer";

    /// The standby lacks a topic, and a survey that long after the first.
    fn unlike(number: i64) -> Survey {
        let mut survey = samples::survey();
        topics(&mut survey, Side::A).insert("orders.new".to_owned(), samples::topic(5));
        Survey { number, began_at: samples::at(number * 5), ..survey }
    }

    fn dead(number: i64) -> Survey {
        let mut survey = unlike(number);
        survey.sides.a = SideObservation::unreachable(DEAD, survey.began_at);
        survey
    }

    fn after(
        survey: &Survey,
        previous: Option<&Survey>,
        kept: Option<&LastCompared>,
    ) -> Option<LastCompared> {
        LastCompared::after(&samples::pair(), &samples::clusters(), survey, previous, kept)
    }

    /// What is told of a survey with what is remembered: part, when, how many differences.
    fn told(survey: &Survey, last: &LastCompared) -> Vec<(String, DateTime<Utc>, usize)> {
        let pair = samples::pair();
        let found = differences(&pair, &samples::clusters(), survey).with_earlier(&pair, last);
        found.earlier.into_iter().map(|part| (part.what, part.at, part.differences.len())).collect()
    }

    fn stop_flows(survey: &mut Survey) {
        for connector in survey.flows.iter_mut().flat_map(|flow| flow.connectors.values_mut()) {
            known(connector).state = ConnectState::Stopped;
        }
    }

    #[test]
    fn while_both_sides_are_read_nothing_is_remembered() {
        assert_eq!(after(&unlike(2), Some(&unlike(1)), None), None);
        let first = after(&dead(2), Some(&unlike(1)), None);
        assert_eq!(after(&unlike(3), Some(&dead(2)), first.as_ref()), None);
    }

    #[test]
    fn of_a_dead_side_is_told_what_differed_when_both_could_be_compared_last() {
        let first = after(&dead(2), Some(&unlike(1)), None).expect("remembered");
        let later = after(&dead(3), Some(&dead(2)), Some(&first)).expect("still remembered");
        assert_eq!(later, first);
        let told = told(&dead(3), &later);
        let parts: Vec<_> = Part::ALL.into_iter().filter(|part| *part != Part::Members).collect();
        let wanted: Vec<_> = parts
            .iter()
            .map(|part| (part.as_str().to_owned(), samples::at(5), usize::from(*part == Part::Topics)))
            .collect();
        assert_eq!(told, wanted, "members on the standby are still looked at");
        let missing = &later.parts[0].differences[0];
        assert_eq!(missing.kind, DifferenceKind::TopicMissing);
        assert_eq!(missing.affected.topics.names, ["orders.new"]);
    }

    #[test]
    fn a_side_that_dies_in_the_middle_of_a_survey_takes_nothing_along() {
        let mut half = unlike(2);
        for side in Side::BOTH {
            let topics = topics(&mut half, side);
            topics
                .values_mut()
                .for_each(|topic| topic.configs = Observed::unknown("timed out", samples::at(10)));
        }
        half.sides.a.acls = Observed::unknown("timed out", samples::at(10));
        let first = after(&half, Some(&unlike(1)), None).expect("remembered");
        let names = |last: &LastCompared| -> Vec<(String, DateTime<Utc>)> {
            last.parts.iter().map(|part| (part.what.clone(), part.at)).collect()
        };
        let then = |what: &str| (what.to_owned(), samples::at(5));
        assert_eq!(names(&first), [then("configs"), then("grants"), then("DENYs")]);
        let later = after(&dead(3), Some(&half), Some(&first)).expect("remembered");
        let told = names(&later);
        assert!(told.contains(&then("configs")) && told.contains(&then("grants")), "{told:?}");
        // The rest is of the survey in which it was read last.
        assert!(told.contains(&("topics and partitions".to_owned(), samples::at(10))), "{told:?}");
    }

    #[test]
    fn while_nobody_knows_where_applications_are_everything_is_as_it_was() {
        let first = after(&dead(2), Some(&unlike(1)), None).expect("remembered");
        let mut stopped = dead(3);
        stop_flows(&mut stopped);
        let later = after(&stopped, Some(&dead(2)), Some(&first)).expect("remembered");
        assert!(first.parts.iter().all(|part| later.parts.contains(part)), "{later:?}");
        let parts: Vec<String> = told(&stopped, &later).into_iter().map(|(what, ..)| what).collect();
        assert_eq!(parts, Part::ALL.map(|part| part.as_str().to_owned()));
        // Known to be on the other side now.
        let mut moved = dead(4);
        stop_flows(&mut moved);
        known(moved.flows[1].connectors.values_mut().next().expect("a source connector")).state =
            ConnectState::Running;
        assert_eq!(told(&moved, &later), []);
        assert_eq!(after(&moved, Some(&stopped), Some(&later)), None);
    }

    #[test]
    fn what_is_kept_stands_exactly_while_no_survey_can_compare_more_or_less() {
        let pair = samples::pair();
        let stopped = |number: i64| {
            let mut survey = dead(number);
            stop_flows(&mut survey);
            survey
        };
        let mut half = unlike(2);
        half.sides.a.acls = Observed::unknown("timed out", samples::at(10));
        let stands = |survey: &Survey, previous: &Survey| LastCompared::stands(&pair, survey, previous);
        for (survey, previous, wanted) in [
            (unlike(2), unlike(1), true),
            (dead(2), unlike(1), false),
            (dead(3), dead(2), true),
            (dead(3), half.clone(), false),
            (half.clone(), half, true),
            (stopped(3), dead(2), false),
            (stopped(4), stopped(3), true),
            (unlike(4), stopped(3), false),
        ] {
            assert_eq!(stands(&survey, &previous), wanted, "{} after {}", survey.number, previous.number);
            if wanted {
                // Nothing could be kept otherwise if it were worked out again.
                let kept = after(&previous, Some(&unlike(1)), None);
                assert_eq!(after(&survey, Some(&previous), kept.as_ref()), kept);
            }
        }
    }

    #[test]
    fn it_reads_back_as_it_was_kept() {
        let last = after(&dead(2), Some(&unlike(1)), None).expect("remembered");
        let kept = serde_json::to_string(&last).expect("written");
        assert_eq!(serde_json::from_str::<LastCompared>(&kept).expect("read"), last);
    }

    #[test]
    fn a_part_is_compared_exactly_where_what_it_needs_was_read() {
        type Unread = fn(&mut SideObservation);
        let unread: [Unread; 7] = [
            |side| side.topics = Observed::unknown("unread", samples::at(0)),
            |side| side.groups = Observed::unknown("unread", samples::at(0)),
            |side| side.acls = Observed::unknown("unread", samples::at(0)),
            |side| side.brokers = Observed::unknown("unread", samples::at(0)),
            |side| side.quotas = Observed::unknown("unread", samples::at(0)),
            |side| side.users = Observed::unknown("unread", samples::at(0)),
            |side| *side = SideObservation::unreachable("unread", samples::at(0)),
        ];
        let pair = samples::pair();
        for side in Side::BOTH {
            for unread in unread {
                let mut survey = samples::survey();
                unread(survey.sides.get_mut(side));
                let lacking: Vec<&str> =
                    lacking(&survey, Some(samples::FORWARD)).into_iter().map(Part::as_str).collect();
                let found = differences(&pair, &samples::clusters(), &survey);
                let not: Vec<&str> = found.not_compared.iter().map(|part| part.what.as_str()).collect();
                assert_eq!(not, lacking);
            }
        }
    }
}
