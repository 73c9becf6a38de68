//! Figures of what waits for somebody: messages on their way, open findings, drills nobody held.

use chrono::{DateTime, Utc};
use muster_domain::{finding::Severity, notification::ChannelKind};
use muster_store::{
    StoreError, alarms,
    waiting::{self, OverdueDrills, Undelivered},
};
use prometheus_client::registry::Registry;
use sqlx::PgConnection;

use super::{
    super::{figure, seconds, set, set_known},
    Fleet,
};

/// What was read of it.
pub(super) struct Waiting {
    undelivered: Vec<Undelivered>,
    findings: Vec<(String, i64)>,
    drills: Vec<OverdueDrills>,
    alarms: Vec<(String, String, i64)>,
}

pub(super) async fn read(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Waiting, StoreError> {
    Ok(Waiting {
        undelivered: waiting::undelivered(conn).await?,
        findings: waiting::open_findings(conn).await?,
        drills: waiting::overdue_drills(conn, now).await?,
        alarms: alarms::count_open(conn).await?,
    })
}

pub(super) fn register(fleet: &Fleet, registry: &mut Registry) {
    let Waiting { undelivered, findings, drills, alarms } = &fleet.waiting;
    let count = figure(registry, "muster_messages_undelivered", "Messages that wait, by kind of channel");
    let oldest = figure(
        registry,
        "muster_messages_oldest_undelivered_seconds",
        "Age of the oldest message that waits; absent when none does",
    );
    for kind in ChannelKind::ALL {
        let labels = [("kind", kind.as_str())];
        let waits = undelivered.iter().find(|waits| waits.kind == kind.as_str());
        set(&count, labels, waits.map_or(0.0, |waits| waits.count as f64));
        let age = waits.map(|waits| (fleet.now - waits.oldest).num_milliseconds().max(0));
        set_known(&oldest, labels, age.map(seconds));
    }
    let open = figure(registry, "muster_findings_open", "Findings nobody has closed, by severity");
    for severity in Severity::ALL {
        let found = findings.iter().find(|(word, _)| word == severity.as_str());
        set(&open, [("severity", severity.as_str())], found.map_or(0.0, |(_, count)| *count as f64));
    }
    let silent_loss = figure(
        registry,
        "muster_alarms",
        "Open alarms of silent loss, by pair and code; absent when there is none",
    );
    for (pair, code, count) in alarms.iter().filter(|(pair, _, _)| fleet.tells(pair)) {
        set(&silent_loss, [("pair", pair.as_str()), ("code", code.as_str())], *count as f64);
    }
    let overdue = figure(
        registry,
        "muster_drills_overdue",
        "Schedules of a pair whose last window has closed without a passed drill; absent without a schedule",
    );
    for row in drills.iter().filter(|row| fleet.tells(&row.pair)) {
        set(&overdue, [("pair", &row.pair), ("drill", &row.drill)], row.count as f64);
    }
}
