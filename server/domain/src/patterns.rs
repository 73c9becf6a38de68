//! Which topics and groups a pair is about, matched as MirrorMaker 2 matches its filters: patterns joined, in full.
//!
//! Reading patterns is what costs, so whoever asks about many names makes a [`Scope`] once.

mod java;
pub(crate) mod shape;

use regex::{Regex, RegexBuilder};

use crate::pair::{Direction, NamingPolicy, Pair, Side};

/// MirrorMaker 2's default `topics.exclude` since 4.0 (KAFKA-17200).
pub const TOPICS_EXCLUDE: [&str; 3] = [r"mm2.*\.internal", r".*\.replica", "__.*"];
/// MirrorMaker 2's default `groups.exclude`.
pub const GROUPS_EXCLUDE: [&str; 3] = ["console-consumer-.*", "connect-.*", "__.*"];

/// A pattern that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a pattern Muster can read: {reason}")]
pub struct BadPattern {
    /// As given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Checks a pattern as people enter it. Java's regular expressions know a few things this one does not, and read a few
/// others differently; these are refused rather than read differently.
///
/// # Errors
/// When it can't be read as Java would.
pub fn check(pattern: &str) -> Result<(), BadPattern> {
    let bad = |reason: String| BadPattern { pattern: pattern.to_owned(), reason };
    if let Some(difference) = java::read_differently(pattern) {
        return Err(bad(difference.to_owned()));
    }
    Regex::new(&in_full(pattern)).map(drop).map_err(|error| bad(said_shortly(&error)))
}

pub(crate) fn in_full(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}

/// The last line of the parser's drawing says what is wrong.
fn said_shortly(error: &regex::Error) -> String {
    let said = error.to_string();
    said.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
}

/// A list of patterns as MirrorMaker 2 reads one.
#[derive(Debug, Clone)]
pub struct Filter(Option<Regex>);

impl Filter {
    /// Joins the patterns with `|`, so that a flag such as `(?i)` reaches the ones behind it as it does in Java.
    ///
    /// # Errors
    /// All patterns that can't be read.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, Vec<BadPattern>> {
        let bad: Vec<BadPattern> = patterns.iter().filter_map(|p| check(p.as_ref()).err()).collect();
        if bad.is_empty() { Ok(Self::readable(patterns)) } else { Err(bad) }
    }

    /// The same without the patterns that can't be read: those match nothing.
    #[must_use]
    pub fn readable<S: AsRef<str>>(patterns: &[S]) -> Self {
        let good: Vec<&str> = patterns.iter().map(AsRef::as_ref).filter(|p| check(p).is_ok()).collect();
        if good.is_empty() {
            return Self(None);
        }
        Self(RegexBuilder::new(&in_full(&good.join("|"))).size_limit(1 << 26).build().ok())
    }

    /// Whether a name matches in full.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|regex| regex.is_match(name))
    }
}

/// Whether a name matches one of the patterns in full. A pattern that can't be read matches nothing.
#[must_use]
pub fn matches<S: AsRef<str>>(patterns: &[S], name: &str) -> bool {
    Filter::readable(patterns).matches(name)
}

/// What is never replicated (`ReplicationPolicy.isInternalTopic` since 4.0), and MirrorMaker 2's own heartbeats.
#[must_use]
pub fn is_internal_topic(topic: &str) -> bool {
    topic.starts_with("__")
        || topic.starts_with('.')
        || (topic.starts_with("mm2") && topic.ends_with("internal"))
        || topic.strip_suffix("internal").is_some_and(|rest| {
            rest.strip_suffix(['.', '_', '-']).is_some_and(|rest| rest.ends_with("checkpoints"))
        })
        || topic == "heartbeats"
}

/// The topics and groups of a pair, ready to be asked about many names.
#[derive(Debug, Clone)]
pub struct Scope {
    topics: Filter,
    topics_exclude: Filter,
    default_exclude: Filter,
    groups: Filter,
    groups_exclude: Filter,
    canary: Option<String>,
    /// Direction, prefix of replicas on the target, whether topic names change.
    prefixes: Vec<(Direction, String, bool)>,
}

