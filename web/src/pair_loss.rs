//! What was lost when the pair's source died: as an interval, and what it turned out to be.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{
    loss::{BriefLoss, Loss, PartitionLoss, TopicLoss},
    pair::Pair,
};

use crate::{
    lag_address::around,
    lag_marks::while_it_was,
    loss_stated::{Stated, Verdict},
    loss_steps::by_hand,
    loss_words::{Figures, Told, rank, records},
    parts::{Link, Mark, When},
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
    text: String,
    before: Option<String>,
    truth_method: String,
    method: String,
    reason: String,
    rows: Vec<LossRow>,
    course_href: String,
    csv: String,
    by_hand: Option<Link>,
    others: Option<Link>,
}
impl HtmlSafe for LossPanel {}

impl LossPanel {
    /// The panel of a loss. `open` are the losses of the pair whose last word is not said, this one among them or not.
    pub(crate) fn new(pair: &Pair, loss: &Loss, open: &[BriefLoss], now: DateTime<Utc>) -> Self {
        let stated = Stated::new(pair, loss);
        let Verdict { tone, big, text } = stated.verdict();
        let told = loss.truth.as_ref().is_some_and(|truth| truth.records.is_some());
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
            said: Mark::new(tone, big),
            text,
            before: told.then(|| said_before(stated)),
            truth_method: loss.truth.as_ref().map(|truth| truth.method.clone()).unwrap_or_default(),
            method: loss.method.clone(),
            reason: loss.reason.clone(),
            rows: loss.topics.iter().map(|topic| row(loss, topic)).collect(),
            by_hand: loss.truth.is_none().then(by_hand),
            others: others(pair, loss, open),
        }
    }
}

/// The way to those that are open besides.
fn others(pair: &Pair, loss: &Loss, open: &[BriefLoss]) -> Option<Link> {
    let text = match open.iter().filter(|other| other.id() != loss.id()).count() {
        0 => return None,
        1 => "1 more open loss".to_owned(),
        n => format!("{n} more open losses"),
    };
    Some(Link::new(format!("/pairs/{}/losses", pair.name), text))
}

/// The interval, once the true figure stands: what was said then, not what is so.
fn said_before(stated: Stated<'_>) -> String {
    let Stated { loss, source, target, .. } = stated;
    format!("Said while {source} was away: {} missing on {target}.", records(&loss.total))
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
