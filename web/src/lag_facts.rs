//! What is said beside the charts of lag: where nothing is known, and how old everything is.

use chrono::{DateTime, Utc};
use muster_domain::{
    reading::ReadingClass,
    recorder::explorer::{Freshness, Gap, LagExplorer, MarkKind, Resolution, Series, Why},
};

use crate::{
    format,
    parts::{Mark, Tone, When},
    words,
};

/// Gaps that are listed; the longest.
const GAPS: usize = 20;

/// A time that is not known.
#[derive(Debug)]
pub(crate) struct GapRow {
    pub(crate) from: When,
    pub(crate) to: When,
    pub(crate) long: String,
    pub(crate) of: String,
    pub(crate) why: String,
}

/// Why something is not known, in a few words.
pub(crate) fn why_word(why: Why) -> &'static str {
    match why {
        Why::NotRecorded => "nothing recorded",
        Why::InTheHour => "not known in the hour",
        Why::TargetNotKnown => "target not known",
        Why::SourceNotRead => "source not read",
    }
}

/// The longest gaps in the order of time, and how many more there are.
pub(crate) fn gap_rows(found: &LagExplorer) -> (Vec<GapRow>, usize) {
    let mut longest: Vec<&Gap> = found.gaps.iter().collect();
    longest.sort_by_key(|gap| std::cmp::Reverse(gap.to - gap.from));
    let more = longest.len().saturating_sub(GAPS);
    longest.truncate(GAPS);
    longest.sort_by_key(|gap| gap.from);
    (longest.into_iter().map(|gap| gap_row(found, gap)).collect(), more)
}

fn gap_row(found: &LagExplorer, gap: &Gap) -> GapRow {
    GapRow {
        from: When::full(gap.from),
        to: When::full(gap.to),
        long: format::seconds((gap.to - gap.from).num_seconds()),
        of: match gap.why {
            Why::NotRecorded => "everything".to_owned(),
            Why::InTheHour | Why::TargetNotKnown | Why::SourceNotRead => {
                format!("{} of {}", gap.unknown, format::count(gap.partitions, "partition"))
            }
        },
        why: why(found, gap),
    }
}

fn why(found: &LagExplorer, gap: &Gap) -> String {
    match gap.why {
        Why::NotRecorded => match found.resolution {
            Resolution::Survey => {
                "No survey was recorded: no Muster process looked at the pair, or it is not kept.".to_owned()
            }
            // Of hours from before that was kept, and of those in which a process of the version before took part.
            Resolution::Hour if found.too_many && found.topic.is_none() => "No hour of the whole flow is kept of it, or it is not added up yet. Its partitions may be kept by the hour: choose a topic or a shorter time.".to_owned(),
            Resolution::Hour => "No hour is kept of it, or it is not added up yet.".to_owned(),
        },
        Why::InTheHour => {
            let within = found.items.iter().filter(|item| item.at >= gap.from && item.at < gap.to);
            let of = within.filter_map(|item| item.of_surveys);
            let (unknown, all) =
                of.fold((0, 0), |(unknown, all), of| (unknown + of.unknown, all + of.surveys));
            let when = if all == 0 {
                "at some time of the hour".to_owned()
            } else {
                format!("in {} of {all}", format::count(unknown, "survey"))
            };
            format!("It was not known {when}; a shorter time says more while it is kept.")
        }
        Why::TargetNotKnown => format!(
            "The ends on {} were read, but neither committed offsets nor offset syncs said how far {} had come.",
            found.source, found.target
        ),
        Why::SourceNotRead => {
            let died = found.marks.iter().find_map(|mark| match &mark.what {
                MarkKind::Loss { reason, .. }
                    if mark.from < gap.to && mark.to.is_none_or(|to| to >= gap.from) =>
                {
                    Some(reason)
                }
                MarkKind::Loss { .. }
                | MarkKind::Run { .. }
                | MarkKind::Alarm { .. }
                | MarkKind::Recreated { .. } => None,
            });
            match died {
                Some(reason) => format!("{} did not answer: {reason}", found.source),
                None => format!("Ends on {} could not be read.", found.source),
            }
        }
    }
}

/// How old one series is.
#[derive(Debug)]
pub(crate) struct FreshRow {
    pub(crate) series: &'static str,
    pub(crate) newest: Option<When>,
    pub(crate) class: Mark,
    pub(crate) from: String,
}

/// Every series with the age and class of its newest sample.
pub(crate) fn fresh_rows(found: &LagExplorer, now: DateTime<Utc>) -> Vec<FreshRow> {
    found.freshness.iter().map(|fresh| fresh_row(found, fresh, now)).collect()
}

fn fresh_row(found: &LagExplorer, fresh: &Freshness, now: DateTime<Utc>) -> FreshRow {
    let series = match (fresh.series, found.resolution) {
        (Series::FlowTime, _) => "Lag in time of the whole flow, now",
        (Series::FlowRecords, _) => "Lag in records of the whole flow, now",
        (Series::Partitions, Resolution::Survey) => "Partitions shown here, every survey",
        (Series::Partitions, Resolution::Hour) => "Partitions shown here, by the hour",
        (Series::Rpo, Resolution::Survey) => "RPO interval",
        (Series::Rpo, Resolution::Hour) if found.topic.is_some() => {
            "Lag in time and RPO interval, by the hour"
        }
        (Series::Rpo, Resolution::Hour) => "RPO of the whole flow, by the hour",
        (Series::FlowCourse, _) => "Lag of the whole flow over the time",
    };
    let told_from_surveys = found.items.last().is_some_and(|item| item.of_surveys.is_some());
    let source = match (fresh.survey, fresh.newest, found.resolution, fresh.series) {
        (Some(number), ..) => format!("survey {number}"),
        (None, Some(_), Resolution::Hour, Series::Partitions) if !told_from_surveys => {
            "the hour's roll-up, added up every five minutes".to_owned()
        }
        (None, Some(_), Resolution::Hour, Series::Rpo) if found.topic.is_some() => {
            "the hour's roll-up in time, told once the next hour is added up".to_owned()
        }
        (None, Some(_), _, Series::FlowCourse) => "the last stretch that surveys judged".to_owned(),
        (None, Some(at), ..) => {
            format!("the survey of {} UTC, which is not the newest", format::date_time(at))
        }
        (None, None, ..) => "no sample in this time".to_owned(),
    };
    let tone = match fresh.class {
        ReadingClass::Exact | ReadingClass::Tight | ReadingClass::LowerBound => Tone::Idle,
        ReadingClass::Stale | ReadingClass::Unknown => Tone::Unk,
    };
    let word = words::class(fresh.class);
    FreshRow {
        series,
        newest: fresh.newest.map(|at| When::ago(now, at)),
        class: Mark::new(tone, word),
        from: if fresh.reason.is_empty() { source } else { format!("{source}; {}", fresh.reason) },
    }
}
