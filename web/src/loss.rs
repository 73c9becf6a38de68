//! The statement of a loss: what was lost, of whom, since when, how sure that is, what to do now, and the true figure beside it once
//! the source could be read again. Made for a night and for an auditor, on a screen and on paper.

use std::cmp::Reverse;

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    loss::{EndRead, Loss, PartitionLoss, TopicLoss, TopicsOfOwner, topics_by_owner},
    pair::Pair,
};
use serde::Deserialize;

use crate::{
    chrome::Chrome,
    format,
    lag_address::around,
    lag_marks::while_it_was,
    loss_stated::{Stated, Verdict},
    loss_steps::{NextStep, next_steps},
    loss_words::{Figures, Told, rank},
    parts::{Course, Field, ReadingView, When},
    runs::query_string,
};

/// Topics listed; their partitions are all on some page.
const TOPICS: usize = 50;
/// Partitions on one page.
const PARTITIONS: usize = 50;

/// What of a statement is listed. Everything is text as browsers send it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LossFilter {
    /// Only topics with this in their name.
    pub topic: String,
    /// So many partitions are on the pages before; none when empty.
    pub skip: String,
}

/// One owner.
#[derive(Debug)]
struct OwnerRow {
    name: String,
    href: Option<String>,
    topics: String,
    figures: Figures,
}

/// One topic.
#[derive(Debug)]
struct TopicRow {
    name: String,
    href: String,
    owner: String,
    partitions: String,
    figures: Figures,
}

/// One partition.
#[derive(Debug)]
struct PartitionRow {
    name: String,
    href: String,
    end: String,
    through: String,
    figures: Figures,
}

/// `GET /pairs/{pair}/losses/{loss}`; its filter form sends [`LossFilter`].
#[derive(Debug, Template)]
#[template(path = "pages/loss.html")]
pub struct LossPage {
    chrome: Chrome,
    pair: String,
    source: String,
    here: String,
    course: Course,
    lead: String,
    csv: String,
    json: String,
    file: String,
    verdict: Verdict,
    at_least: String,
    at_least_note: String,
    at_most: ReadingView,
    at_most_note: String,
    truth: Option<ReadingView>,
    truth_note: String,
    seen: When,
    seen_age: String,
    noticed: When,
    noticed_age: String,
    steps: Vec<NextStep>,
    known: Vec<(&'static str, String)>,
    owners: Vec<OwnerRow>,
    filters: Vec<Field>,
    filtered: bool,
    topics: Vec<TopicRow>,
    topics_said: String,
    /// Whether topics are not kept any more.
    removed: bool,
    partitions: Vec<PartitionRow>,
    partitions_said: String,
    pages: Vec<(String, &'static str)>,
}

impl LossPage {
    /// The statement, with the topics and partitions that are asked for.
    #[must_use]
    pub fn new(chrome: Chrome, pair: &Pair, loss: &Loss, filter: &LossFilter) -> Self {
        let (now, stated) = (chrome.now(), Stated::new(pair, loss));
        let here = format!("/pairs/{}/losses/{}", pair.name, loss.id());
        let part = Part::of(loss, filter);
        let time = while_it_was(loss.seen_at, loss.truth.as_ref().map(|truth| truth.at), now);
        let rows = Rows { stated, time };
        Self {
            chrome: framed(chrome, stated),
            pair: pair.name.to_string(),
            source: stated.source.to_owned(),
            course: Course::of_flow(stated.source, stated.target).big(),
            lead: stated.lead(),
            csv: stated.export("csv"),
            json: stated.export("json"),
            file: format!("loss-{}-{}.json", pair.name, loss.id()),
            verdict: stated.verdict(),
            at_least: format::number(loss.total.records_at_least),
            at_least_note: format!(
                "records, proven to be missing; writes of at least {}",
                format::duration(loss.total.ms_at_least)
            ),
            at_most: stated.at_most(now).large(),
            at_most_note: stated.at_most_note(),
            truth: loss.truth.as_ref().map(|truth| stated.true_figure(truth, now).large()),
            truth_note: stated.truth_note(),
            seen: When::full(loss.seen_at),
            seen_age: format::ago(now, loss.seen_at),
            noticed: When::full(loss.noticed_at),
            noticed_age: format::ago(now, loss.noticed_at),
            steps: next_steps(pair, loss, now),
            known: stated.known(),
            owners: topics_by_owner(loss).iter().map(|owner| rows.owner(owner)).collect(),
            filters: vec![Field::line("topic", "Topic", "search", &filter.topic, "off").of_filter()],
            filtered: !filter.topic.is_empty(),
            topics: part.topics.iter().take(TOPICS).map(|topic| rows.topic(topic)).collect(),
            topics_said: if loss.topics_removed() {
                "not kept any more".to_owned()
            } else {
                part.said_topics()
            },
            removed: loss.topics_removed(),
            partitions: part.shown().iter().map(|(topic, lost)| rows.partition(topic, lost)).collect(),
            partitions_said: part.said_partitions(),
            pages: part.pages(&here, filter),
            here,
        }
    }
}

fn framed(chrome: Chrome, stated: Stated<'_>) -> Chrome {
    let (name, loss) = (&stated.pair.name, stated.loss);
    let noticed = format::date_time(loss.noticed_at);
    let chrome = chrome
        .titled(format!("Loss of {name} with {}, {noticed} UTC", stated.source))
        .here(noticed)
        .under("/", "Fleet")
        .under(format!("/pairs/{name}"), name.to_string())
        .under(format!("/pairs/{name}/losses"), "losses");
    if loss.is_open() { chrome.refreshing(30) } else { chrome }
}

/// The topics and partitions that are asked for, those that lost most first.
struct Part<'a> {
    topics: Vec<&'a TopicLoss>,
    partitions: Vec<(&'a TopicLoss, &'a PartitionLoss)>,
    skip: usize,
}

impl<'a> Part<'a> {
    fn of(loss: &'a Loss, filter: &LossFilter) -> Self {
        let text = filter.topic.trim();
        let mut topics: Vec<&TopicLoss> =
            loss.topics.iter().filter(|topic| topic.topic.contains(text)).collect();
        topics.sort_by_key(|topic| (Reverse(rank(&topic.lost)), &topic.topic));
        let mut partitions: Vec<(&TopicLoss, &PartitionLoss)> =
            topics.iter().flat_map(|topic| topic.partitions.iter().map(move |lost| (*topic, lost))).collect();
        partitions.sort_by_key(|(topic, lost)| (Reverse(rank(&lost.lost)), &topic.topic, lost.partition));
        let skip = filter.skip.parse::<usize>().unwrap_or(0).min(partitions.len());
        Self { topics, partitions, skip }
    }

