//! What was lost when the pair's source died: as an interval, and what it turned out to be.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{
    loss::{Interval, Loss, PartitionLoss},
    pair::Pair,
};

use crate::{
    format,
    lag::around,
    lag_marks::while_it_was,
    parts::{Mark, Tone, When},
};

/// Partitions listed of one topic.
const PARTITIONS: usize = 20;

/// One topic or partition.
#[derive(Debug)]
pub(crate) struct LossRow {
    name: String,
    owner: String,
    at_least: String,
    at_most: String,
    writes_at_least: String,
    writes: String,
    truth: String,
    partitions: Vec<LossRow>,
}

/// The panel of a pair whose source died.
#[derive(Debug, Template)]
#[template(path = "parts/loss.html")]
pub(crate) struct LossPanel {
    course: String,
    noticed: When,
    said: Mark,
    truth: Option<Mark>,
    truth_method: String,
    method: String,
    reason: String,
    rows: Vec<LossRow>,
    course_href: String,
    csv: String,
}
impl HtmlSafe for LossPanel {}

impl LossPanel {
    /// The panel of a loss.
    pub(crate) fn new(pair: &Pair, loss: &Loss, now: DateTime<Utc>) -> Self {
        let known = loss.total.records_at_most.is_some();
        let tone = if known { Tone::Bad } else { Tone::Unk };
        let truth = loss.truth.as_ref().map(|truth| match truth.records {
            Some(0) if truth.exact => Mark::new(Tone::Idle, "Nothing was lost."),
            Some(records) => {
                Mark::new(Tone::Warn, format!("It was at most {} records.", format::number(records)))
            }
            None => Mark::new(Tone::Unk, "It cannot be told what it was."),
        });
        let rows = loss.topics.iter().map(|topic| {
            let mut worst: Vec<&PartitionLoss> = topic.partitions.iter().collect();
            worst.sort_by_key(|partition| std::cmp::Reverse(rank(&partition.lost)));
            let partition = |lost: &&PartitionLoss| {
                let truth = (lost.truth, lost.truth_ms);
                row(format!("partition {}", lost.partition), topic.owner.to_string(), &lost.lost, truth)
            };
            LossRow {
                partitions: worst.iter().take(PARTITIONS).map(partition).collect(),
                ..row(
                    topic.topic.clone(),
                    topic.owner.to_string(),
                    &topic.lost,
                    (topic.truth, topic.truth_ms),
                )
            }
        });
        Self {
            course_href: around(
                pair.name.as_str(),
                pair.cluster(loss.direction.from).as_str(),
                "",
                while_it_was(loss.seen_at, loss.truth.as_ref().map(|truth| truth.at), now),
            ),
            csv: format!(
                "/api/v1/pairs/{}/loss?source={}&format=csv",
                pair.name,
                pair.cluster(loss.direction.from)
            ),
            course: pair.course(loss.direction),
            noticed: When::ago(now, loss.noticed_at),
            said: Mark::new(tone, sentence(&loss.total)),
            truth: truth.or_else(|| waiting(loss)),
            truth_method: loss.truth.as_ref().map(|truth| truth.method.clone()).unwrap_or_default(),
            method: loss.method.clone(),
            reason: loss.reason.clone(),
            rows: rows.collect(),
        }
    }
}

/// What is not known comes first, then the most.
fn rank(lost: &Interval) -> i64 {
    lost.records_at_most.unwrap_or(i64::MAX)
}

fn row(
    name: String,
    owner: String,
    lost: &Interval,
    (truth, truth_ms): (Option<i64>, Option<i64>),
) -> LossRow {
    LossRow {
        name,
        owner,
        at_least: format::number(lost.records_at_least),
        at_most: lost.records_at_most.map_or_else(|| "unknown".to_owned(), format::number),
        writes_at_least: format::duration(lost.ms_at_least),
        writes: lost.ms_at_most.map_or_else(|| "unknown".to_owned(), format::duration),
        truth: match (truth, truth_ms) {
            (None, _) => "not known".to_owned(),
            (Some(0), _) => "0".to_owned(),
            (Some(records), Some(ms)) => {
                format!("at most {}, of the last {}", format::number(records), format::duration(ms))
            }
            (Some(records), None) => format!("at most {}", format::number(records)),
        },
        partitions: Vec::new(),
    }
}

fn sentence(total: &Interval) -> String {
    let at_least = format::number(total.records_at_least);
    let records = match total.records_at_most {
        Some(at_most) => {
            format!(
                "At least {at_least} and at most {} records are missing on the target",
                format::number(at_most)
            )
        }
        None => {
            format!("At least {at_least} records are missing on the target; how many at most is not known")
        }
    };
    match total.ms_at_most {
        Some(ms) => format!(
            "{records}, written in the last {} before it was found not to answer.",
            format::duration(ms)
        ),
        None => format!("{records}. Since when is not known."),
    }
}

/// That it answers again, and what the true figure waits for.
fn waiting(loss: &Loss) -> Option<Mark> {
    let waits = i64::try_from(loss.waits_for_leaders).ok().filter(|waits| *waits > 0)?;
    let waits = format::number(waits);
    let said = format!(
        "It answers again. The true figure waits for {waits} of its partitions, still without a leader."
    );
    Some(Mark::new(Tone::Run, said))
}

#[cfg(test)]
mod tests {
    use muster_domain::{
        ids::TeamName,
        pair::{Direction, Side},
    };

    use super::*;

    #[test]
    fn a_source_that_is_not_back_whole_is_waited_for() {
        let mut loss = Loss {
            direction: Direction { from: Side::A },
            owner: TeamName::new("core").unwrap(),
            seen_at: DateTime::UNIX_EPOCH,
            noticed_at: DateTime::UNIX_EPOCH,
            reason: String::new(),
            total: Interval::default(),
            topics: Vec::new(),
            method: String::new(),
            waits_for_leaders: 0,
            truth: None,
        };
        let said = |loss: &Loss| waiting(loss).map(|mark| mark.to_string());
        assert_eq!(said(&loss), None, "it is away");
        loss.waits_for_leaders = 1_200;
        let waits = "The true figure waits for 1,200 of its partitions, still without a leader.";
        assert!(said(&loss).is_some_and(|said| said.contains(waits)), "{:?}", said(&loss));
    }
}
