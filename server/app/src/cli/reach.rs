//! Which command speaks to which address, and why some are spoken to by none. Held to the table of routes by the tests below; a
//! debug build stops at an address that a command uses and that is not here.

use reqwest::Method;

use crate::{http::route::Route, routes::routes};

/// A command, and an address it is there for.
struct Reach(&'static str, Method, &'static str);

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

#[rustfmt::skip]
const COMMANDS: &[Reach] = &[
    Reach("login", POST, "/api/v1/session"),
    Reach("whoami", GET, "/api/v1/session"),
    Reach("logout", DELETE, "/api/v1/session"),
    Reach("password", PUT, "/api/v1/session/password"),
    Reach("sessions list", GET, "/api/v1/sessions"),
    Reach("sessions end-all", DELETE, "/api/v1/sessions"),
    Reach("sessions end", DELETE, "/api/v1/sessions/{session}"),
    Reach("people list", GET, "/api/v1/users"),
    Reach("people create", POST, "/api/v1/users"),
    Reach("people show", GET, "/api/v1/users/{user}"),
    Reach("people edit", PATCH, "/api/v1/users/{user}"),
    Reach("teams list", GET, "/api/v1/teams"),
    Reach("teams create", POST, "/api/v1/teams"),
    Reach("teams show", GET, "/api/v1/teams/{team}"),
    Reach("teams edit", PATCH, "/api/v1/teams/{team}"),
    Reach("teams delete", DELETE, "/api/v1/teams/{team}"),
    Reach("settings", GET, "/api/v1/settings"),
    Reach("tokens list", GET, "/api/v1/tokens"),
    Reach("tokens create", POST, "/api/v1/tokens"),
    Reach("tokens revoke", DELETE, "/api/v1/tokens/{token}"),

    Reach("clusters list", GET, "/api/v1/clusters"),
    Reach("clusters create", POST, "/api/v1/clusters"),
    Reach("clusters show", GET, "/api/v1/clusters/{cluster}"),
    Reach("clusters edit", PATCH, "/api/v1/clusters/{cluster}"),
    Reach("clusters delete", DELETE, "/api/v1/clusters/{cluster}"),
    Reach("clusters check", POST, "/api/v1/clusters/{cluster}/check"),
    Reach("pairs list", GET, "/api/v1/pairs"),
    Reach("pairs create", POST, "/api/v1/pairs"),
    Reach("pairs import", POST, "/api/v1/pairs/import"),
    Reach("pairs show", GET, "/api/v1/pairs/{pair}"),
    Reach("pairs edit", PATCH, "/api/v1/pairs/{pair}"),
    Reach("pairs delete", DELETE, "/api/v1/pairs/{pair}"),
    Reach("pairs connect", GET, "/api/v1/pairs/{pair}/connect"),
    Reach("pairs connect-enter", PUT, "/api/v1/pairs/{pair}/connect/{cluster}"),
    Reach("pairs connect-remove", DELETE, "/api/v1/pairs/{pair}/connect/{cluster}"),

    Reach("pairs survey", GET, "/api/v1/pairs/{pair}/survey"),
    Reach("pairs check", GET, "/api/v1/pairs/{pair}/readiness"),
    Reach("pairs changes", GET, "/api/v1/pairs/{pair}/readiness/changes"),
    Reach("pairs lag", GET, "/api/v1/pairs/{pair}/lag"),
    Reach("pairs lag", GET, "/api/v1/pairs/{pair}/lag/explorer"),
    Reach("pairs loss", GET, "/api/v1/pairs/{pair}/loss"),
    Reach("pairs losses", GET, "/api/v1/losses"),
    Reach("pairs positions", GET, "/api/v1/pairs/{pair}/positions"),
    Reach("pairs facts", GET, "/api/v1/pairs/{pair}/facts"),
    Reach("pairs canary", GET, "/api/v1/pairs/{pair}/canary"),
    Reach("pairs canary", POST, "/api/v1/pairs/{pair}/canary"),
    Reach("pairs rings", GET, "/api/v1/pairs/{pair}/rings"),
    Reach("pairs differences", GET, "/api/v1/pairs/{pair}/differences"),
    Reach("pairs topics", GET, "/api/v1/pairs/{pair}/topics"),
    Reach("pairs groups", GET, "/api/v1/pairs/{pair}/groups"),
    Reach("pairs rto", GET, "/api/v1/pairs/{pair}/rto"),

    Reach("alarms list", GET, "/api/v1/alarms"),
    Reach("alarms list", GET, "/api/v1/pairs/{pair}/alarms"),
    Reach("alarms show", GET, "/api/v1/alarms/{alarm}"),
    Reach("alarms acknowledge", POST, "/api/v1/alarms/{alarm}/acknowledge"),

    Reach("proofs list", GET, "/api/v1/pairs/{pair}/proofs"),
    Reach("proofs translation", POST, "/api/v1/pairs/{pair}/proofs"),
    Reach("proofs content", POST, "/api/v1/pairs/{pair}/proofs"),
    Reach("proofs show", GET, "/api/v1/proofs/{proof}"),
    Reach("proofs stop", POST, "/api/v1/proofs/{proof}/cancel"),
    Reach("proofs record", POST, "/api/v1/pairs/{pair}/proofs/{proof}/record"),

    Reach("schedules list", GET, "/api/v1/schedules"),
    Reach("schedules create", POST, "/api/v1/schedules"),
    Reach("schedules show", GET, "/api/v1/schedules/{schedule}"),
    Reach("schedules edit", PATCH, "/api/v1/schedules/{schedule}"),
    Reach("schedules delete", DELETE, "/api/v1/schedules/{schedule}"),
    Reach("schedules calendar", GET, "/api/v1/calendar.ics"),
    Reach("schedules due", GET, "/api/v1/occurrences"),

    Reach("channels list", GET, "/api/v1/channels"),
    Reach("channels create", POST, "/api/v1/channels"),
    Reach("channels show", GET, "/api/v1/channels/{channel}"),
    Reach("channels edit", PATCH, "/api/v1/channels/{channel}"),
    Reach("channels delete", DELETE, "/api/v1/channels/{channel}"),
    Reach("channels test", POST, "/api/v1/channels/{channel}/test"),
    Reach("channels deliveries", GET, "/api/v1/channels/{channel}/deliveries"),

    Reach("plan", POST, "/api/v1/pairs/{pair}/plans"),
    Reach("plan show", GET, "/api/v1/plans/{plan}"),
    Reach("plan difference", GET, "/api/v1/plans/{plan}/difference"),
    Reach("run request", POST, "/api/v1/runs"),
    Reach("run list", GET, "/api/v1/runs"),
    Reach("run show", GET, "/api/v1/runs/{run}"),
    Reach("run show", GET, "/api/v1/runs/{run}/steps"),
    Reach("run watch", GET, "/api/v1/runs/{run}/events"),
    Reach("run compare", GET, "/api/v1/runs/{run}/compare"),
    Reach("run report", GET, "/api/v1/runs/{run}/report"),

    Reach("approvals list", GET, "/api/v1/approvals"),
    Reach("approvals show", GET, "/api/v1/plans/{plan}/difference"),
    Reach("approvals approve", POST, "/api/v1/runs/{run}/approve"),
    Reach("approvals reject", POST, "/api/v1/runs/{run}/reject"),
    Reach("run approve", POST, "/api/v1/runs/{run}/approve"),
    Reach("run reject", POST, "/api/v1/runs/{run}/reject"),
    Reach("run start", POST, "/api/v1/runs/{run}/start"),
    Reach("run pause", POST, "/api/v1/runs/{run}/pause"),
    Reach("run resume", POST, "/api/v1/runs/{run}/resume"),
    Reach("run confirm", POST, "/api/v1/runs/{run}/confirm"),
    Reach("run retry", POST, "/api/v1/runs/{run}/retry"),
    Reach("run skip", POST, "/api/v1/runs/{run}/skip"),
    Reach("run abort", POST, "/api/v1/runs/{run}/abort"),
    Reach("run close", POST, "/api/v1/runs/{run}/close"),
    Reach("run attest", POST, "/api/v1/runs/{run}/attest"),
    Reach("run break-glass", POST, "/api/v1/runs/{run}/break_glass"),
    Reach("run review", POST, "/api/v1/runs/{run}/review"),

    Reach("findings list", GET, "/api/v1/findings"),
    Reach("findings raise", POST, "/api/v1/findings"),
    Reach("findings show", GET, "/api/v1/findings/{finding}"),
    Reach("findings edit", PATCH, "/api/v1/findings/{finding}"),
    Reach("findings close", PATCH, "/api/v1/findings/{finding}"),
    Reach("findings reopen", PATCH, "/api/v1/findings/{finding}"),

    Reach("audit list", GET, "/api/v1/audit"),
    Reach("audit verify", GET, "/api/v1/audit/verify"),
    Reach("audit export", GET, "/api/v1/audit/export"),
    Reach("brake show", GET, "/api/v1/brake"),
    Reach("brake set", PUT, "/api/v1/brake"),
    Reach("brake release", DELETE, "/api/v1/brake"),
];

