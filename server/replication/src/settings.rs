//! What the config of a MirrorSourceConnector decides about reading its flow: where the offset pairs are, under which
//! name, and which records it copies. Defaults are MirrorMaker 2's own.

use std::collections::BTreeMap;

use muster_domain::pair::Flow;
use muster_kafka::Isolation;

/// A cluster of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowEnd {
    /// Where records come from.
    Source,
    /// Where they go.
    Target,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowSettings {
    /// `source.cluster.alias` as the connector has it; committed offsets carry it.
    pub source_alias: String,
    /// Cluster that holds the offset-syncs topic (`offset-syncs.topic.location`, `source` unless set).
    pub syncs_on: FlowEnd,
    /// Name of the offset-syncs topic there.
    pub syncs_topic: String,
    /// Which records it reads: `source.consumer.isolation.level`, else `consumer.isolation.level`, else everything.
    pub isolation: Isolation,
    /// `exactly.once.support=required`: Connect starts it only where a restart leaves no second copies. Elsewhere a worker may
    /// give the same without being asked, which nothing tells.
    pub exactly_once: bool,
    /// It changes or drops records on the way (`transforms`), so content on both sides differs by intent.
    pub transforms: bool,
}

impl FlowSettings {
    /// Reads the settings of a flow from its source connector's config.
    #[must_use]
    pub fn from_config(flow: &Flow, config: &BTreeMap<String, String>) -> Self {
        let get = |key: &str| config.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        let source_alias = get("source.cluster.alias").unwrap_or(&flow.source_alias);
        let target_alias = get("target.cluster.alias").unwrap_or(&flow.target_alias);
        // The topic is named after the *other* cluster of the flow.
        let (syncs_on, other_alias) = match get("offset-syncs.topic.location") {
            Some(location) if location.eq_ignore_ascii_case("target") => (FlowEnd::Target, source_alias),
            Some(_) | None => (FlowEnd::Source, target_alias),
        };
        let isolation = get("source.consumer.isolation.level").or(get("consumer.isolation.level"));
        Self {
            source_alias: source_alias.to_owned(),
            syncs_on,
            syncs_topic: offset_syncs_topic(other_alias, &internal_separator(config)),
            isolation: match isolation {
                Some("read_committed") => Isolation::ReadCommitted,
                Some(_) | None => Isolation::ReadUncommitted,
            },
            exactly_once: get("exactly.once.support").is_some_and(|s| s.eq_ignore_ascii_case("required")),
            transforms: get("transforms").is_some(),
        }
    }
}

fn offset_syncs_topic(other_alias: &str, separator: &str) -> String {
    format!("mm2-offset-syncs{separator}{other_alias}{separator}internal")
}

/// Internal topics use the custom separator too, unless `replication.policy.internal.topic.separator.enabled=false`;
/// that switch is read only where a custom separator is set (mm2.md 1.5).
fn internal_separator(config: &BTreeMap<String, String>) -> String {
    let enabled = config
        .get("replication.policy.internal.topic.separator.enabled")
        .is_none_or(|value| value.trim().eq_ignore_ascii_case("true"));
    match config.get("replication.policy.separator") {
        Some(separator) if enabled => separator.clone(),
        Some(_) | None => ".".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use muster_domain::pair::{Direction, Mechanism, NamingPolicy, Side};

    use super::*;

    fn settings(entries: &[(&str, &str)]) -> FlowSettings {
        let flow = Flow {
            direction: Direction { from: Side::A },
            mechanism: Mechanism::Unattached,
            source_alias: "A".to_owned(),
            target_alias: "B".to_owned(),
            naming: NamingPolicy::Identity,
            enabled: true,
        };
        let config = entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        FlowSettings::from_config(&flow, &config)
    }

    #[test]
    fn the_offset_syncs_topic_is_found_by_mirror_makers_own_rules() {
        let place = |entries: &[(&str, &str)]| {
            let settings = settings(entries);
            (settings.syncs_on, settings.syncs_topic)
        };
        let location = ("offset-syncs.topic.location", "target");
        let separator = ("replication.policy.separator", "_");
        let internal = |value| ("replication.policy.internal.topic.separator.enabled", value);
        assert_eq!(place(&[]), (FlowEnd::Source, "mm2-offset-syncs.B.internal".to_owned()));
        assert_eq!(place(&[location]), (FlowEnd::Target, "mm2-offset-syncs.A.internal".to_owned()));
        assert_eq!(
            place(&[location, ("source.cluster.alias", "west")]),
            (FlowEnd::Target, "mm2-offset-syncs.west.internal".to_owned())
        );
        assert_eq!(place(&[separator]).1, "mm2-offset-syncs_B_internal");
        assert_eq!(place(&[separator, internal("false")]).1, "mm2-offset-syncs.B.internal");
        assert_eq!(place(&[internal("false")]).1, "mm2-offset-syncs.B.internal");
    }

    #[test]
    fn the_source_consumers_own_isolation_wins() {
        let isolation = |entries: &[(&str, &str)]| settings(entries).isolation;
        let (own, shared) = ("source.consumer.isolation.level", "consumer.isolation.level");
        assert_eq!(isolation(&[]), Isolation::ReadUncommitted);
        assert_eq!(isolation(&[(shared, "read_committed")]), Isolation::ReadCommitted);
        assert_eq!(isolation(&[(own, "read_committed")]), Isolation::ReadCommitted);
        assert_eq!(
            isolation(&[(own, "read_uncommitted"), (shared, "read_committed")]),
            Isolation::ReadUncommitted
        );
        assert!(settings(&[("transforms", "filter")]).transforms);
    }

    #[test]
    fn exactly_once_is_believed_where_connect_has_to_guarantee_it() {
        let guaranteed = |support| settings(&[("exactly.once.support", support)]).exactly_once;
        assert!(guaranteed("required") && guaranteed("REQUIRED"));
        assert!(!guaranteed("requested") && !settings(&[]).exactly_once);
    }
}
