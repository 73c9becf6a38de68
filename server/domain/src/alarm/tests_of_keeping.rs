//! A standby that keeps less of a topic than its source does.

use std::sync::Arc;

use super::{
    AlarmCode as Code,
    tests::{Story, flow_on, one, orders, source},
    *,
};
use crate::{
    pair::Side,
    samples::{self, at, known},
    topic::{ConfigEntry, ConfigSource, TopicPartition},
};

/// Sets a config of `orders` on a side.
fn set(survey: &mut Survey, side: Side, key: &str, value: &str, source: ConfigSource) {
    let topic = samples::topics(survey, side).get_mut("orders").unwrap();
    let entry = ConfigEntry { value: Some(value.to_owned()), source };
    Arc::make_mut(known(&mut topic.configs)).insert(key.to_owned(), entry);
}

#[test]
fn a_standby_that_keeps_history_shorter_says_by_whose_default() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    set(&mut survey, Side::B, "retention.ms", "3600000", ConfigSource::StaticBroker);
    let judged = story.judge(survey);
    let alarm = one(&judged);
    assert_eq!(alarm.code, Code::EarlyDeletion);
    assert_eq!(alarm.said, "`orders` on `dr` deletes history earlier than `orders` on `primary`.");
    assert_eq!(
        alarm.places[0].said,
        "is 3600000 (the broker's default) there and 604800000 (Kafka's default) here"
    );
    // The copy begins at 0: it has deleted nothing yet.
    assert_eq!((alarm.places.len(), alarm.lost), (1, Lost::NOTHING));
}

#[test]
fn what_the_copy_deleted_is_lost_at_most_as_far_as_the_source_still_has_it() {
    let lost = |here: i64, there: i64, records_only: bool| {
        let (mut story, mut survey) = (Story::new(), Story::survey());
        flow_on(&mut survey, 400);
        if !records_only {
            known(&mut survey.flows[0].writers).partitions.clear();
        }
        set(&mut survey, Side::B, "retention.ms", "3600000", ConfigSource::Topic);
        orders(&mut survey, Side::A).start = Some(here);
        orders(&mut survey, Side::B).start = Some(there);
        let judged = story.judge(survey);
        let place = one(&judged).places.get(1).map(|place| (place.name.clone(), place.said.clone()));
        (one(&judged).lost.at_most, place)
    };
    let said = "begins at 300 there: it has at most 300 records no more that the source has";
    assert_eq!(lost(0, 300, true), (Some(300), Some(("orders-0".to_owned(), said.to_owned()))));
    assert_eq!(lost(250, 300, true).0, Some(50), "what the source has no more either is not missing");
    assert_eq!(lost(300, 300, true), (Some(0), None));
    assert_eq!(lost(400, 300, true), (Some(0), None));
    // Markers among the copies: where the source's first record has come to is not known.
    assert_eq!(lost(250, 300, false).0, Some(250), "no more than the source has of what was copied");
}

#[test]
fn positions_that_prove_less_than_has_arrived_bound_nothing_that_is_gone() {
    let lost = |policy: &str, there: i64| {
        let (mut story, mut survey) = (Story::new(), Story::survey());
        for key in ["exactly.once.support", "source.consumer.isolation.level"] {
            source(&mut survey).config.remove(key);
        }
        // Positions stand at 100 of 500, and nothing proves what the copy holds beyond.
        for side in Side::BOTH {
            let partition = orders(&mut survey, side);
            (partition.end, partition.stable) = (Some(500), Some(500));
        }
        survey.flows[0].unproven.insert(TopicPartition::new("orders", 0), at(0));
        known(&mut survey.flows[0].writers).partitions.clear();
        set(&mut survey, Side::B, "retention.ms", "3600000", ConfigSource::Topic);
        set(&mut survey, Side::B, "cleanup.policy", policy, ConfigSource::Topic);
        orders(&mut survey, Side::B).start = Some(there);
        let judged = story.judge(survey);
        let early = judged.standing.iter().find(|alarm| alarm.code == Code::EarlyDeletion);
        early.and_then(|alarm| alarm.lost.at_most)
    };
    assert_eq!(lost("delete", 300), Some(300));
    assert_eq!(lost("compact", 0), Some(500));
}

#[test]
fn a_standby_that_compacts_what_its_source_does_not_loses_the_older_records_of_each_key() {
    // With the source's retention, too: what is compacted away is gone before it is over.
    for policy in ["compact", "compact,delete"] {
        let (mut story, mut survey) = (Story::new(), Story::survey());
        set(&mut survey, Side::B, "cleanup.policy", policy, ConfigSource::DynamicBroker);
        let judged = story.judge(survey.clone());
        let alarm = one(&judged);
        assert_eq!((alarm.code, alarm.subject.as_str()), (Code::EarlyDeletion, "orders"));
        assert_eq!(
            alarm.said,
            "`orders` on `dr` is compacted and `orders` on `primary` is not: of each key only the newest record stays there."
        );
        let places: Vec<_> =
            alarm.places.iter().map(|place| (place.name.as_str(), place.said.as_str())).collect();
        let said = format!("is {policy} (the broker's default) there and delete (Kafka's default) here");
        let gone = "begins at 0 there: it has at most 100 records no more that the source has";
        assert_eq!(places, [("cleanup.policy", said.as_str()), ("orders-0", gone)]);
        assert_eq!(
            alarm.lost,
            Lost { at_least: Some(0), at_most: Some(100) },
            "any of them but the last of a key"
        );
        let command = alarm.command.as_deref().unwrap_or_default();
        assert!(
            command.ends_with("--entity-name 'orders' --add-config 'cleanup.policy=delete'"),
            "{command}"
        );
        // Its cause is gone.
        set(&mut survey, Side::B, "cleanup.policy", "delete", ConfigSource::Topic);
        assert_eq!(story.judge(survey), Judged::default());
    }
}

#[test]
fn a_topic_that_is_compacted_on_both_sides_keeps_as_much_on_both() {
    for [here, there] in
        [["compact", "compact"], ["compact,delete", "compact"], ["compact,delete", "compact,delete"]]
    {
        let (mut story, mut survey) = (Story::new(), Story::survey());
        set(&mut survey, Side::A, "cleanup.policy", here, ConfigSource::Topic);
        set(&mut survey, Side::B, "cleanup.policy", there, ConfigSource::Topic);
        assert_eq!(story.judge(survey), Judged::default(), "{here} here, {there} there");
    }
}
