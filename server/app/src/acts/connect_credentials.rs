//! What Muster signs in with at the Connect of a pair's flows. It goes in sealed, for the address the flow has then, and never comes
//! out again.
//!
//! It is no edit of the pair: what was approved is still what runs, so plans and approvals stand, and it may be entered while a run
//! holds the pair. A password that ran out must not keep a run from its end.

use chrono::{DateTime, Utc};
use muster_domain::{
    connect_credentials::{ConnectCredentials, ConnectSignIn, KeptCredentials},
    ids::{ClusterName, PairName},
    pair::{Direction, Flow, Mechanism, Pair, Side},
    people::Actor,
};
use muster_replication::connect::origin;
use muster_store::secrets::{self, SecretsKey};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{
    audit_trail::{self, Entry},
    pairs::{self, held, object},
};
use crate::http::{Answer, Failure};

/// What Muster signs in with at the Connect of a flow: a user name with its password, or a token. What is left out or empty stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "muster", "password": "of Connect"}))]
pub struct NewConnectCredentials {
    /// User name, for HTTP basic authentication.
    #[serde(default)]
    pub username: Option<String>,
    /// Its password.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub password: Option<SecretString>,
    /// Bearer token, in the place of both.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub token: Option<SecretString>,
}

/// What Muster signs in with at the Connect of a pair's flows: what is kept, never the secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectSignIns {
    /// The pair.
    pub pair: PairName,
    /// Each flow.
    pub items: Vec<FlowSignIn>,
}

/// The same of one flow.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FlowSignIn {
    /// Cluster its records come from.
    pub from: ClusterName,
    /// Cluster they go to.
    pub to: ClusterName,
    /// REST address of its Connect worker; null while it is attached to none.
    pub connect_url: Option<String>,
    /// What is kept; null when nothing is, and Connect is asked without signing in.
    pub kept: Option<KeptSignIn>,
}

/// What is kept of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeptSignIn {
    /// `basic` or `bearer`.
    pub scheme: String,
    /// User name; null with a token.
    pub username: Option<String>,
    /// Address it was entered for. It is sent nowhere else.
    pub address: String,
    /// Whether that is where the flow's Connect is now.
    pub sent: bool,
    /// When it was entered.
    pub entered_at: DateTime<Utc>,
}

/// A flow with what is kept for its Connect.
#[derive(Debug, Clone)]
pub struct OfFlow {
    /// Which.
    pub direction: Direction,
    /// REST address of its Connect worker, if it is attached.
    pub connect_url: Option<String>,
    /// What is kept, if anything is.
    pub kept: Option<KeptCredentials>,
    /// Whether it is sent there.
    pub sent: bool,
}

impl OfFlow {
    fn new(flow: &Flow, kept: Option<KeptCredentials>) -> Self {
        let connect_url = connect_url(flow).map(str::to_owned);
        let here = connect_url.as_deref().and_then(origin);
        let sent = kept.as_ref().is_some_and(|kept| Some(&kept.address) == here.as_ref());
        Self { direction: flow.direction, connect_url, kept, sent }
    }

    fn view(self, pair: &Pair) -> FlowSignIn {
        let sent = self.sent;
        let kept = self.kept.map(|kept| KeptSignIn {
            scheme: scheme(kept.username.as_deref()).to_owned(),
            username: kept.username,
            address: kept.address,
            sent,
            entered_at: kept.entered_at,
        });
        let (from, to) = (pair.cluster(self.direction.from), pair.cluster(self.direction.to()));
        FlowSignIn { from: from.clone(), to: to.clone(), connect_url: self.connect_url, kept }
    }
}

fn connect_url(flow: &Flow) -> Option<&str> {
    match &flow.mechanism {
        Mechanism::Mm2OnConnect { connect_url, .. } => Some(connect_url),
        Mechanism::Unattached => None,
    }
}

fn scheme(username: Option<&str>) -> &'static str {
    if username.is_some() { "basic" } else { "bearer" }
}

