//! A plan: what will happen, to what, call by call, and how long writes will be away.

use std::fmt::Write as _;

use askama::Template;
use muster_domain::{
    pair::{BySide, Pair},
    people::Role,
    plan::{AtStake, Concern, ConsumerRule, IfUnproven, Plan, PlanRules, PlannedStep},
    plan_difference::PlanDifference,
};

use crate::{
    chrome::{Chrome, roles_of},
    format,
    parts::{Bar, Course, Field, Hash, Pill, Tone, When},
    plan_difference::DifferencePanel,
    words,
};

/// Steps of one phase as planned.
#[derive(Debug, Clone)]
pub(crate) struct PlannedPhase {
    pub(crate) name: &'static str,
    pub(crate) sum: String,
    pub(crate) no_return: bool,
    pub(crate) steps: Vec<PlannedRow>,
}

/// A step as planned.
#[derive(Debug, Clone)]
pub(crate) struct PlannedRow {
    pub(crate) no: usize,
    pub(crate) title: String,
    pub(crate) estimate: String,
    pub(crate) after: String,
    pub(crate) undo: &'static str,
    pub(crate) calls_said: String,
    pub(crate) calls: String,
}

/// `GET /plans/{id}`; its form posts [`crate::forms::RequestForm`] to `/plans/{id}/request`.
#[derive(Debug, Template)]
#[template(path = "pages/plan.html")]
pub struct PlanPage {
    chrome: Chrome,
    id: String,
    heading: String,
    course: Course,
    after_course: Course,
    pill: Pill,
    drill: bool,
    made: String,
    made_at: When,
    from: String,
    to: String,
    blockers: Vec<Concern>,
    warnings: Vec<Concern>,
    difference: DifferencePanel,
    writers: String,
    total: String,
    total_bar: Option<Bar>,
    objective: String,
    basis: String,
    loss: (String, String),
    at_stake: Option<(String, String)>,
    scope: String,
    topics: Vec<(String, String, String)>,
    groups: Vec<String>,
    rules: Vec<(&'static str, String)>,
    steps_note: String,
    phases: Vec<PlannedPhase>,
    hash: Hash,
    hash_value: String,
    pair: String,
    pair_version: i64,
    cluster_ids: [(String, String); 2],
    request: Option<Request>,
    reason: Field,
    outdated: Option<String>,
    looks: bool,
}

/// Whether this person may ask for the run of a pair that is there.
#[derive(Debug)]
enum Request {
    /// Yes; what the button says.
    Offered(String),
    /// No; what the button would say, and the rule.
    Refused(String, String),
}

impl PlanPage {
    /// The plan as the signed-in person sees it. `pair` is none once it was removed, and `clusters` what its two clusters are
    /// called; `reason` is what they typed when the request came back with `errors`.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        plan: &Plan,
        pair: Option<&Pair>,
        clusters: &BySide<String>,
        difference: &PlanDifference,
        reason: &str,
        errors: &[(String, String)],
    ) -> Self {
        let content = &plan.content;
        let name = content.pair.as_str();
        let (from, to) = (clusters.get(content.direction.from), clusters.get(content.direction.to()));
        let looks = content.operation.only_looks();
        let partitions: i64 = content.topics.iter().map(|topic| i64::from(topic.partitions)).sum();
        let rto = pair.map(|pair| pair.objectives.rto_seconds * 1000);
        let void = outdated(plan, pair);
        Self {
            request: pair.map(|pair| request(&chrome, plan, pair)),
            reason: Field::area("reason", "Why, kept in the evidence", reason, 3)
                .help("What is wrong or due, and why now. Approvers read this first.")
                .required()
                .errors(errors),
            chrome: under_pair(
                chrome.titled(format!("Plan: {}", words::asks(content.operation, name))),
                pair,
            ),
            id: plan.id.to_string(),
            heading: words::asks(content.operation, name),
            course: Course::flowing(from.as_str(), to.as_str()),
            after_course: Course::flowing(to.as_str(), from.as_str()),
            pill: if void.is_some() { Pill::new(Tone::Idle, "Can't be requested") } else { plan_pill(plan) },
            drill: content.drill,
            made: plan.created_by.clone(),
            made_at: When::full(plan.created_at),
            blockers: plan.blockers.clone(),
            warnings: plan.warnings.clone(),
            difference: DifferencePanel::new(difference, plan),
            writers: match looks {
                true => "never".to_owned(),
                false => about(plan.prediction.write_unavailability_ms),
            },
            total: about(plan.prediction.total_ms),
            total_bar: plan
                .prediction
                .total_ms
                .zip(rto)
                .map(|(ms, rto)| Bar::against("total", "Predicted time of the whole run", ms, rto)),
            objective: rto.map_or_else(
                || "the objective was removed with the pair".to_owned(),
                |rto| format!("objective {}, people not counted", format::duration(rto)),
            ),
            basis: plan.prediction.basis.clone(),
            loss: predicted_loss(plan),
            at_stake: at_stake(plan),
            scope: format!(
                "{}, {}, {}",
                format::count(content.topics.len(), "topic"),
                format::count(usize::try_from(partitions).unwrap_or(0), "partition"),
                format::count(content.groups.len(), "group")
            ),
            topics: content
                .topics
                .iter()
                .map(|topic| {
                    (topic.topic.clone(), topic.replica.clone(), format::number(i64::from(topic.partitions)))
                })
                .collect(),
            groups: content.groups.clone(),
            rules: if looks { Vec::new() } else { rules(&content.rules, from.as_str()) },
            steps_note: format!(
                "{} in {}; estimates: {}",
                format::count(content.steps.len(), "step"),
                format::count(planned_phases(&content.steps).len(), "phase"),
                plan.prediction.basis
            ),
            phases: planned_phases(&content.steps),
            hash: Hash::whole(&plan.hash),
            hash_value: plan.hash.clone(),
            pair: name.to_owned(),
            pair_version: content.pair_version,
            cluster_ids: [
                (clusters.a.clone(), content.cluster_ids.a.clone()),
                (clusters.b.clone(), content.cluster_ids.b.clone()),
            ],
            from: from.clone(),
            to: to.clone(),
            outdated: void,
            looks,
        }
    }
}

