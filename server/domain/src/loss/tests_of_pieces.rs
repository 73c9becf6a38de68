//! A source that dies piece by piece: what one survey does not read of it any more was read by the one before.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{
    tests::{Story, ends, large, seen, story},
    *,
};
use crate::{
    pair::Side,
    patterns::Scope,
    reading::Observed,
    samples::{self, at, topics},
    survey::SideObservation,
};

/// Two partitions of which the second does not answer at some steps.
fn two(story: Story, silent: std::ops::Range<usize>) -> Story {
    story.twice().silent(1, silent)
}

/// What of `orders` is told of its partitions: their ends, when these were read, and records at most.
fn told(loss: &Loss) -> Vec<(i64, EndRead, Option<i64>)> {
    let partitions = loss.topics[0].partitions.iter();
    partitions.map(|lost| (lost.end, lost.end_read, lost.lost.records_at_most)).collect()
}

#[test]
fn a_survey_that_reads_no_end_any_more_leaves_what_was_seen_before() {
    // Topics are listed at 30 s, and then no leader answers.
    let story = story().silent(0, 30..31);
    let mut loss = story.statement(33, 35);
    assert_eq!((loss.seen_at, loss.noticed_at), (at(25), at(35)));
    // 197 of 250 have arrived; 10 a second and twice the root of 100 in the ten seconds nobody looked.
    let at_most = 250 - 1 - 196 + 100 + 20;
    assert_eq!(told(&loss), [(250, EndRead::Then, Some(at_most))]);
    assert_eq!((loss.total.records_at_most, loss.total.ms_at_most), (Some(at_most), Some(20_000)));
    settle(&mut loss, &story.survey(33, false), &BTreeMap::new());
    assert_eq!(loss.truth.expect("told").records, Some(330 - 1 - 196));
}

#[test]
fn partitions_that_died_first_are_lost_too_and_each_is_reckoned_from_when_it_was_last_read() {
    let loss = two(story(), 26..60).statement(33, 35);
    assert_eq!(loss.seen_at, at(30));
    let of_the_first = 300 - 1 - 196 + 50 + 15;
    let of_the_second = 250 - 1 - 196 + 100 + 20;
    assert_eq!(
        told(&loss),
        [
            (300, EndRead::Then, Some(of_the_first)),
            (250, EndRead::Before { at: at(25) }, Some(of_the_second))
        ]
    );
    assert_eq!(loss.total.records_at_most, Some(of_the_first + of_the_second));
    assert!(loss.method.contains("Of 1 of its 2 partitions the ends could not be read"), "{}", loss.method);
    assert!(loss.method.contains("only up to 10.0 s before it was found not to answer"), "{}", loss.method);
}

#[test]
fn of_partitions_that_died_first_as_much_is_proven_to_be_missing_as_was_seen_of_them() {
    let loss = two(large(), 26..60).statement(33, 35);
    let proven: Vec<i64> = loss.topics[0].partitions.iter().map(|lost| lost.lost.records_at_least).collect();
    // Behind the sync at 19,999, a thousand left out, one in two.
    assert_eq!(proven, [(29_999 - 19_999 - 1_000) / 2, (24_999 - 19_999 - 1_000) / 2]);
}

#[test]
fn a_partition_that_was_never_read_is_not_known_and_neither_is_the_sum() {
    let loss = two(story(), 0..60).statement(33, 35);
    let [first, second] = loss.topics[0].partitions.as_slice() else { panic!("{loss:?}") };
    assert_eq!((second.end, second.end_read, second.through), (0, EndRead::Never, None));
    assert_eq!(second.lost, Interval::default());
    assert!(first.lost.records_at_most.is_some());
    assert_eq!((loss.total.records_at_most, loss.total.ms_at_most), (None, None));
    assert!(loss.method.contains("Of 1 of its 2 partitions no end was ever read"), "{}", loss.method);
}

#[test]
fn a_topic_that_is_gone_or_made_anew_is_not_the_one_that_was_seen() {
    let with_id = |survey: &mut Survey, topic: &str, id: u128| {
        let there = topics(survey, Side::A).entry(topic.to_owned()).or_insert_with(|| samples::topic(70));
        there.id = Some(Uuid::from_u128(id));
    };
    let mut first = story().survey(25, false);
    let mut second = story().survey(30, false);
    for (topic, id) in [("orders", 1), ("orders.kept", 2), ("payments", 3)] {
        with_id(&mut first, topic, id);
    }
    // `payments` is gone; both others do not answer, and one of them is another topic.
    for (topic, id) in [("orders", 9), ("orders.kept", 2)] {
        with_id(&mut second, topic, id);
        topics(&mut second, Side::A).get_mut(topic).expect("there").partitions[0].end = None;
    }
    let mut last = seen(Side::A, [&first]);
    let over = last.see(&Scope::of(&samples::pair()), Side::A, &second);
    assert_eq!(over, BTreeSet::from(["orders", "payments"].map(str::to_owned)));
    assert_eq!(last.at, at(25), "nothing was read");
    let ends: Vec<_> =
        last.ends.iter().map(|(key, last)| (key.topic.as_str(), last.map(|last| last.end))).collect();
    assert_eq!(ends, [("orders", None), ("orders.kept", Some(70))]);
}

