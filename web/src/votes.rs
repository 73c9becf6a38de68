//! Who may decide on a run, who did, and why somebody cannot.

use chrono::{DateTime, Utc};
use muster_domain::{
    people::{Actor, Role},
    record::{Approval, Run, Vote},
    run::RunState,
};

use crate::{format, words};

/// Somebody who may decide, or who could but for a reason.
#[derive(Debug)]
pub(crate) struct Voter {
    pub(crate) icon: &'static str,
    pub(crate) class: &'static str,
    pub(crate) name: String,
    pub(crate) when: String,
    pub(crate) why: String,
}

pub(crate) fn approvals_given(run: &Run, approvals: &[Approval]) -> usize {
    approvals.iter().filter(|a| a.vote == Vote::Approve && a.plan_hash == run.plan_hash).count()
}

/// Whether and why a person may decide on a run, in a sentence either way.
///
/// # Errors
/// The rule that is against it.
pub fn may_decide(run: &Run, approvals: &[Approval], person: Option<&Actor>) -> Result<String, String> {
    let Some(person) = person else { return Err("Sign in to decide.".to_owned()) };
    if run.state != RunState::AwaitingApproval {
        return Err(format!(
            "It is {} now; there is nothing to decide.",
            words::run_state(run.state).2.to_lowercase()
        ));
    }
    if run.requested_by.id == person.id {
        return Err("You asked for it. Nobody approves what they asked for.".to_owned());
    }
    if !person.has(Role::Approver, &run.team) {
        return Err(format!("You are not an approver of {}. An admin can give you the role.", run.team));
    }
    if let Some(own) = approvals.iter().find(|approval| approval.by.id == person.id) {
        return Err(format!("You {} at {}.", voted(own.vote), format::time(own.at)));
    }
    Ok(format!("You are an approver of {} and you did not ask for it.", run.team))
}

pub(crate) fn voted(vote: Vote) -> &'static str {
    match vote {
        Vote::Approve => "approved",
        Vote::Reject => "rejected",
    }
}

pub(crate) fn voters(
    run: &Run,
    approvals: &[Approval],
    approvers: &[Actor],
    viewer: Option<&Actor>,
    now: DateTime<Utc>,
) -> Vec<Voter> {
    let mut voters: Vec<Voter> = approvals
        .iter()
        .map(|approval| {
            let (icon, class) = match approval.vote {
                Vote::Approve => ("ok", "ok-t"),
                Vote::Reject => ("bad", "bad-t"),
            };
            let stale = if approval.plan_hash == run.plan_hash { "" } else { ", of an older plan, void" };
            let comment = if approval.comment.is_empty() {
                String::new()
            } else {
                format!(": “{}”", approval.comment)
            };
            let name = words::name_of(&approval.by.name, viewer);
            let why = format!("{}{stale}{comment}", voted(approval.vote));
            Voter { icon, class, name, when: format::moment(now, approval.at), why }
        })
        .collect();
    for person in approvers.iter().filter(|p| !approvals.iter().any(|a| a.by.id == p.id)) {
        let name = words::name_of(&person.name, viewer);
        voters.push(match may_decide(run, approvals, Some(person)) {
            Ok(_) => Voter {
                icon: "todo",
                class: "quiet",
                name,
                when: "open".to_owned(),
                why: "may decide".to_owned(),
            },
            Err(_) if run.requested_by.id == person.id => Voter {
                icon: "na",
                class: "quiet",
                name,
                when: "cannot".to_owned(),
                why: "asked for it".to_owned(),
            },
            Err(_) => Voter {
                icon: "na",
                class: "quiet",
                name,
                when: "no vote".to_owned(),
                why: "did not decide".to_owned(),
            },
        });
    }
    voters
}
