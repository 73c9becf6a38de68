use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::{
    acl::{AclOperation, ResourceType},
    reading::Observed,
    recorder::{FactRow, FactState, WhatChanged, changes::difference},
    samples::allow,
    topic::{ConfigEntry, ConfigSource},
};

/// What a survey sees: each topic's configs by their number (3: not told), each binding (0: not there, 1: all know it, 2: some do).
#[derive(Debug, Clone)]
struct Seen {
    topics: Vec<Option<u8>>,
    bindings: Vec<u8>,
    authorizer: bool,
}

fn retention(value: &str) -> Configs {
    let entry = ConfigEntry { value: Some(value.to_owned()), source: ConfigSource::Topic };
    BTreeMap::from([("retention.ms".to_owned(), entry)])
}

/// What a side shows; nothing could be read where nothing was seen.
fn side(seen: Option<&Seen>, at: DateTime<Utc>) -> SideObservation {
    let nothing = SideObservation::unreachable("connection refused", at);
    let Some(seen) = seen else { return nothing };
    let topic = |number: u8| {
        let configs = match number {
            3 => Observed::unknown("not authorized", at),
            _ => Observed::known(Arc::new(retention(&number.to_string())), at),
        };
        TopicObservation { id: None, partitions: Vec::new(), configs }
    };
    let named = seen.topics.iter().zip(0..);
    let topics = named.filter_map(|(number, name)| Some((format!("orders.{name}"), topic((*number)?))));
    let known_by = |wanted: u8| -> BTreeSet<AclBinding> {
        let wanted = seen.bindings.iter().zip(0..).filter(|(known, _)| **known == wanted);
        wanted
            .map(|(_, who): (_, u8)| {
                allow(AclOperation::Write, ResourceType::Topic, "orders", &format!("User:{who}"))
            })
            .collect()
    };
    let acls = AclObservation { authorizer: seen.authorizer, bindings: known_by(1), disputed: known_by(2) };
    SideObservation {
        topics: Observed::known(topics.collect(), at),
        acls: Observed::known(acls, at),
        ..nothing
    }
}

/// What a state says, however it is kept.
#[derive(Debug, PartialEq)]
enum Meaning {
    Acls(AclObservation),
    Configs(BTreeMap<String, Configs>),
}

fn meaning(kind: FactKind, body: &Value) -> Meaning {
    match Kept::read(kind, body).expect("a state that reads back") {
        Kept::Acls(acls) => Meaning::Acls(acls),
        Kept::Configs(KeptConfigs { configs, topics }) => {
            let of_topic = |(topic, number): (String, usize)| (topic, Configs::clone(&configs[number]));
            Meaning::Configs(topics.into_iter().map(of_topic).collect())
        }
    }
}

/// What is known after a survey; what was known before stands for configs of topics that were not read.
fn seen_as(kind: FactKind, side: &SideObservation, before: Option<&Meaning>) -> Option<Meaning> {
    Some(match kind {
        FactKind::Acls => Meaning::Acls(side.acls.value()?.clone()),
        FactKind::Configs => {
            let topics = side.topics.value()?;
            let stood = |name: &str| match before {
                Some(Meaning::Configs(before)) => before.get(name).cloned(),
                Some(Meaning::Acls(_)) | None => None,
            };
            let told = topics.iter().filter_map(|(name, topic)| {
                let read = topic.configs.value().map(|configs| Configs::clone(configs));
                Some((name.clone(), read.or_else(|| stood(name))?))
            });
            let told: BTreeMap<_, _> = told.collect();
            if told.is_empty() && !topics.is_empty() && before.is_none() {
                return None;
            }
            Meaning::Configs(told)
        }
    })
}

/// A process that records, and what is kept.
struct Recorder {
    kind: FactKind,
    course: FactCourse,
    rows: Vec<(DateTime<Utc>, FactRow)>,
    /// Longest change that is kept.
    most: usize,
    /// How often what is kept was read once more.
    reads: usize,
}

impl Recorder {
    fn new(kind: FactKind, most: usize) -> Self {
        Self { kind, course: FactCourse::new(kind), rows: Vec::new(), most, reads: 0 }
    }

