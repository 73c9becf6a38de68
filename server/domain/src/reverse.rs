//! Where the flow of the way back begins, under the identity policy.
//!
//! Its source connector keeps a position for every partition it ever copied, and goes on there when it is resumed. One
//! that nobody chose would copy what came from here back to here: so each has to be decided, and before writes are away.

use std::collections::BTreeMap;

use crate::topic::{ByPartition, TopicPartition};

/// What a stored position is about that is not of a topic in scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// Muster's own canary, which ends here on the side applications move to. What it holds came from the other side.
    Canary {
        /// One past its last record.
        end: i64,
    },
    /// The connector would copy it, and no broker knows such a partition any more.
    Gone,
    /// The connector does not copy this topic any more, or renames it (heartbeats): its position is nobody's concern.
    NotCopied,
    /// The connector copies it, and nothing says where its own records begin.
    Undecided,
}

/// For each partition the last offset that counts as copied, inclusive as Connect keeps it; `None` forgets a position, so
/// that everything is copied. `ends` is by partition in scope one past the last record that came from the other side.
///
/// # Errors
/// All stored partitions that are undecided.
pub fn begin(
    ends: &ByPartition<i64>,
    stored: &ByPartition<i64>,
    other: impl Fn(&TopicPartition) -> Other,
) -> Result<ByPartition<Option<i64>>, Vec<TopicPartition>> {
    // A partition that is still empty has no last offset.
    let last = |end: i64| (end > 0).then(|| end - 1);
    let mut begin: ByPartition<Option<i64>> =
        ends.iter().map(|(partition, end)| (partition.clone(), last(*end))).collect();
    let mut undecided = Vec::new();
    for (partition, position) in stored.iter().filter(|(partition, _)| !ends.contains_key(partition)) {
        let chosen = match other(partition) {
            Other::Canary { end } => last(end),
            Other::Gone => None,
            Other::NotCopied => Some(*position),
            Other::Undecided => {
                undecided.push(partition.clone());
                continue;
            }
        };
        begin.insert(partition.clone(), chosen);
    }
    if undecided.is_empty() { Ok(begin) } else { Err(undecided) }
}

/// The topics of partitions: "`a`, `b`, `c` and 2 more topics".
#[must_use]
pub fn named(partitions: &[TopicPartition]) -> String {
    let mut of_topic: BTreeMap<&str, usize> = BTreeMap::new();
    for partition in partitions {
        *of_topic.entry(&partition.topic).or_default() += 1;
    }
    let shown: Vec<String> = of_topic.keys().take(3).map(|topic| format!("`{topic}`")).collect();
    match of_topic.len() - shown.len() {
        0 => shown.join(", "),
        1 => format!("{} and one more topic", shown.join(", ")),
        more => format!("{} and {more} more topics", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(topic: &str) -> TopicPartition {
        TopicPartition::new(topic, 0)
    }

    fn positions(of: &[(&str, i64)]) -> ByPartition<i64> {
        of.iter().map(|(topic, offset)| (at(topic), *offset)).collect()
    }

    fn other(partition: &TopicPartition) -> Other {
        match partition.topic.as_str() {
            "muster.canary" => Other::Canary { end: 12 },
            "gone" => Other::Gone,
            "heartbeats" => Other::NotCopied,
            _ => Other::Undecided,
        }
    }

    #[test]
    fn every_stored_position_is_chosen() {
        let ends = positions(&[("orders", 100), ("empty", 0)]);
        let stored = positions(&[("orders", 7), ("muster.canary", 3), ("gone", 4), ("heartbeats", 5)]);
        let begin = begin(&ends, &stored, other).expect("decided");
        let chosen: Vec<(&str, Option<i64>)> =
            begin.iter().map(|(partition, offset)| (partition.topic.as_str(), *offset)).collect();
        assert_eq!(
            chosen,
            [
                ("empty", None),
                ("gone", None),
                ("heartbeats", Some(5)),
                ("muster.canary", Some(11)),
                ("orders", Some(99))
            ]
        );
    }

    #[test]
    fn choosing_again_from_what_was_chosen_chooses_the_same() {
        let ends = positions(&[("orders", 100)]);
        let stored = positions(&[("muster.canary", 3), ("gone", 4), ("heartbeats", 5)]);
        let once = begin(&ends, &stored, other).expect("decided");
        let kept = once.iter().filter_map(|(at, offset)| Some((at.clone(), (*offset)?))).collect();
        let twice = begin(&ends, &kept, other).expect("decided");
        let without_gone = once.into_iter().filter(|(at, _)| at.topic != "gone").collect();
        assert_eq!(twice, without_gone);
    }

    #[test]
    fn all_that_is_undecided_is_named() {
        let stored = positions(&[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("gone", 2)]);
        let undecided = begin(&positions(&[]), &stored, other).expect_err("undecided");
        assert_eq!(undecided.len(), 4);
        assert_eq!(named(&undecided), "`a`, `b`, `c` and one more topic");
        assert_eq!(named(&undecided[..2]), "`a`, `b`");
    }
}
