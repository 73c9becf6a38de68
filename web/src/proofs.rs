//! What pages of proofs share: which proof is shown, the one under way, the one that failed, the history, and from which cluster one is
//! asked for.

use chrono::{DateTime, Utc};
use muster_domain::{
    pair::{Pair, Side},
    people::Role,
    proof::{Proof, ProofKind, ProofState},
};
use uuid::Uuid;

use crate::{
    chrome::Chrome,
    format,
    parts::{Action, Choice, Course, Field, Link, Mark, Notice, Tone, When},
};

/// Proofs of one kind of a pair, and what of them is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looked<'a> {
    /// All that are listed, newest first.
    pub(crate) proofs: &'a [Proof],
    /// The one whose result is shown.
    pub(crate) shown: Option<&'a Proof>,
    /// The one the address asks for, by its id; empty for the newest that is done.
    pub(crate) asked: &'a str,
    /// The pair as it is now.
    pub(crate) course: &'a Course,
}

/// Proofs of one kind of a pair.
#[derive(Debug)]
pub(crate) struct ProofParts {
    /// What asking for one is called, or why this person cannot.
    pub(crate) ask: Result<String, Action>,
    pub(crate) open: Option<Open>,
    /// The one that was followed has ended.
    pub(crate) ended: Option<Told>,
    /// The one that is asked for has no result to show.
    pub(crate) without_result: Option<Told>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) history: Vec<Row>,
}

/// A proof that is under way.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) id: String,
    pub(crate) number: i64,
    pub(crate) said: String,
    pub(crate) by: String,
    pub(crate) may_stop: bool,
}

/// What became of a proof, and the way on.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) number: i64,
    pub(crate) state: Mark,
    pub(crate) link: Option<Link>,
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
    /// Of what is looked at; `ask` is what asking for another one is called.
    pub(crate) fn new(chrome: &Chrome, pair: &Pair, looked: Looked<'_>, ask: String) -> Self {
        let (now, proofs) = (chrome.now(), looked.proofs);
        let may = chrome.may(Role::Operator, &pair.team);
        let open = proofs.iter().find(|proof| !proof.state.is_ended());
        let followed = proofs.first().filter(|_| open.is_none() && chrome.was_following());
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
                number: proof.number,
                said: said(proof),
                by: proof.asked_by.name.clone(),
                may_stop: may,
            }),
            ended: followed.map(|proof| Told {
                number: proof.number,
                state: outcome(proof, now),
                link: Some(Link::new(href(proof), format!("Show proof {}", proof.number))),
            }),
            without_result: without_result(looked, now),
            notices: notices(looked, now),
            history: proofs.iter().map(|proof| Row::new(proof, now)).collect(),
        }
    }

    /// The page looks again by itself while one is under way: for how far that is, and in place. What somebody reads stays.
    pub(crate) fn of_chrome(&self, chrome: Chrome) -> Chrome {
        let chrome = chrome.of_page();
        if self.open.is_some() { chrome.following(5) } else { chrome }
    }
}

fn href(proof: &Proof) -> String {
    format!("/pairs/{}/{}?proof={}", proof.pair, proof.kind.as_str(), proof.id)
}

/// From which cluster a proof is asked for: `chosen`, by its name. While no cluster of the pair is, somebody has to say which; `course`
/// is the pair as it is now.
pub(crate) fn from_field(pair: &Pair, chosen: &str, course: &Course) -> Field {
    let clusters = Side::BOTH.map(|side| pair.cluster(side).as_str());
    let mut choices = clusters.map(|cluster| Choice::new(cluster, cluster)).to_vec();
    if clusters.contains(&chosen) {
        return Field::select("from", "From", choices, chosen);
    }
    choices.insert(0, Choice::new("", "say which cluster"));
    let why = if course.both_active() {
        "Both sides are active, so neither is proposed. A proof is of one direction; ask for one from each."
    } else {
        "Which side is active cannot be told, so it is not proposed."
    };
    Field::select("from", "From", choices, "").required().help(why)
}

