//! `sample()` of every page.

use std::collections::BTreeMap;

use chrono::Duration;
use muster_domain::{
    cluster::Cluster,
    difference::{Differences, LastCompared, differences},
    direction::ActiveSides,
    loss::{BriefLoss, Loss},
    pair::{BySide, Direction, Mechanism, Side},
    people::Role,
    problem::Problem,
    reading::{Reading, ReadingClass},
    record::Run,
    run::RunState,
    survey::Survey,
};

use super::{
    ago, canary, loss,
    night::{actor, chrome, chrome_of, cluster, look, pair_name, wei},
    pairs::{self, Seen},
    runs, steps, survey,
};
use crate::{
    chrome::{Brake, Chrome},
    cluster_form::ClusterFormPage,
    clusters::{ClusterPage, ClustersPage, PairsOf, SecretsKept},
    differences::DifferencesPage,
    error_page::ErrorPage,
    fleet::{DrillDuty, Duties, FleetPage, PairFacts, Verification},
    forms::{ClusterForm, DifferenceFilter, ImportForm, PairForm, PlanForm},
    import::{BadLine, ImportPage, ImportResult, ImportedSetting},
    pair::{FlowFigures, PairDetail, PairPage},
    pair_form::PairFormPage,
    parts::Link,
    reauthenticate::{ReauthenticatePage, Ways},
    sign_in::{Provider, SetupPage, SignInPage, SignedOutPage},
};

pub(super) fn facts(seen: &Seen) -> PairFacts<'_> {
    PairFacts {
        alarms: &[],
        losses: &[],
        pair: &seen.pair,
        active: seen.active,
        checks: &seen.checks,
        rpo: rpo(&seen.lag),
        lag: seen.lag.clone(),
        history: &seen.history,
        verification: seen.verification.clone(),
        last_proof: None,
        active_run: None,
        waiting: None,
        duties: None,
    }
}

/// A survey every five seconds: writes of as long may be lost on top.
pub(super) fn rpo(lag: &Reading) -> Reading {
    match lag.value {
        Some(ms) => {
            Reading::new(ms + 5_000, lag.class.max(ReadingClass::LowerBound), lag.at, lag.reason.clone())
        }
        None => lag.clone(),
    }
}

impl ReauthenticatePage {
    /// On the way to a cluster's form.
    #[must_use]
    pub fn sample() -> Self {
        let ways = Ways { password: true, provider: None };
        Self::new(chrome("/reauthenticate"), "/clusters/new", ways, None)
    }

    /// Somebody who has a password and is known at the provider.
    #[must_use]
    pub fn sample_provider() -> Self {
        let provider = Some(keycloak("/reauthenticate/oidc?next=%2Fclusters%2Fnew", false));
        Self::new(chrome("/reauthenticate"), "/clusters/new", Ways { password: true, provider }, None)
    }
}

impl SignInPage {
    /// See [`crate::samples`].
    #[must_use]
    pub fn sample() -> Self {
        Self::new(chrome_of(None, "/sign-in", Brake::Released), "", "/", None, None)
    }

    /// With an identity provider, and passwords for everybody.
    #[must_use]
    pub fn sample_provider() -> Self {
        let provider = keycloak("/sign-in/oidc?next=%2Fruns", false);
        Self::new(chrome_of(None, "/sign-in", Brake::Released), "", "/runs", Some(provider), None)
    }

    /// Somebody whose groups give no role, where passwords are for admins only.
    #[must_use]
    pub fn sample_no_role() -> Self {
        let problem = Problem::new(
            "no-role-from-groups",
            "Keycloak knows you and named the groups `staff`, `payments`. That gives you no role in Muster, so there is \
             nothing you could see.",
            "Ask whoever runs Muster to map one of your groups (MUSTER_OIDC_ROLES). Then sign in again.",
        );
        let chrome = chrome_of(None, "/sign-in/oidc/callback", Brake::Released);
        Self::new(chrome, "", "/", Some(keycloak("/sign-in/oidc?next=%2F", true)), Some(&problem))
    }

    /// After a wrong password.
    #[must_use]
    pub fn sample_refused() -> Self {
        let problem = Problem::new(
            "sign-in-refused",
            "That name and password do not fit together.",
            "Try again; after 5 tries the name is locked for 15 minutes.",
        );
        Self::new(chrome_of(None, "/sign-in", Brake::Released), "adaeze.obi", "/runs", None, Some(&problem))
    }
}

fn keycloak(href: &str, only: bool) -> Provider {
    Provider { label: "Keycloak".to_owned(), href: href.to_owned(), only }
}

