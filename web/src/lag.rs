//! The lag of a pair over time: its course, what a death would have cost, what happened, which partitions were worst, and how old
//! all that is. What is shown is in the address.

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    pair::Pair,
    recorder::explorer::{LagExplorer, Resolution, Why},
};

pub use crate::lag_address::{LagFilter, RANGES, around};
use crate::{
    chrome::Chrome,
    format,
    lag_charts::{Charts, charts},
    lag_facts::{FreshRow, GapRow, fresh_rows, gap_rows},
    lag_marks::Happened,
    lag_strip::{NoStrip, StripView},
    parts::{Choice, Field, Link, Notice, Tone},
    recorded::RecordedFilter,
    runs::query_string,
};

/// What the page is made from.
#[derive(Debug, Clone)]
pub struct LagDetail<'a> {
    /// The pair.
    pub pair: &'a Pair,
    /// As it was asked, with the source filled in.
    pub filter: &'a LagFilter,
    /// Topics that are offered.
    pub topics: &'a [String],
    /// Whether there are more.
    pub more_topics: bool,
    /// Topics that are furthest behind now, to choose from where there are too many partitions for the time.
    pub furthest_behind: &'a [String],
    /// What was found.
    pub found: &'a LagExplorer,
    /// What could not be understood of the filter: field and sentence.
    pub errors: &'a [(String, String)],
}

