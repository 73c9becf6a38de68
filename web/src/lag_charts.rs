//! The three charts of lag: in time, in records, and what a death would have cost.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    reading::ReadingClass,
    recorder::explorer::{Band, FlowStretch, LagExplorer, Resolution, RpoStretch, Stretch, Why},
};

use crate::{
    lag::subject,
    lag_facts::why_word,
    lag_marks::Happened,
    parts::{Amount, CourseChart, Dot, Drawing, NamedGap},
    words,
};

/// Of the hours of a topic.
const NONE_IN_TIME: &str = "Of no hour of this time as a whole is it kept of one topic: they are from before it was, or not over yet. Choose 24 hours or less, \
                            or all topics.";
/// The same of some.
const NOT_IN_TIME: &str = "not kept, or not told yet";

/// Each with what it cannot show, when that is so.
#[derive(Debug)]
pub(crate) struct Charts {
    pub(crate) time: Result<CourseChart, String>,
    pub(crate) records: Option<CourseChart>,
    pub(crate) rpo: Result<CourseChart, String>,
    /// What the band and the line are of.
    pub(crate) of: String,
}

/// Of what was found.
pub(crate) fn charts(found: &LagExplorer, happened: &Happened) -> Charts {
    let subject = subject(found);
    let span = (found.from, found.to);
    let marks = happened.moments();
    let gaps: Vec<NamedGap> = found
        .gaps
        .iter()
        .map(|gap| NamedGap {
            from: gap.from.max(found.from),
            to: gap.to,
            name: name(gap.why, gap.unknown, gap.partitions),
            empty: gap.why == Why::NotRecorded,
        })
        .collect();
    let draw = |title: &str, what, amount, heads, dots: &[Dot], gaps: &[NamedGap], goal| {
        let title = format!("{title} of {subject}");
        let marks = &marks;
        CourseChart::new(&Drawing { title: &title, what, amount, heads, dots, gaps, span, goal, marks })
    };
    let heads = ["Median", "99 % at most", "Worst"];
    let objective = Some(found.objective_ms);
    let bands = |band: fn(&Stretch) -> Option<Band>| -> Vec<Dot> {
        found.items.iter().filter_map(|item| Some(dot(item.at, &band(item)?))).collect()
    };
    let time = bands(|item| item.ms);
    let in_time = and_not_in_time(&gaps, found);
    let time = if !time.is_empty() && bands_reach_back(found) {
        Ok(draw("Lag in time", "time", Amount::Ms, heads, &time, &in_time, objective))
    } else if !found.flow.is_empty() {
        let dots: Vec<Dot> = found.flow.iter().map(|at| of_flow(at.at, at.worst_ms, at.ms_class)).collect();
        let gaps = gaps_of_flow(found);
        Ok(draw("Lag in time", "flow_time", Amount::Ms, ["", "", "Worst"], &dots, &gaps, objective))
    } else if found.items.is_empty() {
        Err("No reading of this time.".to_owned())
    } else {
        Err(NONE_IN_TIME.to_owned())
    };
    let records = bands(|item| Some(item.records));
    let rpo: Vec<Dot> = found.items.iter().filter_map(at_stake).collect();
    let told = || found.rpo_course.iter().filter(|stretch| stretch.why != Some(Why::NotRecorded));
    let by_the_hour: Vec<Dot> = told().map(of_hour).collect();
    let (of_hours, hour_heads) = if told().any(|stretch| stretch.ms_at_least.is_some()) {
        ("RPO interval", ["At least", "At most", "Drawn"])
    } else {
        ("RPO at most", ["", "", "At most"])
    };
    Charts {
        time,
        records: (!records.is_empty())
            .then(|| draw("Records behind", "records", Amount::Records, heads, &records, &gaps, None)),
        rpo: if !rpo.is_empty() {
            let heads = ["At least", "At most", "Drawn"];
            Ok(draw("RPO interval", "rpo", Amount::Ms, heads, &rpo, &in_time, objective))
        } else if !by_the_hour.is_empty() {
            let gaps = gaps_of_hours(found);
            Ok(draw(of_hours, "rpo_hour", Amount::Ms, hour_heads, &by_the_hour, &gaps, objective))
        } else {
            Err(why_no_rpo(found).to_owned())
        },
        of: drawn_of(found),
    }
}

/// What percentiles are over, and what is drawn of each stretch.
fn drawn_of(found: &LagExplorer) -> String {
    if found.partition.is_some() {
        return "one partition, at its worst".to_owned();
    }
    let over = |partitions: usize| format!("over {}", crate::format::count(partitions, "partition"));
    if found.items.iter().any(|item| item.of_surveys.is_some()) {
        let most = found.items.iter().map(|item| item.partitions).max().unwrap_or_default();
        return format!("{}, at the worst survey of each stretch", over(most));
    }
    format!("{}, each at its worst", over(found.strip.partitions))
}

/// Whether lag in time over partitions is known from as early on as that of the whole flow, which is kept by the minute: where it is kept since
/// a while only, the whole flow is drawn.
fn bands_reach_back(found: &LagExplorer) -> bool {
    let band = found.items.iter().find(|item| item.ms.is_some()).map(|item| item.at);
    let flow = found.flow.first().map(|first| first.at);
    let width = TimeDelta::milliseconds(found.width_ms);
    band.zip(flow).is_none_or(|(band, flow)| band <= flow + width)
}