#[test]
fn a_topic_that_is_none_of_the_pairs_any_more_is_over() {
    let mut survey = story().survey(30, false);
    topics(&mut survey, Side::A).insert("payments".to_owned(), samples::topic(70));
    let mut last = seen(Side::A, [&survey]);
    let narrower = Pair { topics: vec!["orders".to_owned()], ..samples::pair() };
    let over = last.see(&Scope::of(&narrower), Side::A, &survey);
    assert_eq!(over, BTreeSet::from(["payments".to_owned()]));
    assert_eq!(last, seen(Side::A, [&story().survey(30, false)]));
}

#[test]
fn a_side_that_cannot_be_read_leaves_everything_as_it_was() {
    let living = story().survey(30, false);
    let mut dead = story().survey(33, true);
    let mut last = seen(Side::A, [&living]);
    let before = last.clone();
    assert_eq!(last.see(&Scope::of(&samples::pair()), Side::A, &dead), BTreeSet::new());
    assert_eq!(last, before);
    // A cluster that shows no topic of the pair has none that could be lost.
    dead.sides.a.topics = Observed::known(BTreeMap::new(), at(35));
    last.see(&Scope::of(&samples::pair()), Side::A, &dead);
    assert_eq!(last, LastEnds::nothing(at(35)));
}

#[test]
fn of_a_source_of_which_nothing_was_seen_it_is_not_said_that_nothing_was_lost() {
    let pair = samples::pair();
    let (last, dead) = (story().survey(30, false), story().survey(33, true));
    let nothing = LastEnds::nothing(at(30));
    let history = [ends(&last)];
    let evidence = Evidence {
        history: &history,
        high: &nothing,
        pace: &Pace::new(),
        previous: Some(&last),
        said: None,
        active: None,
    };
    assert_eq!(state_loss(&pair, &pair.flows[0], &dead, &evidence), None);
    // Nor of one that the version before had stated without any partition.
    let mut loss = Loss { topics: Vec::new(), total: Interval::default(), ..story().statement(33, 35) };
    for _ in 0..2 {
        assert!(settle(&mut loss, &story().survey(33, false), &BTreeMap::new()));
    }
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.ms, truth.by_logs, truth.exact), (None, None, false, false));
    assert!(truth.method.contains("Of no partition it was known"), "{}", truth.method);
}

/// Of a long history not every reading is kept: where it ended when it was last read is, and how it came there is not.
#[test]
fn what_was_written_before_the_last_look_is_no_younger_than_the_reading_that_lacks_it() {
    let (pair, last) = (samples::pair(), story().survey(25, false));
    let history = [ends(&story().survey(15, false))];
    let high = seen(Side::A, [&last]);
    let mut dead = story().survey(33, true);
    dead.sides.a = SideObservation::unreachable("connection refused", at(35));
    let evidence = Evidence {
        history: &history,
        high: &high,
        pace: &Pace::new(),
        previous: Some(&last),
        said: None,
        active: None,
    };
    let loss = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    let lost = &loss.topics[0].partitions[0];
    // Record 197 is missing, which was written at 20 s.
    assert_eq!((lost.end, lost.through, lost.lost.ms_at_most), (250, Some(196), Some(20_000)));
}

#[test]
fn the_epoch_of_a_partition_that_lost_its_leader_is_not_that_of_the_leader_it_had() {
    let pair = samples::pair();
    let epoch = |survey: &mut Survey, end: Option<i64>, epoch| {
        let partition = &mut topics(survey, Side::A).get_mut("orders").expect("there").partitions[0];
        (partition.end, partition.leader_epoch) = (end, Some(epoch));
    };
    let mut led = story().survey(25, false);
    let mut leaderless = story().survey(30, false);
    epoch(&mut led, Some(250), 4);
    epoch(&mut leaderless, None, 5);
    let high = seen(Side::A, [&led, &leaderless]);
    let evidence = Evidence {
        history: &[],
        high: &high,
        pace: &Pace::new(),
        previous: Some(&leaderless),
        said: None,
        active: None,
    };
    let loss = state_loss(&pair, &pair.flows[0], &story().survey(33, true), &evidence).expect("a statement");
    assert_eq!(loss.topics[0].partitions[0].leader_epoch, Some(4));
}

/// Whoever takes a pair over reads back some minutes, and a partition may have been silent for longer.
#[test]
fn what_was_said_of_a_partition_stands_where_a_new_process_does_not_know_it() {
    let pair = samples::pair();
    let story = two(story(), 26..60);
    let said = story.statement(33, 35);
    let last = story.survey(30, false);
    let high = seen(Side::A, [&last]);
    let mut dead = story.survey(33, true);
    dead.sides.a = SideObservation::unreachable("connection refused", at(40));
    let evidence = Evidence {
        history: &[],
        high: &high,
        pace: &Pace::new(),
        previous: Some(&dead),
        said: Some(&said),
        active: None,
    };
    let again = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    let read = |loss: &Loss| told(loss).into_iter().map(|(end, read, _)| (end, read)).collect::<Vec<_>>();
    assert_eq!(read(&again), [(300, EndRead::Then), (250, EndRead::Before { at: at(25) })]);
    assert_eq!(read(&again), read(&said));
}

#[test]
fn what_a_version_before_kept_of_a_loss_reads_back() {
    let loss = story().statement(33, 35);
    let mut kept = serde_json::to_value(&loss).expect("JSON");
    let partition = &kept["topics"][0]["partitions"][0];
    assert!(partition.get("end_read").is_none() && partition.get("read_again").is_none(), "{partition:#}");
    kept.as_object_mut().expect("an object").remove("waits_for_leaders");
    assert_eq!(serde_json::from_value::<Loss>(kept).expect("reads back"), loss);
}
