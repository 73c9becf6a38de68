//! Which topics a MirrorMaker 2 source connector copies, beside those a pair names.
//!
//! A connector may copy more than its pair is about. With the pair the copying of those topics is stopped, too, and under
//! the identity policy the flow of the way back would copy them onto themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    pair::{Flow, NamingPolicy, Pair},
    patterns::{Filter, Scope, TOPICS_EXCLUDE, is_internal_topic},
};

/// Names of topics that are kept of very many.
const NAMED: usize = 20;

/// What a source connector selects on its source (`DefaultTopicFilter` and `MirrorSourceConnector.shouldReplicateTopic`).
/// Heartbeats are left out: they are renamed under every policy and carry nobody's work.
#[derive(Debug, Clone)]
pub struct Selection {
    topics: Filter,
    exclude: Filter,
    /// How names begin that came from the target; these are never copied back.
    cycle: Option<String>,
}

impl Selection {
    /// Reads the settings of a flow's source connector.
    ///
    /// # Errors
    /// Why it cannot be told what they select, as a sentence.
    pub fn read(flow: &Flow, config: &BTreeMap<String, String>) -> Result<Self, String> {
        if let Some(class) =
            config.get("topic.filter.class").filter(|class| !class.ends_with(".DefaultTopicFilter"))
        {
            return Err(format!("the connector chooses its topics by `{class}`, which Muster does not know"));
        }
        let exclude = ["topics.exclude", "topics.blacklist"].iter().find_map(|key| config.get(*key));
        let patterns = exclude.map_or_else(|| TOPICS_EXCLUDE.to_vec(), |list| split(list));
        Ok(Self {
            topics: filter("topics", &split(config.get("topics").map_or(".*", String::as_str)))?,
            exclude: filter("topics.exclude", &patterns)?,
            cycle: match &flow.naming {
                NamingPolicy::Identity => None,
                NamingPolicy::Prefixed { separator } => Some(format!("{}{separator}", flow.target_alias)),
            },
        })
    }

    /// Whether it copies a topic.
    #[must_use]
    pub fn selects(&self, topic: &str) -> bool {
        !is_internal_topic(topic)
            && !self.cycle.as_ref().is_some_and(|cycle| topic.starts_with(cycle.as_str()))
            && self.topics.matches(topic)
            && !self.exclude.matches(topic)
    }
}

/// As Kafka reads a list.
fn split(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()).collect()
}

fn filter(key: &str, patterns: &[&str]) -> Result<Filter, String> {
    Filter::new(patterns).map_err(|bad| {
        let first = bad.first().map(ToString::to_string).unwrap_or_default();
        format!("`{key}` of the connector cannot be read: {first}")
    })
}

/// Topics outside of a pair that one of its flows copies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beyond {
    /// How many.
    pub count: usize,
    /// The first of them by name, at most 20.
    pub first: Vec<String>,
}

impl Beyond {
    /// Of the topics a flow's source has.
    #[must_use]
    pub fn of<'a>(
        pair: &Pair,
        flow: &Flow,
        selection: &Selection,
        topics: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let scope = Scope::of(pair);
        let mut names: Vec<&str> = topics
            .into_iter()
            .filter(|topic| !scope.topic(flow.direction.from, topic) && selection.selects(topic))
            .collect();
        names.sort_unstable();
        let first = names.iter().take(NAMED).map(|name| (*name).to_owned()).collect();
        Self { count: names.len(), first }
    }

    /// "`a`, `b` and 3 more".
    #[must_use]
    pub fn named(&self) -> String {
        let shown: Vec<String> = self.first.iter().take(3).map(|name| format!("`{name}`")).collect();
        match self.count - shown.len() {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn selected(config: &[(&str, &str)], naming: NamingPolicy, topic: &str) -> bool {
        let flow = Flow { naming, ..samples::pair().flows[0].clone() };
        let config = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Selection::read(&flow, &config).expect("readable").selects(topic)
    }

    #[test]
    fn topics_are_selected_as_mirror_maker_selects_them() {
        let identity = NamingPolicy::Identity;
        assert!(selected(&[], identity.clone(), "orders"), "everything by default");
        assert!(!selected(&[], identity.clone(), "orders.replica"), "but what is left out by default");
        assert!(selected(&[("topics.exclude", "x")], identity.clone(), "orders.replica"));
        assert!(!selected(&[("topics.blacklist", "orders")], identity.clone(), "orders"));
        assert!(!selected(&[("topics", "pay.*, ship.*")], identity.clone(), "orders"));
        assert!(selected(&[("topics", "pay.*, ship.*")], identity.clone(), "shipped"));
        assert!(!selected(&[], identity.clone(), "heartbeats"));
        let prefixed = NamingPolicy::Prefixed { separator: ".".to_owned() };
        let from_target = format!("{}.orders", samples::pair().flows[0].target_alias);
        assert!(!selected(&[], prefixed.clone(), &from_target), "never in circles");
        assert!(selected(&[], identity, &from_target), "a name with a dot is a name");
        assert!(selected(&[], prefixed, "third.orders"));
    }

    #[test]
    fn what_cannot_be_read_selects_nothing_silently() {
        let read = |key: &str, value: &str| {
            let config = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            Selection::read(&samples::pair().flows[0], &config).expect_err("refused")
        };
        assert_eq!(
            read("topic.filter.class", "org.example.Ours"),
            "the connector chooses its topics by `org.example.Ours`, which Muster does not know"
        );
        assert!(read("topics", "(?<!x)orders").starts_with("`topics` of the connector cannot be read: "));
    }

    #[test]
    fn topics_of_the_pair_its_canary_and_internal_ones_are_not_beyond_it() {
        let mut pair = samples::pair();
        pair.canary_topic = Some("muster.canary".to_owned());
        let flow = pair.flows[0].clone();
        let selection = Selection::read(&flow, &BTreeMap::new()).expect("readable");
        let seen = |topics: &[&str]| Beyond::of(&pair, &flow, &selection, topics.iter().copied());
        let own =
            ["orders", "muster.canary", "__consumer_offsets", "mm2-offset-syncs.B.internal", "heartbeats"];
        assert_eq!(seen(&own), Beyond::default());
        let many: Vec<String> = (0..30).map(|n| format!("other-{n:02}")).collect();
        let found = seen(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((found.count, found.first.len()), (30, 20));
        assert_eq!(found.named(), "`other-00`, `other-01`, `other-02` and 27 more");
        assert_eq!(seen(&["other"]).named(), "`other`");
    }
}
