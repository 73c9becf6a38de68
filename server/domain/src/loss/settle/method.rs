//! How a true figure was found, in sentences.

use super::{LeaderEnds, Loss, PartitionLoss, Truth, copied_past, key, leaders, partitions};
use crate::{duration::duration, topic::TopicPartition};

const AT_MOST: &str = "It is at most so many: transaction markers count among the offsets, and so do records that arrived behind the \
    last committed offset or offset sync.";
const STOOD: &str = "They stood still over two surveys, so nobody added to them.";
const STOOD_WITH_OTHERS: &str = "They stood still over two surveys; what leaders that were elected later had written by then is among \
    them, be it from before the source died or from after its return.";

impl Truth {
    /// What a second survey makes of it, where the logs do not tell. `by_others` is whether leaders that were elected later have written
    /// into what counts.
    pub(super) fn judge_ends(&mut self, still: bool, by_others: bool) {
        self.exact = still && self.records == Some(0);
        let stood = if by_others { STOOD_WITH_OTHERS } else { STOOD };
        if self.exact {
            self.method =
                format!("The source's ends after its return, all of which had reached the target. {stood}");
        } else if still && self.records.is_some() {
            self.method = format!(
                "The source's ends after its return, less what was proven to have reached the target. {stood} {AT_MOST}"
            );
        }
    }

    pub(super) fn say_time(&mut self) {
        if let Some(ms) = self.ms.filter(|ms| *ms > 0) {
            self.method.push_str(&format!(
                " The oldest of them says by its own timestamp that it was written {} before the source was found not to answer.",
                duration(ms)
            ));
        }
    }
}

/// How it was found by the first reading; `made_anew` are topics of which that tells nothing, since they are others now.
pub(super) fn first_method(loss: &Loss, made_anew: &[&str], records: Option<i64>, settled: bool) -> String {
    if let Some(said) = cut(loss).or_else(|| ran_past(loss)).or_else(|| other_logs(made_anew)) {
        return said;
    }
    match records {
        Some(0) if settled => "Up to where the leaders that were last seen had ended when others were elected, by the source's own \
                               logs as they are now: all of it had reached the target. What was written since is not in it."
            .to_owned(),
        Some(_) if settled => format!(
            "Up to where the leaders that were last seen had ended when others were elected, by the source's own logs as they are \
             now, less what was proven to have reached the target. What was written since is not in it. {AT_MOST}"
        ),
        Some(_) => "The source's ends when it was first read again, less what had reached the target: at most so many, since \
                    somebody may have written there between its return and that reading."
            .to_owned(),
        None if partitions(loss).next().is_none() => {
            "Of no partition it was known what it had when the source died, so neither is what was lost.".to_owned()
        }
        None if unknown(loss) => "What had reached the target was not known of every partition when the source died, so neither is what \
                                  was lost."
            .to_owned(),
        None => {
            "Not every partition of then can be read again, or it is shorter than it was: it was not restored whole."
                .to_owned()
        }
    }
}

/// What is to be said of a log that lost what it had: a replica that lagged was elected, or a disk was not whole. Partitions that
/// lost most first; what the target has of it is nowhere else any more.
fn cut(loss: &Loss) -> Option<String> {
    let partitions =
        loss.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |lost| (topic, lost)));
    let mut cut: Vec<(TopicPartition, LeaderEnds, &PartitionLoss)> = partitions
        .filter_map(|(topic, lost)| {
            let ends = leaders(lost)?;
            (ends.then < lost.end).then(|| (key(topic, lost), ends, lost))
        })
        .collect();
    cut.sort_by_key(|(_, ends, lost)| ends.then.saturating_sub(lost.end));
    let (first, ends, lost) = cut.first()?;
    let others = match cut.len() - 1 {
        0 => String::new(),
        others => format!(" ({others} more partitions alike)"),
    };
    let only_there =
        lost.through.map_or(0, |through| through.saturating_add(1).saturating_sub(ends.then)).max(0);
    let on_the_target = if only_there > 0 {
        format!(", of which {only_there} offsets had reached the target and are only there now")
    } else {
        String::new()
    };
    Some(format!(
        "The source came back without what it had: `{first}` had been seen up to offset {}, and the log of the leader that was elected \
         since has what was there only up to {}{on_the_target}{others}. What was lost cannot be told from its ends: a replica that \
         lagged was elected, or a log was cut.",
        lost.end, ends.then
    ))
}

/// What is to be said of a log that ends, by its own word, before what had been copied of it, though not before what had been seen.
fn ran_past(loss: &Loss) -> Option<String> {
    let partitions =
        loss.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |lost| (topic, lost)));
    let mut past = partitions.filter_map(|(topic, lost)| {
        let (ends, through) = (leaders(lost)?, lost.through?);
        copied_past(lost, &ends).then(|| (key(topic, lost), ends.then, through))
    });
    let (first, then, through) = past.next()?;
    let others = match past.count() {
        0 => String::new(),
        others => format!(" ({others} more partitions alike)"),
    };
    Some(format!(
        "`{first}` had been copied up to offset {through}, and by the log as it is now the leader that was last seen had what was there \
         only up to {then}{others}. What was lost cannot be told from that: the log was cut, or it was written and copied on while \
         Muster could not reach it."
    ))
}

/// What is to be said of topics that were deleted and made again.
fn other_logs(made_anew: &[&str]) -> Option<String> {
    let (first, others) = made_anew.split_first()?;
    let others = match others.len() {
        0 => String::new(),
        others => format!(" ({others} more topics alike)"),
    };
    Some(format!(
        "`{first}` was deleted and made anew while the source was away{others}: what it has now is another log, and what was lost of the \
         one before cannot be told from it. The interval stands."
    ))
}

/// Whether of some partition nothing could be told when the source died.
fn unknown(loss: &Loss) -> bool {
    partitions(loss).any(|lost| lost.through.is_none())
}
