//! Creating and editing a pair.

use askama::Template;
use muster_domain::{
    address::shown,
    pair::{ApprovalRule, Direction, Flow, Mechanism, NamingPolicy, Pair, RoutingTarget, Side},
    problem::Problem,
};

use crate::{
    chrome::Chrome,
    forms::PairForm,
    import::no_team,
    parts::{Choice, Field, FieldSet, Notice},
    sign_in::notice,
};

/// Approvals of operations that need another number than the others: `failover 2`.
pub(crate) fn by_operation(rule: &ApprovalRule) -> Vec<String> {
    rule.by_operation.iter().map(|(operation, needed)| format!("{} {needed}", operation.as_str())).collect()
}

impl From<&Pair> for PairForm {
    fn from(pair: &Pair) -> Self {
        let flow = |from| pair.flow(Direction { from });
        let on = |flow: Option<&Flow>| if flow.is_some() { "on".to_owned() } else { String::new() };
        let [a_connect, a_source, a_checkpoint, a_heartbeat] = mechanism(flow(Side::A));
        let [b_connect, b_source, b_checkpoint, b_heartbeat] = mechanism(flow(Side::B));
        let (naming, separator) = match pair.flows.first().map(|flow| &flow.naming) {
            Some(NamingPolicy::Prefixed { separator }) => ("prefixed", separator.clone()),
            Some(NamingPolicy::Identity) | None => ("identity", ".".to_owned()),
        };
        let mut form = Self {
            name: pair.name.to_string(),
            team: pair.team.to_string(),
            cluster_a: pair.clusters.a.to_string(),
            cluster_b: pair.clusters.b.to_string(),
            mode: pair.mode.as_str().to_owned(),
            topics: pair.topics.join("\n"),
            topics_exclude: pair.topics_exclude.join("\n"),
            groups: pair.groups.join("\n"),
            groups_exclude: pair.groups_exclude.join("\n"),
            naming: naming.to_owned(),
            separator,
            a_to_b: on(flow(Side::A)),
            a_to_b_connect: a_connect,
            a_to_b_source: a_source,
            a_to_b_checkpoint: a_checkpoint,
            a_to_b_heartbeat: a_heartbeat,
            b_to_a: on(flow(Side::B)),
            b_to_a_connect: b_connect,
            b_to_a_source: b_source,
            b_to_a_checkpoint: b_checkpoint,
            b_to_a_heartbeat: b_heartbeat,
            rpo_seconds: pair.objectives.rpo_seconds.to_string(),
            rto_seconds: pair.objectives.rto_seconds.to_string(),
            verify_within_days: pair.objectives.verify_within_days.to_string(),
            approvals_needed: pair.approval.needed.to_string(),
            approvals_by_operation: by_operation(&pair.approval).join("\n"),
            decide_within_minutes: pair.approval.decide_within_minutes.to_string(),
            use_within_minutes: pair.approval.use_within_minutes.to_string(),
            canary_topic: pair.canary_topic.clone().unwrap_or_default(),
            canary_partitions: pair.canary_partitions.to_string(),
            canary_seconds: pair.canary_seconds.to_string(),
            show_payload: if pair.show_payload { "on".to_owned() } else { String::new() },
            version: pair.version,
            ..Self::default()
        };
        for target in &pair.routing {
            match target {
                RoutingTarget::AddressBook { path } => form.address_book.clone_from(path),
                RoutingTarget::Webhook { url } => form.webhook.clone_from(url),
            }
        }
        form
    }
}

fn mechanism(flow: Option<&Flow>) -> [String; 4] {
    match flow.map(|flow| &flow.mechanism) {
        Some(Mechanism::Mm2OnConnect {
            connect_url,
            source_connector,
            checkpoint_connector,
            heartbeat_connector,
        }) => [
            connect_url.clone(),
            source_connector.clone(),
            checkpoint_connector.clone().unwrap_or_default(),
            heartbeat_connector.clone().unwrap_or_default(),
        ],
        Some(Mechanism::Unattached) | None => Default::default(),
    }
}