/// Addresses without a command, each with the reason.
#[rustfmt::skip]
const WITHOUT: &[Reach] = &[
    Reach("for what restarts processes", GET, "/healthz"),
    Reach("for load balancers", GET, "/readyz"),
    Reach("for Prometheus", GET, "/metrics"),
    Reach("`muster openapi` prints it without a server", GET, "/api/openapi.json"),
    Reach("files of the pages", GET, "/assets/{*rest}"),
    Reach("every command that needs it asks for the password itself", POST, "/api/v1/session/reauthenticate"),
    Reach("`muster pairs lag --history` says more", GET, "/api/v1/pairs/{pair}/lag/history"),
];

/// Commands that are there for a route.
pub(super) fn commands(route: &Route) -> Vec<&'static str> {
    named(COMMANDS, route).collect()
}

/// Why no command is there for a route of the API.
pub(super) fn why_none(route: &Route) -> Option<&'static str> {
    named(WITHOUT, route).next()
}

fn named(table: &'static [Reach], route: &Route) -> impl Iterator<Item = &'static str> {
    table.iter().filter(move |row| row.1 == route.method && row.2 == route.path).map(|row| row.0)
}

/// Whether a command is listed for a request.
pub(super) fn is_listed(method: &Method, path: &str) -> bool {
    COMMANDS.iter().any(|row| row.1 == *method && fits(row.2, path))
}

/// Whether a request makes something, so that its key keeps it from being done twice.
pub(super) fn creates(method: &Method, path: &str) -> bool {
    let made_by = |route: &Route| route.rule.creates && route.method == *method && fits(route.path, path);
    // Only posts do: reading does not wait for the table.
    *method == POST && routes().iter().any(made_by)
}

/// Whether a path of a request, perhaps with a query, is one of these.
fn fits(pattern: &str, path: &str) -> bool {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let (mut expected, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (expected.next(), parts.next()) {
            (None, None) => return true,
            (Some(expected), Some(part)) if expected.starts_with('{') || expected == part => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::{cli::Cli, http::route::Kind};

    /// Commands that speak to no server, or serve.
    const ALONE: [&str; 11] = [
        "serve",
        "worker",
        "migrate",
        "doctor",
        "restored",
        "secrets rotate",
        "runbooks",
        "openapi",
        "routes",
        "completion",
        "verify",
    ];

    #[test]
    fn every_address_of_the_api_has_a_command_or_a_reason() {
        for route in routes().iter().filter(|route| route.rule.kind == Kind::Api) {
            let (commands, reason) = (commands(route), why_none(route));
            assert!(commands.is_empty() != reason.is_none(), "{route:?}: {commands:?}, {reason:?}");
        }
    }

    #[test]
    fn what_is_listed_is_there() {
        let routes = routes();
        for Reach(what, method, path) in COMMANDS.iter().chain(WITHOUT) {
            let there = routes.iter().any(|route| route.method == *method && route.path == *path);
            assert!(there, "{what}: {method} {path} is no route");
        }
    }

    #[test]
    fn every_command_says_which_address_it_is_there_for() {
        /// Everything that can be done: what has no commands of its own, and what can be done without them.
        fn walk(command: &clap::Command, before: &str, found: &mut BTreeSet<String>) {
            for command in command.get_subcommands() {
                let name = format!("{before}{}", command.get_name());
                if !command.has_subcommands() || command.is_subcommand_negates_reqs_set() {
                    found.insert(name.clone());
                }
                walk(command, &format!("{name} "), found);
            }
        }
        let mut all = BTreeSet::new();
        walk(&Cli::command(), "", &mut all);
        let listed =
            COMMANDS.iter().map(|row| row.0).chain(ALONE).map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(all, listed);
    }

    #[test]
    fn a_request_is_known_by_its_path() {
        assert!(creates(&POST, "/api/v1/pairs/orders/plans"));
        assert!(creates(&POST, "/api/v1/pairs/import"));
        assert!(!creates(&POST, "/api/v1/tokens"), "its answer is kept nowhere");
        assert!(!creates(&GET, "/api/v1/findings"));
        assert!(is_listed(&GET, "/api/v1/runs/7/events?after=3&format=json"));
        assert!(!is_listed(&GET, "/api/v1/runs/7/events/more") && !is_listed(&PUT, "/api/v1/runs"));
    }
}
