//! How a pair stands in one line, and how many causes of trouble there are: what is read of many pairs at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use muster_domain::{
    alarm::StandingAlarm,
    direction::ActiveSides,
    ids::{PairName, TeamName},
    loss::BriefLoss,
    pair::Pair,
    people::Actor,
    readiness::{CheckCode, CheckResult, overall},
};
use muster_store::{
    alarms, losses,
    readiness::{self, Kept},
};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{FRESH, Judgement};
use crate::{app::App, http::Answer};

/// How long the number of problems on every page may be old.
const CAUSES_WITHIN: Duration = Duration::from_secs(2);

/// How a pair stands in one line.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Glance {
    /// The worst status of its checks; `unknown` when it was never observed.
    pub readiness: String,
    /// Cluster applications are on, as observed; null when it cannot be told, and when they are on both.
    pub active: Option<String>,
    /// Whether both clusters are active: both flows copy, under names that keep them apart.
    pub both_active: bool,
    /// When it was last observed.
    pub observed_at: Option<DateTime<Utc>>,
}

impl Glance {
    /// From the newest judgement of a pair, if it was ever observed.
    #[must_use]
    pub fn of(pair: &Pair, kept: Option<&Kept<Judgement>>) -> Self {
        let active = kept.map_or(ActiveSides::NotKnown, |kept| kept.results.active_sides());
        match kept {
            None => {
                Self { readiness: "unknown".to_owned(), active: None, both_active: false, observed_at: None }
            }
            Some(kept) => Self {
                readiness: worst(&kept.results.checks).to_owned(),
                active: active.one().map(|side| pair.cluster(side).to_string()),
                both_active: active == ActiveSides::Both,
                observed_at: Some(kept.at),
            },
        }
    }
}

/// The worst status; what could not be looked at is worse than a warning, and nothing looked at is unknown.
#[must_use]
pub fn worst(checks: &[CheckResult]) -> &'static str {
    overall(checks).as_str()
}

/// Causes of trouble by team, kept for a moment: every page shows their number.
#[derive(Debug, Default)]
pub struct Causes(tokio::sync::Mutex<Option<(Instant, CausesByTeam)>>);

/// Codes of checks that are not well, each with the team of its pair.
type CausesByTeam = Vec<(TeamName, String)>;

/// How many different causes of trouble there are in the pairs somebody may see.
///
/// # Errors
/// When the database refuses.
pub async fn count_causes(app: &App, conn: &mut PgConnection, actor: &Actor) -> Answer<usize> {
    let mut kept = app.causes.0.lock().await;
    let fresh = kept.take().filter(|(at, _)| at.elapsed() < CAUSES_WITHIN);
    let (at, causes) = match fresh {
        Some(fresh) => fresh,
        None => (Instant::now(), read_causes(conn).await?),
    };
    let seen: BTreeSet<&str> =
        causes.iter().filter(|(team, _)| actor.may_read(team)).map(|(_, code)| code.as_str()).collect();
    let count = seen.len();
    *kept = Some((at, causes));
    Ok(count)
}

/// Causes of trouble of all pairs: checks that are not well, a survey that is too old, open alarms and losses that are bad. One may be
/// there several times.
async fn read_causes(conn: &mut PgConnection) -> Answer<CausesByTeam> {
    let (now, mut causes, mut teams) = (Utc::now(), Vec::new(), BTreeMap::new());
    for bad in readiness::bad_of_all(conn).await? {
        causes.extend(bad.checks.into_iter().map(|check| (bad.team.clone(), check)));
        if bad.at.is_none_or(|at| now - at > FRESH) {
            // As [`Judgement::aged`] says it, and the fleet of a pair that was never observed.
            causes.push((bad.team.clone(), CheckCode::SurveyFresh.as_str().to_owned()));
        }
        teams.insert(bad.pair, bad.team);
    }
    let names: Vec<PairName> = teams.keys().cloned().collect();
    let open = alarms::open_of(conn, &names).await?.into_iter().filter(StandingAlarm::is_bad);
    causes.extend(open.map(|kept| (kept.team, kept.alarm.code.as_str().to_owned())));
    let lost = losses::open_of(conn, &names).await?.into_iter().filter(BriefLoss::is_bad);
    // Whoever reads the pair now, whosever it was when its source died.
    let readers = lost.filter_map(|loss| teams.get(&loss.pair).cloned());
    causes.extend(readers.map(|team| (team, BriefLoss::CAUSE.to_owned())));
    Ok(causes)
}
