//! The one table of routes: router, guard, OpenAPI document and coverage tests all read it.
//!
//! A row says who may use an address and what the audit calls it. Nothing is served that is not a row.

use axum::{Router, http::Method, middleware::from_fn_with_state};
use muster_domain::{
    alarm::StandingAlarm,
    audit::AuditEntry,
    comparison::Comparison,
    finding::Finding,
    pair::Pair,
    people::Role::{Admin, Approver, Operator, Owner},
    plan::Plan,
    plan_difference::PlanDifference,
    proof::{Proof, ProofEvidence},
    record::{Report, Run, RunStep},
    recorder::explorer::LagExplorer,
    run::RunEvent,
};

use crate::{
    acts::{
        alarms::Acknowledge,
        brake_acts::{BrakeView, PutBrake},
        canaries::{CanaryTold, CanaryView},
        channels::{ChannelEdit, ChannelView, NewChannel},
        checks::CheckedCluster,
        clusters::{ClusterEdit, ClusterView, NewCluster},
        connect_credentials::{ConnectSignIns, FlowSignIn, NewConnectCredentials},
        findings::{FindingEdit, MAY_WRITE, NewFinding},
        imports::{ImportText, Imported},
        installation::Installation,
        pairs::{NewPair, PairEdit},
        payload::{RecordAsk, RecordTold},
        people::{NewUser, UserEdit, UserView},
        plans::{NewPlan, NewRequest},
        proofs::NewProof,
        rings::RingsView,
        schedules::{NewSchedule, ScheduleEdit},
        sessions::SessionView,
        teams::{TeamDetail, TeamEdit, TeamView},
        tokens::{NewToken, TokenView},
    },
    api::{
        Items, PageQuery, alarms, approvals, audit, brake, calendar, canaries, channels, clusters,
        connect_credentials, decisions,
        decisions::{Attest, Because, BreakingGlass, NewVote, Reviewing, SkipStep},
        differences, events, findings, installation, lag_explorer, losses, observation, pairs, people, plans,
        proofs, recorded, rings, runs,
        runs::RunView,
        schedules, service, session,
        session::{Again, BearerSession, SignIn, Whoami},
        sessions,
        sessions::{NewPassword, SessionQuery},
        teams,
    },
    app::App,
    http::{
        guard::guard,
        route::{
            Access::{Anyone, Anywhere, Auditor, Reader, Role, SignedIn},
            Audit::{Reads, Writes},
            Of, Presence, Route, api,
        },
    },
    pages,
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// Every route there is.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut routes = service();
    routes.extend(sessions_and_people());
    routes.extend(clusters_and_pairs());
    routes.extend(observations());
    routes.extend(alarms());
    routes.extend(proofs());
    routes.extend(schedules());
    routes.extend(channels());
    routes.extend(plans_and_runs());
    routes.extend(deciding());
    routes.extend(findings());
    routes.extend(audit_and_brake());
    routes.extend(pages::routes());
    routes
}

/// The router: every row behind its guard.
pub fn router(app: &App) -> Router {
    let mut router: Router<App> = Router::new();
    for route in routes() {
        let guarded = route.handler.route_layer(from_fn_with_state((app.clone(), route.rule), guard));
        router = router.route(route.path, guarded);
    }
    router.fallback(pages::errors::nothing_here).with_state(app.clone())
}

/// What the monitoring listener serves, to whoever reaches it (`MUSTER_METRICS_LISTEN`).
const MONITORING: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The router of the monitoring listener: the same handlers, without signing in.
pub fn monitoring_router(app: &App) -> Router {
    let mut router: Router<App> = Router::new();
    for route in service().into_iter().filter(|route| MONITORING.contains(&route.path)) {
        router = router.route(route.path, route.handler);
    }
    router.with_state(app.clone())
}

