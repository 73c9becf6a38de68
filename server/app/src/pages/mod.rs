//! Handlers of the pages: gather what a page shows, build its struct, answer. Wording and permissions are the page's.
//!
//! Forms call the same acts as the API. A refused form is answered by the same page with what was wrong beside the
//! fields; anything else that fails becomes the error page, in the guard.

pub mod account;
pub mod alarms;
pub mod api;
pub mod approval;
pub mod asking;
pub mod audit;
pub mod brake;
pub mod clusters;
pub mod connect_credentials;
pub mod content;
pub mod differences;
pub mod documents;
pub mod drills;
pub mod endings;
pub mod errors;
pub mod findings;
pub mod fleet;
pub mod import;
pub mod lag;
pub mod losses;
pub mod notifications;
pub mod oidc;
pub mod pair_forms;
pub mod pairs;
pub mod people;
pub mod person;
pub mod plans;
pub mod proofs;
pub mod reauthenticate;
pub mod recorded;
pub mod removals;
pub mod run_acts;
pub mod runs;
pub mod settings;
pub mod setup;
pub mod sign_in;
pub mod teams;
pub mod ways_in;

use axum::{
    http::{Method, StatusCode, header},
    response::{Html, IntoResponse as _, Redirect, Response},
};
use muster_domain::people::Role::{Admin, Approver, Operator, Owner};
use muster_web::{Template, parts::Ends};

