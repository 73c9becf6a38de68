//! Every page with the data of one night, 19 Nov 2026 03:12:40 UTC: for tests, screenshots and people who look.

mod account;
mod alarms;
mod api;
mod both_active;
mod canary;
mod clusters;
mod connect;
mod content;
mod dangers;
mod differences;
mod documents;
mod drills;
mod findings;
mod fleet;
mod going_back;
mod lag;
mod loss;
mod night;
mod notifications;
mod outcome;
mod pair;
mod pair_forms;
mod pair_states;
mod pairs;
mod people;
mod recorded;
mod run_pages;
mod runs;
mod sign_in;
mod steps;
mod survey;
mod translation;

use askama::Template;
use chrono::{DateTime, Duration, TimeZone, Utc};

use crate::{
    account::AccountPage,
    alarms::AlarmsPage,
    api::{ApiGroupPage, ApiPage},
    approval::ApprovalPage,
    audit::AuditPage,
    brake::BrakePage,
    channel_form::ChannelPage,
    cluster_form::ClusterFormPage,
    clusters::{ClusterPage, ClustersPage},
    comparison::ComparisonPage,
    confirm::{ConfirmAct, ConfirmPage},
    connect_form::ConnectFormPage,
    content::ContentPage,
    content_record::RecordPage,
    danger::DangerPage,
    differences::DifferencesPage,
    document::DocumentPage,
    drills::DrillsPage,
    error_page::ErrorPage,
    findings::{FindingPage, FindingsPage},
    fleet::FleetPage,
    import::ImportPage,
    lag::LagPage,
    loss::LossPage,
    losses::LossesPage,
    notifications::NotificationsPage,
    pair::PairPage,
    pair_form::PairFormPage,
    people::PeoplePage,
    person::{PersonFormPage, PersonPage},
    plan::PlanPage,
    reauthenticate::ReauthenticatePage,
    recorded::RecordedPage,
    report::ReportPage,
    run::RunPage,
    run_live::RunLive,
    runs::RunsPage,
    schedule_form::SchedulePage,
    settings::SettingsPage,
    sign_in::{SetupPage, SignInPage, SignedOutPage},
    teams::{TeamPage, TeamsPage},
    token_page::{TokenFormPage, TokenMadePage},
    translation::TranslationPage,
};

/// The moment every sample is read at.
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 19, 3, 12, 40).single().unwrap_or_default()
}

/// That many seconds before it.
fn ago(seconds: i64) -> DateTime<Utc> {
    now() - Duration::seconds(seconds)
}

fn html(page: &impl Template) -> String {
    page.render().unwrap_or_else(|error| format!("<p>{error}</p>"))
}

