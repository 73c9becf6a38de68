//! `/pairs/{pair}/recorded`: where a group stood, and what changed of ACLs, configs and topic ids.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::{Direction, Pair, Side},
    recorder::FactKind,
};
use muster_store::recorder::{self, FactFilter, FactPlace};
use muster_web::recorded::{RecordedDetail, RecordedFilter, RecordedPage};

use super::{asking::Asking, html_with, lag::moment};
use crate::{
    acts::{pairs, recorded},
    api::cursor,
    app::App,
    http::{Answer, Path, Query},
};

/// Groups that are offered while one types.
const GROUPS: i64 = 500;
/// Changes are shown of so long a time when nobody says.
const WITHIN: TimeDelta = TimeDelta::days(7);
/// What cursors of changes are known by.
const FACT: &str = "fact";

/// `GET /pairs/{pair}/recorded`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Query(filter): Query<RecordedFilter>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let asked = Asked::understood(&pair, filter, chrome.now());
    let (of, filter) = ((&name, asked.direction), &asked.filter);
    let mut groups = recorder::groups(&mut conn, &name, asked.direction, GROUPS + 1).await?;
    let more_groups = groups.len() > GROUPS as usize;
    groups.truncate(GROUPS as usize);
    let (then, hours) = match filter.group.trim() {
        "" => (None, Vec::new()),
        group => recorded::of_group(&mut conn, of, group, asked.at).await?,
    };
    let text = filter.name.trim();
    let changes = match asked.facts {
        Some(wanted) => recorded::changes(&mut conn, &name, wanted, text, asked.behind).await?,
        None => recorded::Changes::default(),
    };
    let recreated = match asked.topics {
        true => recorded::recreated(&mut conn, &pair, asked.side, text).await?,
        false => Vec::new(),
    };
    let detail = RecordedDetail {
        pair: &pair,
        filter,
        direction: asked.direction,
        groups: &groups,
        more_groups,
        at: asked.at,
        then: then.as_ref(),
        hours: &hours,
        within: asked.within,
        changes: &changes.found,
        next: changes.next.map(write_place),
        looked_until: changes.looked_until,
        left_out: &changes.left_out,
        recreated: &recreated,
        errors: &asked.errors,
    };
    let status = if asked.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    html_with(status, &RecordedPage::new(chrome, &detail))
}

/// What an address asks for.
struct Asked {
    filter: RecordedFilter,
    direction: Direction,
    at: DateTime<Utc>,
    within: (DateTime<Utc>, DateTime<Utc>),
    /// Whose changes; both sides' when nobody says.
    side: Option<Side>,
    /// Which changes of ACLs and configs, unless only topic ids are asked for.
    facts: Option<FactFilter>,
    /// Whether topics that were recreated are asked for.
    topics: bool,
    behind: Option<FactPlace>,
    errors: Vec<(String, String)>,
}

impl Asked {
    /// Where a part cannot be understood, what is shown when nobody asks for it is shown, with what was wrong.
    fn understood(pair: &Pair, filter: RecordedFilter, now: DateTime<Utc>) -> Self {
        let mut errors = Vec::new();
        let mut wrong = |field: &str, sentence: String| errors.push((field.to_owned(), sentence));
        let mut cluster = |field: &str, name: &str| {
            let side = Side::BOTH.into_iter().find(|side| pair.cluster(*side).as_str() == name);
            if side.is_none() && !name.is_empty() {
                wrong(field, format!("`{name}` is not a cluster of pair `{}`.", pair.name));
            }
            side
        };
        let from = cluster("source", &filter.source).unwrap_or(Side::A);
        let side = cluster("cluster", &filter.cluster);
        let mut time = |field: &str, text: &str, otherwise: DateTime<Utc>| {
            let at = moment(text);
            if at.is_none() && !text.is_empty() {
                wrong(field, "Write a time in UTC: 2026-11-19T03:00.".to_owned());
            }
            at.unwrap_or(otherwise)
        };
        let (at, to) = (time("at", &filter.at, now), time("to", &filter.to, now));
        let begin = time("from", &filter.from, to - WITHIN);
        let within = if begin <= to {
            (begin, to)
        } else {
            wrong("from", "It must not be after the end.".to_owned());
            (to - WITHIN, to)
        };
        let kind = FactKind::parse(&filter.kind);
        let facts = FactFilter { side, kind, from: within.0, to: within.1 };
        Self {
            direction: Direction { from },
            at,
            within,
            side,
            facts: (filter.kind != "topics").then_some(facts),
            topics: kind.is_none(),
            behind: read_place(&filter.after),
            filter: RecordedFilter { source: pair.cluster(from).to_string(), ..filter },
            errors,
        }
    }
}

fn write_place(place: FactPlace) -> String {
    cursor::write(FACT, &[&place.at.timestamp_micros(), &place.side.as_str(), &place.kind.as_str()])
}

/// What is no cursor leads to the beginning.
fn read_place(cursor: &str) -> Option<FactPlace> {
    let [at, side, kind] = cursor::read::<3>(FACT, cursor).ok()?;
    let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
    let place = FactPlace { at, side: Side::parse(side)?, kind: FactKind::parse(kind)? };
    (at > DateTime::UNIX_EPOCH).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_and_what_is_none_leads_to_the_beginning() {
        let at = DateTime::from_timestamp_micros(1_795_057_703_123_456).unwrap();
        let place = FactPlace { at, side: Side::B, kind: FactKind::Acls };
        let cursor = write_place(place);
        assert_eq!(cursor, "fact~1795057703123456~b~acls");
        assert_eq!(read_place(&cursor), Some(place));
        for text in
            ["", "fact~1~c~acls", "fact~1~a~all", "fact~-1~a~acls", "run~1~a~acls", "fact~soon~a~acls"]
        {
            assert_eq!(read_place(text), None, "{text}");
        }
    }
}
