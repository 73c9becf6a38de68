//! Clusters: the list, and one cluster with its rights one by one and what a check found.

use askama::Template;
use muster_domain::{
    cluster::{Cluster, ClusterDescription, Sasl, Security},
    people::Role,
    problem::Problem,
    reading::Observed,
    survey::{RightHeld, RightObservation},
};

use crate::{
    chrome::Chrome,
    format,
    parts::{Ends, Notice, Pill, Tone, When},
    sign_in::notice,
};

/// What was last seen of a cluster.
#[derive(Debug, Clone)]
pub struct ClusterLook {
    /// Identity and brokers.
    pub description: Observed<ClusterDescription>,
    /// What Muster's principal may do there.
    pub rights: Observed<Vec<RightObservation>>,
}

/// Which secrets are kept; they are set, never shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct SecretsKept {
    /// Password or client secret.
    pub password: bool,
    /// Client key.
    pub client_key: bool,
    /// Password of the probe principal.
    pub probe_password: bool,
}

/// The pairs a cluster is in, as far as somebody may know of them.
#[derive(Debug, Clone, Default)]
pub struct PairsOf {
    /// Names of those they may read.
    pub named: Vec<String>,
    /// How many others there are: that a cluster is in use concerns everybody, by what does not.
    pub others: usize,
}

impl PairsOf {
    /// What is said behind the names; empty where there is nothing more to say.
    fn rest(&self) -> String {
        match (self.named.is_empty(), self.others) {
            (_, 0) => String::new(),
            (true, n) => format!("{n} of other teams"),
            (false, n) => format!("and {n} of other teams"),
        }
    }
}

#[derive(Debug)]
struct Row {
    name: String,
    region: String,
    bootstrap: String,
    security: String,
    pill: Pill,
    seen: Option<When>,
    pairs: Vec<String>,
    rest: String,
}

/// `GET /clusters`.
#[derive(Debug, Template)]
#[template(path = "pages/clusters.html")]
pub struct ClustersPage {
    chrome: Chrome,
    may_create: bool,
    rows: Vec<Row>,
    ends: Ends,
}

impl ClustersPage {
    /// Clusters with what was last seen of them and the pairs they are in; all there are, unless [`Self::part`] says otherwise.
    #[must_use]
    pub fn new(chrome: Chrome, clusters: &[(Cluster, Option<ClusterLook>, PairsOf)]) -> Self {
        let now = chrome.now();
        let rows = clusters.iter().map(|(cluster, look, pairs)| Row {
            name: cluster.name.to_string(),
            region: cluster.region.clone(),
            bootstrap: cluster.bootstrap.join(", "),
            security: security_words(&cluster.security),
            pill: look_pill(cluster, look.as_ref()),
            seen: look.as_ref().map(|look| When::ago(now, look.description.at())),
            pairs: pairs.named.clone(),
            rest: pairs.rest(),
        });
        Self {
            rows: rows.collect(),
            may_create: chrome.may_anywhere(Role::Admin),
            ends: Ends::default(),
            chrome: chrome.titled("Clusters"),
        }
    }

    /// The same as a part of the list.
    #[must_use]
    pub fn part(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }
}

/// `SASL_SSL, SCRAM-SHA-512 as muster`.
fn security_words(security: &Security) -> String {
    let protocol = security.protocol();
    match &security.sasl {
        None => protocol.to_owned(),
        Some(sasl) => {
            let user = match sasl {
                Sasl::Plain { username }
                | Sasl::ScramSha256 { username }
                | Sasl::ScramSha512 { username } => username,
                Sasl::OauthBearer { client_id, .. } => client_id,
            };
            format!("{protocol}, {} as {user}", sasl.mechanism())
        }
    }
}

fn look_pill(cluster: &Cluster, look: Option<&ClusterLook>) -> Pill {
    let Some(look) = look else { return Pill::new(Tone::Unk, "Never checked") };
    match look.description.as_result() {
        Err(_) => Pill::new(Tone::Unk, "No answer"),
        Ok(found) => match &cluster.expected_cluster_id {
            Some(expected) if *expected != found.cluster_id => {
                Pill::new(Tone::Bad, "Another cluster answers")
            }
            None => Pill::new(Tone::Warn, "Id not confirmed"),
            Some(_) => rights_pill(&look.rights),
        },
    }
}

fn rights_pill(rights: &Observed<Vec<RightObservation>>) -> Pill {
    let Some(rights) = rights.value() else { return Pill::new(Tone::Unk, "Answers, rights unknown") };
    let missing = rights.iter().filter(|right| matches!(right.held, RightHeld::No { .. })).count();
    let unknown = rights.iter().filter(|right| matches!(right.held, RightHeld::Unknown { .. })).count();
    match (missing, unknown) {
        (0, 0) => Pill::new(Tone::Ok, "Answers, all rights held"),
        (0, n) => Pill::new(Tone::Unk, format!("Answers, {} not determined", format::count(n, "right"))),
        (n, _) => Pill::new(Tone::Bad, format!("Answers, {} missing", format::count(n, "right"))),
    }
}

/// One right.
#[derive(Debug)]
struct RightRow {
    class: &'static str,
    icon: &'static str,
    right: String,
    word: &'static str,
    next: String,
}

