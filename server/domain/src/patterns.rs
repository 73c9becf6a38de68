//! Which topics and groups a pair is about, matched as MirrorMaker 2 matches its filters: patterns joined, in full.
//!
//! (Written by the lead; `direction.rs` and `access.rs` too.)

use regex::Regex;

use crate::pair::{NamingPolicy, Pair, Side};

/// MirrorMaker 2's default `topics.exclude` since 4.0 (KAFKA-17200).
const TOPICS_EXCLUDE: [&str; 3] = [r"mm2.*\.internal", r".*\.replica", "__.*"];
/// MirrorMaker 2's default `groups.exclude`.
const GROUPS_EXCLUDE: [&str; 3] = ["console-consumer-.*", "connect-.*", "__.*"];

/// A pattern that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a pattern Muster can read: {reason}")]
pub struct BadPattern {
    /// As given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Checks a pattern as people enter it. Java's regular expressions know a few things this one does not (possessive
/// quantifiers, look-around); these are refused rather than read differently.
///
/// # Errors
/// When it can't be read.
pub fn check(pattern: &str) -> Result<(), BadPattern> {
    compile(pattern)
        .map(|_| ())
        .map_err(|e| BadPattern { pattern: pattern.to_owned(), reason: e.to_string().replace('\n', " ") })
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

/// Whether a name matches one of the patterns in full. A pattern that can't be read matches nothing.
#[must_use]
pub fn matches<S: AsRef<str>>(patterns: &[S], name: &str) -> bool {
    patterns.iter().any(|pattern| compile(pattern.as_ref()).is_ok_and(|regex| regex.is_match(name)))
}

/// Whether a topic is one that applications of the pair use on a side, by the name they use.
#[must_use]
pub fn is_application_topic(pair: &Pair, side: Side, topic: &str) -> bool {
    in_filter(pair, topic) && source_of_replica(pair, side, topic).is_none()
}

/// Whether a topic on a side concerns the pair: an application's topic, or the replica of one.
#[must_use]
pub fn topic_in_scope(pair: &Pair, side: Side, topic: &str) -> bool {
    if pair.canary_topic.as_deref() == Some(topic) {
        return true;
    }
    match source_of_replica(pair, side, topic) {
        Some(source) => in_filter(pair, source) || pair.canary_topic.as_deref() == Some(source),
        None => in_filter(pair, topic),
    }
}

/// Whether a group is one of the pair's.
#[must_use]
pub fn group_in_scope(pair: &Pair, group: &str) -> bool {
    matches(&pair.groups, group)
        && !matches(&pair.groups_exclude, group)
        && (!pair.groups_exclude.is_empty() || !matches(&GROUPS_EXCLUDE, group))
}

fn in_filter(pair: &Pair, topic: &str) -> bool {
    matches(&pair.topics, topic)
        && !matches(&pair.topics_exclude, topic)
        && !matches(&TOPICS_EXCLUDE, topic)
        && !topic.starts_with("__")
}

/// With prefixed names, the source's name of a topic that replication made on this side.
fn source_of_replica<'a>(pair: &Pair, side: Side, topic: &'a str) -> Option<&'a str> {
    pair.flows.iter().filter(|flow| flow.direction.to() == side).find_map(|flow| match &flow.naming {
        NamingPolicy::Identity => None,
        NamingPolicy::Prefixed { separator } => {
            topic.strip_prefix(flow.source_alias.as_str())?.strip_prefix(separator.as_str())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_in_full() {
        let patterns = [r"orders\..*", "payments"];
        assert!(matches(&patterns, "orders.placed"));
        assert!(matches(&patterns, "payments"));
        assert!(!matches(&patterns, "payments.captured"));
        assert!(!matches(&patterns, "my.orders.placed"));
    }

    #[test]
    fn a_pattern_of_java_that_is_read_differently_is_refused() {
        assert!(check("orders.*|a").is_ok());
        assert_eq!(check("(?<!x)orders").unwrap_err().pattern, "(?<!x)orders");
    }
}
