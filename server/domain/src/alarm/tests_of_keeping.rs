//! A standby that keeps less of a topic than its source does.

use std::sync::Arc;

use super::{
    AlarmCode as Code,
    tests::{Story, one},
    *,
};
use crate::{
    pair::Side,
    samples::{self, known},
    topic::{ConfigEntry, ConfigSource},
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
        assert_eq!(places, [("cleanup.policy", said.as_str())]);
        assert_eq!(alarm.lost, Lost { at_least: None, at_most: None }, "how much nobody knows");
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
