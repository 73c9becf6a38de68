//! What pages of proofs share: the one under way, the one that failed, the history.

use chrono::{DateTime, Utc};
use muster_domain::{
    pair::Pair,
    people::Role,
    proof::{Proof, ProofKind, ProofState},
};

use crate::{
    chrome::Chrome,
    format,
    parts::{Action, Mark, Notice, Tone, When},
};

/// Proofs of one kind of a pair.
#[derive(Debug)]
pub(crate) struct ProofParts {
    /// What asking for one is called, or why this person cannot.
    pub(crate) ask: Result<String, Action>,
    pub(crate) open: Option<Open>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) history: Vec<Row>,
}

/// A proof that is under way.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) id: String,
    pub(crate) said: String,
    pub(crate) by: String,
    pub(crate) may_stop: bool,
}

/// A proof in the history.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) href: String,
    pub(crate) number: i64,
    pub(crate) when: When,
    pub(crate) by: String,
    pub(crate) state: Mark,
    pub(crate) sentence: String,
}

impl ProofParts {
    /// Of proofs of one kind, newest first; `ask` is what asking for another one is called.
    pub(crate) fn new(chrome: &Chrome, pair: &Pair, proofs: &[Proof], ask: String) -> Self {
        let now = chrome.now();
        let may = chrome.may(Role::Operator, &pair.team);
        let open = proofs.iter().find(|proof| !proof.state.is_ended());
        Self {
            ask: match (may, open) {
                (false, _) => {
                    Err(Action::refused(ask, format!("Only operators of {} ask for a proof.", pair.team)))
                }
                (true, Some(open)) => {
                    let rule =
                        format!("Proof {} is under way. One at a time; wait until it ends.", open.number);
                    Err(Action::refused(ask, rule))
                }
                (true, None) => Ok(ask),
            },
            open: open.map(|proof| Open {
                id: proof.id.to_string(),
                said: said(proof),
                by: proof.asked_by.name.clone(),
                may_stop: may,
            }),
            notices: notices(proofs, now),
            history: proofs.iter().map(|proof| Row::new(proof, now)).collect(),
        }
    }

    /// The page looks again by itself while one is under way.
    pub(crate) fn of_chrome(&self, chrome: Chrome) -> Chrome {
        if self.open.is_some() { chrome.refreshing(2).live() } else { chrome }
    }
}

/// How far a proof is.
fn said(proof: &Proof) -> String {
    let (done, of) = (format::number(proof.progress.done), format::number(proof.progress.of));
    match (proof.state, proof.progress.of, proof.kind) {
        (ProofState::Waiting, ..) => "waits for a process to take it".to_owned(),
        (_, 0, ProofKind::Translation) => "reads positions and offset syncs".to_owned(),
        (_, 0, ProofKind::Content) => "reads where partitions end".to_owned(),
        (_, _, ProofKind::Translation) => format!("{done} of {of} partitions compared"),
        (_, _, ProofKind::Content) => format!("{done} of {of} offsets compared"),
    }
}

/// The last one that failed, unless a newer one is done.
fn notices(proofs: &[Proof], now: DateTime<Utc>) -> Vec<Notice> {
    let newest = proofs.iter().find(|proof| proof.state.is_ended());
    let failed = newest.filter(|proof| proof.state == ProofState::Failed);
    let notice = |proof: &Proof| {
        let at = proof.ended_at.map_or_else(|| "a while ago".to_owned(), |at| format::ago(now, at));
        Notice::new(
            Tone::Bad,
            format!("Proof {} could not be carried out, {at}: {}.", proof.number, proof.reason),
            "Mend what it names, then ask for another one.",
        )
    };
    failed.map(notice).into_iter().collect()
}

impl Row {
    fn new(proof: &Proof, now: DateTime<Utc>) -> Self {
        let state = match proof.state {
            ProofState::Waiting => Mark::new(Tone::Run, "waiting"),
            ProofState::Running => Mark::new(Tone::Run, "running"),
            ProofState::Done => Mark::new(Tone::Ok, "done"),
            ProofState::Failed => Mark::new(Tone::Bad, "failed"),
            ProofState::Cancelled => Mark::new(Tone::Idle, "ended"),
        };
        Self {
            href: format!("/pairs/{}/{}?proof={}", proof.pair, proof.kind.as_str(), proof.id),
            number: proof.number,
            when: When::moment(now, proof.asked_at),
            by: proof.asked_by.name.clone(),
            sentence: if proof.sentence.is_empty() { proof.reason.clone() } else { proof.sentence.clone() },
            state,
        }
    }
}