/// `GET /pairs/new` (posts to `/pairs`) and `GET /pairs/{name}/edit` (posts there); [`PairForm`].
#[derive(Debug, Template)]
#[template(path = "pages/form.html")]
pub struct PairFormPage {
    chrome: Chrome,
    heading: String,
    lead: String,
    problem: Option<Notice>,
    action: String,
    version: i64,
    sets: Vec<FieldSet>,
    button: String,
    back: String,
}

impl PairFormPage {
    /// The form as it was sent, or as the pair is. `editing` names the pair that is edited.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        editing: Option<&str>,
        form: &PairForm,
        clusters: &[String],
        teams: &[String],
        errors: &[(String, String)],
        problem: Option<&Problem>,
    ) -> Self {
        let heading = editing.map_or_else(|| "Create a pair".to_owned(), |name| format!("Edit {name}"));
        let lead = match editing {
            Some(name) => format!(
                "Saving voids the plans and approvals of {name}, and its plan needs verification again."
            ),
            None => "Importing mm2.properties fills in most of this: see /pairs/import.".to_owned(),
        };
        let problem = problem.map(notice).or_else(|| no_team(&chrome, teams));
        let mut sets = vec![identity(editing.is_some(), form, clusters, teams, errors)];
        sets.extend(scope(form, errors));
        sets.extend([flow_set(true, form, errors), flow_set(false, form, errors)]);
        sets.extend(rules(form, errors));
        if editing.is_some() {
            sets.push(payload(form));
        }
        Self {
            chrome: chrome.titled(heading.clone()).under("/", "Fleet"),
            heading,
            lead,
            problem,
            action: editing.map_or_else(|| "/pairs".to_owned(), |name| format!("/pairs/{name}/edit")),
            version: form.version,
            sets,
            button: editing
                .map_or_else(|| "Create the pair".to_owned(), |name| format!("Save settings of {name}")),
            back: editing.map_or_else(|| "/".to_owned(), |name| format!("/pairs/{name}")),
        }
    }
}

fn choices(names: &[String]) -> Vec<Choice> {
    names.iter().map(|name| Choice::new(name, name)).collect()
}

fn identity(
    editing: bool,
    form: &PairForm,
    clusters: &[String],
    teams: &[String],
    errors: &[(String, String)],
) -> FieldSet {
    let e = |field: Field| field.errors(errors);
    let modes = vec![
        Choice::new("active_passive", "active-passive: one side takes writes"),
        Choice::new("active_active", "active-active: both do, with distinct names"),
    ];
    let mut fields = vec![];
    if !editing {
        fields.push(e(Field::text("name", "Name", &form.name).help("It cannot be changed.").required()));
    }
    fields.extend([
        e(Field::select("team", "Team", choices(teams), &form.team)),
        e(Field::select("cluster_a", "Cluster A", choices(clusters), &form.cluster_a)),
        e(Field::select("cluster_b", "Cluster B", choices(clusters), &form.cluster_b)
            .help("Which of them is active is observed, not set.")),
        e(Field::select("mode", "Mode", modes, &form.mode)),
    ]);
    FieldSet::new("Who and where", fields)
}

fn scope(form: &PairForm, errors: &[(String, String)]) -> Vec<FieldSet> {
    let e = |field: Field| field.errors(errors);
    let naming = vec![
        Choice::new("identity", "identity: same name on both sides"),
        Choice::new("prefixed", "prefixed: source alias, separator, name"),
    ];
    vec![FieldSet::new(
        "What moves",
        vec![
            e(Field::area("topics", "Topics", &form.topics, 3)
                .help("Regular expressions as MirrorMaker 2 reads them, matched in full, one a line.")
                .required()),
            e(Field::area("topics_exclude", "Topics left out", &form.topics_exclude, 2)),
            e(Field::area("groups", "Groups", &form.groups, 2)),
            e(Field::area("groups_exclude", "Groups left out", &form.groups_exclude, 2)),
            e(Field::select("naming", "Names on the other side", naming, &form.naming)),
            e(Field::text("separator", "Separator of prefixed names", &form.separator)),
        ],
    )]
}

