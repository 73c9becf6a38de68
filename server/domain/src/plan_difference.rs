//! What differs between a plan and the one that was approved before it, most important first.
//!
//! Approvers who said yes once want to see what is new, not read everything again. However many topics differ, what is
//! said stays short: everything is counted and the first few are named.

mod lists;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::plan::{Concern, Plan, PlanContent, PlanRules, Prediction};
use lists::{Entry, calls, compare_lists, steps};

/// Things of one change that are named; the others are counted.
pub const NAMED: usize = 20;

/// A plan that was approved, and the run it was approved for.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovedPlan {
    /// The plan.
    pub plan: Plan,
    /// The run.
    pub run: Uuid,
    /// The run's number.
    pub run_number: i64,
    /// When the last approval it needed was given.
    pub approved_at: DateTime<Utc>,
}

/// What a plan was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComparedWith {
    /// Id of the approved plan.
    pub plan: Uuid,
    /// Its hash.
    pub hash: String,
    /// The run it was approved for.
    pub run: Uuid,
    /// The run's number.
    pub run_number: i64,
    /// When it was approved.
    pub approved_at: DateTime<Utc>,
}

/// A plan beside the one approved before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanDifference {
    /// The plan.
    pub plan: Uuid,
    /// What it was compared with; `None` when no plan of this pair and operation was approved before it.
    pub compared_with: Option<ComparedWith>,
    /// What differs, most important first. Empty beside a `compared_with` means that nothing does.
    pub changes: Vec<PlanChange>,
}

/// Part of a plan that can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanPart {
    /// Which way applications move.
    Direction,
    /// Which clusters must be found.
    Cluster,
    /// Whether its end is attested.
    Drill,
    /// What prevents it.
    Blocker,
    /// What was decided in advance.
    Rule,
    /// Steps.
    Step,
    /// Calls of steps that both plans have.
    Call,
    /// Topics in scope.
    Topic,
    /// Groups in scope.
    Group,
    /// What its approver should know.
    Warning,
    /// Version of the pair's settings.
    PairSettings,
    /// ChangeHow long it will take.
    Prediction,
}

impl PlanPart {
    fn noun(self) -> &'static str {
        match self {
            Self::Direction => "direction",
            Self::Cluster => "cluster id",
            Self::Drill => "attestation",
            Self::Blocker => "blocker",
            Self::Rule => "decision made in advance",
            Self::Step => "step",
            Self::Call => "call",
            Self::Topic => "topic",
            Self::Group => "group",
            Self::Warning => "warning",
            Self::PairSettings => "version of the settings",
            Self::Prediction => "prediction",
        }
    }
}

/// In what way it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeHow {
    /// Only this plan has it.
    Added,
    /// Only the approved plan has it.
    Removed,
    /// Both have it and it is not the same.
    Changed,
    /// Both have it, in another order.
    Moved,
}

impl ChangeHow {
    fn verb(self, many: bool) -> &'static str {
        match (self, many) {
            (Self::Added, false) => "is new",
            (Self::Added, true) => "are new",
            (Self::Removed, false) => "is gone",
            (Self::Removed, true) => "are gone",
            (Self::Changed, false) => "is different",
            (Self::Changed, true) => "are different",
            (Self::Moved, false) => "comes in another order",
            (Self::Moved, true) => "come in another order",
        }
    }
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChangedThing {
    /// What it is called.
    pub name: String,
    /// ChangeHow the approved plan has it.
    pub before: Option<String>,
    /// ChangeHow this plan has it.
    pub after: Option<String>,
}

/// What differs in one part in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanChange {
    /// Of what.
    pub part: PlanPart,
    /// In what way.
    pub how: ChangeHow,
    /// A sentence with the first names between backticks.
    pub says: String,
    /// ChangeHow many things.
    pub count: usize,
    /// The first of them, at most [`NAMED`].
    pub things: Vec<ChangedThing>,
}

/// Compares a plan with the one approved before it, if there was one.
#[must_use]
pub fn difference(before: Option<&ApprovedPlan>, plan: &Plan) -> PlanDifference {
    let compared_with = before.map(|approved| ComparedWith {
        plan: approved.plan.id,
        hash: approved.plan.hash.clone(),
        run: approved.run,
        run_number: approved.run_number,
        approved_at: approved.approved_at,
    });
    let changes = before.map(|approved| changes(&approved.plan, plan)).unwrap_or_default();
    PlanDifference { plan: plan.id, compared_with, changes }
}

