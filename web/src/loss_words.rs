//! A loss in words, as the pair's page, the list of losses and its statement say it.

use muster_domain::loss::{Interval, Loss, PartitionLoss, TopicLoss, Truth};

use crate::{
    format,
    parts::{Mark, Tone},
};

/// What is said of a loss, of a topic or of a partition, cell by cell.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) at_least: String,
    pub(crate) at_most: String,
    pub(crate) writes_at_least: String,
    pub(crate) writes: String,
    pub(crate) truth: String,
}

impl Figures {
    /// An interval, and what it turned out to be: records and milliseconds, once it was looked for.
    pub(crate) fn new(lost: &Interval, truth: Told) -> Self {
        Self {
            at_least: format::number(lost.records_at_least),
            at_most: lost.records_at_most.map_or_else(|| "unknown".to_owned(), format::number),
            writes_at_least: format::duration(lost.ms_at_least),
            writes: lost.ms_at_most.map_or_else(|| "unknown".to_owned(), format::duration),
            truth: truth.said(),
        }
    }
}

/// What something turned out to be, as far as that is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told {
    /// Its source could not be read yet.
    NotYet,
    /// It was looked for: records, and milliseconds; each `None` where it cannot be told.
    AsFar(Option<i64>, Option<i64>),
}

impl Told {
    /// Of the whole loss.
    pub(crate) fn of(truth: Option<&Truth>) -> Self {
        truth.map_or(Self::NotYet, |truth| Self::AsFar(truth.records, truth.ms))
    }

    /// Of a topic of it: of one that could be read again before the rest sooner.
    pub(crate) fn of_topic(whole: Option<&Truth>, topic: &TopicLoss) -> Self {
        let told = whole.is_some() || topic.truth.is_some();
        if told { Self::AsFar(topic.truth, topic.truth_ms) } else { Self::NotYet }
    }

    /// Of a partition of it, likewise.
    pub(crate) fn of_partition(whole: Option<&Truth>, lost: &PartitionLoss) -> Self {
        let told = whole.is_some() || lost.read_again.is_some();
        if told { Self::AsFar(lost.truth, lost.truth_ms) } else { Self::NotYet }
    }

    /// As a cell says it.
    fn said(self) -> String {
        match self {
            Self::NotYet => "not known yet".to_owned(),
            Self::AsFar(None, _) => "cannot be told".to_owned(),
            Self::AsFar(Some(0), _) => "0".to_owned(),
            Self::AsFar(Some(records), Some(ms)) => {
                format!("at most {}, of the last {}", format::number(records), format::duration(ms))
            }
            Self::AsFar(Some(records), None) => format!("at most {}", format::number(records)),
        }
    }
}

/// What is not known comes first, then the most.
pub(crate) fn rank(lost: &Interval) -> i64 {
    lost.records_at_most.unwrap_or(i64::MAX)
}

/// Records that are missing, between what is proven and what is possible: `12 to 1,904 records`.
pub(crate) fn records(lost: &Interval) -> String {
    match (lost.records_at_least, lost.records_at_most) {
        (least, Some(most)) if least == most => said_records(most),
        (0, Some(most)) => format!("at most {}", said_records(most)),
        (least, Some(most)) => format!("{} to {}", format::number(least), said_records(most)),
        (0, None) => "records not known".to_owned(),
        (least, None) => format!("{} or more", said_records(least)),
    }
}

/// `1 record`, `1,904 records`.
pub(crate) fn said_records(records: i64) -> String {
    format!("{} record{}", format::number(records), if records == 1 { "" } else { "s" })
}

/// What the true figure does where its source answers again: `waits for 3 of its partitions, still without a leader`. `None` while that is
/// away, and once all is told.
pub(crate) fn waits_for(loss: &Loss) -> Option<String> {
    let waits = i64::try_from(loss.waits_for_leaders).ok().filter(|waits| *waits > 0)?;
    Some(format!("waits for {} of its partitions, still without a leader", format::number(waits)))
}

/// Where a loss stands, in a list. A source of which some partitions have no leader yet is not back.
pub(crate) fn standing(total: &Interval, truth: Option<&Truth>) -> Mark {
    match truth {
        None if total.records_at_most.is_none() => Mark::new(Tone::Unk, "source not back yet, not bounded"),
        None if total.records_at_most == Some(0) => {
            Mark::new(Tone::Idle, "source not back yet, nothing missing")
        }
        None => Mark::new(Tone::Bad, "source not back yet"),
        Some(truth) if !truth.settled => Mark::new(Tone::Run, "source back, being looked at"),
        Some(Truth { records: None, .. }) => Mark::new(Tone::Unk, "cannot be told"),
        Some(Truth { records: Some(0), exact: true, .. }) => Mark::new(Tone::Ok, "nothing was lost"),
        Some(Truth { records: Some(0), .. }) => Mark::new(Tone::Idle, "nothing found to be lost"),
        Some(Truth { records: Some(_), .. }) => Mark::new(Tone::Warn, "true figure told"),
    }
}

#[cfg(test)]
mod tests {
    use muster_domain::loss::{EndRead, ReadAgain};

    use super::*;

    #[test]
    fn records_are_an_interval_and_what_is_not_known_is_neither_zero_nor_its_end() {
        let said = |records_at_least, records_at_most| {
            records(&Interval { records_at_least, records_at_most, ..Interval::default() })
        };
        for (least, most, words) in [
            (0, Some(0), "0 records"),
            (1, Some(1), "1 record"),
            (0, Some(1_904), "at most 1,904 records"),
            (12, Some(1_904), "12 to 1,904 records"),
            (12, None, "12 records or more"),
            (0, None, "records not known"),
        ] {
            assert_eq!(said(least, most), words);
        }
    }

    #[test]
    fn a_partition_is_told_once_it_could_be_read_again_whatever_the_rest_waits_for() {
        let away = PartitionLoss {
            partition: 0,
            end: 9,
            end_read: EndRead::Then,
            through: Some(8),
            counts_from: None,
            leader_epoch: None,
            lost: Interval::default(),
            truth: Some(0),
            truth_ms: None,
            read_again: None,
        };
        let back =
            PartitionLoss { read_again: Some(ReadAgain { end: Some(9), leaders: None }), ..away.clone() };
        let said = |lost| Told::of_partition(None, lost).said();
        assert_eq!((said(&away), said(&back)), ("not known yet".to_owned(), "0".to_owned()));
    }

    #[test]
    fn what_it_was_is_told_apart_from_what_is_not_told_yet() {
        for (told, words) in [
            (Told::NotYet, "not known yet"),
            (Told::AsFar(None, Some(5)), "cannot be told"),
            (Told::AsFar(Some(0), None), "0"),
            (Told::AsFar(Some(1_204), None), "at most 1,204"),
            (Told::AsFar(Some(1_204), Some(4_200)), "at most 1,204, of the last 4.2 s"),
        ] {
            assert_eq!(told.said(), words);
        }
    }
}