#[rustfmt::skip]
fn service() -> Vec<Route> { vec![
    api(GET, "/healthz", Anyone, Reads, service::healthz)
        .says("The process answers and needs no restart.").answers_media("text/plain").or(503),
    api(GET, "/readyz", Anyone, Reads, service::readyz).says("The process can do its work.").answers::<service::Ready>(200).or(503),
    // It names the pairs of all teams. Without signing in it is served on the monitoring listener only.
    api(GET, "/metrics", Auditor, Reads, service::metrics).says("Figures for Prometheus.").answers_media("text/plain"),
    api(GET, "/api/openapi.json", Anyone, Reads, service::describe).says("This document."),
    api(GET, "/assets/{*rest}", Anyone, Reads, service::asset).says("A static file.").answers_media("application/octet-stream"),
] }

#[rustfmt::skip]
fn sessions_and_people() -> Vec<Route> { vec![
    api(POST, "/api/v1/session", Anyone, Writes("session.open"), session::open)
        .says("Sign in with name and password; answers a bearer token.").takes::<SignIn>().answers::<BearerSession>(201).located(),
    api(GET, "/api/v1/session", SignedIn, Reads, session::whoami).says("Who is signed in.").answers::<Whoami>(200),
    api(POST, "/api/v1/session/reauthenticate", SignedIn, Writes("session.reauthenticate"), session::reauthenticate)
        .says("Show with the password that one is still there: what cannot be undone or opens secrets asks for it.")
        .takes::<Again>().answers_nothing(),
    api(DELETE, "/api/v1/session", SignedIn, Writes("session.close"), session::close).says("Sign out.").answers_nothing(),
    api(PUT, "/api/v1/session/password", SignedIn, Writes("session.password"), sessions::change_password)
        .says("Change one's own password; ends all one's other sessions.").takes::<NewPassword>().answers_nothing(),
    api(GET, "/api/v1/sessions", SignedIn, Reads, sessions::list)
        .says("One's own sessions, newest first; an admin asks for anybody's.").query::<sessions::SessionListQuery>().answers::<Items<SessionView>>(200),
    api(DELETE, "/api/v1/sessions", SignedIn, Writes("session.revoke_all"), sessions::revoke_all)
        .says("End all one's sessions but the one that asks; an admin ends anybody's.").query::<SessionQuery>().answers_nothing(),
    api(DELETE, "/api/v1/sessions/{session}", SignedIn, Writes("session.revoke"), sessions::revoke)
        .says("End a session of one's own; an admin ends any.").answers_nothing(),
    api(GET, "/api/v1/users", Anywhere(&[Admin]), Reads, people::list)
        .says("All people, by name.").query::<PageQuery>().answers::<Items<UserView>>(200),
    api(POST, "/api/v1/users", Anywhere(&[Admin]), Writes("user.create"), people::create)
        .says("Add a person.").takes::<NewUser>().answers::<UserView>(201).creates().needs(Presence::PersonOrToken),
    api(GET, "/api/v1/users/{user}", Anywhere(&[Admin]), Reads, people::show)
        .says("A person.").answers::<UserView>(200).versioned(),
    api(PATCH, "/api/v1/users/{user}", Anywhere(&[Admin]), Writes("user.change"), people::change)
        .says("Change a person: rights, password, whether they may sign in.").takes::<UserEdit>()
        .answers::<UserView>(200).versioned().needs(Presence::PersonOrToken),
    api(GET, "/api/v1/teams", SignedIn, Reads, teams::list)
        .says("All teams, by name.").query::<PageQuery>().answers::<Items<TeamView>>(200),
    api(POST, "/api/v1/teams", Anywhere(&[Admin]), Writes("team.create"), teams::create)
        .says("Add a team.").takes::<TeamView>().answers::<TeamView>(201).creates(),
    api(GET, "/api/v1/teams/{team}", Reader(Of::Team), Reads, teams::show)
        .says("A team with its members, pairs and channels.").answers::<TeamDetail>(200).versioned(),
    api(PATCH, "/api/v1/teams/{team}", Anywhere(&[Admin]), Writes("team.change"), teams::change)
        .says("Change what a team is said to do.").takes::<TeamEdit>().answers::<TeamDetail>(200).versioned(),
    api(DELETE, "/api/v1/teams/{team}", Anywhere(&[Admin]), Writes("team.delete"), teams::delete)
        .says("Remove a team nothing belongs to.").answers_nothing().versioned(),
    api(GET, "/api/v1/settings", Anywhere(&[Admin]), Reads, installation::show)
        .says("What this installation is and is set to; secrets are told as set or not set.").answers::<Installation>(200),
    api(GET, "/api/v1/tokens", SignedIn, Reads, people::tokens)
        .says("One's own API tokens, newest first; those of everybody for an admin.").query::<PageQuery>().answers::<Items<TokenView>>(200),
    api(POST, "/api/v1/tokens", SignedIn, Writes("token.create"), people::create_token)
        .says("Make an API token with one's own rights; it is shown once.").takes::<NewToken>().answers::<TokenView>(201).needs(Presence::PersonOrToken),
    api(DELETE, "/api/v1/tokens/{token}", SignedIn, Writes("token.revoke"), people::revoke_token)
        .says("Revoke an API token of one's own; an admin revokes any.").answers_nothing(),
] }

