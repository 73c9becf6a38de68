//! What was lost when the pair's source died: as an interval, and what it turned out to be.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{
    loss::{Interval, Loss, PartitionLoss, TopicLoss},
    pair::Pair,
};

use crate::{
    format,
    lag::around,
    lag_marks::while_it_was,
    loss_words::{Figures, Told, rank, waits_for},
    parts::{Mark, Tone, When},
};

/// Partitions listed of one topic.
const PARTITIONS: usize = 20;

/// One topic or partition.
#[derive(Debug)]
pub(crate) struct LossRow {
    name: String,
    owner: String,
    figures: Figures,
    partitions: Vec<LossRow>,
}

/// The panel of a pair whose source died.
#[derive(Debug, Template)]
#[template(path = "parts/loss.html")]
pub(crate) struct LossPanel {
    pair: String,
    id: String,
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
        Self {
            pair: pair.name.to_string(),
            id: loss.id().to_string(),
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
            rows: loss.topics.iter().map(|topic| row(loss, topic)).collect(),
        }
    }
}

/// A topic with its worst partitions.
fn row(loss: &Loss, topic: &TopicLoss) -> LossRow {
    let whole = loss.truth.as_ref();
    let mut worst: Vec<&PartitionLoss> = topic.partitions.iter().collect();
    worst.sort_by_key(|partition| std::cmp::Reverse(rank(&partition.lost)));
    let partition = |lost: &&PartitionLoss| LossRow {
        name: format!("partition {}", lost.partition),
        owner: topic.owner.to_string(),
        figures: Figures::new(&lost.lost, Told::of_partition(whole, lost)),
        partitions: Vec::new(),
    };
    LossRow {
        name: topic.topic.clone(),
        owner: topic.owner.to_string(),
        figures: Figures::new(&topic.lost, Told::of_topic(whole, topic)),
        partitions: worst.iter().take(PARTITIONS).map(partition).collect(),
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
    let waits = waits_for(loss)?;
    Some(Mark::new(Tone::Run, format!("It answers again. The true figure {waits}.")))
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
