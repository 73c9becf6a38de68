//! What brokers are set to that clients feel.

use super::*;

/// A setting of the brokers of each side; what is told then.
fn set_to(key: &str, here: &str, there: &str) -> Differences {
    after(|_, survey| {
        for (side, value) in [(Side::A, here), (Side::B, there)] {
            let entry = ConfigEntry { value: Some(value.to_owned()), source: ConfigSource::StaticBroker };
            known(&mut survey.sides.get_mut(side).brokers).settings.insert(key.to_owned(), entry);
        }
    })
}

#[test]
fn what_would_be_refused_breaks_and_a_wider_limit_only_differs() {
    let weight = |key: &str, here: &str, there: &str| -> Vec<Weight> {
        set_to(key, here, there).differences.iter().map(|one| one.weight).collect()
    };
    for (key, tight, wide, weighs) in [
        ("transaction.max.timeout.ms", "60000", "900000", Weight::Breaks),
        ("group.max.session.timeout.ms", "60000", "1800000", Weight::Breaks),
        ("group.min.session.timeout.ms", "10000", "6000", Weight::Breaks),
        ("auto.create.topics.enable", "false", "true", Weight::Breaks),
        ("offsets.retention.minutes", "60", "10080", Weight::Costs),
        ("message.max.bytes", "1000", "1048588", Weight::Costs),
    ] {
        assert_eq!(weight(key, wide, tight), [weighs], "{key}");
        assert_eq!(weight(key, tight, wide), [Weight::Differs], "{key}");
        assert_eq!(weight(key, wide, wide), [], "{key}");
    }
    assert_eq!(weight("log.dirs", "/a", "/b"), [], "which clients do not feel");
}

#[test]
fn both_values_are_told_with_where_they_come_from() {
    let found = set_to("transaction.max.timeout.ms", "900000", "60000");
    let cause = &found.differences[0];
    assert_eq!(
        cause.says,
        "`transaction.max.timeout.ms` of the brokers is 1 min (from the brokers' file) on dr and 15 min (from the brokers' file) on primary"
    );
    assert_eq!(cause.actual, "1 min (from the brokers' file), as broker 1 has it");
    assert!(cause.commands.is_empty(), "it cannot be changed while brokers run: {cause:?}");
    let bytes = set_to("message.max.bytes", "1048588", "1000");
    assert!(
        bytes.differences[0].commands[0]
            .ends_with("--entity-default --add-config 'message.max.bytes=1048588'")
    );
}

#[test]
fn what_a_broker_does_not_tell_is_not_compared() {
    let found = after(|_, survey| {
        known(&mut survey.sides.b.brokers).settings.remove("message.max.bytes");
    });
    let what: Vec<&str> = found.not_compared.iter().map(|part| part.what.as_str()).collect();
    assert_eq!((told(&found), what), (vec![], vec!["`message.max.bytes` of the brokers"]));
}