#[rustfmt::skip]
fn clusters_and_pairs() -> Vec<Route> { vec![
    api(GET, "/api/v1/clusters", SignedIn, Reads, clusters::list)
        .says("All clusters, by name.").query::<PageQuery>().answers::<Items<ClusterView>>(200),
    api(POST, "/api/v1/clusters", Anywhere(&[Admin]), Writes("cluster.create"), clusters::create)
        .says("Register a cluster.").takes::<NewCluster>().answers::<ClusterView>(201).creates().needs(Presence::PersonOrToken),
    api(GET, "/api/v1/clusters/{cluster}", SignedIn, Reads, clusters::show)
        .says("A cluster.").answers::<ClusterView>(200).versioned(),
    api(PATCH, "/api/v1/clusters/{cluster}", Anywhere(&[Admin]), Writes("cluster.change"), clusters::change)
        .says("Change a cluster.").takes::<ClusterEdit>().answers::<ClusterView>(200).versioned().needs(Presence::PersonOrToken),
    api(DELETE, "/api/v1/clusters/{cluster}", Anywhere(&[Admin]), Writes("cluster.delete"), clusters::delete)
        .says("Forget a cluster no pair uses.").answers_nothing().versioned(),
    api(POST, "/api/v1/clusters/{cluster}/check", Anywhere(&[Admin]), Writes("cluster.check"), clusters::check)
        .says("Connect to a cluster, record its id, try each right.").answers::<CheckedCluster>(200),
    api(GET, "/api/v1/pairs", SignedIn, Reads, pairs::list)
        .says("Pairs of one's teams, by name.").query::<PageQuery>().answers::<Items<pairs::PairView>>(200),
    api(POST, "/api/v1/pairs", Anywhere(&[Owner]), Writes("pair.create"), pairs::create)
        .says("Make a pair.").takes::<NewPair>().answers::<Pair>(201).creates(),
    api(POST, "/api/v1/pairs/import", Anywhere(&[Owner, Admin]), Writes("pair.import"), pairs::import)
        .says("Import an mm2.properties file: JSON, or text/plain with `team` and `name` in the query.")
        .query::<pairs::ImportQuery>().takes::<ImportText>().answers::<Imported>(201).creates().or_text()
        .needs(Presence::PersonOrToken),
    api(GET, "/api/v1/pairs/{pair}", Reader(Of::Pair), Reads, pairs::show).says("A pair.").answers::<Pair>(200).versioned(),
    api(PATCH, "/api/v1/pairs/{pair}", Role(&[Owner], Of::Pair), Writes("pair.change"), pairs::change)
        .says("Change a pair: scope, flows, objectives, approval, routing.").takes::<PairEdit>().answers::<Pair>(200).versioned(),
    api(DELETE, "/api/v1/pairs/{pair}", Role(&[Owner], Of::Pair), Writes("pair.delete"), pairs::delete)
        .says("Remove a pair of which no drill is scheduled and no run goes on; its runs and audit entries stay.").answers_nothing().versioned(),
    api(GET, "/api/v1/pairs/{pair}/connect", Reader(Of::Pair), Reads, connect_credentials::show)
        .says("What Muster signs in with at the Connect of each flow: what is kept, never the password or the token.").answers::<ConnectSignIns>(200),
    api(PUT, "/api/v1/pairs/{pair}/connect/{cluster}", Role(&[Owner], Of::Pair), Writes("connect.enter"), connect_credentials::enter)
        .says("Enter what Muster signs in with at the Connect of the flow from a cluster. It is sealed, and sent to the address the flow has now only.")
        .takes::<NewConnectCredentials>().answers::<FlowSignIn>(200).needs(Presence::PersonOrToken),
    api(DELETE, "/api/v1/pairs/{pair}/connect/{cluster}", Role(&[Owner], Of::Pair), Writes("connect.remove"), connect_credentials::remove)
        .says("Remove what Muster signs in with at the Connect of the flow from a cluster.").answers_nothing(),
] }