/// The same with why what was sent does not do.
pub(crate) fn wrong_from(field: Field, why: &str) -> Field {
    field.errors(&[("from".to_owned(), why.to_owned())])
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

/// Where a proof is or how it ended. That it is done says nothing of what it found.
fn outcome(proof: &Proof, now: DateTime<Utc>) -> Mark {
    let at = ended(proof, now);
    match proof.state {
        ProofState::Waiting | ProofState::Running => Mark::new(Tone::Run, said(proof)),
        ProofState::Done => Mark::new(Tone::Idle, format!("done {at}: {}", proof.sentence)),
        ProofState::Failed => {
            Mark::new(Tone::Bad, format!("could not be carried out, {at}: {}", proof.reason))
        }
        ProofState::Cancelled => Mark::new(Tone::Idle, format!("{}, {at}", proof.reason)),
    }
}

fn ended(proof: &Proof, now: DateTime<Utc>) -> String {
    proof.ended_at.map_or_else(|| "a while ago".to_owned(), |at| format::ago(now, at))
}

/// The proof the address asks for, where it has no result.
fn asked(looked: Looked<'_>) -> Option<&Proof> {
    let id = looked.asked.parse::<Uuid>().ok()?;
    looked.proofs.iter().find(|proof| proof.id == id && proof.state != ProofState::Done)
}

fn newest_done(looked: Looked<'_>) -> Option<&Proof> {
    looked.proofs.iter().find(|proof| proof.state == ProofState::Done)
}

fn without_result(looked: Looked<'_>, now: DateTime<Utc>) -> Option<Told> {
    let proof = asked(looked)?;
    let link = newest_done(looked).map(|done| Link::new(href(done), format!("Show proof {}", done.number)));
    Some(Told { number: proof.number, state: outcome(proof, now), link })
}

/// The last one that failed, unless a newer one is done or it is shown itself; and what is to be known of the one that is shown.
fn notices(looked: Looked<'_>, now: DateTime<Utc>) -> Vec<Notice> {
    let newest = looked.proofs.iter().find(|proof| proof.state.is_ended());
    let itself = asked(looked).map(|proof| proof.id);
    let failed = newest.filter(|proof| proof.state == ProofState::Failed && Some(proof.id) != itself);
    let notice = |proof: &Proof| {
        let (number, at) = (proof.number, ended(proof, now));
        Notice::new(
            Tone::Bad,
            format!("Proof {number} could not be carried out, {at}: {}.", proof.reason),
            "Mend what it names, then ask for another one.",
        )
    };
    let shown = looked.shown.map(|shown| of_shown(shown, looked, now)).unwrap_or_default();
    failed.map(notice).into_iter().chain(shown).collect()
}

/// That a newer one is done, and that it is of the way the pair does not go now.
fn of_shown(shown: &Proof, looked: Looked<'_>, now: DateTime<Utc>) -> Vec<Notice> {
    let newer = newest_done(looked).filter(|done| done.number > shown.number).map(|newer| {
        let rest = format!("Proof {} was done {}.", newer.number, ended(newer, now));
        Notice::new(Tone::Idle, format!("Proof {} is shown, which is not the newest.", shown.number), rest)
            .link(href(newer), format!("Show proof {}", newer.number))
    });
    let active = looked.course.active().filter(|active| *active != shown.from.as_str());
    let turned = active.map(|active| {
        Notice::new(
            Tone::Warn,
            format!(
                "Proof {} is of {} → {}, and {active} is active now.",
                shown.number, shown.from, shown.to
            ),
            format!("It says nothing of what {active} has. Ask for another one before you rest on it."),
        )
    });
    newer.into_iter().chain(turned).collect()
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
            href: href(proof),
            number: proof.number,
            when: When::moment(now, proof.asked_at),
            by: proof.asked_by.name.clone(),
            sentence: if proof.sentence.is_empty() { proof.reason.clone() } else { proof.sentence.clone() },
            state,
        }
    }
}