/// `GET /pairs/{name}/lag`; its filter form sends [`LagFilter`].
#[derive(Debug, Template)]
#[template(path = "pages/lag.html")]
pub struct LagPage {
    chrome: Chrome,
    name: String,
    lead: String,
    here: String,
    again: String,
    filters: Vec<Field>,
    filtered: bool,
    ranges: Vec<(String, &'static str, bool)>,
    ways: Vec<Link>,
    data: String,
    csv: String,
    json: String,
    notices: Vec<Notice>,
    empty: Option<(String, String)>,
    charts: Charts,
    gaps: Vec<GapRow>,
    more_gaps: usize,
    happened: Happened,
    strip: Option<StripView>,
    no_strip: Option<NoStrip>,
    fresh: Vec<FreshRow>,
}

impl LagPage {
    /// The page.
    #[must_use]
    pub fn new(chrome: Chrome, detail: &LagDetail<'_>) -> Self {
        let (pair, found, filter, now) = (detail.pair, detail.found, detail.filter, chrome.now());
        let name = pair.name.to_string();
        let (gaps, more_gaps) = gap_rows(found);
        let base = format!("/api/v1/pairs/{name}/lag/explorer");
        let of_data = |format: &str| format!("{base}{}", data_query(found, format));
        let happened = Happened::new(found, now);
        Self {
            lead: lead(found),
            here: format!("/pairs/{name}/lag"),
            again: format!("/pairs/{name}/lag{}", filter.query()),
            filters: filters(detail),
            filtered: filter.topic != String::new() || !filter.from.is_empty(),
            ranges: ranges(&name, filter),
            ways: ways(found),
            data: of_data("json"),
            csv: of_data("csv"),
            json: of_data("json"),
            notices: notices(found),
            empty: empty(found),
            charts: charts(found, &happened),
            gaps,
            more_gaps,
            happened,
            strip: (found.strip.total > 0).then(|| StripView::new(found, filter)),
            no_strip: found.too_many.then(|| NoStrip::new(found, detail.furthest_behind)),
            fresh: fresh_rows(found, now),
            chrome: chrome
                .titled(format!("Lag of {name}"))
                .here("Lag over time")
                .under("/", "Fleet")
                .under(format!("/pairs/{name}"), name.clone()),
            name,
        }
    }
}

/// What of the pair is looked at, in words.
pub(crate) fn subject(found: &LagExplorer) -> String {
    match (&found.topic, found.partition) {
        (Some(topic), Some(partition)) => format!("{topic}, partition {partition}"),
        (Some(topic), None) => topic.clone(),
        (None, _) => "all topics".to_owned(),
    }
}

fn lead(found: &LagExplorer) -> String {
    let how = match found.resolution {
        Resolution::Survey => "every survey",
        Resolution::Hour => "the worst of each hour",
    };
    format!(
        "{} → {}, {}, {} to {} UTC; {how}, in stretches of {}.",
        found.source,
        found.target,
        subject(found),
        format::date_time(found.from),
        format::date_time(found.to),
        format::duration(found.width_ms)
    )
}

/// What the exports and the script ask for: the same time as the page shows, not another hour.
fn data_query(found: &LagExplorer, kind: &str) -> String {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let partition = found.partition.map(|number| number.to_string()).unwrap_or_default();
    query_string(&[
        ("source", found.source.as_str()),
        ("topic", found.topic.as_deref().unwrap_or_default()),
        ("partition", &partition),
        ("from", &time(found.from)),
        ("to", &time(found.to)),
        ("format", kind),
    ])
}

fn ranges(name: &str, filter: &LagFilter) -> Vec<(String, &'static str, bool)> {
    let relative = filter.from.is_empty() && filter.to.is_empty();
    let shown = if filter.range.is_empty() { "1h" } else { &filter.range };
    RANGES
        .iter()
        .map(|(word, label, _)| {
            let next = LagFilter {
                range: (*word).to_owned(),
                from: String::new(),
                to: String::new(),
                skip: String::new(),
                ..filter.clone()
            };
            (format!("/pairs/{name}/lag{}", next.query()), *label, relative && shown == *word)
        })
        .collect()
}

/// What else tells of what is looked at.
fn ways(found: &LagExplorer) -> Vec<Link> {
    let mut ways = Vec::new();
    if let Some(topic) = &found.topic {
        let asked = query_string(&[("topics", topic.as_str()), ("from", found.source.as_str())]);
        let content = format!("/pairs/{}/content{asked}#ask-h", found.pair);
        ways.push(Link::new(content, format!("Compare content of {topic}")));
        // What was changed shows later, so the days before are looked at as well.
        let since = found.from.min(found.to - TimeDelta::days(7));
        let changes = RecordedFilter {
            source: found.source.to_string(),
            name: topic.clone(),
            ..RecordedFilter::default()
        };
        let changes = changes.within(since, found.to).href(found.pair.as_str());
        ways.push(Link::new(format!("{changes}#changes"), format!("What changed of {topic}")));
    }
    ways.push(Link::new(format!("/pairs/{}/losses", found.pair), format!("Losses of {}", found.pair)));
    ways
}

fn filters(detail: &LagDetail<'_>) -> Vec<Field> {
    let (pair, filter) = (detail.pair, detail.filter);
    let mut fields = Vec::new();
    if pair.flows.len() > 1 {
        let choice = |direction| {
            let source = pair.cluster(direction).as_str();
            Choice::new(source, pair.course(muster_domain::pair::Direction { from: direction }))
        };
        let courses = pair.flows.iter().map(|flow| choice(flow.direction.from)).collect();
        fields.push(Field::select("source", "Flow", courses, &filter.source));
    }
    let topic = Field::search("topic", "Topic (empty: all)", detail.topics.to_vec(), &filter.topic);
    fields.push(if detail.more_topics {
        topic.help(format!("The first {} are offered.", detail.topics.len()))
    } else {
        topic
    });
    fields.push(Field::line("partition", "Partition (empty: all)", "number", &filter.partition, "off"));
    fields.push(Field::line("from", "From, UTC", "datetime-local", &filter.from, "off"));
    fields.push(Field::line("to", "To, UTC", "datetime-local", &filter.to, "off"));
    fields.into_iter().map(|field| field.errors(detail.errors).of_filter()).collect()
}

fn notices(found: &LagExplorer) -> Vec<Notice> {
    let mut notices = Vec::new();
    if found.too_many && !found.items.is_empty() {
        notices.push(Notice::new(
            Tone::Idle,
            format!("{} are shown together.", format::count(found.partitions, "partition")),
            "So many are not shown one by one over this time unless that is asked for: choose a topic, or see below.",
        ));
    } else if found.too_many {
        notices.push(Notice::new(
            Tone::Unk,
            format!("{} are too many for this time.", format::count(found.partitions, "partition")),
            "Choose a topic or a shorter time, below; the flow as a whole is shown as far as it is kept.",
        ));
    } else if found.resolution == Resolution::Hour && (found.to - found.from).num_hours() <= 24 {
        notices.push(Notice::new(
            Tone::Idle,
            "Shown by the hour.",
            "Not every survey of this time is kept any more, or there are too many partitions to look at all of them: choose a \
             topic to see it finer.",
        ));
    }
    let told = |from_surveys: bool| found.items.iter().any(|item| item.of_surveys.is_some() == from_surveys);
    if told(true) && told(false) {
        notices.push(Notice::new(
            Tone::Idle,
            "Percentiles are of two kinds.",
            "Of earlier hours each partition counts at its own worst of the hour; from when on it was kept, all of them at the worst survey, \
             which is at most that. The worst is the same in both.",
        ));
    }
    notices
}

/// What to do when there is nothing to draw.
fn empty(found: &LagExplorer) -> Option<(String, String)> {
    let told = found.rpo_course.iter().any(|stretch| stretch.why != Some(Why::NotRecorded));
    if told || !found.items.is_empty() || !found.flow.is_empty() || found.too_many {
        return None;
    }
    if found.partitions > 0 {
        return Some((
            format!("Nothing was recorded of {} in this time", subject(found)),
            "No Muster process surveyed the pair then, or what it recorded is older than a year. Choose another time: the newest \
             sample is named below."
                .to_owned(),
        ));
    }
    Some(match &found.topic {
        Some(topic) => (
            format!("{} was never recorded from {} to {}", subject(found), found.source, found.target),
            format!(
                "Either no topic of {} is called {topic}, or it is not in the pair's scope. Topics that are recorded are offered \
                 while you type.",
                found.source
            ),
        ),
        None => (
            format!("Nothing is recorded yet from {} to {}", found.source, found.target),
            "The flight recorder keeps what every survey finds of every partition in scope: in full for a day, by the hour for a \
             year, and around incidents for good. The first survey begins within seconds of creating the pair; if none \
             comes, its readiness says why."
                .to_owned(),
        ),
    })
}
