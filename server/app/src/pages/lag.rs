//! `/pairs/{pair}/lag`: the lag of a pair over time.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::{Direction, Pair, Side},
    recorder::explorer::{RowsOf, Wanted},
};
use muster_store::recorder;
use muster_web::lag::{LagDetail, LagFilter, LagPage, RANGES};

use super::{asking::Asking, html_with};
use crate::{
    acts::{
        lag_explorer::{Asked, MOST_SKIPPED, ROWS, explore, rows_of},
        pairs,
    },
    app::App,
    http::{Answer, Path, Query},
    standing::judgement,
};

/// Stretches of a chart.
const POINTS: usize = 240;
/// Topics that are offered while one types.
const TOPICS: i64 = 500;
/// Topics that are offered where there are too many partitions for a time.
const FURTHEST_BEHIND: usize = 20;

/// `GET /pairs/{pair}/lag`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Query(filter): Query<LagFilter>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let now = chrome.now();
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let judged = judgement::latest(&mut conn, &name).await?.map(|kept| kept.results);
    let active = judged.as_ref().and_then(|judged| judged.active_sides().one());
    let (asked, filter, errors) = understood(&pair, active, filter, now);
    let found = explore(&mut conn, &pair, &asked, now).await?;
    let mut topics = recorder::topics(&mut conn, &name, asked.direction, TOPICS + 1).await?;
    let more_topics = topics.len() > TOPICS as usize;
    topics.truncate(TOPICS as usize);
    let lag = judged.iter().flat_map(|judged| &judged.lag).find(|lag| lag.direction == asked.direction);
    let behind = lag.filter(|_| found.too_many && asked.topic.is_none());
    let behind = behind.map(|lag| lag.furthest_behind(FURTHEST_BEHIND)).unwrap_or_default();
    let furthest_behind: Vec<String> = behind.into_iter().map(str::to_owned).collect();
    let detail = LagDetail {
        pair: &pair,
        filter: &filter,
        topics: &topics,
        more_topics,
        furthest_behind: &furthest_behind,
        found: &found,
        errors: &errors,
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    html_with(status, &LagPage::new(chrome, &detail))
}

/// What an address asks for. Where a part of it cannot be understood, the last hour of all topics is shown with what was wrong.
fn understood(
    pair: &Pair,
    active: Option<Side>,
    filter: LagFilter,
    now: DateTime<Utc>,
) -> (Asked, LagFilter, Vec<(String, String)>) {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, sentence: String| errors.push((field.to_owned(), sentence));
    let named = Side::BOTH.into_iter().find(|side| pair.cluster(*side).as_str() == filter.source);
    if named.is_none() && !filter.source.is_empty() {
        wrong("source", format!("`{}` is not a cluster of pair `{}`.", filter.source, pair.name));
    }
    let from = named.or(active).unwrap_or(Side::A);
    let mut time = |field: &str, text: &str| {
        let at = moment(text);
        if at.is_none() && !text.is_empty() {
            wrong(field, "Write a time in UTC: 2026-11-19T03:00.".to_owned());
        }
        at
    };
    let (begin, end) = (time("from", &filter.from), time("to", &filter.to));
    let topic = Some(filter.topic.trim().to_owned()).filter(|topic| !topic.is_empty());
    let partition = partition(filter.partition.trim(), topic.is_some()).unwrap_or_else(|sentence| {
        wrong("partition", sentence.to_owned());
        None
    });
    let range = RANGES.iter().find(|(word, ..)| *word == filter.range).map_or(1, |(_, _, hours)| *hours);
    let (to, length) = (end.unwrap_or(now), TimeDelta::hours(range));
    let rows = Wanted {
        of: match filter.rows.as_str() {
            "topics" => RowsOf::Topics,
            "partitions" => RowsOf::Partitions,
            _ => rows_of(topic.as_deref()),
        },
        skip: filter.skip.parse().unwrap_or(0).min(MOST_SKIPPED),
        most: ROWS,
    };
    let asked = Asked {
        direction: Direction { from },
        rows,
        rows_asked: !filter.rows.is_empty(),
        topic,
        partition,
        from: begin.unwrap_or(to - length),
        to,
        points: POINTS,
    };
    let filter = LagFilter { source: pair.cluster(from).to_string(), ..filter };
    match asked.check() {
        Ok(()) => (asked, filter, errors),
        Err(refused) => {
            errors.push(("from".to_owned(), refused.problem.detail));
            let rows = Wanted { skip: 0, ..asked.rows };
            (Asked { from: now - TimeDelta::hours(1), to: now, rows, ..asked }, filter, errors)
        }
    }
}

fn partition(text: &str, of_topic: bool) -> Result<Option<i32>, &'static str> {
    match (text, text.parse::<i32>(), of_topic) {
        ("", ..) => Ok(None),
        (_, Ok(number), true) => Ok(Some(number)),
        (_, Ok(_), false) => Err("Choose its topic, too."),
        (_, Err(_), _) => Err("Write its number: 0 or more."),
    }
}

/// A moment as browsers send it, or as machines write it.
pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let at = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|at| at.and_utc())
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()))?;
    // Years of more than four digits would overflow what is counted with.
    (DateTime::<Utc>::UNIX_EPOCH..DateTime::from_timestamp(253_402_300_799, 0)?).contains(&at).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_utc_and_sane() {
        let three = DateTime::from_timestamp(1_795_057_200, 0);
        for text in [
            "2026-11-19T03:00",
            "2026-11-19T03:00:00",
            "2026-11-19T03:00:00.000",
            "2026-11-19T05:00:00+02:00",
        ] {
            assert_eq!(moment(text), three, "{text}");
        }
        for text in ["", "yesterday", "-9999-01-01T00:00", "0001-01-01T00:00"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