fn right_row(right: &RightObservation) -> RightRow {
    let (tone, word, next) = match &right.held {
        RightHeld::Yes => (Tone::Ok, "held", String::new()),
        RightHeld::No { error } => (
            Tone::Bad,
            "missing",
            format!("The broker answered {error}. Without it Muster cannot {}.", right.needed_for),
        ),
        RightHeld::Unknown { reason } => {
            (Tone::Unk, "not determined", format!("{reason}. It is needed to {}.", right.needed_for))
        }
    };
    RightRow { class: tone.class(), icon: tone.icon(), right: right.right.clone(), word, next }
}

/// `GET /clusters/{name}`, and the answer to `POST /clusters/{name}/check`.
#[derive(Debug, Template)]
#[template(path = "pages/cluster.html")]
pub struct ClusterPage {
    chrome: Chrome,
    name: String,
    pill: Pill,
    checked: Option<Notice>,
    may_edit: bool,
    facts: Vec<(&'static str, String)>,
    secrets: Vec<(&'static str, &'static str)>,
    id_notice: Option<Notice>,
    brokers: Result<Vec<(String, String, String)>, String>,
    brokers_age: Option<When>,
    rights: Result<Vec<RightRow>, String>,
    rights_said: String,
    pairs: Vec<String>,
    rest: String,
}

impl ClusterPage {
    /// A cluster; `check` is the result of a check just made: what was found, or the problem.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        cluster: &Cluster,
        kept: SecretsKept,
        look: Option<&ClusterLook>,
        pairs: &PairsOf,
        check: Option<Result<(), &Problem>>,
    ) -> Self {
        let now = chrome.now();
        let name = cluster.name.to_string();
        let never = "Never checked; nothing is known.".to_owned();
        let found = look.map_or(Err(never.as_str()), |look| look.description.as_result());
        let rights = look.map_or(Err(never.as_str()), |look| look.rights.as_result());
        Self {
            may_edit: chrome.may_anywhere(Role::Admin),
            pill: look_pill(cluster, look),
            checked: check.map(|result| match result {
                Ok(()) => {
                    Notice::new(Tone::Ok, format!("{name} answered."), "What it may and may not do is below.")
                }
                Err(problem) => notice(problem),
            }),
            facts: facts(cluster, found.ok()),
            secrets: secrets(cluster, kept),
            id_notice: id_notice(cluster, found.ok()),
            brokers_age: look.map(|look| When::ago(now, look.description.at())),
            brokers: found.map_err(str::to_owned).map(|found| {
                found
                    .brokers
                    .iter()
                    .map(|broker| {
                        let rack = broker.rack.clone().unwrap_or_else(|| "no rack".to_owned());
                        let controller =
                            if found.controller == Some(broker.id) { ", controller" } else { "" };
                        (
                            format!("{}{controller}", broker.id),
                            format!("{}:{}", broker.host, broker.port),
                            rack,
                        )
                    })
                    .collect()
            }),
            rights_said: rights.map_or_else(
                |_| "not known".to_owned(),
                |rights| {
                    let held = rights.iter().filter(|right| right.held == RightHeld::Yes).count();
                    format!("{held} of {} held", rights.len())
                },
            ),
            rights: rights.map_err(str::to_owned).map(|rights| rights.iter().map(right_row).collect()),
            pairs: pairs.named.clone(),
            rest: pairs.rest(),
            chrome: chrome.titled(name.clone()).under("/clusters", "Clusters"),
            name,
        }
    }
}

fn facts(cluster: &Cluster, found: Option<&ClusterDescription>) -> Vec<(&'static str, String)> {
    let expected = cluster.expected_cluster_id.clone().unwrap_or_else(|| "not confirmed yet".to_owned());
    let probe = cluster.probe.as_ref().map_or_else(
        || "none: a fence can be set but not proven by a refused write".to_owned(),
        |probe| probe.username.clone(),
    );
    vec![
        ("Bootstrap", cluster.bootstrap.join(", ")),
        ("Security", security_words(&cluster.security)),
        ("Region", if cluster.region.is_empty() { "not said".to_owned() } else { cluster.region.clone() }),
        ("Expected cluster id", expected),
        ("Found cluster id", found.map_or_else(|| "no answer".to_owned(), |found| found.cluster_id.clone())),
        ("Probe principal", probe),
        ("Edited", format!("{} UTC, version {}", format::date_time(cluster.updated_at), cluster.version)),
    ]
}

fn secrets(cluster: &Cluster, kept: SecretsKept) -> Vec<(&'static str, &'static str)> {
    let word = |kept| if kept { "set, never shown" } else { "not set" };
    let mut secrets = Vec::new();
    if cluster.security.sasl.is_some() {
        secrets.push(("Password", word(kept.password)));
    }
    if cluster.security.tls.as_ref().is_some_and(|tls| tls.client_cert_pem.is_some()) {
        secrets.push(("Client key", word(kept.client_key)));
    }
    if cluster.probe.is_some() {
        secrets.push(("Probe password", word(kept.probe_password)));
    }
    secrets
}

fn id_notice(cluster: &Cluster, found: Option<&ClusterDescription>) -> Option<Notice> {
    let found = &found?.cluster_id;
    match &cluster.expected_cluster_id {
        Some(expected) if expected != found => Some(
            Notice::new(Tone::Bad, "Another cluster answers at these addresses.", format!("Expected {expected}, found {found}."))
                .more("Muster changes nothing there. Correct the bootstrap addresses, or the expected id if it was rebuilt."),
        ),
        Some(_) | None => None,
    }
}