#[rustfmt::skip]
fn observations() -> Vec<Route> { vec![
    api(GET, "/api/v1/pairs/{pair}/survey", Reader(Of::Pair), Reads, observation::survey)
        .says("All that was last observed of a pair."),
    api(GET, "/api/v1/pairs/{pair}/readiness", Reader(Of::Pair), Reads, observation::readiness)
        .says("The checks of a pair, each with its reason and next step.").answers::<observation::Readiness>(200),
    api(GET, "/api/v1/pairs/{pair}/readiness/changes", Reader(Of::Pair), Reads, observation::changes)
        .says("When checks changed, newest first.").query::<observation::ChangesQuery>()
        .answers::<Items<observation::ReadinessChange>>(200),
    api(GET, "/api/v1/pairs/{pair}/lag", Reader(Of::Pair), Reads, observation::lag)
        .says("How far the standby is behind, as last observed."),
    api(GET, "/api/v1/pairs/{pair}/lag/history", Reader(Of::Pair), Reads, observation::lag_history)
        .says("Lag over time: of a flow, or of one topic or partition.").query::<observation::HistoryQuery>(),
    api(GET, "/api/v1/pairs/{pair}/lag/explorer", Reader(Of::Pair), Reads, lag_explorer::show)
        .says("Lag over time with percentiles over partitions, what a death would have cost, gaps and what happened; as JSON or CSV.")
        .query::<lag_explorer::ExplorerQuery>().answers::<LagExplorer>(200).answers_media("text/csv"),
    api(GET, "/api/v1/pairs/{pair}/loss", Reader(Of::Pair), Reads, losses::show)
        .says("What was lost when a source died: an interval, and what it turned out to be.")
        .query::<losses::LossQuery>().answers::<losses::LossView>(200).answers_media("text/csv"),
    api(GET, "/api/v1/losses", SignedIn, Reads, losses::list)
        .says("What was lost when sources died, of one's teams' pairs in a time: by owner, and one by one.")
        .query::<losses::LossesQuery>().answers::<losses::LossesView>(200),
    api(GET, "/api/v1/pairs/{pair}/positions", Reader(Of::Pair), Reads, recorded::positions)
        .says("Where a group stood at a time: as a survey saw it while that is kept, by the hour for a year.")
        .query::<recorded::PositionsQuery>().answers::<recorded::PositionsView>(200),
    api(GET, "/api/v1/pairs/{pair}/facts", Reader(Of::Pair), Reads, recorded::facts)
        .says("What ACLs or configs were at a time, since when and until when.")
        .query::<recorded::FactsQuery>().answers::<recorded::FactView>(200),
    api(GET, "/api/v1/pairs/{pair}/canary", Reader(Of::Pair), Reads, canaries::show)
        .says("How long Muster's own records take to the other side, and whether they arrive.").answers::<CanaryView>(200),
    api(POST, "/api/v1/pairs/{pair}/canary", Role(&[Operator], Of::Pair), Writes("canary.write"), canaries::ask)
        .says("Write one on each partition now, and wait until they are seen, at most 10 s.").answers::<CanaryTold>(200),
    api(GET, "/api/v1/pairs/{pair}/rings", Reader(Of::Pair), Reads, rings::show)
        .says("How looks at a pair's sources go: what is kept for the day one is dead, and what is in the way.").answers::<RingsView>(200),
    api(GET, "/api/v1/pairs/{pair}/differences", Reader(Of::Pair), Reads, differences::show)
        .says("What applications would find different on the other side, by cause and by who is affected, worst first.")
        .query::<differences::DifferencesQuery>().answers::<differences::SideDifferences>(200),
    api(GET, "/api/v1/pairs/{pair}/topics", Reader(Of::Pair), Reads, observation::topics)
        .says("Topics in scope on both sides, as last observed."),
    api(GET, "/api/v1/pairs/{pair}/groups", Reader(Of::Pair), Reads, observation::groups)
        .says("Groups in scope on both sides, as last observed."),
] }

