//! `/api/v1/pairs/{pair}/lag/explorer`: the lag over a time as the page of it draws it, as JSON or as a table.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::IntoResponse as _,
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use muster_domain::{
    ids::{ClusterName, PairName},
    reading::ReadingClass,
    recorder::explorer::{
        Band, ByClass, Gap, LagExplorer, RowsOf, RpoSpan, RpoStretch, Stretch, Wanted, Why,
    },
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::observation::direction;
use crate::{
    acts::{
        lag_explorer::{Asked, MOST_ROWS, ROWS, explore, rows_of},
        pairs,
    },
    app::App,
    http::{Answer, Failure, Json, Path, Query, csv},
};

/// What is asked about.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct ExplorerQuery {
    /// Begin (RFC 3339); an hour before the end.
    #[serde(deserialize_with = "crate::http::times::time")]
    from: Option<DateTime<Utc>>,
    /// End (RFC 3339); now. At most 400 days after the begin.
    #[serde(deserialize_with = "crate::http::times::time")]
    to: Option<DateTime<Utc>>,
    /// Cluster records come from; the first cluster of the pair.
    #[param(inline)]
    source: Option<ClusterName>,
    /// One source topic; all of the flow when not given.
    topic: Option<String>,
    /// One partition of the topic; all of them when not given.
    partition: Option<i32>,
    /// At most so many stretches, 1 to 500; 240. By the hour, stretches are whole hours.
    points: Option<usize>,
    /// What rows of `strip` are of; the topics of a flow, the partitions of a topic when not given. Of a large flow over more than a day
    /// there are none unless this, `skip` or `limit` is given: they take seconds then.
    #[param(inline)]
    rows: Option<RowsOf>,
    /// So many rows are left out before the first; 0. At most 20,000.
    skip: Option<usize>,
    /// At most so many rows, 1 to 500; 40.
    limit: Option<usize>,
    /// `json` or `csv`; as the header `Accept` says when not given, and JSON without either.
    format: Option<String>,
}

/// `GET /api/v1/pairs/{pair}/lag/explorer`.
pub async fn show(
    State(app): State<App>,
    Path(name): Path<PairName>,
    Query(query): Query<ExplorerQuery>,
    headers: HeaderMap,
) -> Answer {
    let wanted = wants_csv(query.format.as_deref(), &headers)?;
    let now = Utc::now();
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let to = query.to.unwrap_or(now);
    let hour_before = || to.checked_sub_signed(TimeDelta::hours(1)).unwrap_or(to);
    let asked = Asked {
        direction: direction(&pair, query.source.as_ref())?,
        rows: Wanted {
            of: query.rows.unwrap_or_else(|| rows_of(query.topic.as_deref())),
            skip: query.skip.unwrap_or_default(),
            most: query.limit.unwrap_or(ROWS).clamp(1, MOST_ROWS),
        },
        rows_asked: query.rows.is_some() || query.skip.is_some() || query.limit.is_some(),
        topic: query.topic,
        partition: query.partition,
        from: query.from.unwrap_or_else(hour_before),
        to,
        points: query.points.unwrap_or(240).clamp(1, 500),
    };
    let found = explore(&mut conn, &pair, &asked, now).await?;
    if !wanted {
        return Ok(Json(found).into_response());
    }
    let name = format!("attachment; filename=\"lag-{}.csv\"", found.pair);
    let heads =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((heads, table(&found)).into_response())
}

pub(super) fn wants_csv(format: Option<&str>, headers: &HeaderMap) -> Answer<bool> {
    match format {
        Some("csv") => Ok(true),
        Some("json") => Ok(false),
        Some(other) => Err(Failure::invalid(format!("`format` is `json` or `csv`, not `{other}`."))),
        None => {
            let accept =
                headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
            // In the order of who asks; a browser that takes anything gets JSON.
            let wanted = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
            Ok(wanted.into_iter().find(|kind| ["text/csv", "application/json"].contains(kind))
                == Some("text/csv"))
        }
    }
}