fn flow_set(a_to_b: bool, form: &PairForm, errors: &[(String, String)]) -> FieldSet {
    let e = |field: Field| field.errors(errors);
    let (legend, names, values) = if a_to_b {
        (
            "Flow A → B",
            ["a_to_b", "a_to_b_connect", "a_to_b_source", "a_to_b_checkpoint", "a_to_b_heartbeat"],
            [
                &form.a_to_b,
                &form.a_to_b_connect,
                &form.a_to_b_source,
                &form.a_to_b_checkpoint,
                &form.a_to_b_heartbeat,
            ],
        )
    } else {
        (
            "Flow B → A",
            ["b_to_a", "b_to_a_connect", "b_to_a_source", "b_to_a_checkpoint", "b_to_a_heartbeat"],
            [
                &form.b_to_a,
                &form.b_to_a_connect,
                &form.b_to_a_source,
                &form.b_to_a_checkpoint,
                &form.b_to_a_heartbeat,
            ],
        )
    };
    FieldSet::new(
        legend,
        vec![
            e(Field::check(names[0], "This flow exists", values[0] == "on")),
            e(Field::line(names[1], "Connect worker", "url", shown(values[1]), "off")
                .help("http://host:8083 of any worker, without a user or a password: what it asks for is entered under “Sign in at Connect” of the pair. Empty: Muster can read both clusters but not see or steer the flow.")),
            e(Field::text(names[2], "Source connector", values[2])),
            e(Field::text(names[3], "Checkpoint connector", values[3])),
            e(Field::text(names[4], "Heartbeat connector", values[4])),
        ],
    )
}

fn rules(form: &PairForm, errors: &[(String, String)]) -> Vec<FieldSet> {
    let number = |name, label, value: &String| {
        Field::line(name, label, "number", value, "off").required().errors(errors)
    };
    let e = |field: Field| field.errors(errors);
    vec![
        FieldSet::new(
            "Objectives",
            vec![
                number("rpo_seconds", "RPO, seconds", &form.rpo_seconds)
                    .help("Most data that may be lost if the active side dies."),
                number("rto_seconds", "RTO, seconds", &form.rto_seconds)
                    .help("Longest time until applications work again."),
                number("verify_within_days", "A passed run counts for, days", &form.verify_within_days),
            ],
        ),
        FieldSet::new(
            "Approval",
            vec![
                number("approvals_needed", "Approvers needed", &form.approvals_needed)
                    .help("The requester never counts."),
                e(Field::area(
                    "approvals_by_operation",
                    "For single operations",
                    &form.approvals_by_operation,
                    2,
                )
                .help("One a line, where another number is needed: failover 2")),
                number("decide_within_minutes", "Decide within, minutes", &form.decide_within_minutes),
                number("use_within_minutes", "Start within, minutes", &form.use_within_minutes),
            ],
        ),
        FieldSet::new(
            "How applications are told",
            vec![
                e(Field::text("address_book", "Address book file", &form.address_book)
                    .help("A JSON file that applications watch, on the machine Muster runs on.")),
                e(Field::line("webhook", "Webhook", "url", shown(&form.webhook), "off")
                    .help("Without a user or a password: whoever reads the pair reads it.")),
            ],
        ),
        FieldSet::new(
            "Canary",
            vec![
                e(Field::text("canary_topic", "Canary topic", &form.canary_topic).help(
                    "Muster's own, on both sides, and no application's. Both flows must replicate it; empty for none. One that is there is stopped on a page of its own, beside the canary of the pair.",
                )),
                number("canary_partitions", "Partitions written", &form.canary_partitions)
                    .help("1 to 32. Each shows that the task of its own partition copies, and nothing of other tasks."),
                number("canary_seconds", "Seconds between two records", &form.canary_seconds)
                    .help("2 to 300. One that is not seen for three times as long does not arrive."),
            ],
        ),
    ]
}

/// Not for a pair that is made: allowing it is a decision of its own, by somebody who has just shown that they are there.
fn payload(form: &PairForm) -> FieldSet {
    let label = "Payload of records that differ may be shown to operators";
    FieldSet::new(
        "Content proofs",
        vec![Field::check("show_payload", label, form.show_payload == "on").help(
            "Only the few records a content proof cites, one at a time, each in the audit. Payload is never kept. Ticking it \
             needs a sign-in of the last 15 minutes.",
        )],
    )
}