    fn shown(&self) -> &[(&'a TopicLoss, &'a PartitionLoss)] {
        let rest = self.partitions.get(self.skip..).unwrap_or_default();
        &rest[..rest.len().min(PARTITIONS)]
    }

    fn said_topics(&self) -> String {
        let all = format::count(self.topics.len(), "topic");
        if self.topics.len() <= TOPICS {
            format!("{all}: not known first, then most")
        } else {
            format!("{TOPICS} of {all}: not known first, then most; all are in the exports")
        }
    }

    fn said_partitions(&self) -> String {
        let all = format::count(self.partitions.len(), "partition");
        let shown = self.shown().len();
        if shown == self.partitions.len() {
            format!("{all}: not known first, then most")
        } else if shown == 0 {
            format!("none on this page of {all}")
        } else {
            format!("{} to {} of {all}: not known first, then most", self.skip + 1, self.skip + shown)
        }
    }

    /// Pages before and after this one.
    fn pages(&self, here: &str, filter: &LossFilter) -> Vec<(String, &'static str)> {
        let page = |skip: usize| {
            let skip = if skip == 0 { String::new() } else { skip.to_string() };
            let query = query_string(&[("topic", &filter.topic), ("skip", &skip)]);
            format!("{here}{query}#partitions-h")
        };
        let (behind, mut pages) = (self.skip + self.shown().len(), Vec::new());
        if self.skip > 0 {
            pages.push((page(self.skip.saturating_sub(PARTITIONS)), "Those that lost more"));
        }
        if behind < self.partitions.len() {
            pages.push((page(behind), "Those that lost less"));
        }
        pages
    }
}

/// What rows of the statement lead to: the course of lag over the time it was.
#[derive(Clone, Copy)]
struct Rows<'a> {
    stated: Stated<'a>,
    time: (DateTime<Utc>, DateTime<Utc>),
}

impl Rows<'_> {
    fn course(self, topic: &str) -> String {
        around(self.stated.pair.name.as_str(), self.stated.source, topic, self.time)
    }

    fn owner(self, of: &TopicsOfOwner) -> OwnerRow {
        // Who reads this reads the pair's team.
        let named = of.owner == self.stated.pair.team;
        let told = match self.stated.loss.truth {
            None => Told::NotYet,
            Some(_) => Told::AsFar(of.truth, of.truth_ms),
        };
        OwnerRow {
            name: of.owner.to_string(),
            href: named.then(|| format!("/teams/{}", of.owner)),
            topics: format::count(of.topics, "topic"),
            figures: Figures::new(&of.lost, told),
        }
    }

    fn topic(self, topic: &TopicLoss) -> TopicRow {
        TopicRow {
            name: topic.topic.clone(),
            href: self.course(&topic.topic),
            owner: topic.owner.to_string(),
            partitions: topic.partitions.len().to_string(),
            figures: Figures::new(&topic.lost, Told::of_topic(self.stated.loss.truth.as_ref(), topic)),
        }
    }

    fn partition(self, topic: &TopicLoss, lost: &PartitionLoss) -> PartitionRow {
        PartitionRow {
            name: format!("{}-{}", topic.topic, lost.partition),
            href: format!("{}&partition={}", self.course(&topic.topic), lost.partition),
            end: end(lost),
            through: lost.through.map_or_else(|| "unknown".to_owned(), through),
            figures: Figures::new(&lost.lost, Told::of_partition(self.stated.loss.truth.as_ref(), lost)),
        }
    }
}

/// Where it was seen to end, and when where not with the others.
fn end(lost: &PartitionLoss) -> String {
    match lost.end_read {
        EndRead::Then => format::number(lost.end),
        EndRead::Before { at } => {
            format!("{}, read {}", format::number(lost.end), format::date_time_utc(at))
        }
        EndRead::Never => "never read".to_owned(),
    }
}

/// The last offset that arrived; the one before the first where nothing had.
fn through(offset: i64) -> String {
    if offset < 0 { "none".to_owned() } else { format::number(offset) }
}
