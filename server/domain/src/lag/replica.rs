//! The copy of a topic on the target, as a survey saw it: not read, not there, and there are three different things.

use crate::survey::{PartitionObservation, TopicObservation};

/// What became of a topic on the target.
pub(super) struct Replica<'a> {
    pub(super) name: String,
    /// `None` where the target's topics could not be read, `Some(None)` where it is not among them.
    pub(super) found: Option<Option<&'a TopicObservation>>,
}

/// A partition of the target.
#[derive(Clone, Copy)]
pub(super) enum There<'a> {
    /// The target's topics could not be read.
    NotRead,
    /// They were, and this is not among them.
    Absent { replica: &'a str, partitions: Option<usize> },
    /// It is there.
    Found { replica: &'a str, partition: &'a PartitionObservation },
}

impl Replica<'_> {
    pub(super) fn partition(&self, number: i32) -> There<'_> {
        let absent = |partitions| There::Absent { replica: &self.name, partitions };
        match self.found {
            None => There::NotRead,
            Some(None) => absent(None),
            Some(Some(topic)) => {
                usize::try_from(number).ok().and_then(|number| topic.partitions.get(number)).map_or(
                    absent(Some(topic.partitions.len())),
                    |partition| There::Found { replica: &self.name, partition },
                )
            }
        }
    }
}

impl There<'_> {
    /// Its high watermark; 0 where it is not, `None` where that is not known.
    pub(super) fn end(self) -> Option<i64> {
        match self {
            There::NotRead => None,
            There::Absent { .. } => Some(0),
            There::Found { partition, .. } => partition.end,
        }
    }
}