/// The flows of a pair with what is kept for the Connect of each.
///
/// # Errors
/// When the database refuses.
pub async fn of_flows(conn: &mut PgConnection, pair: &Pair) -> Answer<Vec<OfFlow>> {
    let kept = secrets::connect::kept(conn, &pair.name).await?;
    let of = |flow: &Flow| {
        let its = kept.iter().find(|kept| kept.from == flow.direction.from);
        OfFlow::new(flow, its.cloned())
    };
    Ok(pair.flows.iter().map(of).collect())
}

/// What Muster signs in with, as it is shown.
///
/// # Errors
/// `not-found`.
pub async fn view(conn: &mut PgConnection, name: &PairName) -> Answer<ConnectSignIns> {
    let pair = pairs::get(conn, name).await?;
    let items = of_flows(conn, &pair).await?.into_iter().map(|of| of.view(&pair)).collect();
    Ok(ConnectSignIns { pair: name.clone(), items })
}

/// Keeps what Muster signs in with at the Connect of the flow whose records come from that cluster.
///
/// # Errors
/// `not-found`, `invalid-request`.
pub async fn enter(
    conn: &mut PgConnection,
    key: &SecretsKey,
    name: &PairName,
    (from, new): (&ClusterName, NewConnectCredentials),
    actor: &Actor,
) -> Answer<FlowSignIn> {
    let pair = held(conn, name).await?;
    let present = of_flow(conn, &pair, from).await?;
    let address = present.connect_url.as_deref().and_then(origin).ok_or_else(|| unattached(&pair, from))?;
    let Some(sign_in) = sign_in(new, present.kept.as_ref())? else { return Ok(present.view(&pair)) };
    sign_in.check().map_err(Failure::invalid)?;
    let detail = json!({"from": from, "address": address, "scheme": scheme(sign_in.username()),
        "username": sign_in.username()});
    let credentials = ConnectCredentials { address, sign_in };
    secrets::connect::put(conn, key, name, present.direction.from, &credentials).await?;
    audit_trail::record(conn, actor, Entry::done("connect.enter", &object(name), detail)).await?;
    Ok(of_flow(conn, &pair, from).await?.view(&pair))
}

/// Removes what Muster signs in with at the Connect of that flow.
///
/// # Errors
/// `not-found`.
pub async fn remove(
    conn: &mut PgConnection,
    name: &PairName,
    from: &ClusterName,
    actor: &Actor,
) -> Answer<()> {
    let pair = held(conn, name).await?;
    let side = side_of(&pair, from)?;
    if !secrets::connect::delete(conn, name, side).await? {
        let found = format!("Nothing is kept to sign in with at the Connect of the flow from `{from}`.");
        return Err(Failure::new(
            "not-found",
            found,
            "Look at what is kept of the pair: GET /api/v1/pairs/{pair}/connect.",
        ));
    }
    audit_trail::record(conn, actor, Entry::done("connect.remove", &object(name), json!({"from": from})))
        .await
}

/// Forgets what a pair's flows signed in with that are attached to no Connect any more; answers where their records came from.
///
/// # Errors
/// When the database refuses.
pub(super) async fn forget_detached(conn: &mut PgConnection, pair: &Pair) -> Answer<Vec<ClusterName>> {
    let mut forgotten = Vec::new();
    for from in Side::BOTH {
        let attached = pair.flow(Direction { from }).is_some_and(|flow| connect_url(flow).is_some());
        if !attached && secrets::connect::delete(conn, &pair.name, from).await? {
            forgotten.push(pair.cluster(from).clone());
        }
    }
    Ok(forgotten)
}

async fn of_flow(conn: &mut PgConnection, pair: &Pair, from: &ClusterName) -> Answer<OfFlow> {
    let side = side_of(pair, from)?;
    let found = of_flows(conn, pair).await?.into_iter().find(|of| of.direction.from == side);
    found.ok_or_else(|| Failure::not_found("flow from", from.as_str()))
}

/// The side of a pair that is that cluster.
///
/// # Errors
/// `not-found`.
pub fn side_of(pair: &Pair, from: &ClusterName) -> Answer<Side> {
    let side = Side::BOTH.into_iter().find(|side| pair.cluster(*side) == from);
    side.ok_or_else(|| Failure::not_found("flow from", from.as_str()))
}

