//! Every route that changes something leaves entries: when it is done, and when it is refused.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use muster_app::{
    http::route::{Access, Audit, Kind},
    routes,
};
use serde_json::json;

use crate::{auth_coverage::address, test_app::TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_change_is_an_entry() {
    let app = TestApp::with_pair().await;
    let (plan, run) = crate::runs::requested(&app).await;
    crate::auth_coverage::schedule(&app).await;
    crate::auth_coverage::finding(&app).await;
    crate::auth_coverage::channel(&app).await;
    crate::proofs::proof(&app).await;
    crate::alarms::alarm(&app).await;
    for route in routes::routes() {
        let Audit::Writes(action) = route.rule.audit else { continue };
        // A viewer of the team may do none of these; what everybody signed in may do is refused to nobody, and what
        // anybody may do is refused when it makes no sense.
        let (who, status) = match route.rule.access {
            Access::Anyone => ("nobody", None),
            Access::SignedIn => ("nobody", Some(StatusCode::UNAUTHORIZED)),
            Access::Reader(_) | Access::Role(..) | Access::Anywhere(_) | Access::Auditor => {
                ("vera", Some(StatusCode::FORBIDDEN))
            }
        };
        let before = app.audited(action).await.len();
        let path = address(route.path, run, plan);
        let body = (route.method != Method::DELETE).then(|| json!([]));
        let reply = app.as_user(who).await.request(route.method.clone(), &path, body, &[]).await;
        match status {
            Some(status) if route.rule.kind == Kind::Api => {
                assert_eq!(reply.status, status, "{route:?}: {}", reply.text);
            }
            Some(_) | None => assert!(!reply.status.is_success(), "{route:?}: {}", reply.text),
        }
        let entries = app.audited(action).await;
        assert_eq!(entries.len(), before + 1, "{route:?} left no entry");
        assert_eq!(entries[before], (who.to_owned(), path.clone(), "refused".to_owned()), "{route:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_can_ask_for_more_than_one_thing_says_what_was_refused() {
    let app = TestApp::new().await;
    let refused = app.as_browser_of("otto").await.form("/brake", &[("act", "release")]).await;
    assert_eq!(refused.status, 403);
    assert_eq!(app.audited("brake.release").await, [("otto".into(), "/brake".into(), "refused".into())]);
    assert_eq!(app.audited("brake.put").await, []);
}

/// Actions whose "done" entry is written by a test of that act, by name of the test. A new action has to be added to
/// one of the tests and here.
const DONE_IN: &[(&str, &str)] = &[
    ("setup", "people::the_first_admin_is_made_once_with_the_code_from_the_log"),
    ("session.open", "people::signing_in_and_out_by_cookie"),
    ("session.close", "people::signing_in_and_out_by_cookie"),
    ("session.password", "accounts::another_password_takes_the_present_one_and_ends_all_other_sessions"),
    ("session.revoke", "accounts::a_revoked_session_is_refused_at_its_next_request"),
    ("session.revoke_all", "accounts::sessions_of_others_are_an_admins_matter"),
    ("user.create", "people::an_admin_adds_and_changes_people"),
    ("user.change", "people::an_admin_adds_and_changes_people"),
    ("team.create", "people::an_admin_adds_and_changes_people"),
    ("team.change", "teams::a_team_is_made_described_and_removed_once_nothing_belongs_to_it"),
    ("team.delete", "teams::a_team_is_made_described_and_removed_once_nothing_belongs_to_it"),
    ("token.create", "people::a_token_acts_as_its_maker_until_it_is_revoked"),
    ("token.revoke", "people::a_token_acts_as_its_maker_until_it_is_revoked"),
    ("cluster.create", "clusters::a_cluster_is_registered_changed_and_forgotten"),
    ("cluster.change", "clusters::a_cluster_is_registered_changed_and_forgotten"),
    ("cluster.delete", "clusters::a_cluster_is_registered_changed_and_forgotten"),
    ("cluster.check", "clusters::a_check_records_the_id_and_tells_each_right"),
    ("pair.create", "clusters::a_pair_is_made_changed_and_removed"),
    ("pair.change", "clusters::a_pair_is_made_changed_and_removed"),
    ("pair.delete", "clusters::a_pair_is_made_changed_and_removed"),
    ("pair.import", "imports::the_seeds_file_is_imported_whole"),
    ("connect.enter", "connect_credentials::it_is_entered_changed_and_removed_and_is_no_edit_of_the_pair"),
    ("connect.remove", "connect_credentials::it_is_entered_changed_and_removed_and_is_no_edit_of_the_pair"),
    ("schedule.create", "schedules::an_owner_makes_changes_and_removes_a_schedule"),
    ("schedule.change", "schedules::an_owner_makes_changes_and_removes_a_schedule"),
    ("schedule.delete", "schedules::an_owner_makes_changes_and_removes_a_schedule"),
    ("channel.create", "notifications::an_owner_makes_changes_tries_and_removes_a_channel"),
    ("channel.change", "notifications::an_owner_makes_changes_tries_and_removes_a_channel"),
    ("channel.test", "notifications::an_owner_makes_changes_tries_and_removes_a_channel"),
    ("channel.delete", "notifications::an_owner_makes_changes_tries_and_removes_a_channel"),
    ("proof.ask", "proofs::a_proof_is_asked_for_carried_out_and_kept_as_evidence"),
    ("proof.cancel", "proofs::a_proof_nobody_wants_any_more_is_ended"),
    ("payload.show", "payload::a_cited_record_is_shown_to_operators_where_owners_allow_it"),
    ("plan.make", "runs::two_people_carry_a_switchover_through"),
    ("run.request", "runs::two_people_carry_a_switchover_through"),
    ("run.approve", "runs::two_people_carry_a_switchover_through"),
    ("run.start", "runs::two_people_carry_a_switchover_through"),
    ("run.confirm", "runs::two_people_carry_a_switchover_through"),
    ("run.reject", "runs::a_request_can_be_rejected_and_that_is_final"),
    ("run.pause", "decisions::a_run_pauses_at_the_next_boundary_and_goes_on"),
    ("run.resume", "decisions::a_run_pauses_at_the_next_boundary_and_goes_on"),
    ("run.retry", "decisions::what_failed_is_tried_again"),
    ("run.skip", "decisions::a_step_that_failed_after_the_point_of_no_return_can_be_left_out"),
    ("run.abort", "runs::a_run_that_waits_can_be_taken_back"),
    ("run.close", "decisions::a_stuck_run_is_closed_by_an_owner_with_words"),
    ("run.break_glass", "break_glass::an_owner_starts_it_everybody_is_told_and_an_approver_reviews_it"),
    ("run.review", "break_glass::an_owner_starts_it_everybody_is_told_and_an_approver_reviews_it"),
    ("session.reauthenticate", "break_glass::it_needs_a_person_who_has_just_shown_that_they_are_there"),
    ("run.attest", "decisions::a_drill_is_attested_by_somebody_who_did_not_drive_it"),
    ("canary.write", "canaries::somebody_who_wants_to_know_now_is_told_and_leaves_an_entry"),
    ("alarm.acknowledge", "alarms::what_happened_is_acknowledged_by_an_operator_with_words"),
    ("finding.raise", "findings::a_finding_is_raised_changed_closed_and_opened_again"),
    ("finding.change", "findings::a_finding_is_raised_changed_closed_and_opened_again"),
    ("brake.put", "runs::under_the_brake_nothing_starts"),
    ("brake.release", "runs::under_the_brake_nothing_starts"),
];

#[test]
fn every_action_has_a_test_that_sees_its_entry() {
    let listed: BTreeSet<&str> = DONE_IN.iter().map(|(action, _)| *action).collect();
    let routed: BTreeSet<&str> = routes::routes()
        .iter()
        .filter_map(|route| match route.rule.audit {
            Audit::Writes(action) => Some(action),
            Audit::Reads => None,
        })
        .collect();
    assert_eq!(listed, routed);
    let sources = [
        include_str!("accounts.rs"),
        include_str!("alarms.rs"),
        include_str!("break_glass.rs"),
        include_str!("canaries.rs"),
        include_str!("payload.rs"),
        include_str!("people.rs"),
        include_str!("clusters.rs"),
        include_str!("connect_credentials.rs"),
        include_str!("decisions.rs"),
        include_str!("findings.rs"),
        include_str!("imports.rs"),
        include_str!("notifications.rs"),
        include_str!("proofs.rs"),
        include_str!("runs.rs"),
        include_str!("schedules.rs"),
        include_str!("teams.rs"),
    ]
    .concat();
    for (action, test) in DONE_IN {
        let name = test.rsplit("::").next().unwrap();
        assert!(sources.contains(&format!("fn {name}(")), "no test {test}");
        assert!(sources.contains(&format!("\"{action}\"")), "no test looks for entries of {action}");
    }
}

#[test]
fn everything_that_is_not_a_get_is_audited_or_said_to_change_nothing() {
    // It changes nothing that is kept: a colour in a cookie.
    let harmless = ["/theme"];
    for route in routes::routes().iter().filter(|route| route.method != Method::GET) {
        let audited = matches!(route.rule.audit, Audit::Writes(_));
        assert_eq!(audited, !harmless.contains(&route.path), "{route:?}");
    }
}

#[test]
fn what_a_page_can_do_a_program_can_do_too() {
    // The first admin is named by a person who can read the log; a browser's colours are its own.
    let for_people_only = ["setup"];
    let actions = |kind: Kind| -> BTreeSet<&'static str> {
        let routes = routes::routes().into_iter().filter(|route| route.rule.kind == kind);
        routes
            .filter_map(|route| match route.rule.audit {
                Audit::Writes(action) => Some(action),
                Audit::Reads => None,
            })
            .collect()
    };
    let missing: Vec<&str> = actions(Kind::Page).difference(&actions(Kind::Api)).copied().collect();
    assert_eq!(missing, for_people_only);
}