impl Scope {
    /// The scope of a pair. Patterns that can't be read match nothing; they are refused when a pair is saved.
    #[must_use]
    pub fn of(pair: &Pair) -> Self {
        let default_groups: Vec<String> = GROUPS_EXCLUDE.iter().map(|p| (*p).to_owned()).collect();
        let groups_exclude =
            if pair.groups_exclude.is_empty() { &default_groups } else { &pair.groups_exclude };
        Self {
            topics: Filter::readable(&pair.topics),
            topics_exclude: Filter::readable(&pair.topics_exclude),
            default_exclude: Filter::readable(&TOPICS_EXCLUDE),
            groups: Filter::readable(&pair.groups),
            groups_exclude: Filter::readable(groups_exclude),
            canary: pair.canary_topic.clone(),
            prefixes: pair
                .flows
                .iter()
                .map(|flow| (flow.direction, prefix(&flow.source_alias, &flow.naming)))
                .map(|(direction, (prefix, renames))| (direction, prefix, renames))
                .collect(),
        }
    }

    /// Whether a topic is one that applications use on a side, by the name they use. The canary is Muster's own.
    #[must_use]
    pub fn application_topic(&self, side: Side, topic: &str) -> bool {
        self.canary.as_deref() != Some(topic)
            && self.source_of_replica(side, topic).is_none()
            && self.in_filter(topic)
    }

    /// Whether a topic on a side concerns the pair: an application's, the canary, or a replica of these.
    #[must_use]
    pub fn topic(&self, side: Side, topic: &str) -> bool {
        let source = self.source_of_replica(side, topic).unwrap_or(topic);
        self.canary.as_deref() == Some(source) || self.in_filter(source)
    }

    /// Whether a topic on a side is the canary, or its copy: Muster's own, and no work of anybody.
    #[must_use]
    pub fn canary(&self, side: Side, topic: &str) -> bool {
        self.canary.as_deref() == Some(self.source_of_replica(side, topic).unwrap_or(topic))
    }

    /// Whether a topic on a side is a copy that a flow brought there, by its name. No topic is under the identity policy, where names
    /// do not tell.
    #[must_use]
    pub fn is_replica(&self, side: Side, topic: &str) -> bool {
        self.source_of_replica(side, topic).is_some()
    }

    /// Whether a group is one of the pair's.
    #[must_use]
    pub fn group(&self, group: &str) -> bool {
        self.groups.matches(group) && !self.groups_exclude.matches(group)
    }

    /// The name of a topic's replica on the target of a direction; the same name when no flow says otherwise.
    #[must_use]
    pub fn replica(&self, direction: Direction, topic: &str) -> String {
        let renamed = self.prefixes.iter().find(|(of, _, renames)| *of == direction && *renames);
        renamed.map_or_else(|| topic.to_owned(), |(_, prefix, _)| format!("{prefix}{topic}"))
    }

    /// The name on the source of an application's topic that the flow of a direction brings to its target under this name.
    #[must_use]
    pub fn original(&self, direction: Direction, topic: &str) -> Option<String> {
        let renamed = self.prefixes.iter().find(|(of, _, renames)| *of == direction && *renames);
        let source = match renamed {
            Some((_, prefix, _)) => topic.strip_prefix(prefix.as_str())?,
            None => topic,
        };
        (self.canary.as_deref() != Some(source) && self.in_filter(source)).then(|| source.to_owned())
    }

    fn in_filter(&self, topic: &str) -> bool {
        !is_internal_topic(topic)
            && self.topics.matches(topic)
            && !self.topics_exclude.matches(topic)
            && !self.default_exclude.matches(topic)
    }

    /// The source's name of a topic that replication made on this side. `sales.orders` is one of these only if `sales`
    /// is an alias of the pair. Heartbeats are renamed even under the identity policy.
    fn source_of_replica<'a>(&self, side: Side, topic: &'a str) -> Option<&'a str> {
        self.prefixes.iter().filter(|(direction, _, _)| direction.to() == side).find_map(
            |(_, prefix, renames)| {
                let source = topic.strip_prefix(prefix.as_str())?;
                (*renames || source == "heartbeats").then_some(source)
            },
        )
    }
}

