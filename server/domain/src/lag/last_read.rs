//! Partitions of a source that does not answer, each as it was last read: one that died piece by piece was not read whole by the
//! last survey that read anything of it.

use chrono::{DateTime, Utc};

use super::EndsAt;
use crate::topic::TopicPartition;

/// A partition as it was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastRead<'a> {
    pub(super) key: &'a TopicPartition,
    pub(super) end: i64,
    pub(super) at: DateTime<Utc>,
}

/// Every partition of a history, in order.
pub(super) fn last_read(history: &[EndsAt]) -> Vec<LastRead<'_>> {
    let mut all: Vec<LastRead<'_>> = Vec::new();
    for (at, ends) in history.iter().rev() {
        let mut more = Vec::new();
        // Both are in the same order, so they are walked side by side.
        let mut known = all.iter().map(|last| last.key).peekable();
        for (key, end) in ends {
            while known.next_if(|other| *other < key).is_some() {}
            if known.peek() != Some(&key) {
                more.push(LastRead { key, end: *end, at: *at });
            }
        }
        if !more.is_empty() {
            all.extend(more);
            all.sort_by_key(|last| last.key);
        }
    }
    all
}

/// Those whose topic passes; each topic is asked about once.
pub(super) fn in_topics<'a>(
    all: Vec<LastRead<'a>>,
    passes: impl Fn(&str) -> bool,
) -> impl Iterator<Item = LastRead<'a>> {
    let mut last: Option<(&'a str, bool)> = None;
    all.into_iter().filter(move |read| {
        let topic: &'a str = &read.key.topic;
        let passed = match last {
            Some((other, passed)) if other == topic => passed,
            Some(_) | None => passes(topic),
        };
        last = Some((topic, passed));
        passed
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::samples::at;

    #[test]
    fn each_partition_is_as_the_newest_survey_that_read_it_says() {
        let keys = ["a", "b", "c"].map(|topic| TopicPartition::new(topic, 0));
        let read = |seconds, ends: [Option<i64>; 3]| -> EndsAt {
            let ends = keys.iter().zip(ends).filter_map(|(key, end)| Some((key.clone(), end?)));
            (at(seconds), ends.collect::<BTreeMap<_, _>>())
        };
        let history = [
            read(0, [Some(1), Some(2), Some(3)]),
            read(5, [Some(10), None, Some(30)]),
            read(10, [None, None, Some(33)]),
        ];
        let all = last_read(&history).into_iter();
        let all: Vec<_> = all.map(|last| (last.key.topic.as_str(), last.end, last.at)).collect();
        assert_eq!(all, [("a", 10, at(5)), ("b", 2, at(0)), ("c", 33, at(10))]);
        let some: Vec<_> =
            in_topics(last_read(&history), |topic| topic != "b").map(|last| last.end).collect();
        assert_eq!(some, [10, 33]);
        assert!(last_read(&[]).is_empty());
    }
}