/// Under the page of the pair, while it has one.
fn under_pair(chrome: Chrome, pair: Option<&Pair>) -> Chrome {
    let chrome = chrome.here("plan").under("/", "Fleet");
    match pair {
        Some(pair) => chrome.under(format!("/pairs/{}", pair.name), pair.name.as_str()),
        None => chrome,
    }
}

/// Why the plan can never run, whoever asks.
fn outdated(plan: &Plan, pair: Option<&Pair>) -> Option<String> {
    let name = &plan.content.pair;
    match pair {
        None => Some(format!("{name} was removed. The plan is kept for what was made of it, and can't run.")),
        Some(pair) if pair.version != plan.content.pair_version => Some(format!(
            "The settings of {name} were edited after this plan was made. Make a new plan; this one can't run."
        )),
        Some(_) => None,
    }
}

/// `about 4.2 s`; unknown is said as unknown.
pub(crate) fn about(ms: Option<i64>) -> String {
    ms.map_or_else(|| "no estimate".to_owned(), |ms| format!("≈ {}", format::duration(ms)))
}

/// What is lost when all goes to plan, and why so much.
pub(crate) fn predicted_loss(plan: &Plan) -> (String, String) {
    match &plan.prediction.loss {
        Some(loss) => {
            let unit = if loss.records == 1 { "record" } else { "records" };
            (format!("{} {unit}", format::number(loss.records)), loss.basis.clone())
        }
        None => ("not predicted".to_owned(), "by the version of Muster that made this plan".to_owned()),
    }
}

/// What would have been lost if the side that is left had died when this was planned, and when that was read; nothing where it was
/// not known.
pub(crate) fn at_stake(plan: &Plan) -> Option<(String, String)> {
    let stake = plan.prediction.loss.as_ref()?.if_source_dies.as_ref()?;
    let AtStake { records_at_least, records_at_most, ms_at_most, at } = stake;
    let records = match (records_at_least, records_at_most) {
        (Some(least), Some(most)) if least == most => format!("{} records", format::number(*most)),
        (Some(least), Some(most)) => {
            format!("{} to {} records", format::number(*least), format::number(*most))
        }
        (Some(least), None) => format!("{} records or more", format::number(*least)),
        (None, Some(most)) => format!("at most {} records", format::number(*most)),
        (None, None) => "number of records not known".to_owned(),
    };
    let writes = ms_at_most
        .map_or_else(String::new, |ms| format!("writes of at most the last {}, ", format::duration(ms)));
    Some((records, format!("{writes}read {} before", format::age(plan.created_at, *at))))
}

fn plan_pill(plan: &Plan) -> Pill {
    match (plan.blockers.len(), plan.warnings.len()) {
        (0, 0) => Pill::new(Tone::Ok, "Can be requested"),
        (0, n) => Pill::new(Tone::Warn, format!("Can be requested, {}", format::count(n, "warning"))),
        (n, _) => Pill::new(Tone::Bad, format!("Blocked by {}", format::count(n, "finding"))),
    }
}

