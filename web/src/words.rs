//! The words for what the domain names: operations, states, phases, steps. One word per thing.

use muster_domain::{
    notification::{ChannelKind, EventKind},
    people::Actor,
    reading::ReadingClass,
    record::{Run, RunStep},
    run::{Operation, Phase, RunState, StepState},
};

use crate::parts::{Mark, Pill, Tone};

/// How sure something is, in a word. Of a lower bound of what arrived, what is shown is what is missing: at most so much.
#[must_use]
pub fn class(class: ReadingClass) -> &'static str {
    match class {
        ReadingClass::Exact => "exact",
        ReadingClass::Tight => "tight",
        ReadingClass::LowerBound => "at most",
        ReadingClass::Stale => "stale",
        ReadingClass::Unknown => "unknown",
    }
}

/// `Switchover`.
#[must_use]
pub fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Switchover => "Switchover",
        Operation::Failover => "Failover",
        Operation::Failback => "Failback",
        Operation::Rehearsal => "Rehearsal",
        Operation::GameDay => "Game day",
        Operation::Tabletop => "Tabletop",
        Operation::Evacuation => "Evacuation",
        Operation::ReadinessDrill => "Readiness drill",
    }
}

/// `Switch over payments`: what is asked for.
#[must_use]
pub fn asks(operation: Operation, pair: &str) -> String {
    match operation {
        Operation::Switchover => format!("Switch over {pair}"),
        Operation::Failover => format!("Fail over {pair}"),
        Operation::Failback => format!("Fail back {pair}"),
        Operation::Rehearsal => format!("Rehearse {pair}"),
        Operation::GameDay => format!("Hold a game day on {pair}"),
        Operation::Tabletop => format!("Talk through {pair}"),
        Operation::Evacuation => format!("Evacuate {pair}"),
        Operation::ReadinessDrill => format!("Look how ready {pair} is"),
    }
}

/// `switching payments over`: what is approved, started, under way.
#[must_use]
pub fn doing(operation: Operation, pair: &str) -> String {
    match operation {
        Operation::Switchover => format!("switching {pair} over"),
        Operation::Failover => format!("failing {pair} over"),
        Operation::Failback => format!("failing {pair} back"),
        Operation::Rehearsal => format!("rehearsing {pair}"),
        Operation::GameDay => format!("the game day on {pair}"),
        Operation::Tabletop => format!("talking through {pair}"),
        Operation::Evacuation => format!("evacuating {pair}"),
        Operation::ReadinessDrill => format!("looking how ready {pair} is"),
    }
}

/// With a capital first letter.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Tone, glyph and word of a run's state.
#[must_use]
pub fn run_state(state: RunState) -> (Tone, &'static str, &'static str) {
    match state {
        RunState::Blocked => (Tone::Bad, "bad", "Blocked"),
        RunState::AwaitingApproval => (Tone::Warn, "human", "Waits for approval"),
        RunState::Approved => (Tone::Run, "clock", "Approved, not started"),
        RunState::Rejected => (Tone::Idle, "na", "Rejected"),
        RunState::Expired => (Tone::Idle, "clock", "Expired"),
        RunState::Running => (Tone::Run, "run", "Running"),
        RunState::WaitingForInput => (Tone::Warn, "human", "Waits for a person"),
        RunState::PausedByOperator => (Tone::Warn, "pause", "Paused by a person"),
        RunState::PausedByFailure => (Tone::Bad, "bad", "Paused by a failure"),
        RunState::RollingBack => (Tone::Warn, "undo", "Rolling back"),
        RunState::RolledBack => (Tone::Idle, "undo", "Rolled back"),
        RunState::Stuck => (Tone::Bad, "bad", "Stuck, an undo failed"),
        RunState::ClosedManually => (Tone::Warn, "human", "Closed by hand"),
        RunState::Verifying => (Tone::Run, "run", "Verifying"),
        RunState::Succeeded => (Tone::Ok, "ok", "Succeeded"),
        RunState::SucceededWithExceptions => (Tone::Warn, "warn", "Succeeded with exceptions"),
        RunState::Failed => (Tone::Bad, "bad", "Failed"),
        RunState::CleaningUp => (Tone::Run, "run", "Cleaning up"),
        RunState::CleanupIncomplete => (Tone::Bad, "bad", "Clean-up incomplete"),
        RunState::AwaitingAttestation => (Tone::Warn, "human", "Waits for attestation"),
        RunState::Passed => (Tone::Ok, "ok", "Passed"),
        RunState::Inconclusive => (Tone::Unk, "unk", "Inconclusive"),
    }
}