use crate::{
    acts::findings::MAY_WRITE,
    http::{
        Answer, Failure,
        route::{
            Access::{Anyone, Anywhere, Auditor, Reader, Role, SignedIn},
            Audit::{Reads, Writes},
            Of, Proof, Route, page,
        },
    },
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;

/// The rows of the pages.
#[must_use]
#[rustfmt::skip]
pub fn routes() -> Vec<Route> { vec![
    page(GET, "/", SignedIn, Reads, fleet::show),
    page(GET, "/sign-in", Anyone, Reads, sign_in::form),
    page(POST, "/sign-in", Anyone, Writes("session.open"), sign_in::sign_in),
    page(GET, "/sign-in/oidc", Anyone, Reads, oidc::begin),
    page(GET, "/sign-in/oidc/callback", Anyone, Writes("session.open"), oidc::callback),
    page(POST, "/sign-out", SignedIn, Writes("session.close"), sign_in::sign_out),
    page(GET, "/reauthenticate", SignedIn, Reads, reauthenticate::form),
    page(GET, "/reauthenticate/oidc", SignedIn, Reads, reauthenticate::begin_at_provider),
    page(POST, "/reauthenticate", SignedIn, Writes("session.reauthenticate"), reauthenticate::reauthenticate),
    page(GET, "/setup", Anyone, Reads, setup::form),
    page(POST, "/setup", Anyone, Writes("setup"), setup::set_up),
    page(POST, "/theme", Anyone, Reads, sign_in::theme),
    page(GET, "/clusters", SignedIn, Reads, clusters::list),
    page(POST, "/clusters", Anywhere(&[Admin]), Writes("cluster.create"), clusters::create).proven(Proof::PersonOrToken),
    page(GET, "/clusters/new", Anywhere(&[Admin]), Reads, clusters::new).proven(Proof::PersonOrToken),
    page(GET, "/clusters/{cluster}", SignedIn, Reads, clusters::show),
    page(GET, "/clusters/{cluster}/edit", Anywhere(&[Admin]), Reads, clusters::edit).proven(Proof::PersonOrToken),
    page(POST, "/clusters/{cluster}/edit", Anywhere(&[Admin]), Writes("cluster.change"), clusters::change).proven(Proof::PersonOrToken),
    page(POST, "/clusters/{cluster}/check", Anywhere(&[Admin]), Writes("cluster.check"), clusters::check),
    page(GET, "/clusters/{cluster}/remove", Anywhere(&[Admin]), Reads, removals::cluster),
    page(POST, "/clusters/{cluster}/remove", Anywhere(&[Admin]), Writes("cluster.delete"), removals::remove_cluster),
    page(GET, "/pairs", SignedIn, Reads, fleet::pairs),
    page(POST, "/pairs", Anywhere(&[Owner]), Writes("pair.create"), pair_forms::create),
    page(GET, "/pairs/new", Anywhere(&[Owner]), Reads, pair_forms::new),
    // A file may hold credentials of clusters.
    page(GET, "/pairs/import", Anywhere(&[Owner, Admin]), Reads, import::form).proven(Proof::PersonOrToken),
    page(POST, "/pairs/import", Anywhere(&[Owner, Admin]), Writes("pair.import"), import::import).proven(Proof::PersonOrToken),
    page(GET, "/pairs/{pair}", Reader(Of::Pair), Reads, pairs::show),
    page(GET, "/pairs/{pair}/lag", Reader(Of::Pair), Reads, lag::show),
    page(GET, "/pairs/{pair}/losses", Reader(Of::Pair), Reads, losses::list),
    page(GET, "/pairs/{pair}/losses/{loss}", Reader(Of::Pair), Reads, losses::show),
    page(GET, "/pairs/{pair}/recorded", Reader(Of::Pair), Reads, recorded::show),
    page(GET, "/pairs/{pair}/differences", Reader(Of::Pair), Reads, differences::show),
    page(GET, "/pairs/{pair}/edit", Role(&[Owner], Of::Pair), Reads, pair_forms::edit),
    page(POST, "/pairs/{pair}/edit", Role(&[Owner], Of::Pair), Writes("pair.change"), pair_forms::change),
    page(GET, "/pairs/{pair}/remove", Role(&[Owner], Of::Pair), Reads, removals::pair),
    page(POST, "/pairs/{pair}/remove", Role(&[Owner], Of::Pair), Writes("pair.delete"), removals::remove_pair),
    page(GET, "/pairs/{pair}/connect", Role(&[Owner], Of::Pair), Reads, connect_credentials::form).proven(Proof::PersonOrToken),
    page(POST, "/pairs/{pair}/connect", Role(&[Owner], Of::Pair), Writes("connect.enter"), connect_credentials::enter)
        .proven(Proof::PersonOrToken),
    page(GET, "/pairs/{pair}/connect/{cluster}/remove", Role(&[Owner], Of::Pair), Reads, connect_credentials::removal),
    page(POST, "/pairs/{pair}/connect/{cluster}/remove", Role(&[Owner], Of::Pair), Writes("connect.remove"), connect_credentials::remove),
    page(POST, "/pairs/{pair}/canary", Role(&[Operator], Of::Pair), Writes("canary.write"), pairs::canary),
    page(GET, "/pairs/{pair}/canary/remove", Role(&[Owner], Of::Pair), Reads, removals::canary),
    page(POST, "/pairs/{pair}/canary/remove", Role(&[Owner], Of::Pair), Writes("pair.change"), removals::stop_canary),
    page(POST, "/pairs/{pair}/plan", Role(&[Operator], Of::Pair), Writes("plan.make"), plans::make),
    page(GET, "/pairs/{pair}/translation", Reader(Of::Pair), Reads, proofs::show),
    page(POST, "/pairs/{pair}/translation", Role(&[Operator], Of::Pair), Writes("proof.ask"), proofs::ask),
    page(GET, "/pairs/{pair}/content", Reader(Of::Pair), Reads, content::show),
    page(POST, "/pairs/{pair}/content", Role(&[Operator], Of::Pair), Writes("proof.ask"), content::ask),
    page(POST, "/pairs/{pair}/content/record", Role(&[Operator], Of::Pair), Writes("payload.show"), content::record)
        .proven(Proof::Person),
    page(POST, "/proofs/{proof}/cancel", Role(&[Operator], Of::Proof), Writes("proof.cancel"), proofs::cancel),
    page(GET, "/plans/{plan}", Reader(Of::Plan), Reads, plans::show),
    page(POST, "/plans/{plan}/request", Role(&[Operator], Of::Plan), Writes("run.request"), plans::request),
    page(GET, "/runs", SignedIn, Reads, runs::list),
    page(GET, "/runs/{run}", Reader(Of::Run), Reads, runs::show),
    page(GET, "/runs/{run}/live", Reader(Of::Run), Reads, runs::live),
    page(GET, "/runs/{run}/events", Reader(Of::Run), Reads, runs::events),
    page(GET, "/runs/{run}/report", Reader(Of::Run), Reads, runs::report),
    page(GET, "/runs/{run}/approval", Reader(Of::Run), Reads, approval::show),
    page(POST, "/runs/{run}/approve", Role(&[Approver], Of::Run), Writes("run.approve"), approval::approve),
    page(POST, "/runs/{run}/reject", Role(&[Approver], Of::Run), Writes("run.reject"), approval::reject),
    page(GET, "/runs/{run}/compare", Reader(Of::Run), Reads, runs::compare),
    page(GET, "/runs/{run}/start", Reader(Of::Run), Reads, run_acts::confirm_start),
    page(POST, "/runs/{run}/start", Role(&[Operator], Of::Run), Writes("run.start"), run_acts::start),
    page(POST, "/runs/{run}/pause", Role(&[Operator], Of::Run), Writes("run.pause"), run_acts::pause),
    page(POST, "/runs/{run}/resume", Role(&[Operator], Of::Run), Writes("run.resume"), run_acts::resume),
    page(POST, "/runs/{run}/confirm", Role(&[Operator], Of::Run), Writes("run.confirm"), run_acts::confirm),
    page(POST, "/runs/{run}/retry", Role(&[Operator], Of::Run), Writes("run.retry"), run_acts::retry),
    page(GET, "/runs/{run}/skip", Reader(Of::Run), Reads, run_acts::confirm_skip),
    page(POST, "/runs/{run}/skip", Role(&[Operator], Of::Run), Writes("run.skip"), run_acts::skip),
    page(GET, "/runs/{run}/abort", Reader(Of::Run), Reads, run_acts::confirm_abort),
    page(POST, "/runs/{run}/abort", Role(&[Operator], Of::Run), Writes("run.abort"), run_acts::abort),
    page(GET, "/runs/{run}/close", Reader(Of::Run), Reads, run_acts::confirm_close),
    page(POST, "/runs/{run}/close", Role(&[Owner], Of::Run), Writes("run.close"), run_acts::close),
    page(GET, "/runs/{run}/attest", Reader(Of::Run), Reads, run_acts::confirm_attest),
    page(POST, "/runs/{run}/attest", Role(&[Approver], Of::Run), Writes("run.attest"), run_acts::attest),
    page(GET, "/runs/{run}/break-glass", Reader(Of::Run), Reads, run_acts::confirm_break_glass).proven(Proof::Person),
    page(POST, "/runs/{run}/break-glass", Role(&[Owner], Of::Run), Writes("run.break_glass"), run_acts::start_without_approval)
        .proven(Proof::Person),
    page(GET, "/runs/{run}/review", Reader(Of::Run), Reads, run_acts::confirm_review),
    page(POST, "/runs/{run}/review", Role(&[Approver], Of::Run), Writes("run.review"), run_acts::review),
    page(GET, "/drills", SignedIn, Reads, drills::list),
    page(POST, "/drills", Anywhere(&[Owner]), Writes("schedule.create"), drills::create),
    page(GET, "/drills/{schedule}/edit", Role(&[Owner], Of::Schedule), Reads, drills::edit),
    page(POST, "/drills/{schedule}/edit", Role(&[Owner], Of::Schedule), Writes("schedule.change"), drills::change),
    page(GET, "/drills/{schedule}/remove", Role(&[Owner], Of::Schedule), Reads, removals::schedule),
    page(POST, "/drills/{schedule}/remove", Role(&[Owner], Of::Schedule), Writes("schedule.delete"), removals::remove_schedule),
    page(GET, "/alarms", SignedIn, Reads, alarms::list),
    page(POST, "/alarms/{alarm}/acknowledge", Role(&[Operator], Of::Alarm), Writes("alarm.acknowledge"), alarms::acknowledge),
    page(GET, "/findings", SignedIn, Reads, findings::list),
    page(POST, "/findings", Anywhere(MAY_WRITE), Writes("finding.raise"), findings::raise),
    page(GET, "/findings/{finding}", Reader(Of::Finding), Reads, findings::show),
    page(POST, "/findings/{finding}", Role(MAY_WRITE, Of::Finding), Writes("finding.change"), findings::change),
    page(GET, "/notifications", SignedIn, Reads, notifications::list),
    page(POST, "/notifications", Anywhere(&[Owner]), Writes("channel.create"), notifications::create).proven(Proof::PersonOrToken),
    page(GET, "/notifications/{channel}/edit", Role(&[Owner], Of::Channel), Reads, notifications::edit).proven(Proof::PersonOrToken),
    page(POST, "/notifications/{channel}/edit", Role(&[Owner], Of::Channel), Writes("channel.change"), notifications::change)
        .proven(Proof::PersonOrToken),
    page(POST, "/notifications/{channel}/test", Role(&[Owner], Of::Channel), Writes("channel.test"), notifications::test),
    page(GET, "/notifications/{channel}/remove", Role(&[Owner], Of::Channel), Reads, removals::channel),
    page(POST, "/notifications/{channel}/remove", Role(&[Owner], Of::Channel), Writes("channel.delete"), removals::remove_channel),
    page(GET, "/api", SignedIn, Reads, api::show),
    page(GET, "/api/reference/{group}", SignedIn, Reads, api::group),
    // To whoever comes from an alert.
    page(GET, "/runbooks", Anyone, Reads, documents::runbooks),
    page(GET, "/operating", Anyone, Reads, documents::operating),
    page(GET, "/audit", Auditor, Reads, audit::list),
    page(GET, "/account", SignedIn, Reads, account::show),
    page(POST, "/account/password", SignedIn, Writes("session.password"), account::change_password),
    page(GET, "/account/sessions/revoke", SignedIn, Reads, endings::other_sessions),
    page(POST, "/account/sessions/revoke", SignedIn, Writes("session.revoke_all"), account::revoke_sessions),
    page(GET, "/account/sessions/{session}/revoke", SignedIn, Reads, endings::session),
    page(POST, "/account/sessions/{session}/revoke", SignedIn, Writes("session.revoke"), account::revoke_session),
    page(GET, "/account/tokens/new", SignedIn, Reads, account::new_token).proven(Proof::PersonOrToken),
    page(POST, "/account/tokens", SignedIn, Writes("token.create"), account::create_token).proven(Proof::PersonOrToken),
    page(GET, "/account/tokens/{token}/revoke", SignedIn, Reads, endings::token),
    page(POST, "/account/tokens/{token}/revoke", SignedIn, Writes("token.revoke"), account::revoke_token),
    page(GET, "/people", Anywhere(&[Admin]), Reads, people::list),
    page(POST, "/people", Anywhere(&[Admin]), Writes("user.create"), people::create).proven(Proof::PersonOrToken),
    page(GET, "/people/{user}", Anywhere(&[Admin]), Reads, person::show),
    page(GET, "/people/{user}/edit", Anywhere(&[Admin]), Reads, person::edit).proven(Proof::PersonOrToken),
    page(POST, "/people/{user}/edit", Anywhere(&[Admin]), Writes("user.change"), person::change).proven(Proof::PersonOrToken),
    page(POST, "/people/{user}/unlock", Anywhere(&[Admin]), Writes("user.change"), person::unlock).proven(Proof::PersonOrToken),
    page(GET, "/people/{user}/sessions/revoke", Anywhere(&[Admin]), Reads, endings::sessions_of_person),
    page(POST, "/people/{user}/sessions/revoke", Anywhere(&[Admin]), Writes("session.revoke_all"), person::revoke_sessions),
    page(GET, "/teams", SignedIn, Reads, teams::list),
    page(POST, "/teams", Anywhere(&[Admin]), Writes("team.create"), teams::create),
    page(GET, "/teams/{team}", Reader(Of::Team), Reads, teams::show),
    page(POST, "/teams/{team}", Anywhere(&[Admin]), Writes("team.change"), teams::change),
    page(GET, "/teams/{team}/remove", Anywhere(&[Admin]), Reads, removals::team),
    page(POST, "/teams/{team}/remove", Anywhere(&[Admin]), Writes("team.delete"), removals::remove_team),
    page(GET, "/settings", Anywhere(&[Admin]), Reads, settings::show),
    page(GET, "/brake", SignedIn, Reads, brake::show),
    page(POST, "/brake", Anywhere(&[Operator, Owner, Admin]), Writes("brake.put"), brake::act),
] }

/// A page as an answer.
fn html(page: &impl Template) -> Answer {
    html_with(StatusCode::OK, page)
}

/// A page with another status: a refused form.
fn html_with(status: StatusCode, page: &impl Template) -> Answer {
    let text = page.render().map_err(|e| Failure::internal("render a page", e))?;
    Ok((status, Html(text)).into_response())
}

/// Items of a list on one page.
const PAGE: i64 = 50;

/// Cuts what was read of a list, one more than a page holds, to a page; answers the cursor behind it if there is more.
fn cut<T>(found: &mut Vec<T>, cursor: impl FnOnce(&T) -> String) -> Option<String> {
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    found.last().filter(|_| more).map(cursor)
}

/// The ends of the list of `what` at an address, when the page goes on behind some item or has more behind it.
fn ends(what: &str, address: &str, continued: bool, next: Option<String>) -> Ends {
    let more = next.map(|next| format!("{address}?after={next}"));
    Ends::new(what, continued.then(|| address.to_owned()), more)
}

/// After a form: the page to look at next, by GET.
fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// Whether a failure is about what was typed, so that the form is shown again; and what a field list says then.
fn is_about_the_form(failure: &Failure) -> bool {
    matches!(
        failure.problem.code.as_str(),
        "invalid-request"
            | "name-taken"
            | "name-given-before"
            | "edited-in-between"
            | "cluster-in-use"
            | "reason-missing"
            | "pairs-overlap"
            | "override-missing"
            | "drill-not-proven"
            | "too-few-approvers"
    )
}

/// A shown form keeps its failure for the guard, which audits it.
fn refused_form(failure: &Failure, page: &impl Template) -> Answer {
    let mut response = html_with(failure.status, page)?;
    response.headers_mut().remove(header::WWW_AUTHENTICATE);
    response.extensions_mut().insert(failure.clone());
    response.extensions_mut().insert(Shown);
    Ok(response)
}

/// The answer is a page already; the guard leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub struct Shown;
