//! What the leaders that were elected since tell of a source that is back.

use super::*;

#[test]
fn what_is_written_after_the_return_is_not_lost_where_the_log_tells_since_when() {
    let mut loss = story().statement(33, 35);
    // It had 330 when it died, and applications went on at once.
    assert!(settle(&mut loss, &story().survey(39, false), &leaders(330, 330)));
    let truth = loss.truth.clone().expect("told");
    assert_eq!((truth.records, truth.by_logs, truth.exact), (Some(330 - 1 - 196), true, false));
    assert!(!truth.settled, "how long ago they were written may come with the next survey");
    let later = story().survey(40, false);
    assert!(settle(&mut loss, &later, &BTreeMap::new()));
    let truth = loss.truth.clone().expect("told");
    assert_eq!((truth.records, truth.by_logs, truth.settled), (Some(330 - 1 - 196), true, true));
    assert!(truth.method.contains("What was written since is not in it"), "{}", truth.method);
    assert!(!settle(&mut loss, &later, &BTreeMap::new()), "the last word is said");

    let story = Story { copied: vec![100; 40], exactly_once: true, ..story() };
    let mut loss = story.statement(30, 35);
    settle(&mut loss, &story.survey(39, false), &leaders(300, 300));
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(0), true, true));
}

#[test]
fn what_leaders_in_between_wrote_may_have_been_written_after_the_return() {
    let mut loss = story().statement(33, 35);
    settle(&mut loss, &story().survey(39, false), &leaders(330, 335));
    let truth = loss.truth.expect("told");
    // Where the present leader began tells as little: it may have been elected before the source died.
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(390 - 1 - 196), false, false));
}

#[test]
fn a_leader_that_followed_at_once_may_have_written_before_the_source_died() {
    let story = Story { copied: vec![100; 40], exactly_once: true, ..story() };
    let handed_over = |end| {
        let mut ends = leaders(end, end);
        for ends in ends.values_mut() {
            ends.interrupted = false;
        }
        ends
    };
    // 300 had been seen and had arrived; the next leader wrote 90 more, and nobody knows when.
    let mut loss = story.statement(30, 35);
    let back = story.survey(39, false);
    assert!(settle(&mut loss, &back, &handed_over(300)));
    let truth = loss.truth.clone().expect("told");
    assert_eq!((truth.records, truth.by_logs, truth.exact, truth.settled), (Some(90), false, false, false));
    assert!(settle(&mut loss, &back, &BTreeMap::new()));
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(90), false, true), "at most, for good");
    assert!(truth.method.contains("leaders that were elected later had written by then"), "{}", truth.method);
    assert!(!truth.method.contains("nobody added to them"), "{}", truth.method);
    // It wrote nothing, then or since: that is nothing lost, once two surveys have seen it.
    let mut loss = story.statement(30, 35);
    let back = story.survey(30, false);
    settle(&mut loss, &back, &handed_over(300));
    assert!(!loss.truth.clone().expect("told").exact);
    settle(&mut loss, &back, &BTreeMap::new());
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact), (Some(0), true));
    assert!(truth.method.contains("so nobody added to them"), "{}", truth.method);
}

#[test]
fn a_log_that_lost_what_had_been_copied_is_not_called_whole() {
    let story = Story { copied: vec![100; 40], exactly_once: true, ..story() };
    // 310 were written and copied before it died; 300 had been seen, and the log that is back kept 305 of them.
    let mut loss = story.statement(31, 35);
    assert_eq!(loss.topics[0].partitions[0].through, Some(309));
    settle(&mut loss, &story.survey(39, false), &leaders(305, 305));
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (None, false, false));
    assert!(truth.method.contains("`orders-0` had been copied up to offset 309"), "{}", truth.method);
    assert!(truth.method.contains("only up to 305"), "{}", truth.method);
}

#[test]
fn a_log_that_was_cut_is_told_though_it_is_longer_again() {
    for (kept, said) in
        [(250, "only up to 250"), (150, "47 offsets had reached the target and are only there now")]
    {
        let mut loss = story().statement(33, 35);
        settle(&mut loss, &story().survey(39, false), &leaders(kept, kept));
        let truth = loss.truth.expect("told");
        assert_eq!((truth.records, truth.exact, truth.settled), (None, false, false));
        assert!(truth.method.contains("`orders-0` had been seen up to offset 300"), "{}", truth.method);
        assert!(truth.method.contains(said), "{}", truth.method);
    }
}

#[test]
fn leaders_are_asked_where_another_was_elected_and_as_long_as_nothing_is_told() {
    let mut loss = story().statement(33, 35);
    let mut back = story().survey(39, false);
    let first = TopicPartition::new("orders", 0);
    for (then, now, asked) in [
        (None, Some(6), None),
        (Some(4), None, None),
        (Some(4), Some(4), None),
        (Some(4), Some(6), Some((4, 5))),
    ] {
        loss.topics[0].partitions[0].leader_epoch = then;
        topics(&mut back, Side::A).get_mut("orders").expect("there").partitions[0].leader_epoch = now;
        assert_eq!(epochs_to_ask(&loss, &back).get(&first).copied(), asked, "{then:?} {now:?}");
    }
    settle(&mut loss, &back, &BTreeMap::new());
    assert_eq!(epochs_to_ask(&loss, &back), BTreeMap::new());
}