    fn survey(&mut self, side: &SideObservation, at: DateTime<Utc>) {
        let mut keep = self.course.follow(side, at);
        if keep == Keep::ReadFirst {
            self.reads += 1;
            self.hand_over();
            keep = self.course.follow(side, at);
        }
        let held = self.course.last.as_ref().map(|last| &last.known);
        assert!(!matches!(held, Some(Known::All(_))), "what is kept is let go");
        let row = match keep {
            Keep::Nothing => return,
            Keep::ReadFirst => panic!("it was read just now"),
            Keep::Whole(body) => FactRow::Whole(body),
            Keep::Change(change) if change.to_string().len() > self.most => {
                self.course.leave_out();
                FactRow::LeftOut
            }
            Keep::Change(change) => FactRow::Change(change),
        };
        self.rows.push((at, row));
    }

    /// Of the rows of a time the last whole state and what came after it.
    fn rows_until(&self, at: DateTime<Utc>) -> Vec<(DateTime<Utc>, FactRow)> {
        let until: Vec<_> = self.rows.iter().filter(|(kept_at, _)| *kept_at <= at).cloned().collect();
        let whole = until.iter().rposition(|(_, row)| matches!(row, FactRow::Whole(_))).unwrap_or(0);
        until[whole..].to_vec()
    }

    fn standing(&self, at: DateTime<Utc>) -> FactStanding {
        let rows = self.rows_until(at).into_iter();
        rows.fold(FactStanding::Nothing, |standing, (_, row)| standing.after(self.kind, row))
    }

    /// Another process goes on.
    fn hand_over(&mut self) {
        let rows = self.rows_until(DateTime::<Utc>::MAX_UTC);
        self.course = match rows.first().zip(rows.last()) {
            Some(((whole_at, _), (at, _))) => {
                FactCourse::read(self.kind, (*whole_at, *at), self.standing(DateTime::<Utc>::MAX_UTC))
            }
            None => FactCourse::new(self.kind),
        };
    }

    fn changes(&self) -> usize {
        self.rows.iter().filter(|(_, row)| matches!(row, FactRow::Change(_))).count()
    }
}

/// What is known, in its meaning; `Err` says why it is not.
fn known(kind: FactKind, standing: FactStanding) -> Result<Meaning, &'static str> {
    match standing {
        FactStanding::Known(state) => Ok(meaning(kind, &state.into_body())),
        FactStanding::Nothing => Err("nothing"),
        FactStanding::LeftOut => Err("left out"),
        FactStanding::Unreadable => Err("unreadable"),
    }
}

fn seen() -> impl Strategy<Value = Seen> {
    let topics = prop::collection::vec(prop::option::of(0_u8..4), 5);
    let parts = (topics, prop::collection::vec(0_u8..3, 5), any::<bool>());
    parts.prop_map(|(topics, bindings, authorizer)| Seen { topics, bindings, authorizer })
}

/// Surveys, each so many seconds after the one before, and whether another process takes it.
fn histories() -> impl Strategy<Value = Vec<(i64, Option<Seen>, bool)>> {
    prop::collection::vec((1_i64..40_000, prop::option::weighted(0.8, seen()), any::<bool>()), 1..40)
}