fn request(chrome: &Chrome, plan: &Plan, pair: &Pair) -> Request {
    let verb = if plan.content.operation.only_looks() { "Ask to" } else { "Request approval to" };
    let label = format!(
        "{verb} {}, {}",
        words::asks(plan.content.operation, pair.name.as_str()).to_lowercase(),
        pair.course(plan.content.direction)
    );
    if !chrome.may(Role::Operator, &pair.team) {
        let roles = chrome.facts.person.as_ref().map(roles_of).unwrap_or_default();
        let rule = format!("Only operators of {} ask for its runs. You are {roles}.", pair.team);
        return Request::Refused(label, rule);
    }
    if plan.content.pair_version != pair.version {
        return Request::Refused(label, "The pair was edited since; make a new plan.".to_owned());
    }
    if !plan.blockers.is_empty() {
        let rule = format!("{} first; then make a new plan.", format::count(plan.blockers.len(), "blocker"));
        return Request::Refused(label, format!("Clear {rule}"));
    }
    Request::Offered(label)
}

fn rules(rules: &PlanRules, from: &str) -> Vec<(&'static str, String)> {
    let unproven = match rules.if_unproven {
        IfUnproven::Wait => "a person is asked while writes are away".to_owned(),
        IfUnproven::RollBack => format!("everything is undone and writes return to {from}"),
    };
    let outage_ends = match rules.if_unproven {
        IfUnproven::Wait => {
            "then only the way back is left, and a run that rests waits for a person to abort it"
        }
        IfUnproven::RollBack => "then it rolls back",
    };
    let mut consumers = match rules.consumers {
        ConsumerRule::DrainThenMove => {
            format!(
                "read to the end first, at most {}, then move",
                format::seconds(rules.group_drain_seconds)
            )
        }
        ConsumerRule::MoveOut => {
            "are moved out where they stand; positions are translated exactly".to_owned()
        }
    };
    if rules.hold_seconds > 0 {
        let hold = format::seconds(rules.hold_seconds);
        let _ = write!(consumers, "; are asked to commit and leave, at most {hold}");
    }
    let go = if rules.confirm_before_fence {
        "a person, with all figures, before the fence"
    } else {
        "nobody; it goes on"
    };
    vec![
        ("Final go", go.to_owned()),
        ("If a proof is missing at the point of no return", unproven),
        ("Consumers", consumers),
        ("Replication may catch up for", format::seconds(rules.catch_up_seconds)),
        (
            "Open transactions get",
            format!("{}, then they are aborted", format::duration(rules.transaction_grace_ms)),
        ),
        (
            "Writes away at most",
            format!("{}, {outage_ends}", format::seconds(rules.max_write_outage_seconds)),
        ),
        ("Groups are watched for", format::seconds(rules.resume_watch_seconds)),
    ]
}

/// Consecutive steps of one phase, the point of no return at the head of its own.
pub(crate) fn planned_phases(steps: &[PlannedStep]) -> Vec<PlannedPhase> {
    let mut phases: Vec<(PlannedPhase, Option<i64>)> = Vec::new();
    let position =
        |name: &String| steps.iter().position(|step| step.name == *name).map(|i| (i + 1).to_string());
    for (i, step) in steps.iter().enumerate() {
        let after: Vec<String> = step.after.iter().filter_map(position).collect();
        let previous = i.to_string();
        let after = if after.len() == 1 && after[0] == previous || after.is_empty() {
            String::new()
        } else {
            format!("after step {}", format::list(&after, 8))
        };
        let row = PlannedRow {
            no: i + 1,
            title: step.title.clone(),
            estimate: step
                .expected_ms
                .map_or_else(|| "no estimate".to_owned(), |ms| format!("≈ {}", format::duration(ms))),
            after,
            undo: match (step.undoable, step.calls.iter().all(|call| call.starts_with("look:"))) {
                (true, _) => "can be undone",
                (false, true) => "changes nothing",
                (false, false) => "",
            },
            calls_said: format::count(step.calls.len(), "call"),
            calls: step.calls.join("\n"),
        };
        let name = words::phase(step.phase);
        let same = phases.last().is_some_and(|(phase, _)| phase.name == name) && !step.point_of_no_return;
        if !same {
            let phase = PlannedPhase {
                name,
                sum: String::new(),
                no_return: step.point_of_no_return,
                steps: Vec::new(),
            };
            phases.push((phase, Some(0)));
        }
        if let Some((phase, sum)) = phases.last_mut() {
            phase.steps.push(row);
            *sum = sum.zip(step.expected_ms).map(|(sum, ms)| sum + ms);
        }
    }
    phases.into_iter().map(|(phase, sum)| PlannedPhase { sum: about(sum), ..phase }).collect()
}
