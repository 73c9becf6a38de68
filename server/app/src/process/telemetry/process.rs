//! Figures of this process, from memory: they come also when the database is gone.

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::{Labels, figure, set, set_known, unix};
use crate::app::App;

/// Commit this binary was built from; `./dev release` sets it.
const COMMIT: &str = match option_env!("MUSTER_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

pub(super) fn register(app: &App, registry: &mut Registry) {
    let build = figure(registry, "muster_build_info", "Always 1; the labels say what is running");
    set(&build, [("version", env!("CARGO_PKG_VERSION")), ("commit", COMMIT)], 1.0);
    app.telemetry.requests.register(registry);
    register_loops(app, registry);
    register_pool(app, registry);
}

fn register_loops(app: &App, registry: &mut Registry) {
    let began =
        figure(registry, "muster_loop_started_timestamp_seconds", "When a loop of this process began");
    let success = figure(
        registry,
        "muster_loop_last_success_timestamp_seconds",
        "When a loop last did its work; absent before the first time",
    );
    let failures: Family<Labels, Counter> = Family::default();
    registry.register(
        "muster_loop_failures",
        "Turns of a loop that could not do their work",
        failures.clone(),
    );
    for (name, state) in app.telemetry.loops.all() {
        let labels = [("loop", name.as_str())];
        set(&began, labels, unix(state.began));
        set_known(&success, labels, state.last_success.map(unix));
        failures.get_or_create(&vec![("loop", name.as_str().to_owned())]).inc_by(state.failures);
    }
}

fn register_pool(app: &App, registry: &mut Registry) {
    let (open, idle) = (app.pool.size(), u32::try_from(app.pool.num_idle()).unwrap_or(u32::MAX));
    let connections =
        figure(registry, "muster_database_connections", "Open connections to the database, by use");
    set(&connections, [("state", "idle")], f64::from(idle));
    set(&connections, [("state", "used")], f64::from(open.saturating_sub(idle)));
    let most = figure(
        registry,
        "muster_database_connections_max",
        "Most connections this process opens to the database",
    );
    set(&most, [], f64::from(app.pool.options().get_max_connections()));
}