/// Every page and fragment, by file name.
#[must_use]
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("reauthenticate", html(&ReauthenticatePage::sample())),
        ("reauthenticate-provider", html(&ReauthenticatePage::sample_provider())),
        ("sign-in", html(&SignInPage::sample())),
        ("sign-in-refused", html(&SignInPage::sample_refused())),
        ("sign-in-provider", html(&SignInPage::sample_provider())),
        ("sign-in-no-role", html(&SignInPage::sample_no_role())),
        ("signed-out", html(&SignedOutPage::sample())),
        ("setup", html(&SetupPage::sample())),
        ("error", html(&ErrorPage::sample())),
        ("fleet", html(&FleetPage::sample())),
        ("fleet-problems", html(&FleetPage::sample_problems())),
        ("fleet-both-active", html(&FleetPage::sample_both_active())),
        ("fleet-empty", html(&FleetPage::sample_empty())),
        ("pair", html(&PairPage::sample())),
        ("pair-dark", html(&PairPage::sample_unknown())),
        ("pair-dead", html(&PairPage::sample_dead())),
        ("pair-waiting", html(&PairPage::sample_waiting())),
        ("pair-back", html(&PairPage::sample_back())),
        ("pair-reader", html(&PairPage::sample_reader())),
        ("pair-braked", html(&PairPage::sample_braked())),
        ("pair-old", html(&PairPage::sample_old())),
        ("pair-plan-refused", html(&PairPage::sample_plan_refused())),
        ("pair-imported", html(&PairPage::sample_imported())),
        ("pair-both-active", html(&PairPage::sample_both_active())),
        ("lag", html(&LagPage::sample())),
        ("lag-topic", html(&LagPage::sample_topic())),
        ("lag-topic-by-hour", html(&LagPage::sample_topic_by_hour())),
        ("lag-topic-in-time", html(&LagPage::sample_topic_in_time())),
        ("lag-empty", html(&LagPage::sample_empty())),
        ("lag-partitions", html(&LagPage::sample_partitions())),
        ("lag-too-many", html(&LagPage::sample_too_many())),
        ("losses", html(&LossesPage::sample())),
        ("losses-empty", html(&LossesPage::sample_empty())),
        ("loss", html(&LossPage::sample())),
        ("loss-unknown", html(&LossPage::sample_unknown())),
        ("loss-waiting", html(&LossPage::sample_waiting())),
        ("loss-settled", html(&LossPage::sample_settled())),
        ("loss-nothing", html(&LossPage::sample_nothing())),
        ("loss-cut", html(&LossPage::sample_cut())),
        ("recorded", html(&RecordedPage::sample())),
        ("recorded-empty", html(&RecordedPage::sample_empty())),
        ("recorded-not-known", html(&RecordedPage::sample_not_known())),
        ("differences", html(&DifferencesPage::sample())),
        ("differences-none", html(&DifferencesPage::sample_none())),
        ("differences-unknown", html(&DifferencesPage::sample_unknown())),
        ("differences-old", html(&DifferencesPage::sample_old())),
        ("differences-by-who", html(&DifferencesPage::sample_by_who())),
        ("differences-by-who-typed", html(&DifferencesPage::sample_by_who_typed())),
        ("differences-by-who-unknown", html(&DifferencesPage::sample_by_who_unknown())),
        ("pair-form", html(&PairFormPage::sample())),
        ("connect", html(&ConnectFormPage::sample())),
        ("connect-unattached", html(&ConnectFormPage::sample_unattached())),
        ("import", html(&ImportPage::sample())),
        ("import-no-team", html(&ImportPage::sample_no_team())),
        ("import-result", html(&ImportPage::sample_result())),
        ("import-bad", html(&ImportPage::sample_bad())),
        ("clusters", html(&ClustersPage::sample())),
        ("cluster", html(&ClusterPage::sample())),
        ("cluster-form", html(&ClusterFormPage::sample())),
        ("plan", html(&PlanPage::sample())),
        ("plan-blocked", html(&PlanPage::sample_blocked())),
        ("plan-of-removed-pair", html(&PlanPage::sample_of_removed_pair())),
        ("approval", html(&ApprovalPage::sample())),
        ("approval-cannot", html(&ApprovalPage::sample_cannot())),
        ("run", html(&RunPage::sample())),
        ("run-paused", html(&RunPage::sample_paused())),
        ("run-asks", html(&RunPage::sample_asks())),
        ("run-asks-braked", html(&RunPage::sample_asks_braked())),
        ("run-rolling-back", html(&RunPage::sample_rolling_back())),
        ("run-rolled-back", html(&RunPage::sample_rolled_back())),
        ("run-never-fenced", html(&RunPage::sample_never_fenced())),
        ("run-stuck", html(&RunPage::sample_stuck())),
        ("run-closed", html(&RunPage::sample_closed())),
        ("run-not-let-in", html(&RunPage::sample_not_let_in())),
        ("run-let-in", html(&RunPage::sample_let_in())),
        ("run-live", html(&RunLive::sample())),
        ("confirm-start", html(&ConfirmPage::sample(ConfirmAct::Start))),
        ("confirm-abort", html(&ConfirmPage::sample(ConfirmAct::Abort))),
        ("confirm-skip", html(&ConfirmPage::sample(ConfirmAct::Skip))),
        ("confirm-close", html(&ConfirmPage::sample(ConfirmAct::Close))),
        ("confirm-break-glass", html(&ConfirmPage::sample(ConfirmAct::BreakGlass))),
        ("confirm-review", html(&ConfirmPage::sample(ConfirmAct::Review))),
        ("confirm-attest", html(&ConfirmPage::sample(ConfirmAct::Attest))),
        ("remove-schedule", html(&DangerPage::sample_schedule())),
        ("remove-channel", html(&DangerPage::sample_channel())),
        ("remove-team", html(&DangerPage::sample_team())),
        ("remove-team-refused", html(&DangerPage::sample_team_refused())),
        ("remove-pair", html(&DangerPage::sample_pair())),
        ("remove-pair-wrong-name", html(&DangerPage::sample_pair_wrong_name())),
        ("remove-pair-refused", html(&DangerPage::sample_pair_refused())),
        ("remove-cluster", html(&DangerPage::sample_cluster())),
        ("stop-canary", html(&DangerPage::sample_canary())),
        ("remove-connect", html(&DangerPage::sample_connect())),
        ("end-session", html(&DangerPage::sample_session())),
        ("end-other-sessions", html(&DangerPage::sample_other_sessions())),
        ("end-sessions-of", html(&DangerPage::sample_sessions_of())),
        ("revoke-token", html(&DangerPage::sample_token())),
        ("runs", html(&RunsPage::sample())),
        ("drills", html(&DrillsPage::sample())),
        ("drills-empty", html(&DrillsPage::sample_empty())),
        ("schedule", html(&SchedulePage::sample())),
        ("alarms", html(&AlarmsPage::sample())),
        ("alarms-reader", html(&AlarmsPage::sample_reader())),
        ("alarms-empty", html(&AlarmsPage::sample_empty())),
        ("findings", html(&FindingsPage::sample())),
        ("findings-empty", html(&FindingsPage::sample_empty())),
        ("finding", html(&FindingPage::sample())),
        ("finding-closed", html(&FindingPage::sample_closed())),
        ("comparison", html(&ComparisonPage::sample())),
        ("notifications", html(&NotificationsPage::sample())),
        ("notifications-late", html(&NotificationsPage::sample_late())),
        ("notifications-empty", html(&NotificationsPage::sample_empty())),
        ("channel", html(&ChannelPage::sample())),
        ("report", html(&ReportPage::sample())),
        ("audit", html(&AuditPage::sample())),
        ("api", html(&ApiPage::sample())),
        ("api-group", html(&ApiGroupPage::sample())),
        ("runbooks", html(&DocumentPage::sample_runbooks())),
        ("operating", html(&DocumentPage::sample_operating())),
        ("content", html(&ContentPage::sample())),
        ("content-signed-in-long-ago", html(&ContentPage::sample_signed_in_long_ago())),
        ("content-without-payload", html(&ContentPage::sample_without_payload())),
        ("content-record", html(&RecordPage::sample())),
        ("content-record-gone", html(&RecordPage::sample_gone())),
        ("content-empty", html(&ContentPage::sample_empty())),
        ("content-of-topic", html(&ContentPage::sample_of_topic())),
        ("content-side-not-known", html(&ContentPage::sample_side_not_known())),
        ("translation", html(&TranslationPage::sample())),
        ("translation-ended", html(&TranslationPage::sample_ended())),
        ("translation-not-newest", html(&TranslationPage::sample_not_newest())),
        ("translation-without-result", html(&TranslationPage::sample_without_result())),
        ("translation-dead-source", html(&TranslationPage::sample_dead_source())),
        ("translation-empty", html(&TranslationPage::sample_empty())),
        ("translation-side-not-known", html(&TranslationPage::sample_side_not_known())),
        ("translation-both-active", html(&TranslationPage::sample_both_active())),
        ("account", html(&AccountPage::sample())),
        ("account-empty", html(&AccountPage::sample_empty())),
        ("account-refused", html(&AccountPage::sample_refused())),
        ("token-form", html(&TokenFormPage::sample())),
        ("token", html(&TokenMadePage::sample())),
        ("people", html(&PeoplePage::sample())),
        ("person", html(&PersonPage::sample())),
        ("person-left", html(&PersonPage::sample_left())),
        ("person-form", html(&PersonFormPage::sample())),
        ("person-form-taking", html(&PersonFormPage::sample_taking())),
        ("teams", html(&TeamsPage::sample())),
        ("teams-empty", html(&TeamsPage::sample_empty())),
        ("team", html(&TeamPage::sample())),
        ("team-empty", html(&TeamPage::sample_empty())),
        ("settings", html(&SettingsPage::sample())),
        ("settings-rotated", html(&SettingsPage::sample_rotated())),
        ("brake", html(&BrakePage::sample())),
        ("brake-set", html(&BrakePage::sample_set())),
    ]
}