#[rustfmt::skip]
fn alarms() -> Vec<Route> { vec![
    api(GET, "/api/v1/alarms", SignedIn, Reads, alarms::list)
        .says("Alarms of silent loss of one's teams, newest first.").query::<alarms::AlarmQuery>()
        .answers::<Items<StandingAlarm>>(200),
    api(GET, "/api/v1/alarms/{alarm}", Reader(Of::Alarm), Reads, alarms::show)
        .says("An alarm: where, since when, what was lost, what to do.").answers::<StandingAlarm>(200),
    api(POST, "/api/v1/alarms/{alarm}/acknowledge", Role(&[Operator], Of::Alarm), Writes("alarm.acknowledge"), alarms::acknowledge)
        .says("Say that something that happened is dealt with.").takes::<Acknowledge>().answers::<StandingAlarm>(200),
    api(GET, "/api/v1/pairs/{pair}/alarms", Reader(Of::Pair), Reads, alarms::of_pair)
        .says("Alarms of silent loss of a pair, newest first.").query::<alarms::AlarmQuery>()
        .answers::<Items<StandingAlarm>>(200),
] }

#[rustfmt::skip]
fn proofs() -> Vec<Route> { vec![
    api(GET, "/api/v1/pairs/{pair}/proofs", Reader(Of::Pair), Reads, proofs::list)
        .says("What comparing the records of both sides has shown, newest first.").query::<proofs::ProofQuery>()
        .answers::<Items<Proof>>(200),
    api(POST, "/api/v1/pairs/{pair}/proofs", Role(&[Operator], Of::Pair), Writes("proof.ask"), proofs::ask)
        .says("Ask for a proof. It only reads, and goes on after the answer.").takes::<NewProof>().answers::<Proof>(202).creates(),
    api(GET, "/api/v1/proofs/{proof}", Reader(Of::Proof), Reads, proofs::show)
        .says("A proof with its result, as evidence.").answers::<ProofEvidence>(200),
    api(POST, "/api/v1/proofs/{proof}/cancel", Role(&[Operator], Of::Proof), Writes("proof.cancel"), proofs::cancel)
        .says("Stop a proof.").answers::<Proof>(200),
    // What was seen cannot be taken back: a person who is there, and no API token.
    api(POST, "/api/v1/pairs/{pair}/proofs/{proof}/record", Role(&[Operator], Of::Pair), Writes("payload.show"), proofs::record)
        .says("Show a record that a content proof cites, where the pair's owners allow it. It is not kept.")
        .takes::<RecordAsk>().answers::<RecordTold>(200).needs(Presence::Person),
] }

