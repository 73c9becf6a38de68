//! How an interval was found, in sentences.

use chrono::{DateTime, Utc};

use super::Stage;
use crate::{
    duration::{duration, seconds},
    topic::TopicPartition,
};

impl Stage<'_> {
    /// How the interval of some partitions was found.
    pub(in crate::loss) fn method(&self, partitions: &[&TopicPartition]) -> String {
        let window = duration((self.noticed_at - self.high.at).num_milliseconds());
        if let Some(reason) = &self.renamed {
            return format!(
                "Its ends were last read {window} before it was found not to answer. What had reached the target is not known: \
                 {reason}. So neither is what was lost."
            );
        }
        let counted = if self.mode.transforms {
            "Offsets are counted, and transaction markers and records that the connector's transforms leave out may be among them: \
             at most so many records, and none is proven to be missing."
        } else if self.mode.read_committed {
            "Offsets are counted, and transaction markers and records that were given up may be among them: at most so many \
             records, and none is proven to be missing."
        } else {
            "Offsets are counted, and transaction markers may be among them: at most so many records, and of those behind the \
             newest offset sync at least half, with a thousand offsets left out for transactions that were open there."
        };
        format!(
            "Its ends were last read {window} before it was found not to answer. Whatever had not reached the target by \
             the connector's committed offsets and offset syncs is lost; on top comes what may have been written in these \
             {window}, {}. {counted}{}",
            self.rate(),
            self.not_read_then(partitions)
        )
    }

    /// How fast may have been written what nobody saw.
    fn rate(&self) -> String {
        match self.pace.since() {
            Some(since) => {
                let kept = seconds((self.high.at - since).num_seconds());
                format!("at the fastest rate of the {kept} before")
            }
            None => "and nobody knows how fast it was written to".to_owned(),
        }
    }

    /// What is to be said of partitions whose ends were not read when those of others were: it died piece by piece.
    fn not_read_then(&self, partitions: &[&TopicPartition]) -> String {
        let all = partitions.len();
        let read: Vec<DateTime<Utc>> = partitions.iter().filter_map(|key| Some(self.last(key)?.at)).collect();
        let before = read.iter().filter(|at| **at < self.high.at).count();
        let mut said = String::new();
        if let Some(first) = read.iter().min().filter(|_| before > 0) {
            let window = duration((self.noticed_at - *first).num_milliseconds());
            said.push_str(&format!(
                " Of {before} of its {all} partitions the ends could not be read any more by then, but only up to {window} before it \
                 was found not to answer: for so long something may have been written there."
            ));
        }
        if read.len() < all {
            said.push_str(&format!(
                " Of {} of its {all} partitions no end was ever read: what was lost of them is not known.",
                all - read.len()
            ));
        }
        said
    }
}
