//! Enough people to approve: kept when a rule is made or raised and when roles are taken away. That somebody may not sign in
//! any more is never refused for it; the pair's check says so then.

use std::collections::BTreeMap;

use muster_domain::{ids::TeamName, pair::Pair, readiness::enough_approvers};
use muster_store::{grants, pairs, teams};
use sqlx::PgConnection;

use crate::http::Answer;

/// Whether the rule of a pair can be fulfilled by the people there are, whoever of them asks.
///
/// # Errors
/// `too-few-approvers`.
pub async fn are_enough(conn: &mut PgConnection, pair: &Pair) -> Answer<()> {
    // What is wrong with the team itself is said when the pair is kept.
    if teams::get(conn, &pair.team).await?.is_none() {
        return Ok(());
    }
    let approvers = grants::approvers(conn, &pair.team).await?;
    Ok(enough_approvers(&pair.approval, &approvers).map_err(|few| few.refuse(pair))?)
}

/// Pairs whose rule can be fulfilled now: what a change to people must not take from them.
///
/// # Errors
/// When the database refuses.
pub async fn fulfilled(conn: &mut PgConnection) -> Answer<Vec<Pair>> {
    let all = pairs::list(conn, None, None).await?;
    let of_teams = of_teams(conn, &all).await?;
    let holds = |pair: &Pair| {
        of_teams.get(&pair.team).is_some_and(|who| enough_approvers(&pair.approval, who).is_ok())
    };
    Ok(all.into_iter().filter(holds).collect())
}

/// Whether the rules of these pairs can still be fulfilled.
///
/// # Errors
/// `too-few-approvers` with the first of them that cannot.
pub async fn still_fulfil(conn: &mut PgConnection, pairs: &[Pair]) -> Answer<()> {
    let of_teams = of_teams(conn, pairs).await?;
    for pair in pairs {
        let approvers = of_teams.get(&pair.team).map(Vec::as_slice).unwrap_or_default();
        enough_approvers(&pair.approval, approvers).map_err(|few| few.refuse(pair))?;
    }
    Ok(())
}

/// Who may approve, by team; asked once a team, of which there are few.
async fn of_teams(conn: &mut PgConnection, pairs: &[Pair]) -> Answer<BTreeMap<TeamName, Vec<String>>> {
    let mut found = BTreeMap::new();
    for pair in pairs {
        if !found.contains_key(&pair.team) {
            found.insert(pair.team.clone(), grants::approvers(conn, &pair.team).await?);
        }
    }
    Ok(found)
}