proptest! {
    /// Whatever changes, whoever records it and however little room there is: at each moment what is told is what the last survey that
    /// could read it saw, or that it is not known; and that only from a change that found no room until the next day's first survey.
    #[test]
    fn what_is_told_of_each_moment_is_what_was_seen(
        history in histories(),
        acls in any::<bool>(),
        most in prop_oneof![Just(usize::MAX), 1_usize..400],
    ) {
        let kind = if acls { FactKind::Acls } else { FactKind::Configs };
        let mut recorder = Recorder::new(kind, most);
        let mut expected: Vec<(DateTime<Utc>, Result<Meaning, &str>)> = Vec::new();
        let (mut at, mut last) = (DateTime::UNIX_EPOCH, None);
        for (seconds, seen, another) in &history {
            if *another {
                recorder.hand_over();
            }
            at += TimeDelta::seconds(*seconds);
            let side = side(seen.as_ref(), at);
            let before = recorder.rows.len();
            let stood = known(kind, recorder.standing(at)).ok();
            recorder.survey(&side, at);
            let read = seen_as(kind, &side, stood.as_ref());
            let left_out = matches!(recorder.rows.last(), Some((_, FactRow::LeftOut)));
            if let Some(read) = read {
                let whole = recorder.rows_until(at)[0].0;
                prop_assert!(!left_out || whole.date_naive() == at.date_naive(), "a new day begins anew");
                prop_assert!(left_out || before < recorder.rows.len() || last.as_ref() == Some(&read));
                last = Some(read);
            }
            let told = known(kind, recorder.standing(at));
            match (&told, &last) {
                (Ok(told), Some(last)) => prop_assert_eq!(told, last),
                (Err("left out"), Some(_)) => prop_assert!(left_out && most < usize::MAX),
                (told, last) => prop_assert!(*told == Err("nothing") && last.is_none(), "{:?}, not {:?}", told, last),
            }
            expected.push((at, told));
        }
        for (at, then) in expected {
            prop_assert_eq!(known(kind, recorder.standing(at)), then, "later, of the same moment");
        }
        let wholes = recorder.rows.iter().filter(|(_, row)| matches!(row, FactRow::Whole(_)));
        let days: Vec<_> = wholes.map(|(at, _)| at.date_naive()).collect();
        prop_assert!(days.is_sorted_by(|one, next| one < next), "whole at most once a day: {:?}", days);
    }

    /// What a change says by itself is what the whole states before and after it differ in.
    #[test]
    fn a_change_is_told_as_the_whole_states_would_tell_it(history in histories(), acls in any::<bool>()) {
        let kind = if acls { FactKind::Acls } else { FactKind::Configs };
        let mut recorder = Recorder::new(kind, usize::MAX);
        let mut at = DateTime::UNIX_EPOCH;
        for (seconds, seen, _) in &history {
            at += TimeDelta::seconds(*seconds);
            recorder.survey(&side(seen.as_ref(), at), at);
        }
        let mut standing = FactStanding::Nothing;
        for (_, row) in recorder.rows {
            let before = standing.clone();
            let (after, what) = standing.told(kind, row);
            standing = after.clone();
            match (before, after) {
                (FactStanding::Known(before), FactStanding::Known(after)) => {
                    prop_assert_eq!(what, difference(kind, &before.into_body(), &after.into_body()));
                }
                (before, after) => {
                    prop_assert!(before == FactStanding::Nothing && matches!(after, FactStanding::Known(_)));
                    prop_assert_eq!(what, WhatChanged::FirstKept);
                }
            }
        }
    }
}

fn topics(numbers: &[u8]) -> Seen {
    Seen { topics: numbers.iter().copied().map(Some).collect(), bindings: vec![1], authorizer: true }
}

fn at(days: i64, seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(days) + TimeDelta::seconds(seconds)
}

#[test]
fn topics_that_are_configured_alike_share_an_entry_and_a_new_one_is_one_number() {
    let mut recorder = Recorder::new(FactKind::Configs, usize::MAX);
    recorder.survey(&side(Some(&topics(&[1, 1, 2])), at(0, 1)), at(0, 1));
    recorder.survey(&side(Some(&topics(&[1, 1, 2])), at(0, 2)), at(0, 2));
    recorder.survey(&side(Some(&topics(&[1, 1, 2, 1])), at(0, 3)), at(0, 3));
    recorder.survey(&side(Some(&topics(&[0, 1, 2, 1])), at(0, 4)), at(0, 4));
    recorder.survey(&side(Some(&topics(&[0, 1, 2])), at(0, 5)), at(0, 5));
    let entry = |value: &str| json!({"retention.ms": {"value": value, "source": "topic"}});
    let expected = [
        (
            at(0, 1),
            FactRow::Whole(json!({
                "configs": [entry("1"), entry("2")],
                "topics": {"orders.0": 0, "orders.1": 0, "orders.2": 1}
            })),
        ),
        (at(0, 3), FactRow::Change(json!({"topics": {"orders.3": 0}}))),
        (at(0, 4), FactRow::Change(json!({"configs": [entry("0")], "topics": {"orders.0": 2}}))),
        (at(0, 5), FactRow::Change(json!({"gone": ["orders.3"]}))),
    ];
    assert_eq!(recorder.rows, expected);
}