fn unattached(pair: &Pair, from: &ClusterName) -> Failure {
    Failure::new(
        "invalid-request",
        format!(
            "The flow of pair `{}` from `{from}` has no Connect address that could be signed in at.",
            pair.name
        ),
        "Attach the flow to its connectors first: in the settings of the pair, or with `attach` of PATCH /api/v1/pairs/{pair}.",
    )
}

/// What was entered; none when that is what is kept, whose secret was left empty.
fn sign_in(new: NewConnectCredentials, kept: Option<&KeptCredentials>) -> Answer<Option<ConnectSignIn>> {
    let username = new.username.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let password = new.password.filter(|secret| !secret.expose_secret().is_empty());
    let token = new.token.map(|secret| SecretString::from(secret.expose_secret().trim()));
    let token = token.filter(|secret| !secret.expose_secret().is_empty());
    let known = kept.and_then(|kept| kept.username.clone());
    // A form sends the user name that it showed.
    let same = username.is_none() || username == known;
    match (password, token) {
        (None, None) if same && kept.is_some() => Ok(None),
        (Some(password), None) => match username.or(known) {
            Some(username) => Ok(Some(ConnectSignIn::Basic { username, password })),
            None => Err(Failure::invalid("A password needs the name of the user it is of.")),
        },
        (None, Some(token)) if same => Ok(Some(ConnectSignIn::Bearer { token })),
        (None, None) if username.is_some() => {
            Err(Failure::invalid("A user name needs its password: enter both."))
        }
        (None, None) => Err(Failure::invalid("Enter a user name and its password, or a token.")),
        (None | Some(_), Some(_)) => {
            Err(Failure::invalid("Enter a user name and its password, or a token, and not both."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(username: &str, password: &str, token: &str) -> NewConnectCredentials {
        NewConnectCredentials {
            username: Some(username.to_owned()),
            password: Some(password.into()),
            token: Some(token.into()),
        }
    }

    fn kept(username: Option<&str>) -> KeptCredentials {
        KeptCredentials {
            from: Side::A,
            address: "http://connect:8083".to_owned(),
            username: username.map(str::to_owned),
            entered_at: DateTime::UNIX_EPOCH,
        }
    }

    /// `user/secret`, `/secret`, `stays`, or why not.
    fn told(new: NewConnectCredentials, kept: Option<&KeptCredentials>) -> String {
        match sign_in(new, kept) {
            Ok(None) => "stays".to_owned(),
            Ok(Some(sign_in)) => {
                format!("{}/{}", sign_in.username().unwrap_or_default(), sign_in.secret().expose_secret())
            }
            Err(failure) => failure.problem.detail,
        }
    }

    #[test]
    fn what_is_left_empty_stays_and_what_is_half_is_refused() {
        let (user, token) = (kept(Some("muster")), kept(None));
        for (new, kept, is) in [
            (new(" muster ", "word", ""), None, "muster/word"),
            (new("", "", " eyJ "), None, "/eyJ"),
            (new("", "", ""), None, "Enter a user name and its password, or a token."),
            (new("muster", "", ""), None, "A user name needs its password: enter both."),
            (new("", "word", ""), None, "A password needs the name of the user it is of."),
            (
                new("muster", "word", "eyJ"),
                None,
                "Enter a user name and its password, or a token, and not both.",
            ),
            (new("", "", ""), Some(&user), "stays"),
            (new("muster", "", ""), Some(&user), "stays"),
            (new("", "another", ""), Some(&user), "muster/another"),
            (new("robot", "another", ""), Some(&user), "robot/another"),
            (new("robot", "", ""), Some(&user), "A user name needs its password: enter both."),
            (new("muster", "", "eyJ"), Some(&user), "/eyJ"),
            (
                new("robot", "", "eyJ"),
                Some(&user),
                "Enter a user name and its password, or a token, and not both.",
            ),
            (new("", "", ""), Some(&token), "stays"),
            (new("muster", "", ""), Some(&token), "A user name needs its password: enter both."),
            (new("muster", "word", ""), Some(&token), "muster/word"),
            (new("", "", "another"), Some(&token), "/another"),
        ] {
            assert_eq!(told(new, kept), is);
        }
    }
}
