//! What differs from the plan approved before: on the plan's page and before its approval.

use askama::{Template, filters::HtmlSafe};
use muster_domain::{
    plan::Plan,
    plan_difference::{ChangeHow, PlanChange, PlanDifference, PlanPart},
};

use crate::{format, parts::Link, words};

/// One thing of a change, as the approved plan and as this one has it.
#[derive(Debug)]
struct ThingRow {
    name: String,
    before: String,
    after: String,
}

/// What differs in one part in one way.
#[derive(Debug)]
struct ChangeRow {
    class: &'static str,
    icon: &'static str,
    says: String,
    summary: String,
    things: Vec<ThingRow>,
}

/// The panel.
#[derive(Debug, Template)]
#[template(path = "parts/plan_difference.html")]
pub(crate) struct DifferencePanel {
    heading: String,
    lead: String,
    approved: Vec<Link>,
    changes: Vec<ChangeRow>,
}
impl HtmlSafe for DifferencePanel {}

impl DifferencePanel {
    /// Of a plan.
    pub(crate) fn new(difference: &PlanDifference, plan: &Plan) -> Self {
        // Nobody approves what only looks.
        let verb = if plan.content.operation.only_looks() { "asked for" } else { "approved" };
        let Some(with) = &difference.compared_with else {
            let operation = words::operation(plan.content.operation).to_lowercase();
            return Self {
                heading: "Nothing to compare it with".to_owned(),
                lead: format!(
                    "No {operation} of {} was {verb} before, so read this plan whole.",
                    plan.content.pair
                ),
                approved: Vec::new(),
                changes: Vec::new(),
            };
        };
        Self {
            heading: format!("Compared with the plan {verb} on {}", format::date_time(with.approved_at)),
            lead: if difference.changes.is_empty() {
                "Nothing changed: the same steps and calls, for the same topics and groups.".to_owned()
            } else {
                String::new()
            },
            approved: vec![
                Link::new(format!("/plans/{}", with.plan), "That plan"),
                Link::new(format!("/runs/{}", with.run), format!("run {}", with.run_number)),
            ],
            changes: difference.changes.iter().map(row).collect(),
        }
    }
}

fn row(change: &PlanChange) -> ChangeRow {
    let serious = matches!(
        (change.part, change.how),
        (PlanPart::Direction | PlanPart::Cluster | PlanPart::Rule | PlanPart::Step, _)
            | (PlanPart::Blocker | PlanPart::Warning, ChangeHow::Added)
    );
    let (class, icon) = if serious { ("warn", "warn") } else { ("", "doc") };
    let told: Vec<ThingRow> = change
        .things
        .iter()
        .filter(|thing| thing.before.is_some() || thing.after.is_some())
        .map(|thing| ThingRow {
            name: thing.name.clone(),
            before: thing.before.clone().unwrap_or_else(|| "—".to_owned()),
            after: thing.after.clone().unwrap_or_else(|| "—".to_owned()),
        })
        .collect();
    let shown = if told.len() < change.count { format!("{} of ", told.len()) } else { String::new() };
    let all = format::count(change.count, "difference");
    ChangeRow { class, icon, says: change.says.clone(), summary: format!("Show {shown}{all}"), things: told }
}