#[test]
fn configs_that_were_not_read_are_as_they_were_and_their_topics_are_not_gone() {
    let mut recorder = Recorder::new(FactKind::Configs, usize::MAX);
    let unread = 3;
    recorder.survey(&side(Some(&topics(&[unread, unread])), at(0, 1)), at(0, 1));
    assert_eq!(recorder.rows, [], "nothing is known of any topic");
    recorder.survey(&side(Some(&topics(&[1, 2])), at(0, 2)), at(0, 2));
    // A broker is gone, and another.
    recorder.survey(&side(Some(&topics(&[unread, unread])), at(0, 3)), at(0, 3));
    recorder.survey(&side(Some(&topics(&[unread, 2])), at(0, 4)), at(0, 4));
    assert_eq!(recorder.rows.len(), 1, "{:?}", recorder.rows);
    recorder.survey(&side(Some(&topics(&[unread, 0])), at(1, 1)), at(1, 1));
    let whole = meaning(FactKind::Configs, &known_body(&recorder, at(1, 1)));
    let both =
        [("orders.0", "1"), ("orders.1", "0")].map(|(name, value)| (name.to_owned(), retention(value)));
    assert_eq!(whole, Meaning::Configs(BTreeMap::from(both)), "of the next day, too");
    recorder.survey(&side(Some(&topics(&[unread])), at(1, 2)), at(1, 2));
    assert_eq!(recorder.rows.last(), Some(&(at(1, 2), FactRow::Change(json!({"gone": ["orders.1"]})))));
}

fn known_body(recorder: &Recorder, at: DateTime<Utc>) -> Value {
    let FactStanding::Known(state) = recorder.standing(at) else { panic!("not known at {at}") };
    state.into_body()
}

#[test]
fn entries_that_say_the_same_twice_are_no_change() {
    let entry = json!({"retention.ms": {"value": "1", "source": "topic"}});
    let body = json!({"configs": [entry, entry], "topics": {"orders.0": 0, "orders.1": 1}});
    let standing = FactStanding::Known(FactState::new(FactKind::Configs, body));
    let mut course = FactCourse::read(FactKind::Configs, (at(0, 1), at(0, 1)), standing);
    let shared = Arc::new(retention("1"));
    let mut seen = side(Some(&topics(&[1, 1])), at(0, 2));
    if let Observed::Known { value, .. } = &mut seen.topics {
        for topic in value.values_mut() {
            topic.configs = Observed::known(Arc::clone(&shared), at(0, 2));
        }
    }
    assert_eq!(course.follow(&seen, at(0, 2)), Keep::Nothing);
}

#[test]
fn what_is_kept_is_read_once_more_only_where_a_survey_saw_something_else() {
    for kind in FactKind::ALL {
        let mut recorder = Recorder::new(kind, usize::MAX);
        let before = Seen { topics: vec![Some(1), Some(2)], bindings: vec![1, 2], authorizer: true };
        let after = Seen { topics: vec![Some(1), Some(0)], bindings: vec![1, 1], authorizer: true };
        let unread = Seen { topics: vec![Some(1), Some(3)], ..after.clone() };
        recorder.survey(&side(Some(&before), at(0, 1)), at(0, 1));
        recorder.survey(&side(Some(&before), at(0, 2)), at(0, 2));
        recorder.survey(&side(None, at(0, 3)), at(0, 3));
        recorder.survey(&side(Some(&before), at(1, 1)), at(1, 1));
        assert_eq!((recorder.reads, recorder.rows.len()), (0, 1), "as it was, on the next day, too");
        recorder.survey(&side(Some(&after), at(1, 2)), at(1, 2));
        recorder.survey(&side(Some(&after), at(1, 3)), at(1, 3));
        assert_eq!((recorder.reads, recorder.rows.len()), (1, 2), "it changed once");
        // Another process, which sees nothing at first.
        recorder.hand_over();
        recorder.survey(&side(None, at(1, 4)), at(1, 4));
        assert_eq!(recorder.reads, 1);
        recorder.survey(&side(Some(&after), at(1, 5)), at(1, 5));
        assert_eq!((recorder.reads, recorder.rows.len()), (2, 2), "read, and as it was");
        // What a broker does not tell for a while is no change of it.
        recorder.survey(&side(Some(&unread), at(1, 6)), at(1, 6));
        recorder.survey(&side(Some(&unread), at(1, 7)), at(1, 7));
        let reads = if kind == FactKind::Configs { 3 } else { 2 };
        assert_eq!((recorder.reads, recorder.rows.len()), (reads, 2), "once, not with each survey");
    }
}