impl SignedOutPage {
    /// On the way to the provider.
    #[must_use]
    pub fn sample() -> Self {
        let chrome = chrome_of(None, "/sign-out", Brake::Released);
        Self::new(chrome, keycloak("https://login.example.com/logout?client_id=muster", false))
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
            (runs::under_way(RunState::Running, ""), steps::steps_running(), runs::asked());
        let failed = Run { state: RunState::Failed, ended_at: Some(ago(8 * 86_400)), ..drill.clone() };
        let facts = fleet.iter().map(|seen| {
            let mut facts = facts(seen);
            match seen.pair.name.as_str() {
                "orders" => facts.active_run = Some((&moving, &steps)),
                "payments" => facts.waiting = Some(&asked),
                _ => {}
            }
            let drill_duty = match &seen.verification {
                Verification::Failed { .. } => Some(DrillDuty::Overdue { since: ago(14 * 86_400) }),
                Verification::Verified { .. } => Some(DrillDuty::Ahead { due: ago(-29 * 86_400) }),
                Verification::NeedsVerification { .. } => None,
            };
            let open_findings = i64::from(drill_duty.is_none()) * 3;
            facts.duties = Some(Duties { drill: drill_duty, open_findings });
            facts.last_proof = match &seen.verification {
                Verification::Failed { .. } => Some(&failed),
                Verification::Verified { .. } => Some(&drill),
                Verification::NeedsVerification { .. } => None,
            };
            facts
        });
        Self::new(chrome("/"), &facts.collect::<Vec<_>>())
    }

    /// Payments with alarms and a loss besides its checks, and another pair that was never observed.
    #[must_use]
    pub fn sample_problems() -> Self {
        let (seen, mut fresh) = (pairs::payments(), pairs::payments());
        fresh.pair.name = pair_name("fresh");
        fresh.checks.clear();
        let (alarms, open) = (super::alarms::alarms(), [loss::brief(loss::bounded(&seen.pair), 0)]);
        let payments = PairFacts { alarms: &alarms[..2], losses: &open, ..facts(&seen) };
        Self::new(chrome("/"), &[payments, facts(&fresh)])
    }

    /// The first thing a new Muster shows.
    #[must_use]
    pub fn sample_empty() -> Self {
        Self::new(chrome("/"), &[])
    }
}

/// The page with a loss, if there was one, and those of it that are open.
fn pair_page(dark: bool, loss: Option<&Loss>, open: &[BriefLoss]) -> PairPage {
    page_of(dark, chrome("/pairs/payments"), (loss, open), None)
}

/// Payments as somebody sees it, at the time of their frame, perhaps after a plan form that was refused.
pub(super) fn pair_page_of(dark: bool, chrome: Chrome, refused: Option<(&PlanForm, &Problem)>) -> PairPage {
    page_of(dark, chrome, (None, &[]), refused)
}

fn page_of(
    dark: bool,
    chrome: Chrome,
    (loss, open): (Option<&Loss>, &[BriefLoss]),
    refused: Option<(&PlanForm, &Problem)>,
) -> PairPage {
    let (mut seen, asked, drill, runs) = (pairs::payments(), runs::asked(), runs::drill(), runs::history());
    seen.history = pairs::history(24, 4200, 21_900, Some((240, 216)));
    // Of a loss that waits for some leaders only the source is read again.
    let away = loss.is_some_and(|loss| loss.truth.is_none() && loss.waits_for_leaders == 0);
    let survey = survey::payments(dark || away);
    let mut behind = Reading::new(8020, ReadingClass::Tight, ago(2), "");
    if dark {
        seen.active = ActiveSides::NotKnown;
        seen.checks.clear();
        seen.lag = Reading::new(4200, ReadingClass::Stale, ago(252), "eu-west does not answer");
        behind = Reading::unknown(ago(2), "eu-west does not answer");
    }
    let flows = [FlowFigures {
        direction: Direction { from: Side::A },
        rpo: rpo(&seen.lag),
        lag: seen.lag.clone(),
        behind,
        first_missing: (!dark).then(|| ago(7)),
        in_open_transactions: (!dark).then_some(1_204),
        topics: survey::lag(),
    }];
    let canaries = canary::of(&seen.pair, dark);
    let alarms = super::alarms::alarms();
    let facts = PairFacts {
        waiting: Some(&asked),
        last_proof: Some(&drill),
        alarms: &alarms[..2],
        losses: open,
        ..facts(&seen)
    };
    let detail = PairDetail {
        facts,
        survey: Some(&survey),
        flows: &flows,
        canaries: &canaries,
        tried: None,
        hours: 24,
        loss,
        runs: &runs,
    };
    PairPage::new(chrome, &detail, refused)
}

impl PairPage {
    /// Payments.
    #[must_use]
    pub fn sample() -> Self {
        pair_page(false, None, &[])
    }

    /// Payments with eu-west gone.
    #[must_use]
    pub fn sample_unknown() -> Self {
        let pair = pairs::payments().pair;
        pair_page(true, Some(&loss::of(&pair)), &[loss::brief(loss::of(&pair), 0)])
    }

    /// Payments with eu-west dead, where Connect still calls its connectors running; another loss is open besides.
    #[must_use]
    pub fn sample_dead() -> Self {
        let pair = pairs::payments().pair;
        let open = [0, 9].map(|days| loss::brief(loss::bounded(&pair), days));
        pair_page(false, Some(&loss::bounded(&pair)), &open)
    }

    /// Payments with eu-west read again, but for partitions without a leader.
    #[must_use]
    pub fn sample_waiting() -> Self {
        let pair = pairs::payments().pair;
        pair_page(false, Some(&loss::waiting(&pair)), &[loss::brief(loss::waiting(&pair), 0)])
    }

