//! Positions that prove nothing of a loss: of another log, beyond this one, or behind transforms.

use super::*;
use crate::survey::OldPosition;

#[test]
fn the_position_of_a_log_before_cancels_nobodys_loss() {
    let story = Story { written: vec![vec![1_000; 40]; 2], ..story() };
    // The topic was made anew. What was written in the last seconds might explain how far its position is ahead.
    let (key, ahead) = (TopicPartition::new("orders", 1), 31_300);
    let pair_of_before = OffsetPair { upstream: ahead, downstream: ahead };
    let with_old = |step, dead| {
        let mut survey = story.survey(step, dead);
        let flow = &mut survey.flows[0];
        known(&mut flow.committed).offsets.insert(key.clone(), ahead);
        known(&mut flow.newest_pairs).0.insert(key.clone(), pair_of_before);
        let old = OldPosition { committed: Some(ahead), pair: Some(pair_of_before), unseen: false };
        flow.of_another_log.insert(key.clone(), old);
        survey
    };
    let living = [20, 25, 30].map(|step| with_old(step, false));
    let history = living.each_ref().map(ends);
    let (pair, dead) = (samples::pair(), with_old(33, true));
    let (high, pace, previous) = (&seen(Side::A, &living), &pace_of(&living), Some(&living[2]));
    let evidence = Evidence { history: &history, high, pace, previous, said: None, active: None };
    let loss = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    let of = |number: usize| {
        let partition = &loss.topics[0].partitions[number];
        (partition.through, partition.lost.records_at_most)
    };
    // Each: what is behind, 1,000 a second and twice the root of 3,000.
    assert_eq!(of(0), (Some(19_999), Some(10_000 + 3_000 + 110)));
    assert_eq!(of(1), (Some(-1), Some(30_000 + 3_000 + 110)), "nothing of this log has arrived");
    assert_eq!(loss.total.records_at_most, Some(10_000 + 30_000 + 6_000 + 155));
}

#[test]
fn what_a_filter_left_out_is_not_proven_to_be_lost() {
    let plain = large().statement(33, 35);
    let loss = Story { transforms: Transforms::Filter, ..large() }.statement(33, 35);
    assert!(plain.total.records_at_least > 0);
    assert_eq!((loss.total.records_at_least, loss.total.ms_at_least), (0, 0));
    assert_eq!(loss.total.records_at_most, plain.total.records_at_most);
    assert!(loss.method.contains("transforms leave out"), "{}", loss.method);
}

#[test]
fn what_was_lost_behind_a_router_is_not_known_even_afterwards() {
    let story = Story { transforms: Transforms::Router, ..story() };
    let mut loss = story.statement(33, 35);
    let partition = &loss.topics[0].partitions[0];
    assert_eq!((partition.through, partition.lost), (None, Interval::default()));
    assert_eq!(loss.total, Interval::default(), "no bound");
    assert!(loss.method.contains("transform `step`"), "{}", loss.method);
    settle(&mut loss, &story.survey(33, false), &leaders(330, 330));
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact), (None, false));
    assert!(truth.method.contains("What had reached the target was not known"), "{}", truth.method);
}

#[test]
fn a_position_that_cannot_be_of_this_log_cancels_nobodys_loss() {
    let mut two = large();
    two.written.push(vec![1_000; 40]);
    let honest = two.statement(33, 35);
    let pair = samples::pair();
    let last = two.survey(30, false);
    let high = seen(Side::A, [&last]);
    let history = [20, 25, 30].map(|step| {
        (
            at(step),
            ends_of(&pair.flows[0], &two.survey(usize::try_from(step).expect("small"), false))
                .expect("read")
                .1,
        )
    });
    for position in [999_999, i64::MAX] {
        let mut dead = two.survey(33, true);
        known(&mut dead.flows[0].committed).offsets.insert(TopicPartition::new("orders", 1), position);
        let evidence = Evidence {
            history: &history,
            high: &high,
            pace: &pace(&history),
            previous: Some(&last),
            said: None,
            active: None,
        };
        let loss = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
        let partitions = &loss.topics[0].partitions;
        assert_eq!((partitions[1].through, partitions[1].lost), (None, Interval::default()));
        assert_eq!((loss.total.records_at_most, loss.total.ms_at_most), (None, None), "nothing bounds it");
        assert_eq!(partitions[0].lost.records_at_least, honest.topics[0].partitions[0].lost.records_at_least);
        assert_eq!(loss.total.records_at_least, partitions[0].lost.records_at_least);
    }
}
