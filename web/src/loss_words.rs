//! A loss in words, as the pair's page, the list of losses and its statement say it.

use muster_domain::loss::{Interval, PartitionLoss, TopicLoss, Truth};

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

    /// Of a topic of it.
    pub(crate) fn of_topic(whole: Option<&Truth>, topic: &TopicLoss) -> Self {
        whole.map_or(Self::NotYet, |_| Self::AsFar(topic.truth, topic.truth_ms))
    }

    /// Of a partition of it.
    pub(crate) fn of_partition(whole: Option<&Truth>, lost: &PartitionLoss) -> Self {
        whole.map_or(Self::NotYet, |_| Self::AsFar(lost.truth, lost.truth_ms))
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

/// Where a loss stands, in a list.
pub(crate) fn standing(total: &Interval, truth: Option<&Truth>) -> Mark {
    match truth {
        None if total.records_at_most.is_none() => Mark::new(Tone::Unk, "source away, not bounded"),
        None if total.records_at_most == Some(0) => Mark::new(Tone::Idle, "source away, nothing missing"),
        None => Mark::new(Tone::Bad, "source away"),
        Some(truth) if !truth.settled => Mark::new(Tone::Run, "source back, being looked at"),
        Some(Truth { records: None, .. }) => Mark::new(Tone::Unk, "cannot be told"),
        Some(Truth { records: Some(0), exact: true, .. }) => Mark::new(Tone::Ok, "nothing was lost"),
        Some(Truth { records: Some(0), .. }) => Mark::new(Tone::Idle, "nothing found to be lost"),
        Some(Truth { records: Some(_), .. }) => Mark::new(Tone::Warn, "true figure told"),
    }
}

#[cfg(test)]
mod tests {
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