#[test]
fn surveys_that_saw_something_else_have_other_fingerprints_and_others_the_same() {
    let seen = |topics: &[Option<u8>], bindings: &[u8], authorizer| Seen {
        topics: topics.to_vec(),
        bindings: bindings.to_vec(),
        authorizer,
    };
    let acls = [
        seen(&[], &[], true),
        seen(&[], &[], false),
        seen(&[], &[1], true),
        seen(&[], &[2], true),
        seen(&[], &[0, 1], true),
        seen(&[], &[1, 1], true),
        seen(&[], &[1, 2], true),
        seen(&[], &[2, 1], true),
    ];
    let configs = [
        seen(&[], &[], true),
        seen(&[Some(1)], &[], true),
        seen(&[Some(2)], &[], true),
        seen(&[Some(3)], &[], true),
        seen(&[None, Some(1)], &[], true),
        seen(&[Some(1), Some(1)], &[], true),
        seen(&[Some(1), Some(2)], &[], true),
        seen(&[Some(2), Some(1)], &[], true),
        seen(&[Some(1), Some(3)], &[], true),
    ];
    for (kind, all) in [(FactKind::Acls, acls.as_slice()), (FactKind::Configs, configs.as_slice())] {
        let of = |seen: &Seen, at| fingerprint(kind, &side(Some(seen), at)).expect("it was read");
        let told_apart: BTreeSet<u128> = all.iter().map(|seen| of(seen, at(0, 1))).collect();
        assert_eq!(told_apart.len(), all.len(), "{kind:?}");
        // When it was read is nothing of it.
        assert_eq!(told_apart, all.iter().map(|seen| of(seen, at(0, 2))).collect::<BTreeSet<_>>());
        assert_eq!(fingerprint(kind, &side(None, at(0, 1))), None);
    }
}

#[test]
fn a_clock_that_was_set_back_waits_and_tells_the_change_then() {
    let mut recorder = Recorder::new(FactKind::Configs, usize::MAX);
    recorder.survey(&side(Some(&topics(&[1])), at(0, 50)), at(0, 50));
    recorder.survey(&side(Some(&topics(&[2])), at(0, 40)), at(0, 40));
    assert_eq!(recorder.rows.len(), 1);
    recorder.survey(&side(Some(&topics(&[2])), at(0, 51)), at(0, 51));
    assert_eq!((recorder.rows.len(), recorder.changes()), (2, 1));
}

#[test]
fn what_does_not_fit_or_a_newer_muster_wrote_is_not_known_and_is_kept_whole_anew() {
    let whole = json!({"configs": [retention("1")], "topics": {"orders.0": 0}});
    let acls = json!(AclObservation { authorizer: true, ..AclObservation::default() });
    for (kind, whole, change) in [
        (FactKind::Configs, &whole, json!({"gone": ["another"]})),
        (FactKind::Configs, &whole, json!({"topics": {"orders.0": 1}})),
        (FactKind::Configs, &whole, json!({"topics": {"orders.1": 0}, "also": 1})),
        (FactKind::Configs, &json!([]), json!({"topics": {"orders.1": 0}})),
        (FactKind::Acls, &acls, json!({"bindings": {"removed": [{"name": "orders"}]}})),
        (FactKind::Acls, &acls, json!({"bindings": {"renamed": []}})),
        (FactKind::Acls, &whole, json!({"authorizer": false})),
    ] {
        let kept = FactStanding::Nothing.after(kind, FactRow::Whole(whole.clone()));
        let (standing, what) = kept.told(kind, FactRow::Change(change.clone()));
        assert_eq!((&standing, what), (&FactStanding::Unreadable, WhatChanged::CannotBeTold), "{change}");
        let mut course = FactCourse::read(kind, (at(0, 1), at(0, 2)), standing.clone());
        let seen = side(Some(&topics(&[1])), at(0, 3));
        assert!(matches!(course.follow(&seen, at(0, 3)), Keep::Whole(_)), "{change}");
        let (_, after) = standing.told(kind, FactRow::Change(json!({})));
        assert_eq!(after, WhatChanged::CannotBeTold, "nothing is known until it is kept whole");
    }
}