#[rustfmt::skip]
fn schedules() -> Vec<Route> { vec![
    api(GET, "/api/v1/schedules", SignedIn, Reads, schedules::list)
        .says("When drills of one's teams are due, by pair.").query::<PageQuery>()
        .answers::<Items<schedules::ScheduleView>>(200),
    api(POST, "/api/v1/schedules", Anywhere(&[Owner]), Writes("schedule.create"), schedules::create)
        .says("Schedule drills of a pair.").takes::<NewSchedule>().answers::<schedules::ScheduleView>(201).creates(),
    api(GET, "/api/v1/schedules/{schedule}", Reader(Of::Schedule), Reads, schedules::show)
        .says("A schedule.").answers::<schedules::ScheduleView>(200).versioned(),
    api(PATCH, "/api/v1/schedules/{schedule}", Role(&[Owner], Of::Schedule), Writes("schedule.change"), schedules::change)
        .says("Change a schedule.").takes::<ScheduleEdit>().answers::<schedules::ScheduleView>(200).versioned(),
    api(DELETE, "/api/v1/schedules/{schedule}", Role(&[Owner], Of::Schedule), Writes("schedule.delete"), schedules::delete)
        .says("Remove a schedule; what came due of it stays.").answers_nothing().versioned(),
    api(GET, "/api/v1/calendar.ics", SignedIn, Reads, calendar::show).takes_key()
        .says("When drills are due, as iCalendar.").query::<calendar::CalendarQuery>().answers_media("text/calendar"),
    api(GET, "/api/v1/occurrences", SignedIn, Reads, schedules::occurrences)
        .says("What came due of schedules, newest first.").query::<schedules::OccurrenceQuery>()
        .answers::<Items<schedules::OccurrenceView>>(200),
] }

#[rustfmt::skip]
fn channels() -> Vec<Route> { vec![
    api(GET, "/api/v1/channels", SignedIn, Reads, channels::list)
        .says("Where one's teams are told what happens, by team and name.").query::<PageQuery>()
        .answers::<Items<ChannelView>>(200),
    api(POST, "/api/v1/channels", Anywhere(&[Owner]), Writes("channel.create"), channels::create)
        .says("Make a channel of a team.").takes::<NewChannel>().answers::<ChannelView>(201).creates().needs(Presence::PersonOrToken),
    api(GET, "/api/v1/channels/{channel}", Reader(Of::Channel), Reads, channels::show)
        .says("A channel.").answers::<ChannelView>(200).versioned(),
    api(PATCH, "/api/v1/channels/{channel}", Role(&[Owner], Of::Channel), Writes("channel.change"), channels::change)
        .says("Change a channel.").takes::<ChannelEdit>().answers::<ChannelView>(200).versioned().needs(Presence::PersonOrToken),
    api(DELETE, "/api/v1/channels/{channel}", Role(&[Owner], Of::Channel), Writes("channel.delete"), channels::delete)
        .says("Remove a channel with what it was still to send.").answers_nothing().versioned(),
    api(POST, "/api/v1/channels/{channel}/test", Role(&[Owner], Of::Channel), Writes("channel.test"), channels::test)
        .says("Send a message that only tries the channel; its deliveries say whether it arrived.")
        .answers::<channels::DeliveryView>(202).located(),
    api(GET, "/api/v1/channels/{channel}/deliveries", Reader(Of::Channel), Reads, channels::deliveries)
        .says("What was and is to be sent there, newest first.").query::<PageQuery>()
        .answers::<Items<channels::DeliveryView>>(200),
] }

