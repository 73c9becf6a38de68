//! `sample()` of every page.

use muster_domain::{
    audit::{AuditContent, AuditEntry, GENESIS},
    cluster::Cluster,
    people::Role,
    problem::Problem,
    reading::{Reading, ReadingClass},
    record::{Approval, Run, RunStep},
    run::RunState,
};

use super::{
    ago,
    night::{actor, adaeze, chrome, chrome_of, cluster, everybody, ines, look, wei},
    pairs::{self, Seen},
    runs, survey,
};
use crate::{
    approval::ApprovalPage,
    audit::AuditPage,
    brake::BrakePage,
    chrome::{Brake, Chrome},
    cluster_form::ClusterFormPage,
    clusters::{ClusterPage, ClustersPage, SecretsKept},
    confirm::{ConfirmAct, ConfirmPage},
    error_page::ErrorPage,
    fleet::{FleetPage, PairFacts, Verification},
    forms::{AuditFilter, ClusterForm, ImportForm, PairForm, RunFilter},
    import::{BadLine, ImportPage, ImportResult, ImportedSetting},
    pair::{PairDetail, PairPage},
    pair_form::PairFormPage,
    parts::Link,
    people::{Listed, PeoplePage},
    plan::PlanPage,
    report::ReportPage,
    run::{RunPage, RunRecord},
    run_live::RunLive,
    runs::RunsPage,
    sign_in::{SetupPage, SignInPage},
};

fn facts(seen: &Seen) -> PairFacts<'_> {
    PairFacts {
        pair: &seen.pair,
        active: seen.active,
        checks: &seen.checks,
        rpo: seen.rpo.clone(),
        history: &seen.history,
        verification: seen.verification.clone(),
        last_proof: None,
        active_run: None,
        waiting: None,
    }
}

impl SignInPage {
    /// See [`crate::samples`].
    #[must_use]
    pub fn sample() -> Self {
        Self::new(chrome_of(None, "/sign-in", Brake::Released), "", "/", None)
    }

    /// After a wrong password.
    #[must_use]
    pub fn sample_refused() -> Self {
        let problem = Problem::new(
            "sign-in-refused",
            "That name and password do not fit together.",
            "Try again; after 5 tries the name is locked for 15 minutes.",
        );
        Self::new(chrome_of(None, "/sign-in", Brake::Released), "adaeze.obi", "/runs", Some(&problem))
    }
}

impl SetupPage {
    /// With a password that is too short.
    #[must_use]
    pub fn sample() -> Self {
        let errors = [("password".to_owned(), "It has 8 characters; at least 12 are needed.".to_owned())];
        Self::new(chrome_of(None, "/setup", Brake::Released), "mira.holt", &errors, None)
    }
}

impl ErrorPage {
    /// A run that does not exist.
    #[must_use]
    pub fn sample() -> Self {
        let problem = Problem::new(
            "run-not-found",
            "There is no run 9999 that you may read.",
            "It may belong to a team you have no role in. Look through the runs you may read.",
        );
        Self::new(chrome("/runs/9999"), 404, problem, vec![Link::new("/runs", "Go to the runs")], "01JD0Y7Q")
    }
}

impl FleetPage {
    /// Eight pairs, one moving, one asked for.
    #[must_use]
    pub fn sample() -> Self {
        let (fleet, drill) = (pairs::fleet(), runs::drill());
        let (moving, steps, asked) =
            (runs::under_way(RunState::Running, ""), runs::steps_running(), runs::asked());
        let failed = Run { state: RunState::Failed, ended_at: Some(ago(8 * 86_400)), ..drill.clone() };
        let facts = fleet.iter().map(|seen| {
            let mut facts = facts(seen);
            match seen.pair.name.as_str() {
                "orders" => facts.active_run = Some((&moving, &steps)),
                "payments" => facts.waiting = Some(&asked),
                _ => {}
            }
            facts.last_proof = match &seen.verification {
                Verification::Failed { .. } => Some(&failed),
                Verification::Verified { .. } => Some(&drill),
                Verification::NeedsVerification { .. } => None,
            };
            facts
        });
        Self::new(chrome("/"), &facts.collect::<Vec<_>>())
    }

    /// The first thing a new Muster shows.
    #[must_use]
    pub fn sample_empty() -> Self {
        Self::new(chrome("/"), &[])
    }
}