fn changes(before: &Plan, after: &Plan) -> Vec<PlanChange> {
    let (old, new) = (&before.content, &after.content);
    // Titles and calls name the clusters; the other way round every one of them is different and says nothing.
    let same_way = old.direction == new.direction;
    let mut found = Vec::new();
    found.extend((!same_way).then(|| {
        let says = "Applications move the other way, so what steps are called and which calls they make is not compared.";
        change(PlanPart::Direction, ChangeHow::Changed, says.to_owned(), Vec::new())
    }));
    found.extend(compare_lists(PlanPart::Cluster, &cluster_ids(old), &cluster_ids(new)));
    found.extend(drill(old, new));
    found.extend(compare_lists(PlanPart::Blocker, &concerns(&before.blockers), &concerns(&after.blockers)));
    found.extend(compare_lists(PlanPart::Rule, &rules(&old.rules), &rules(&new.rules)));
    found.extend(steps(old, new, same_way));
    if same_way {
        found.extend(calls(old, new));
    }
    found.extend(compare_lists(PlanPart::Topic, &topics(old), &topics(new)));
    found.extend(compare_lists(PlanPart::Group, &groups(old), &groups(new)));
    found.extend(compare_lists(PlanPart::Warning, &concerns(&before.warnings), &concerns(&after.warnings)));
    found.extend((old.pair_version != new.pair_version).then(|| {
        let (was, is) = (old.pair_version, new.pair_version);
        let says = format!("The pair's settings were edited: version {is} instead of {was}.");
        let thing = thing("version", Some(was.to_string()), Some(is.to_string()));
        change(PlanPart::PairSettings, ChangeHow::Changed, says, vec![thing])
    }));
    found.extend(prediction(&before.prediction, &after.prediction));
    found
}

fn thing(name: &str, before: Option<String>, after: Option<String>) -> ChangedThing {
    ChangedThing { name: name.to_owned(), before, after }
}

fn change(part: PlanPart, how: ChangeHow, says: String, mut things: Vec<ChangedThing>) -> PlanChange {
    let count = things.len().max(1);
    things.truncate(NAMED);
    PlanChange { part, how, says, count, things }
}

fn drill(old: &PlanContent, new: &PlanContent) -> Option<PlanChange> {
    let says = match (old.drill, new.drill) {
        (false, true) => "It is a drill now: somebody attests how it went.",
        (true, false) => "It is no drill any more: nobody attests how it went.",
        (true, true) | (false, false) => return None,
    };
    Some(change(PlanPart::Drill, ChangeHow::Changed, says.to_owned(), Vec::new()))
}

fn cluster_ids(content: &PlanContent) -> Vec<Entry> {
    let ids = &content.cluster_ids;
    [("side a", &ids.a), ("side b", &ids.b)].map(|(side, id)| (side.to_owned(), id.clone())).to_vec()
}

fn topics(content: &PlanContent) -> Vec<Entry> {
    let said =
        |t: &crate::plan::TopicScope| format!("{} partitions, copied to `{}`", t.partitions, t.replica);
    content.topics.iter().map(|topic| (topic.topic.clone(), said(topic))).collect()
}

fn groups(content: &PlanContent) -> Vec<Entry> {
    content.groups.iter().map(|group| (group.clone(), String::new())).collect()
}

fn concerns(concerns: &[Concern]) -> Vec<Entry> {
    concerns.iter().map(|concern| (concern.code.clone(), concern.reason.clone())).collect()
}

/// Each rule by its name in the API, so that one that is added later is compared too.
fn rules(rules: &PlanRules) -> Vec<Entry> {
    let Ok(Value::Object(fields)) = serde_json::to_value(rules) else { return Vec::new() };
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields.into_iter().map(|(name, value)| (name, text(value))).collect()
}

fn prediction(old: &Prediction, new: &Prediction) -> Option<PlanChange> {
    let rows = [
        ("writes away", old.write_unavailability_ms, new.write_unavailability_ms),
        ("whole run", old.total_ms, new.total_ms),
    ];
    let differs: Vec<ChangedThing> = rows
        .into_iter()
        .filter(|(_, was, is)| was != is)
        .map(|(name, was, is)| thing(name, Some(seconds(was)), Some(seconds(is))))
        .collect();
    let said: Vec<String> = differs
        .iter()
        .map(|t| {
            format!(
                "{} {} instead of {}",
                t.name,
                t.after.as_deref().unwrap_or(""),
                t.before.as_deref().unwrap_or("")
            )
        })
        .collect();
    let says = format!("Another duration is predicted: {}.", said.join(", "));
    (!differs.is_empty()).then(|| change(PlanPart::Prediction, ChangeHow::Changed, says, differs))
}

/// Unknown is a word, not zero.
fn seconds(ms: Option<i64>) -> String {
    ms.map_or_else(|| "not known".to_owned(), |ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100))
}
