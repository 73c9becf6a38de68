//! Of which topics every record is kept: nothing is compacted away of them.

use std::collections::BTreeMap;

use serde_json::Value;

/// Of a side's configs as [`super::FactState`] has them: whether nothing is compacted away of a topic. What is not in them is not
/// known, and that is no.
pub fn keeps_all_records(configs: &Value) -> impl Fn(&str) -> bool + use<'_> {
    move |topic| {
        let number = configs["topics"][topic].as_u64().and_then(|number| usize::try_from(number).ok());
        let policy = number.and_then(|number| configs["configs"][number]["cleanup.policy"]["value"].as_str());
        policy.is_some_and(keeps_all)
    }
}

fn keeps_all(policy: &str) -> bool {
    !policy.contains("compact")
}

/// What is known of the cleanup policies of a side's topics.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CleanupPolicies {
    read: BTreeMap<String, String>,
    kept: Option<Value>,
}

impl CleanupPolicies {
    /// Those that a survey read, by topic, and configs as [`super::FactState`] has them for the topics of which it read none.
    #[must_use]
    pub fn new(read: BTreeMap<String, String>, kept: Option<Value>) -> Self {
        Self { read, kept }
    }

    /// Whether nothing is compacted away of a topic. That it is not known is no.
    #[must_use]
    pub fn keep_all_records(&self, topic: &str) -> bool {
        match self.read.get(topic) {
            Some(policy) => keeps_all(policy),
            None => self.kept.as_ref().is_some_and(|kept| keeps_all_records(kept)(topic)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_survey_read_goes_before_what_was_kept_and_what_neither_knows_keeps_nothing() {
        let read = [("orders", "delete"), ("state", "compact,delete")];
        let read: BTreeMap<String, String> =
            read.map(|(topic, policy)| (topic.to_owned(), policy.to_owned())).into();
        let entry = |policy: &str| json!({"cleanup.policy": {"value": policy, "source": "topic"}});
        let kept = json!({
            "configs": [entry("delete"), entry("compact")],
            "topics": {"orders": 1, "state": 0, "refunds": 0, "prices": 1}
        });
        let of = |policies: &CleanupPolicies| {
            ["orders", "state", "refunds", "prices", "none"].map(|topic| policies.keep_all_records(topic))
        };
        let both = CleanupPolicies::new(read.clone(), Some(kept));
        assert_eq!(of(&both), [true, false, true, false, false]);
        assert_eq!(of(&CleanupPolicies::new(read, None)), [true, false, false, false, false]);
        assert_eq!(of(&CleanupPolicies::default()), [false; 5]);
    }
}
