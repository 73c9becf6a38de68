//! `sample()` of the pages about plans, runs and what is kept.

use muster_domain::{
    audit::{AuditContent, AuditEntry, GENESIS},
    comparison::compare,
    pair::{BySide, Pair},
    people::Role,
    plan_difference,
    reading::{Reading, ReadingClass},
    record::{Run, RunStep},
    run::RunState,
};

use super::{
    ago,
    night::{actor, adaeze, chrome, chrome_of, everybody, ines, names, wei},
    outcome,
    pairs::{self},
    runs, steps,
};
use crate::{
    approval::ApprovalPage,
    audit::AuditPage,
    brake::{BrakePage, BrakedRuns},
    chrome::{Brake, Chrome},
    comparison::ComparisonPage,
    confirm::{ConfirmAct, ConfirmPage},
    forms::{ActForm, AuditFilter, RunFilter},
    people::{Listed, PeoplePage},
    plan::PlanPage,
    report::ReportPage,
    run::{RunPage, RunRecord},
    run_live::RunLive,
    runs::RunsPage,
};

/// What the clusters of a plan's pair are called.
fn clusters_of(pair: &Pair) -> BySide<String> {
    BySide { a: pair.clusters.a.to_string(), b: pair.clusters.b.to_string() }
}

impl PlanPage {
    /// Payments.
    #[must_use]
    pub fn sample() -> Self {
        let (plan, pair) = (runs::plan("payments", false), pairs::payments().pair);
        Self::new(
            chrome("/plans/x"),
            &plan,
            Some(&pair),
            &clusters_of(&pair),
            &runs::difference(&plan),
            "",
            &[],
        )
    }

    /// Payments, blocked.
    #[must_use]
    pub fn sample_blocked() -> Self {
        let (plan, pair) = (runs::plan("payments", true), pairs::payments().pair);
        let difference = plan_difference::difference(None, &plan);
        Self::new(chrome("/plans/x"), &plan, Some(&pair), &clusters_of(&pair), &difference, "", &[])
    }

    /// Payments, after the pair was removed.
    #[must_use]
    pub fn sample_of_removed_pair() -> Self {
        let (plan, pair) = (runs::plan("payments", false), pairs::payments().pair);
        Self::new(chrome("/plans/x"), &plan, None, &clusters_of(&pair), &runs::difference(&plan), "", &[])
    }
}