const HEAD: &str = "at,until,partitions,unknown,why,records_p50,records_p90,records_p99,records_worst,records_class,\
                    records_total,ms_p50,ms_p90,ms_p99,ms_worst,ms_class,rpo_records_at_least,rpo_records_at_most,\
                    rpo_ms_at_least,rpo_ms_at_most,rpo_class,surveys,surveys_unknown,partitions_exact,partitions_tight,\
                    partitions_lower_bound,partitions_stale,partitions_unknown,objective_ms,age_ms,exported_at,pair,source,\
                    target,topic,partition\n";

/// One line a stretch, and one for each time in which nothing was recorded. What is not known is an empty cell, and the class beside it
/// says so. Each says how old it is and of what, so that it can be read beside others.
#[must_use]
pub fn table(found: &LagExplorer) -> String {
    let of_stretch = |item: &Stretch| {
        let until = end(found, item.at, item.at + TimeDelta::milliseconds(found.width_ms));
        (item.at, cells(found, line(item, &found.rpo_course, until), until))
    };
    let of_gap = |gap: &Gap| {
        let from = gap.from.max(found.from);
        let until = end(found, from, gap.to);
        (from, cells(found, line(&nothing(from), &[], until), until))
    };
    let mut lines: Vec<(DateTime<Utc>, Vec<String>)> = found.items.iter().map(of_stretch).collect();
    // Where something is not known there is a stretch that says so.
    lines.extend(found.gaps.iter().filter(|gap| gap.why == Why::NotRecorded).map(of_gap));
    lines.sort_by_key(|(at, _)| *at);
    let mut text = HEAD.to_owned();
    for (_, cells) in lines {
        text.push_str(&csv::line(&cells));
    }
    text
}

/// The end of a line: nothing is told of what was not asked about, nor of what has not been yet.
fn end(found: &LagExplorer, from: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
    until.min(found.to).min(found.answered_at).max(from)
}

/// A stretch of which nothing was recorded.
fn nothing(at: DateTime<Utc>) -> Stretch {
    let unknown = Band {
        p50: None,
        p90: None,
        p99: None,
        worst: None,
        class: ReadingClass::Unknown,
        known_class: None,
    };
    Stretch {
        at,
        partitions: 0,
        unknown: 0,
        why: Some(Why::NotRecorded),
        records: unknown,
        ms: None,
        total_records: None,
        rpo: None,
        of_surveys: None,
    }
}

