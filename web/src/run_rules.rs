//! Who may act on a run: why somebody may not. The buttons of a run and the pages behind them say the same.

use muster_domain::{
    break_glass::may_be_overridden,
    people::{Actor, Role},
    plan::Concern,
    record::Person,
};

use crate::{chrome::roles_of, run::RunRecord};

/// Why this person may not drive a run of that team; `None` when they may.
pub(crate) fn not_an_operator(record: &RunRecord<'_>, viewer: Option<&Actor>) -> Option<String> {
    let team = &record.run.team;
    match viewer {
        Some(viewer) if viewer.has(Role::Operator, team) => None,
        Some(viewer) => Some(format!(
            "Only operators of {team} drive its runs. You are {}. An admin can give you the role.",
            roles_of(viewer)
        )),
        None => Some(format!("Only operators of {team} drive its runs. Sign in first.")),
    }
}

/// Why this person may not do `what`, which is for owners; `None` when they may.
pub(crate) fn not_an_owner(record: &RunRecord<'_>, viewer: Option<&Actor>, what: &str) -> Option<String> {
    let team = &record.run.team;
    let owner = viewer.is_some_and(|viewer| viewer.has(Role::Owner, team));
    (!owner).then(|| format!("Only owners of {team} {what}."))
}

/// Why this person may not review a start without approval; `None` when they may.
pub(crate) fn not_a_reviewer(record: &RunRecord<'_>, viewer: Option<&Actor>) -> Option<String> {
    let run = record.run;
    let is = |person: &Person| viewer.is_some_and(|viewer| viewer.id == person.id);
    match record.break_glass {
        None => Some("It was started with approval; there is nothing to review.".to_owned()),
        Some(broken) if broken.review.is_some() => Some("It was reviewed before.".to_owned()),
        Some(_) if !viewer.is_some_and(|viewer| viewer.has(Role::Approver, &run.team)) => {
            Some(format!("Only approvers of {} review it.", run.team))
        }
        Some(_) if is(&run.requested_by) || run.driver.as_ref().is_some_and(is) => {
            Some("You asked for it or started it; somebody else must review it.".to_owned())
        }
        Some(_) => None,
    }
}

/// What of a plan's blockers nobody overrides.
pub(crate) fn stays(blockers: &[Concern]) -> Option<String> {
    let stays: Vec<&str> = blockers
        .iter()
        .filter(|blocker| !may_be_overridden(blocker))
        .map(|blocker| blocker.reason.as_str())
        .collect();
    (!stays.is_empty()).then(|| format!("Nobody overrides this: {}.", stays.join("; ").trim_end_matches('.')))
}