/// What replicas of a flow are named behind, and whether those of applications' topics are.
pub(crate) fn prefix(alias: &str, naming: &NamingPolicy) -> (String, bool) {
    match naming {
        NamingPolicy::Identity => (format!("{alias}."), false),
        NamingPolicy::Prefixed { separator } => (format!("{alias}{separator}"), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn patterns_match_in_full() {
        let patterns = [r"orders\..*", "payments"];
        assert!(matches(&patterns, "orders.placed"));
        assert!(matches(&patterns, "payments"));
        assert!(!matches(&patterns, "payments.captured"));
        assert!(!matches(&patterns, "my.orders.placed"));
    }

    #[test]
    fn an_empty_filter_matches_nothing() {
        assert!(!matches::<&str>(&[], ""));
        assert!(!matches(&["(unclosed"], "(unclosed"));
    }

    #[test]
    fn a_flag_reaches_the_patterns_behind_it_as_in_java() {
        assert!(matches(&["(?i)orders", "payments"], "PAYMENTS"));
        assert!(!matches(&["orders", "(?i)payments"], "ORDERS"));
    }

    #[test]
    fn a_pattern_of_java_that_is_read_differently_is_refused() {
        assert!(check("orders.*|a").is_ok());
        for bad in
            ["(?<!x)orders", "(?=x).*", r"(a)\1", "a*+", "a++", "a{2}+", r"\Qa.b\E", "[a--z]", r"\<a", "("]
        {
            let refused = check(bad).expect_err(bad);
            assert_eq!(refused.pattern, bad);
            assert!(!refused.reason.is_empty() && !refused.reason.contains('\n'), "{refused}");
        }
        for good in [r"a\++", "[+*]+", r"[a-z&&[^b]]+", r"(?:a|b){1,3}?", "[a-]+", r"orders\.(eu|us)\..*"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn every_bad_pattern_is_named() {
        let bad = Filter::new(&["(", "ok", "a++"]).expect_err("two are bad");
        assert_eq!(bad.iter().map(|b| b.pattern.as_str()).collect::<Vec<_>>(), ["(", "a++"]);
    }

    #[test]
    fn internal_topics_are_those_of_4_x() {
        for internal in
            ["__consumer_offsets", "mm2-offset-syncs.A.internal", "A.checkpoints.internal", "heartbeats"]
        {
            assert!(is_internal_topic(internal), "{internal}");
        }
        // Since 4.0 these are ordinary (KAFKA-17200).
        for ordinary in ["connect-configs-internal", "billing.internal", "device-heartbeats"] {
            assert!(!is_internal_topic(ordinary), "{ordinary}");
        }
    }

    #[test]
    fn remote_topics_are_not_application_topics() {
        let mut pair = samples::pair();
        pair.topics = vec![".*".to_owned()];
        let scope = Scope::of(&pair);
        assert!(
            scope.application_topic(Side::A, "orders") && scope.application_topic(Side::A, "sales.orders")
        );
        // Identity: a name with a dot is a name; heartbeats alone are renamed.
        assert!(scope.application_topic(Side::B, "primary.orders"));
        assert!(!scope.application_topic(Side::B, "primary.heartbeats"));
        for flow in &mut pair.flows {
            flow.naming = NamingPolicy::Prefixed { separator: "_".to_owned() };
        }
        let scope = Scope::of(&pair);
        assert!(
            !scope.application_topic(Side::B, "primary_orders") && scope.topic(Side::B, "primary_orders")
        );
        assert!(
            scope.application_topic(Side::A, "primary_orders"),
            "nothing of A's alias is replicated to A"
        );
        assert_eq!(scope.replica(Direction { from: Side::A }, "orders"), "primary_orders");
    }

    #[test]
    fn groups_exclude_replaces_the_default() {
        let mut pair = samples::pair();
        pair.groups = vec![".*".to_owned()];
        pair.groups_exclude.clear();
        assert!(Scope::of(&pair).group("billing") && !Scope::of(&pair).group("connect-sink"));
        pair.groups_exclude = vec!["test-.*".to_owned()];
        assert!(Scope::of(&pair).group("connect-sink") && !Scope::of(&pair).group("test-1"));
    }

    #[test]
    fn the_canary_is_in_scope_and_no_application_topic() {
        let mut pair = samples::pair();
        pair.topics = vec!["orders.*".to_owned()];
        pair.canary_topic = Some("muster.canary".to_owned());
        let scope = Scope::of(&pair);
        for side in Side::BOTH {
            assert!(scope.topic(side, "muster.canary") && scope.canary(side, "muster.canary"));
            assert!(!scope.application_topic(side, "muster.canary"));
        }
        assert!(!scope.canary(Side::A, "orders"));
        // Also where everything is in scope, and under names that change on the way.
        pair.topics = vec![".*".to_owned()];
        for separator in [".", "--"] {
            for flow in &mut pair.flows {
                flow.naming = NamingPolicy::Prefixed { separator: separator.to_owned() };
            }
            let (scope, copy) = (Scope::of(&pair), format!("primary{separator}muster.canary"));
            for name in ["muster.canary", copy.as_str()] {
                assert!(scope.topic(Side::B, name) && scope.canary(Side::B, name), "{name}");
                assert!(!scope.application_topic(Side::B, name), "{name}");
            }
        }
    }
}