/// A run's state as a pill; running ones say which step.
#[must_use]
pub fn run_pill(state: RunState, steps: &[RunStep]) -> Pill {
    let (tone, icon, word) = run_state(state);
    let text = match current_step(steps) {
        Some(position) if state.holds_pair() => format!("{word}, step {position} of {}", steps.len()),
        Some(_) | None => word.to_owned(),
    };
    Pill::with_icon(tone, icon, text)
}

/// A run's state inside a table.
#[must_use]
pub fn run_mark(state: RunState) -> Mark {
    let (tone, icon, word) = run_state(state);
    Mark::with_icon(tone, icon, word)
}

/// The first step that is under way, or else the first not begun.
#[must_use]
pub fn current_step(steps: &[RunStep]) -> Option<i32> {
    steps
        .iter()
        .find(|step| !matches!(step.state, StepState::Succeeded | StepState::Skipped | StepState::Undone))
        .map(|step| step.position)
}

/// `Fence`.
#[must_use]
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Prepare => "Prepare",
        Phase::Decide => "Decide",
        Phase::Fence => "Fence",
        Phase::Drain => "Drain",
        Phase::Translate => "Translate",
        Phase::Redirect => "Redirect",
        Phase::Settle => "Settle",
    }
}

/// Colour class of a phase: people in stone, machines in blue.
#[must_use]
pub fn phase_class(phase: Phase) -> &'static str {
    match phase {
        Phase::Prepare => "p0",
        Phase::Decide => "p1",
        Phase::Fence => "p2",
        Phase::Drain => "p3",
        Phase::Translate => "p4",
        Phase::Redirect => "p5",
        Phase::Settle => "p6",
    }
}

/// CSS class, glyph and word of a step's state. `asks` is whether it waits for people by design.
#[must_use]
pub fn step_state(state: StepState, asks: bool) -> (&'static str, &'static str, &'static str) {
    match state {
        StepState::NotStarted => ("todo", if asks { "human" } else { "todo" }, "not started"),
        StepState::Running => ("now", "run", "running"),
        StepState::Succeeded => {
            (if asks { "wait" } else { "done" }, if asks { "human" } else { "ok" }, "done")
        }
        StepState::FailedRetryable => ("now", "run", "failed, tried again"),
        StepState::Failed => ("failed", "bad", "failed"),
        StepState::Unknown => ("unsure", "unk", "unknown, being looked at again"),
        StepState::Skipped => ("skipped", "skip", "skipped"),
        StepState::WaitingForInput => ("now", "human", "waits for a person"),
        StepState::Undoing => ("now", "undo", "being undone"),
        StepState::Undone => ("skipped", "undo", "undone"),
        StepState::UndoFailed => ("failed", "bad", "undo failed"),
    }
}

/// `run 144`.
#[must_use]
pub fn run_name(run: &Run) -> String {
    format!("run {}", run.number)
}

/// `Run 144`.
#[must_use]
pub fn run_title(run: &Run) -> String {
    format!("Run {}", run.number)
}

/// `you` for the signed-in person, the name for others.
#[must_use]
pub fn name_of(name: &str, viewer: Option<&Actor>) -> String {
    if viewer.is_some_and(|viewer| viewer.name == name) { format!("{name}, you") } else { name.to_owned() }
}

/// A kind of channel in words.
#[must_use]
pub fn channel_kind(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Email => "e-mail",
        ChannelKind::Slack => "Slack, or compatible",
        ChannelKind::Teams => "Microsoft Teams",
        ChannelKind::Webhook => "webhook, signed",
        ChannelKind::Pagerduty => "PagerDuty",
    }
}

/// A kind of event a team is told of, in words.
#[must_use]
pub fn event(kind: EventKind) -> &'static str {
    match kind {
        EventKind::ApprovalNeeded => "approval needed",
        EventKind::RunStarted => "run started",
        EventKind::WaitingForInput => "run waits for a person",
        EventKind::PausedByFailure => "run stopped by a failure",
        EventKind::Ended => "run ended",
        EventKind::ReadinessWorse => "readiness got worse",
        EventKind::ReadinessBetter => "readiness got better",
        EventKind::Alarm => "alarm of silent loss",
        EventKind::DrillDue => "drill due",
        EventKind::DrillOverdue => "drill overdue",
        EventKind::BreakGlass => "break-glass",
        EventKind::Test => "test",
    }
}
