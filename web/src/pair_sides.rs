//! What the page of a pair says of each side that is active and of the flow away from it: of one, or of both.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    pair::{Direction, Side},
    reading::Reading,
};

use crate::{
    format,
    pair::{PairDetail, TopicLag},
    pair_canary::worst,
    pair_tables::{GroupRow, TopicRow, group_rows, topic_rows},
    parts::{ReadingView, Unit},
};

/// How far one flow is behind, and what would be lost with its source.
#[derive(Debug, Clone)]
pub struct FlowFigures {
    /// Which flow.
    pub direction: Direction,
    /// Writes of at most so many milliseconds would be lost if its source died now.
    pub rpo: Reading,
    /// Worst partition: how long its target is behind, in milliseconds.
    pub lag: Reading,
    /// Records that exist on its source only, worst reading.
    pub behind: Reading,
    /// When the oldest record that was found to be missing was written by its own timestamp, if one was read.
    pub first_missing: Option<DateTime<Utc>>,
    /// Offsets on its source in open transactions, or behind such; `None` when that is not known.
    pub in_open_transactions: Option<i64>,
    /// By source topic.
    pub topics: BTreeMap<String, TopicLag>,
}

/// One side as the page shows it: its figures, its topics, its groups.
#[derive(Debug)]
pub(crate) struct SidePart {
    pub(crate) here: String,
    pub(crate) there: String,
    /// What the ids of its parts end in, so that no two on the page are the same.
    pub(crate) id: &'static str,
    /// What would be lost with it, where the pair's own figure is the worse of two.
    pub(crate) rpo: Option<ReadingView>,
    pub(crate) behind: ReadingView,
    pub(crate) behind_note: String,
    pub(crate) open_note: String,
    pub(crate) canary: Option<ReadingView>,
    pub(crate) groups_now: String,
    pub(crate) groups_note: String,
    pub(crate) topics: Result<Vec<TopicRow>, String>,
    pub(crate) groups: Result<Vec<GroupRow>, String>,
}

/// Each side that is active, the one on the left first.
pub(crate) fn side_parts(detail: &PairDetail<'_>, now: DateTime<Utc>) -> Vec<SidePart> {
    let ids = ["", "-back"];
    detail.flows.iter().zip(ids).map(|(figures, id)| SidePart::new(detail, figures, id, now)).collect()
}

impl SidePart {
    fn new(detail: &PairDetail<'_>, figures: &FlowFigures, id: &'static str, now: DateTime<Utc>) -> Self {
        let (pair, direction) = (detail.facts.pair, figures.direction);
        let over = figures.rpo.value.is_some_and(|ms| ms > detail.facts.objective_ms());
        let rpo = || ReadingView::new(&figures.rpo, Unit::Milliseconds, now).up_to().over(over).large();
        let (groups_now, groups_note) = groups_now(detail, direction.from, now);
        Self {
            here: pair.cluster(direction.from).to_string(),
            there: pair.cluster(direction.to()).to_string(),
            id,
            rpo: (detail.flows.len() > 1).then(rpo),
            behind: ReadingView::new(&figures.behind, Unit::Records, now).large(),
            behind_note: behind_note(figures, now),
            open_note: open_note(figures.in_open_transactions),
            canary: worst(pair, detail.canaries, direction.from, now)
                .map(|reading| ReadingView::new(&reading, Unit::Milliseconds, now).large()),
            groups_now,
            groups_note,
            topics: topic_rows(detail, figures, now),
            groups: group_rows(detail, direction, now),
        }
    }
}

/// Lag by Muster's clock, and by the record's own beside it, which is as good as the clock of whoever wrote it.
fn behind_note(figures: &FlowFigures, now: DateTime<Utc>) -> String {
    let lag = ReadingView::new(&figures.lag, Unit::Milliseconds, now).phrase();
    let note = format!("records that would be lost with it; lag of the worst partition {lag}");
    match figures.first_missing {
        None => note,
        Some(at) => format!(
            "{note}; the oldest record that is missing was written {} by its own timestamp",
            format::ago(now, at)
        ),
    }
}

/// A flow of committed records cannot copy these yet, so they are not among those behind; any other can.
fn open_note(offsets: Option<i64>) -> String {
    let said = match offsets {
        None => "unknown".to_owned(),
        Some(0) => "none".to_owned(),
        Some(1) => "1 offset".to_owned(),
        Some(offsets) => format!("{} offsets", format::number(offsets)),
    };
    format!("in or behind open transactions: {said}")
}

fn groups_now(detail: &PairDetail<'_>, from: Side, now: DateTime<Utc>) -> (String, String) {
    let Some(survey) = detail.survey else { return ("unknown".to_owned(), "never surveyed".to_owned()) };
    match survey.sides.get(from).groups.as_result() {
        Err(reason) => ("unknown".to_owned(), reason.to_owned()),
        Ok(groups) => {
            let members: usize = groups.values().map(|group| group.members.len()).sum();
            let empty = groups.values().filter(|group| group.members.is_empty()).count();
            (
                groups.len().to_string(),
                format!(
                    "{}, {} without any; read {}",
                    format::count(members, "member"),
                    format::count(empty, "group"),
                    format::ago(now, survey.began_at)
                ),
            )
        }
    }
}