/// What a death at that time would have cost.
fn at_stake(item: &Stretch) -> Option<Dot> {
    let rpo = item.rpo?;
    let of_ms = item.ms.map_or(ReadingClass::Unknown, |ms| ms.class);
    Some(Dot {
        at: item.at,
        low: rpo.ms_at_least,
        high: rpo.ms_at_most,
        worst: rpo.ms_at_most,
        stale: of_ms == ReadingClass::Stale,
        class: rpo.ms_at_most.map_or("unknown", |_| words::class(of_ms)),
    })
}

fn why_no_rpo(found: &LagExplorer) -> &'static str {
    match found.resolution {
        Resolution::Survey => "No reading of this time.",
        Resolution::Hour if found.rpo_course.is_empty() => NONE_IN_TIME,
        Resolution::Hour => {
            "Nothing is recorded of the hours of this time: nobody looked, or it is from before the RPO was kept by the hour. \
             Choose 24 hours or less."
        }
    }
}

/// The same at the worst moment of some hours. Without a lower end, which is kept since a while only, there is no interval to draw.
fn of_hour(stretch: &RpoStretch) -> Dot {
    let class = stretch.ms_at_most.map_or(ReadingClass::Unknown, |_| ReadingClass::LowerBound);
    let low = stretch.ms_at_least.filter(|_| stretch.ms_at_most.is_some());
    let high = stretch.ms_at_most.filter(|_| low.is_some());
    Dot { low, high, ..of_flow(stretch.at, stretch.ms_at_most, class) }
}

/// Where what a death would have cost is not known of hours.
fn gaps_of_hours(found: &LagExplorer) -> Vec<NamedGap> {
    let mut gaps: Vec<NamedGap> = Vec::new();
    let end = found.to.min(found.answered_at);
    for (index, stretch) in found.rpo_course.iter().enumerate() {
        let Some(why) = stretch.why else { continue };
        let from = stretch.at.max(found.from);
        let to = found.rpo_course.get(index + 1).map_or(end, |next| next.at);
        let name = why_word(why);
        match gaps.last_mut() {
            Some(last) if last.to == from && last.name == name => last.to = to,
            Some(_) | None => {
                gaps.push(NamedGap { from, to, name: name.to_owned(), empty: why == Why::NotRecorded });
            }
        }
    }
    gaps
}

/// With the times in which records are known, but not since when they are missing: since before the surveys that were looked at, or in hours
/// of a topic that are not kept in time.
fn and_not_in_time(gaps: &[NamedGap], found: &LagExplorer) -> Vec<NamedGap> {
    let mut all = gaps.to_vec();
    let mut last: Option<usize> = None;
    for (number, item) in found.items.iter().enumerate() {
        let Some((name, empty)) = why_not_in_time(item, found) else {
            last = None;
            continue;
        };
        let to = found.items.get(number + 1).map_or(found.to, |next| next.at);
        match last.filter(|index| all[*index].name == name) {
            Some(index) => all[index].to = to,
            None => {
                last = Some(all.len());
                all.push(NamedGap { from: item.at, to, name: name.to_owned(), empty });
            }
        }
    }
    all
}

/// Why a stretch whose records are known is not known in time, and whether nothing is drawn of it.
fn why_not_in_time(item: &Stretch, found: &LagExplorer) -> Option<(&'static str, bool)> {
    if item.why.is_some() {
        return None;
    }
    match item.ms {
        Some(ms) if ms.worst.is_none() => Some(("missing for longer than surveys were looked at", false)),
        Some(_) => None,
        None => found.topic.as_ref().map(|_| (NOT_IN_TIME, true)),
    }
}

fn dot(at: DateTime<Utc>, band: &Band) -> Dot {
    Dot {
        at,
        low: band.p50,
        high: band.p99,
        worst: band.worst,
        stale: band.class == ReadingClass::Stale,
        class: words::class(band.class),
    }
}

fn of_flow(at: DateTime<Utc>, worst: Option<i64>, class: ReadingClass) -> Dot {
    Dot { at, low: None, high: None, worst, stale: class == ReadingClass::Stale, class: words::class(class) }
}

fn name(why: Why, unknown: usize, partitions: usize) -> String {
    let word = why_word(why);
    if unknown == 0 || unknown == partitions {
        word.to_owned()
    } else {
        format!("{word}, {unknown} of {partitions} partitions")
    }
}

/// Where a whole flow was not known, or has no sample: longer than three times what usually lies between two.
fn gaps_of_flow(found: &LagExplorer) -> Vec<NamedGap> {
    let mut apart: Vec<TimeDelta> = found.flow.windows(2).map(|step| step[1].at - step[0].at).collect();
    apart.sort_unstable();
    let usual = apart.get(apart.len() / 2).copied().unwrap_or(TimeDelta::minutes(1));
    let mut gaps: Vec<NamedGap> = Vec::new();
    let mut add = |from: DateTime<Utc>, to: DateTime<Utc>, name: &str, empty: bool| match gaps.last_mut() {
        Some(last) if last.to == from && last.name == name => last.to = to,
        Some(_) | None => gaps.push(NamedGap { from, to, name: name.to_owned(), empty }),
    };
    let mut seen = found.from;
    let next = |index: usize| found.flow.get(index + 1).map(|next: &FlowStretch| next.at);
    for (index, at) in found.flow.iter().enumerate() {
        if at.at - seen > usual * 3 {
            add(seen, at.at, why_word(Why::NotRecorded), true);
        }
        let until = next(index).filter(|next| *next - at.at <= usual * 3).unwrap_or(at.at + usual);
        if at.worst_ms.is_none() {
            add(at.at, until, "not known", false);
        }
        seen = until;
    }
    if found.to - seen > usual * 3 {
        add(seen, found.to, why_word(Why::NotRecorded), true);
    }
    gaps
}