/// A record of a run for as long as `show` needs it.
pub(super) fn with<T>(run: &Run, steps: &[RunStep], show: impl FnOnce(&RunRecord<'_>) -> T) -> T {
    let (plan, events, approvals) = (runs::plan(run.pair.as_str(), false), runs::events(), runs::approvals());
    let objectives = pairs::payments().pair.objectives;
    let events = if steps.is_empty() { Vec::new() } else { events };
    let broken = runs::break_glass();
    show(&RunRecord {
        run,
        plan: &plan,
        steps,
        events: &events,
        approvals: &approvals,
        break_glass: (run.id == runs::started_without_approval().id).then_some(&broken),
        objectives: Some(&objectives),
        channels: &names(&["on-call (PagerDuty)", "room (Slack, or compatible)"]),
    })
}

fn approval(chrome: Chrome) -> ApprovalPage {
    let approvers: Vec<_> =
        everybody().into_iter().filter(|person| person.has_anywhere(Role::Approver)).collect();
    let rpo = Reading::new(17_570, ReadingClass::LowerBound, ago(2), "");
    let difference = runs::difference(&runs::plan("payments", false));
    with(&runs::asked(), &[], |record| {
        ApprovalPage::new(chrome, record, &difference, &approvers, Some(&rpo), &[])
    })
}

impl ApprovalPage {
    /// As somebody who may decide.
    #[must_use]
    pub fn sample() -> Self {
        approval(chrome("/runs/x/approval"))
    }

    /// As the requester.
    #[must_use]
    pub fn sample_cannot() -> Self {
        let jonas = actor(4, "jonas.lindqvist", &[Role::Operator, Role::Approver]);
        approval(chrome_of(Some(jonas), "/runs/x/approval", Brake::Released))
    }
}

pub(super) fn of_ines() -> Chrome {
    chrome_of(Some(ines()), "/runs/x", Brake::Released)
}

pub(super) fn run_page(state: RunState, reason: &str, steps: &[RunStep]) -> RunPage {
    with(&runs::under_way(state, reason), steps, |record| RunPage::new(of_ines(), record, false))
}

impl RunPage {
    /// Orders, two lanes running.
    #[must_use]
    pub fn sample() -> Self {
        run_page(RunState::Running, "", &steps::steps_running())
    }

    /// Orders, a step failed.
    #[must_use]
    pub fn sample_paused() -> Self {
        run_page(
            RunState::PausedByFailure,
            "Step 8 failed twice: order-projector kept 1 member on eu-west.",
            &steps::steps_failed(),
        )
    }

    /// Orders, waiting for the final go.
    #[must_use]
    pub fn sample_asks() -> Self {
        run_page(RunState::WaitingForInput, "", &steps::steps_asking())
    }

    /// The same, with the brake pulled meanwhile.
    #[must_use]
    pub fn sample_asks_braked() -> Self {
        let reason = "Maintenance of the network between both regions.".to_owned();
        let brake = Brake::Set { by: "adaeze.obi".to_owned(), at: ago(60), reason };
        let chrome = chrome_of(Some(ines()), "/runs/x", brake);
        let run = runs::under_way(RunState::WaitingForInput, "");
        with(&run, &steps::steps_asking(), |record| Self::new(chrome, record, false))
    }
}

impl RunLive {
    /// The fragment of orders.
    #[must_use]
    pub fn sample() -> Self {
        let run = runs::under_way(RunState::Running, "");
        with(&run, &steps::steps_running(), |record| {
            Self::new(record, Some(&ines()), &Brake::Released, super::now())
        })
    }
}

impl ConfirmPage {
    /// Each act in a state that takes it.
    #[must_use]
    pub fn sample(act: ConfirmAct) -> Self {
        let (run, steps) = match act {
            ConfirmAct::Start => (runs::approved(), Vec::new()),
            ConfirmAct::Abort => (runs::under_way(RunState::Running, ""), steps::steps_running()),
            ConfirmAct::Skip => {
                (runs::under_way(RunState::PausedByFailure, "Step 8 failed."), steps::steps_failed())
            }
            ConfirmAct::Close => (
                runs::under_way(RunState::Stuck, "The deny on 2 topics could not be taken back."),
                steps::steps_failed(),
            ),
            ConfirmAct::BreakGlass => (runs::asked(), Vec::new()),
            ConfirmAct::Review => (runs::started_without_approval(), steps::steps_running()),
            ConfirmAct::Attest => (Run { state: RunState::AwaitingAttestation, ..runs::drill() }, Vec::new()),
        };
        let chrome = chrome_of(Some(adaeze()), "/runs/x/act", Brake::Released);
        let step = (act == ConfirmAct::Skip).then(|| steps.get(7).cloned()).flatten();
        with(&run, &steps, |record| Self::new(chrome, act, record, step.as_ref(), &ActForm::default(), &[]))
    }
}

impl RunsPage {
    /// Filtered to payments.
    #[must_use]
    pub fn sample() -> Self {
        let filter = RunFilter { pair: "payments".to_owned(), ..RunFilter::default() };
        Self::new(
            chrome("/runs?pair=payments"),
            &filter,
            &names(&["orders", "payments"]),
            &runs::history(),
            true,
        )
    }
}

impl ComparisonPage {
    /// The drill of August beside the first one.
    #[must_use]
    pub fn sample() -> Self {
        let (run, first) = (runs::drill(), runs::first_drill());
        let report = outcome::report();
        let mut before = report.steps.clone();
        before.remove(4);
        for step in &mut before {
            step.ended_at = step.started_at.zip(step.ended_at).map(|(from, to)| from + (to - from) * 16);
        }
        let compared = compare((&first, &before), (&run, &report.steps));
        Self::new(chrome("/runs/x/compare"), &run, &runs::history(), Some((&first, &compared)))
    }
}

impl ReportPage {
    /// The drill of August.
    #[must_use]
    pub fn sample() -> Self {
        Self::new(chrome("/runs/x/report"), &outcome::report(), Some(&pairs::payments().pair.objectives))
    }
}

impl AuditPage {
    /// A few entries, verified.
    #[must_use]
    pub fn sample() -> Self {
        let entry =
            |number, seconds, actor: &str, action: &str, object: &str, outcome: &str, detail| AuditEntry {
                content: AuditContent {
                    number,
                    at: ago(seconds),
                    actor: actor.to_owned(),
                    action: action.to_owned(),
                    object: object.to_owned(),
                    outcome: outcome.to_owned(),
                    detail,
                },
                previous_hash: GENESIS.to_owned(),
                hash: "b72a4410d3c968ef15a0fe2783bd590c7716a24e0ddb9e65c8f13b426a07e51d".to_owned(),
            };
        let entries: Vec<AuditEntry> = vec![
            entry(
                18_977,
                40,
                "jonas.lindqvist",
                "run.approve",
                "run 144",
                "refused",
                serde_json::json!({"reason": "requester may not approve"}),
            ),
            entry(18_976, 58, "ines.novak", "run.start", "run 143", "done", serde_json::Value::Null),
            entry(
                18_975,
                211,
                "tomas.ferreira",
                "run.approve",
                "run 144",
                "done",
                serde_json::json!({"plan_hash": "9c41e07b…"}),
            ),
            entry(18_974, 700, "jonas.lindqvist", "run.request", "run 144", "done", serde_json::Value::Null),
        ];
        let verified = Some(Ok((18_977, entries[0].hash.clone())));
        let filter = AuditFilter { verify: "on".to_owned(), ..AuditFilter::default() };
        Self::new(chrome("/audit?verify=on"), &filter, &entries, verified, true)
    }
}

impl PeoplePage {
    /// Everybody, with one just created.
    #[must_use]
    pub fn sample() -> Self {
        let listed = everybody().into_iter().enumerate().map(|(i, person)| Listed {
            // One has their roles from the identity provider.
            from_provider: if i == 1 { person.grants.clone() } else { Vec::new() },
            person,
            last_seen: (i != 4).then(|| ago(100 * i64::try_from(i * i * 9 + 1).unwrap_or(1))),
            locked: i == 5,
            disabled: false,
        });
        let people: Vec<Listed> = listed.collect();
        let chrome = chrome_of(Some(wei()), "/people", Brake::Released);
        Self::new(
            chrome,
            &people,
            &names(&["payments-core", "order-platform"]),
            None,
            &[],
            Some("priya.raman"),
        )
    }
}

impl BrakePage {
    /// Released.
    #[must_use]
    pub fn sample() -> Self {
        Self::new(chrome("/brake"), BrakedRuns { running: 1, ..BrakedRuns::default() }, &[])
    }

    /// Set.
    #[must_use]
    pub fn sample_set() -> Self {
        let (by, reason) =
            ("marta.kowalczyk".to_owned(), "Network change in eu-central until 04:00".to_owned());
        let runs = BrakedRuns { running: 0, approved: 1, paused: 2 };
        Self::new(chrome_of(Some(adaeze()), "/brake", Brake::Set { by, at: ago(1500), reason }), runs, &[])
    }
}