/// A line with what it is of, and how old.
fn cells(found: &LagExplorer, line: Vec<String>, until: DateTime<Utc>) -> Vec<String> {
    let mut cells = line;
    let age = (found.answered_at - until).num_milliseconds().max(0);
    cells.extend([
        found.objective_ms.to_string(),
        age.to_string(),
        time(found.answered_at),
        found.pair.to_string(),
        found.source.to_string(),
        found.target.to_string(),
        found.topic.clone().unwrap_or_default(),
        found.partition.map(|number| number.to_string()).unwrap_or_default(),
    ]);
    cells
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn line(item: &Stretch, course: &[RpoStretch], until: DateTime<Utc>) -> Vec<String> {
    let mut cells = vec![
        time(item.at),
        time(until),
        item.partitions.to_string(),
        item.unknown.to_string(),
        item.why.map(why_word).unwrap_or_default().to_owned(),
    ];
    cells.extend(band(Some(&item.records)));
    cells.push(number(item.total_records));
    cells.extend(band(item.ms.as_ref()));
    let (rpo, class) = at_stake(item, course);
    let spans = [rpo.records_at_least, rpo.records_at_most, rpo.ms_at_least, rpo.ms_at_most];
    cells.extend(spans.map(number));
    cells.push(class.as_str().to_owned());
    let counts = item.of_surveys.map(|of| {
        let ByClass { exact, tight, lower_bound, stale, unknown } = of.partitions;
        [of.surveys, of.unknown, exact, tight, lower_bound, stale, unknown].map(|count| count.to_string())
    });
    cells.extend(counts.unwrap_or_default());
    cells
}

/// What a death would have cost, and how sure that is: from every survey by the class of lag in time, from which its end is told; by the
/// hour of the whole flow, at least and at most so much.
fn at_stake(item: &Stretch, course: &[RpoStretch]) -> (RpoSpan, ReadingClass) {
    if let Some(rpo) = item.rpo {
        let of_ms = item.ms.filter(|_| rpo.ms_at_most.is_some());
        return (rpo, of_ms.map_or(ReadingClass::Unknown, |ms| ms.class));
    }
    let hour = course.iter().find(|one| one.at == item.at);
    let span = hour.map_or_else(RpoSpan::default, |hour| RpoSpan {
        records_at_least: hour.records_at_least,
        records_at_most: hour.records_at_most,
        ms_at_least: hour.ms_at_least,
        ms_at_most: hour.ms_at_most,
    });
    let class = if span.ms_at_most.is_some() { ReadingClass::LowerBound } else { ReadingClass::Unknown };
    (span, class)
}

/// Percentiles, the worst, and its class; without a band it is not kept, so unknown.
fn band(band: Option<&Band>) -> [String; 5] {
    let value = |of: fn(&Band) -> Option<i64>| number(band.and_then(of));
    let class = band.map_or(ReadingClass::Unknown, |band| band.class);
    [value(|b| b.p50), value(|b| b.p90), value(|b| b.p99), value(|b| b.worst), class.as_str().to_owned()]
}

fn number(value: Option<i64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn why_word(why: Why) -> &'static str {
    match why {
        Why::NotRecorded => "not_recorded",
        Why::InTheHour => "in_the_hour",
        Why::TargetNotKnown => "target_not_known",
        Why::SourceNotRead => "source_not_read",
    }
}

#[cfg(test)]
mod tests {
    use muster_domain::recorder::explorer::OfSurveys;

    use super::*;

    #[test]
    fn what_is_not_known_is_an_empty_cell_with_its_class() {
        let at = DateTime::from_timestamp(1_795_057_200, 0).unwrap_or_default();
        let known = Band {
            p50: Some(1),
            p90: Some(2),
            p99: None,
            worst: None,
            class: ReadingClass::Unknown,
            known_class: Some(ReadingClass::Exact),
        };
        let item = Stretch {
            at,
            partitions: 12,
            unknown: 1,
            why: Some(Why::SourceNotRead),
            records: known,
            ms: None,
            total_records: None,
            rpo: Some(RpoSpan { ms_at_most: Some(0), ..RpoSpan::default() }),
            of_surveys: None,
        };
        let until = at + TimeDelta::seconds(15);
        assert_eq!(
            line(&item, &[], until).join(","),
            "2026-11-19T03:00:00Z,2026-11-19T03:00:15Z,12,1,source_not_read,1,2,,,unknown,,,,,,unknown,,,,0,unknown,,,,,,,"
        );
        assert_eq!(HEAD.matches(',').count(), line(&item, &[], until).len() + 8 - 1);
        // By the hour it is told of the whole flow.
        let hour = Stretch { rpo: None, ..item };
        let told = |hour: &Stretch, ms_at_most: Option<i64>| {
            let stretch = RpoStretch {
                at,
                ms_at_least: ms_at_most.map(|_| 0),
                ms_at_most,
                records_at_least: ms_at_most.map(|_| 3),
                records_at_most: None,
                why: ms_at_most.is_none().then_some(Why::NotRecorded),
            };
            line(hour, &[stretch], until).split_off(16).join(",")
        };
        assert_eq!(
            (told(&hour, Some(7_000)), told(&hour, None)),
            ("3,,0,7000,lower_bound,,,,,,,".to_owned(), ",,,,unknown,,,,,,,".to_owned())
        );
        let partitions = ByClass { exact: 7, tight: 3, lower_bound: 1, stale: 0, unknown: 1 };
        let of_surveys = Some(OfSurveys { surveys: 720, unknown: 2, partitions });
        assert_eq!(told(&Stretch { of_surveys, ..hour }, None), ",,,,unknown,720,2,7,3,1,0,1");
    }

    #[test]
    fn the_address_decides_before_the_header() {
        let mut accepts = HeaderMap::new();
        assert_eq!(wants_csv(None, &accepts).ok(), Some(false));
        accepts.insert(header::ACCEPT, "text/csv, application/json;q=0.5".parse().expect("a header"));
        assert_eq!(
            (wants_csv(None, &accepts).ok(), wants_csv(Some("json"), &accepts).ok()),
            (Some(true), Some(false))
        );
        assert!(wants_csv(Some("xml"), &accepts).is_err());
    }
}
