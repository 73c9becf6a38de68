//! While the source is away: what was said of it before stays, whoever falls silent meanwhile.

use super::*;

#[test]
fn what_was_proven_to_be_missing_stays_so_while_the_source_is_away() {
    let said = large().statement(33, 35);
    let pair = samples::pair();
    let last = large().survey(30, false);
    let high = seen(Side::A, [&last]);
    let history = [(at(25), BTreeMap::from([(TopicPartition::new("orders", 0), 25_000)])), ends(&last)];
    let mut dead = large().survey(33, true);
    dead.began_at = at(40);
    let previous = dead.clone();
    let evidence = Evidence {
        history: &history,
        high: &high,
        pace: &pace(&history),
        previous: Some(&previous),
        said: Some(&said),
        active: None,
    };
    let again = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    assert!(said.total.records_at_least > 0);
    assert_eq!(again.total.records_at_least, said.total.records_at_least);
}

#[test]
fn while_connect_is_silent_too_only_what_was_known_before_is_proven() {
    let pair = samples::pair();
    let silent = |mut survey: Survey| {
        survey.flows[0].connectors.clear();
        survey
    };
    let last = silent(large().survey(30, false));
    let high = seen(Side::A, [&last]);
    let history = [(at(25), BTreeMap::from([(TopicPartition::new("orders", 0), 25_000)])), ends(&last)];
    let dead = silent(large().survey(33, true));
    let said = large().statement(33, 35);
    let proven = |said| {
        let evidence = Evidence {
            history: &history,
            high: &high,
            pace: &pace(&history),
            previous: Some(&last),
            said,
            active: None,
        };
        state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement").total.records_at_least
    };
    assert_eq!(proven(None), 0);
    assert_eq!(proven(Some(&said)), said.total.records_at_least);
}

#[test]
fn what_was_said_to_have_arrived_stays_so_when_connect_dies_too() {
    let said = story().statement(33, 35);
    let pair = samples::pair();
    let mut dead = story().survey(33, true);
    dead.began_at = at(40);
    dead.flows[0].committed = Observed::unknown("refused", at(40));
    dead.flows[0].newest_pairs = Observed::unknown("refused", at(40));
    let survey = story().survey(30, false);
    let high = seen(Side::A, [&survey]);
    let history: Vec<EndsAt> = [10, 20, 30]
        .map(|step| (at(step), BTreeMap::from([(TopicPartition::new("orders", 0), step * 10)])))
        .into();
    let previous = dead.clone();
    let evidence = Evidence {
        history: &history,
        high: &high,
        pace: &pace(&history),
        previous: Some(&previous),
        said: Some(&said),
        active: None,
    };
    let again = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    assert_eq!(again.topics[0].partitions[0].through, said.topics[0].partitions[0].through);
    assert_eq!((again.noticed_at, again.reason), (said.noticed_at, said.reason));
}

#[test]
fn the_leader_that_was_last_seen_is_kept_while_the_source_is_away() {
    let pair = samples::pair();
    let mut last = story().survey(30, false);
    topics(&mut last, Side::A).get_mut("orders").expect("there").partitions[0].leader_epoch = Some(4);
    let high = seen(Side::A, [&last]);
    let dead = story().survey(33, true);
    let mut said = None;
    for previous in [&last, &dead] {
        let evidence = Evidence {
            history: &[],
            high: &high,
            pace: &Pace::new(),
            previous: Some(previous),
            said: said.as_ref(),
            active: None,
        };
        let loss = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
        assert_eq!(loss.topics[0].partitions[0].leader_epoch, Some(4));
        said = Some(loss);
    }
}