fn pair_page(dark: bool) -> PairPage {
    let (mut seen, asked, drill, runs) = (pairs::payments(), runs::asked(), runs::drill(), runs::history());
    seen.history = pairs::history(24, 4200, 21_900, Some((240, 216)));
    let (survey, lag) = (survey::payments(dark), survey::lag());
    let mut behind = Reading::new(8020, ReadingClass::Tight, ago(2), "");
    let mut canary = Some(Reading::new(1400, ReadingClass::Exact, ago(3), ""));
    if dark {
        seen.active = None;
        seen.checks.clear();
        seen.rpo = Reading::new(4200, ReadingClass::Stale, ago(252), "eu-west does not answer");
        behind = Reading::unknown(ago(2), "eu-west does not answer");
        canary = Some(behind.clone());
    }
    let facts = PairFacts { waiting: Some(&asked), last_proof: Some(&drill), ..facts(&seen) };
    let detail =
        PairDetail { facts, survey: Some(&survey), lag: &lag, behind, canary, hours: 24, runs: &runs };
    PairPage::new(chrome("/pairs/payments"), &detail, &[])
}

impl PairPage {
    /// Payments.
    #[must_use]
    pub fn sample() -> Self {
        pair_page(false)
    }

    /// Payments with eu-west gone.
    #[must_use]
    pub fn sample_unknown() -> Self {
        pair_page(true)
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl PairFormPage {
    /// Editing payments.
    #[must_use]
    pub fn sample() -> Self {
        let form = PairForm::from(&pairs::payments().pair);
        let errors =
            [("topics".to_owned(), "Line 1: the bracket at character 9 is never closed.".to_owned())];
        let (clusters, teams) =
            (names(&["eu-central", "eu-west", "us-east"]), names(&["payments-core", "order-platform"]));
        Self::new(chrome("/pairs/payments/edit"), Some("payments"), &form, &clusters, &teams, &errors, None)
    }
}

fn import(result: Option<ImportResult>) -> ImportPage {
    let properties = "clusters = primary, dr\nprimary.bootstrap.servers = kafka-primary:9092\ndr.bootstrap.servers = kafka-dr:9092\nprimary->dr.enabled = true\nprimary->dr.topics = orders.*, payments.*\n# offset sync\nprimary->dr.emit.checkpoints.enabled = true\nprimary->dr.sync.group.offsets.enabled = true\ntasks.max = 4\n";
    let form = ImportForm {
        properties: properties.to_owned(),
        team: "payments-core".to_owned(),
        act: "look".to_owned(),
    };
    ImportPage::new(
        chrome("/pairs/import"),
        &form,
        &names(&["payments-core", "order-platform"]),
        result,
        None,
    )
}

fn import_result() -> ImportResult {
    let setting = |line, key: &str, value: &str, becomes: &str| ImportedSetting {
        line,
        key: key.to_owned(),
        value: value.to_owned(),
        becomes: becomes.to_owned(),
    };
    ImportResult {
        pairs: vec![("primary-dr".to_owned(), "primary → dr".to_owned())],
        clusters: names(&["primary", "dr"]),
        used: vec![
            setting(1, "clusters", "primary, dr", "clusters primary and dr"),
            setting(2, "primary.bootstrap.servers", "kafka-primary:9092", "bootstrap of primary"),
            setting(3, "dr.bootstrap.servers", "kafka-dr:9092", "bootstrap of dr"),
            setting(4, "primary->dr.enabled", "true", "the flow primary → dr is wanted"),
            setting(5, "primary->dr.topics", "orders.*, payments.*", "topics of primary-dr"),
        ],
        unused: vec![setting(9, "tasks.max", "4", "")],
        bad: Vec::new(),
        imported: false,
    }
}

impl ImportPage {
    /// Before anything is sent.
    #[must_use]
    pub fn sample() -> Self {
        import(None)
    }

    /// A file looked at.
    #[must_use]
    pub fn sample_result() -> Self {
        import(Some(import_result()))
    }

    /// A file with a bad line.
    #[must_use]
    pub fn sample_bad() -> Self {
        let bad = vec![BadLine {
            line: 5,
            text: "primary->dr.topics = orders.(*".to_owned(),
            reason:
                "The bracket is never closed. Write orders\\..* for every topic that begins with “orders.”."
                    .to_owned(),
        }];
        import(Some(ImportResult { bad, ..import_result() }))
    }
}

impl ClustersPage {
    /// Three clusters.
    #[must_use]
    pub fn sample() -> Self {
        let all = [
            (
                cluster("eu-central", "ec-core-1"),
                Some(look("eu-central", "ec-core-1")),
                names(&["payments", "orders"]),
            ),
            (
                cluster("eu-west", "ew-core-1"),
                Some(look("eu-west", "ew-core-2")),
                names(&["payments", "orders"]),
            ),
            (cluster("us-east", "ue-core-1"), None, Vec::new()),
        ];
        Self::new(chrome_of(Some(wei()), "/clusters", Brake::Released), &all)
    }
}

const KEPT: SecretsKept = SecretsKept { password: true, client_key: false, probe_password: true };

impl ClusterPage {
    /// eu-west just after a check.
    #[must_use]
    pub fn sample() -> Self {
        let chrome = chrome_of(Some(wei()), "/clusters/eu-west", Brake::Released);
        let look = look("eu-west", "ew-core-1");
        Self::new(
            chrome,
            &cluster("eu-west", "ew-core-1"),
            KEPT,
            Some(&look),
            &names(&["payments"]),
            Some(Ok(())),
        )
    }
}

impl ClusterFormPage {
    /// Editing eu-west.
    #[must_use]
    pub fn sample() -> Self {
        let cluster: Cluster = cluster("eu-west", "ew-core-1");
        let chrome = chrome_of(Some(wei()), "/clusters/eu-west/edit", Brake::Released);
        Self::new(chrome, Some("eu-west"), &ClusterForm::from(&cluster), KEPT, &[], None)
    }
}

impl PlanPage {
    /// Payments.
    #[must_use]
    pub fn sample() -> Self {
        Self::new(chrome("/plans/x"), &runs::plan("payments", false), &pairs::payments().pair, "", &[])
    }

    /// Payments, blocked.
    #[must_use]
    pub fn sample_blocked() -> Self {
        Self::new(chrome("/plans/x"), &runs::plan("payments", true), &pairs::payments().pair, "", &[])
    }
}

/// A record of a run for as long as `show` needs it.
fn with<T>(run: &Run, steps: &[RunStep], show: impl FnOnce(&RunRecord<'_>) -> T) -> T {
    let (plan, events, approvals) = (runs::plan(run.pair.as_str(), false), runs::events(), runs::approvals());
    let objectives = pairs::payments().pair.objectives;
    let events = if steps.is_empty() { Vec::new() } else { events };
    show(&RunRecord {
        run,
        plan: &plan,
        steps,
        events: &events,
        approvals: &approvals,
        objectives: Some(&objectives),
    })
}

fn approval(chrome: Chrome) -> ApprovalPage {
    let approvers: Vec<_> =
        everybody().into_iter().filter(|person| person.has_anywhere(Role::Approver)).collect();
    let rpo = Reading::new(17_570, ReadingClass::LowerBound, ago(2), "");
    with(&runs::asked(), &[], |record| ApprovalPage::new(chrome, record, &approvers, Some(&rpo), &[]))
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

fn run_page(state: RunState, reason: &str, steps: &[RunStep]) -> RunPage {
    let chrome = chrome_of(Some(ines()), "/runs/x", Brake::Released);
    with(&runs::under_way(state, reason), steps, |record| RunPage::new(chrome, record, false))
}

impl RunPage {
    /// Orders, two lanes running.
    #[must_use]
    pub fn sample() -> Self {
        run_page(RunState::Running, "", &runs::steps_running())
    }

    /// Orders, a step failed.
    #[must_use]
    pub fn sample_paused() -> Self {
        run_page(
            RunState::PausedByFailure,
            "Step 8 failed twice: order-projector kept 1 member on eu-west.",
            &runs::steps_failed(),
        )
    }

    /// Orders, waiting for the final go.
    #[must_use]
    pub fn sample_asks() -> Self {
        run_page(RunState::WaitingForInput, "", &runs::steps_asking())
    }
}

impl RunLive {
    /// The fragment of orders.
    #[must_use]
    pub fn sample() -> Self {
        let run = runs::under_way(RunState::Running, "");
        with(&run, &runs::steps_running(), |record| {
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
            ConfirmAct::Abort => (runs::under_way(RunState::Running, ""), runs::steps_running()),
            ConfirmAct::Skip => {
                (runs::under_way(RunState::PausedByFailure, "Step 8 failed."), runs::steps_failed())
            }
            ConfirmAct::Close => (
                runs::under_way(RunState::Stuck, "The deny on 2 topics could not be taken back."),
                runs::steps_failed(),
            ),
            ConfirmAct::Attest => (Run { state: RunState::AwaitingAttestation, ..runs::drill() }, Vec::new()),
        };
        let chrome = chrome_of(Some(adaeze()), "/runs/x/act", Brake::Released);
        let step = (act == ConfirmAct::Skip).then(|| steps.get(7).cloned()).flatten();
        with(&run, &steps, |record| Self::new(chrome, act, record, step.as_ref(), &[]))
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

impl ReportPage {
    /// The drill of August.
    #[must_use]
    pub fn sample() -> Self {
        Self::new(chrome("/runs/x/report"), &runs::report(), Some(&pairs::payments().pair.objectives))
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
            person,
            last_seen: (i != 4).then(|| ago(100 * i64::try_from(i * i * 9 + 1).unwrap_or(1))),
            locked: i == 5,
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
        Self::new(chrome("/brake"), 1, &[])
    }

    /// Set.
    #[must_use]
    pub fn sample_set() -> Self {
        let (by, reason) =
            ("marta.kowalczyk".to_owned(), "Network change in eu-central until 04:00".to_owned());
        Self::new(chrome_of(Some(adaeze()), "/brake", Brake::Set { by, at: ago(1500), reason }), 1, &[])
    }
}
