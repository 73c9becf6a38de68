//! The identity provider: whether its description and keys can be read, and whether the teams of its rules exist.

use std::collections::BTreeSet;

use muster_store::teams;
use sqlx::PgPool;

use super::{Line, fail, ok, warn};
use crate::{
    auth::oidc::{Provider, Settings},
    http::failure::chain,
    process::config::Config,
};

const WHAT: &str = "identity provider";

/// Nothing to say where none is set up.
pub(super) async fn check(config: &Config, pool: &PgPool) -> Vec<Line> {
    let provider = match Settings::read(&config.oidc, &config.http.public_url()) {
        Ok(None) => return Vec::new(),
        Ok(Some(settings)) => Provider::new(settings),
        Err(e) => Err(e),
    };
    let provider = match provider {
        Ok(provider) => provider,
        Err(e) => return vec![fail(WHAT, format!("{e:#}. `muster serve` does not start like this."))],
    };
    let mut lines = match provider.describe().await {
        Ok(found) => vec![ok(WHAT, found)],
        Err(cause) => vec![fail(
            WHAT,
            format!("{}: {cause}. Nobody can sign in there; passwords still work.", provider.issuer()),
        )],
    };
    lines.extend(rules(&provider, pool).await);
    lines
}

async fn rules(provider: &Provider, pool: &PgPool) -> Option<Line> {
    const WHAT: &str = "roles from groups (MUSTER_OIDC_ROLES)";
    let rules = provider.roles();
    if rules.is_empty() {
        return Some(warn(
            WHAT,
            "there are none: only people with a role of Muster's own get in by the provider.",
        ));
    }
    let there: Result<BTreeSet<_>, _> = async {
        let mut conn = pool.acquire().await.map_err(|e| e.to_string())?;
        let teams = teams::list(&mut conn).await.map_err(|e| chain(&e))?;
        Ok::<_, String>(teams.into_iter().map(|team| team.name).collect())
    }
    .await;
    let there = match there {
        Ok(there) => there,
        Err(e) => return Some(fail(WHAT, e)),
    };
    let missing: Vec<String> =
        rules.teams().into_iter().filter(|team| !there.contains(*team)).map(ToString::to_string).collect();
    if missing.is_empty() {
        return None;
    }
    Some(warn(
        WHAT,
        format!("there is no team {}: roles for it are given to nobody until there is.", missing.join(", ")),
    ))
}