    /// Payments with eu-west back, and nothing lost.
    #[must_use]
    pub fn sample_back() -> Self {
        pair_page(false, Some(&loss::nothing(&pairs::payments().pair)), &[])
    }

    /// Payments just imported: nobody said yet what carries its flows.
    #[must_use]
    pub fn sample_imported() -> Self {
        let mut seen = pairs::payments();
        for flow in &mut seen.pair.flows {
            flow.mechanism = Mechanism::Unattached;
        }
        seen.active = ActiveSides::NotKnown;
        seen.checks.clear();
        let facts = facts(&seen);
        let flows = [FlowFigures {
            direction: Direction { from: Side::A },
            rpo: Reading::unknown(ago(2), "never surveyed"),
            lag: Reading::unknown(ago(2), "never surveyed"),
            behind: Reading::unknown(ago(2), "never surveyed"),
            first_missing: None,
            in_open_transactions: None,
            topics: BTreeMap::new(),
        }];
        let detail = PairDetail {
            facts,
            survey: None,
            flows: &flows,
            canaries: &[],
            tried: None,
            hours: 24,
            loss: None,
            runs: &[],
        };
        Self::new(chrome("/pairs/payments"), &detail, None)
    }
}

pub(super) fn names(names: &[&str]) -> Vec<String> {
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

const TEAMS: &[&str] = &["payments-core", "order-platform"];

fn import(teams: &[&str], result: Option<ImportResult>) -> ImportPage {
    let properties = "clusters = primary, dr\nprimary.bootstrap.servers = kafka-primary:9092\ndr.bootstrap.servers = kafka-dr:9092\nprimary->dr.enabled = true\nprimary->dr.topics = orders.*, payments.*\n# offset sync\nprimary->dr.emit.checkpoints.enabled = true\nprimary->dr.sync.group.offsets.enabled = true\ntasks.max = 4\n";
    let form = ImportForm {
        properties: properties.to_owned(),
        team: "payments-core".to_owned(),
        act: "look".to_owned(),
    };
    // An admin who owns pairs, too.
    let somebody = actor(7, "wei.zhang", &[Role::Admin, Role::Owner]);
    let chrome = chrome_of(Some(somebody), "/pairs/import", Brake::Released);
    ImportPage::new(chrome, &form, &names(teams), result, None)
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
        import(TEAMS, None)
    }

    /// Before there is a team.
    #[must_use]
    pub fn sample_no_team() -> Self {
        import(&[], None)
    }

    /// A file looked at.
    #[must_use]
    pub fn sample_result() -> Self {
        import(TEAMS, Some(import_result()))
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
        import(TEAMS, Some(ImportResult { bad, ..import_result() }))
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
                PairsOf { named: names(&["payments", "orders"]), others: 3 },
            ),
            (
                cluster("eu-west", "ew-core-1"),
                Some(look("eu-west", "ew-core-2")),
                PairsOf { named: names(&["payments", "orders"]), others: 0 },
            ),
            (cluster("us-east", "ue-core-1"), None, PairsOf::default()),
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
            &PairsOf { named: names(&["payments"]), others: 1 },
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

/// Payments as a survey shows it, `who` typed.
fn differences_of(survey: &Survey, before: Option<&Survey>, who: &str) -> DifferencesPage {
    let clusters = BySide { a: cluster("eu-west", "ew-core-1"), b: cluster("eu-central", "ec-core-1") };
    let pair = pairs::payments().pair;
    let mut found = differences(&pair, &clusters, survey);
    if let Some(last) = LastCompared::after(&pair, &clusters, survey, before, None) {
        found = found.with_earlier(&pair, &last);
    }
    let found = found.filtered(&[], who).shortened();
    let filter = DifferenceFilter { who: who.to_owned(), ..DifferenceFilter::default() };
    let chrome = chrome("/pairs/payments/differences");
    DifferencesPage::new(chrome, &pair, &filter, Some((&found, survey.began_at)))
}

impl DifferencesPage {
    /// Payments: two applications without a password, a shorter retention, a consumer on the wrong side.
    #[must_use]
    pub fn sample() -> Self {
        differences_of(&survey::payments(false), None, "")
    }

    /// Nothing matches what was typed.
    #[must_use]
    pub fn sample_none() -> Self {
        differences_of(&survey::payments(false), None, "nobody")
    }

    /// One side does not answer any more.
    #[must_use]
    pub fn sample_unknown() -> Self {
        differences_of(&survey::payments(true), Some(&survey::payments(false)), "")
    }

    /// Alike when it was looked at, three hours ago.
    #[must_use]
    pub fn sample_old() -> Self {
        let (pair, mut chrome) = (pairs::payments().pair, chrome("/pairs/payments/differences"));
        chrome.facts.now += Duration::hours(3);
        let (active, standby) = (Some(pair.clusters.a.clone()), Some(pair.clusters.b.clone()));
        let found = Differences { active, standby, ..Differences::default() };
        Self::new(chrome, &pair, &DifferenceFilter::default(), Some((&found, ago(2))))
    }
}