#[rustfmt::skip]
fn plans_and_runs() -> Vec<Route> { vec![
    api(POST, "/api/v1/pairs/{pair}/plans", Role(&[Operator], Of::Pair), Writes("plan.make"), plans::make)
        .says("Plan an operation: steps, calls, blockers, warnings, prediction.").takes::<NewPlan>().answers::<Plan>(201).creates(),
    api(GET, "/api/v1/plans/{plan}", Reader(Of::Plan), Reads, plans::show).says("A plan.").answers::<Plan>(200),
    api(GET, "/api/v1/plans/{plan}/difference", Reader(Of::Plan), Reads, plans::difference)
        .says("What differs between it and the plan of its pair and operation approved before it.").answers::<PlanDifference>(200),
    api(POST, "/api/v1/runs", Anywhere(&[Operator]), Writes("run.request"), runs::request)
        .says("Ask for a plan to be carried out.").takes::<NewRequest>().answers::<Run>(201).creates(),
    api(GET, "/api/v1/runs", SignedIn, Reads, runs::list)
        .says("Runs of one's teams, newest first.").query::<runs::RunQuery>().answers::<Items<Run>>(200),
    api(GET, "/api/v1/runs/{run}", Reader(Of::Run), Reads, runs::show).says("A run.").answers::<RunView>(200),
    api(GET, "/api/v1/runs/{run}/steps", Reader(Of::Run), Reads, runs::steps).says("Its steps.").answers::<Items<RunStep>>(200),
    api(GET, "/api/v1/runs/{run}/events", Reader(Of::Run), Reads, events::events)
        .says("What happens in it, as server-sent events or as a list.").query::<events::EventsQuery>()
        .answers::<Items<RunEvent>>(200).streams::<RunEvent>()
        .headers(&[("Last-Event-ID", "Number of the last event that arrived: the stream goes on after it.")]),
    api(GET, "/api/v1/runs/{run}/compare", Reader(Of::Run), Reads, runs::compare)
        .says("Two runs side by side: figures and steps.").query::<runs::CompareQuery>().answers::<Comparison>(200),
    api(GET, "/api/v1/pairs/{pair}/rto", Reader(Of::Pair), Reads, runs::trend)
        .says("What runs of a pair measured, beside the objective.").answers::<runs::Trend>(200),
    api(GET, "/api/v1/runs/{run}/report", Reader(Of::Run), Reads, runs::evidence).says("Its evidence.").answers::<Report>(200),
] }

#[rustfmt::skip]
fn deciding() -> Vec<Route> { vec![
    api(GET, "/api/v1/approvals", SignedIn, Reads, approvals::list)
        .says("Runs that wait for one's own decision, newest first.").query::<PageQuery>().answers::<Items<RunView>>(200),
    api(POST, "/api/v1/runs/{run}/approve", Role(&[Approver], Of::Run), Writes("run.approve"), decisions::approve)
        .says("Approve it; never by its requester.").takes::<NewVote>().answers::<Run>(200).located(),
    api(POST, "/api/v1/runs/{run}/reject", Role(&[Approver], Of::Run), Writes("run.reject"), decisions::reject)
        .says("Reject it; one is final.").takes::<NewVote>().answers::<Run>(200).located(),
    api(POST, "/api/v1/runs/{run}/start", Role(&[Operator], Of::Run), Writes("run.start"), decisions::start)
        .says("Start an approved run.").answers::<Run>(202).or(200).located(),
    api(POST, "/api/v1/runs/{run}/pause", Role(&[Operator], Of::Run), Writes("run.pause"), decisions::pause)
        .says("Stop at the next step boundary.").answers::<Run>(202).or(200).located(),
    api(POST, "/api/v1/runs/{run}/resume", Role(&[Operator], Of::Run), Writes("run.resume"), decisions::resume)
        .says("Go on after a pause.").answers::<Run>(202).or(200).located(),
    api(POST, "/api/v1/runs/{run}/confirm", Role(&[Operator], Of::Run), Writes("run.confirm"), decisions::confirm)
        .says("Answer the question a step waits with.").answers::<Run>(202).or(200).located(),
    api(POST, "/api/v1/runs/{run}/retry", Role(&[Operator], Of::Run), Writes("run.retry"), decisions::retry)
        .says("Try again what failed.").takes::<Because>().answers::<Run>(202).or(200).located(),
    api(POST, "/api/v1/runs/{run}/skip", Role(&[Operator], Of::Run), Writes("run.skip"), decisions::skip)
        .says("Leave a failed step out.").takes::<SkipStep>().answers::<Run>(202).or(200).located(),
    api(POST, "/api/v1/runs/{run}/abort", Role(&[Operator], Of::Run), Writes("run.abort"), decisions::abort)
        .says("Take everything back, in reverse.").takes::<Because>().answers::<Run>(202).or(200).located(),
    api(POST, "/api/v1/runs/{run}/close", Role(&[Owner], Of::Run), Writes("run.close"), decisions::close)
        .says("Close a stuck or restored run by hand.").takes::<Because>().answers::<Run>(200).located(),
    api(POST, "/api/v1/runs/{run}/attest", Role(&[Approver], Of::Run), Writes("run.attest"), decisions::attest)
        .says("Say what a drill proved; never by its requester or driver.").takes::<Attest>().answers::<Run>(200).located(),
    api(POST, "/api/v1/runs/{run}/break_glass", Role(&[Owner], Of::Run), Writes("run.break_glass"), decisions::break_glass)
        .says("Start it without approval. Needs a session in which it was shown minutes ago who is there; reviewed within a day.")
        .takes::<BreakingGlass>().answers::<Run>(202).or(200).located().needs(Presence::Person),
    api(POST, "/api/v1/runs/{run}/review", Role(&[Approver], Of::Run), Writes("run.review"), decisions::review)
        .says("Say whether its start without approval was right; never by its requester or driver.")
        .takes::<Reviewing>().answers::<Run>(200).located(),
] }

#[rustfmt::skip]
fn findings() -> Vec<Route> { vec![
    api(GET, "/api/v1/findings", SignedIn, Reads, findings::list)
        .says("What went wrong or surprised, newest first.").query::<findings::FindingQuery>().answers::<Items<Finding>>(200),
    api(POST, "/api/v1/findings", Anywhere(MAY_WRITE), Writes("finding.raise"), findings::raise)
        .says("Raise a finding.").takes::<NewFinding>().answers::<Finding>(201).creates(),
    api(GET, "/api/v1/findings/{finding}", Reader(Of::Finding), Reads, findings::show)
        .says("A finding.").answers::<Finding>(200).versioned(),
    api(PATCH, "/api/v1/findings/{finding}", Role(MAY_WRITE, Of::Finding), Writes("finding.change"), findings::change)
        .says("Change, close or open a finding.").takes::<FindingEdit>().answers::<Finding>(200).versioned(),
] }

#[rustfmt::skip]
fn audit_and_brake() -> Vec<Route> { vec![
    api(GET, "/api/v1/audit", Auditor, Reads, audit::list)
        .says("Entries, newest first.").query::<audit::AuditQuery>().answers::<Items<AuditEntry>>(200),
    api(GET, "/api/v1/audit/verify", Auditor, Reads, audit::verify).says("Check the whole chain.").answers::<audit::Verified>(200),
    api(GET, "/api/v1/audit/export", Auditor, Reads, audit::export)
        .says("All entries, one a line, oldest first.").answers_media("application/x-ndjson"),
    api(GET, "/api/v1/brake", SignedIn, Reads, brake::show).says("The global stop.").answers::<BrakeView>(200),
    api(PUT, "/api/v1/brake", Anywhere(&[Operator, Owner, Admin]), Writes("brake.put"), brake::put)
        .says("Put it on: nothing starts, running steps stop at their boundary.").takes::<PutBrake>().answers::<BrakeView>(200),
    api(DELETE, "/api/v1/brake", Anywhere(&[Owner, Admin]), Writes("brake.release"), brake::release)
        .says("Release it.").answers::<BrakeView>(200),
] }
