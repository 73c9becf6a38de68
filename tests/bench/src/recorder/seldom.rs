//! What changes seldom on both sides of the pair, 33 configs to a topic as Kafka 4 has them and ACLs, and what it takes to keep it.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    pair::{Pair, Side},
    recorder::FactKind,
    survey::{AclObservation, Survey},
    topic::{ConfigEntry, ConfigSource, Configs},
};
use muster_store::recorder::{self, FactRecording};
use sqlx::PgConnection;

use super::{TOPICS, model};
use crate::{big_cluster::CONFIGS, machine};

/// Bindings of a side.
pub(super) const ACLS: usize = 5_000;

/// The configs of a topic; one that was changed has a retention that no other has.
fn configs(changed: Option<usize>) -> Configs {
    let entry = |value: String, source| ConfigEntry { value: Some(value), source };
    let mut configs: Configs = CONFIGS
        .iter()
        .map(|(name, value)| ((*name).to_owned(), entry((*value).to_owned(), ConfigSource::Default)))
        .collect();
    if let Some(number) = changed {
        let retention = (86_400_000 + number).to_string();
        configs.insert("retention.ms".to_owned(), entry(retention, ConfigSource::Topic));
    }
    configs
}

/// The configs of all topics of one survey, of which the first so many were changed. Made anew for each survey, as answers of brokers
/// are; topics that are configured alike share theirs.
pub(super) fn of_topics(changed: usize) -> impl Fn(usize) -> Arc<Configs> {
    let alike = Arc::new(configs(None));
    let others: BTreeMap<usize, Arc<Configs>> =
        (0..changed).map(|topic| (topic, Arc::new(configs(Some(topic))))).collect();
    move |topic| Arc::clone(others.get(&topic).unwrap_or(&alike))
}

/// ACLs of a side: each principal may write and read its topic.
pub(super) fn acls() -> AclObservation {
    let binding = |number: usize| {
        let operation = if number.is_multiple_of(2) { AclOperation::Read } else { AclOperation::Write };
        let (topic, who) = (model::name(number / 2), format!("User:application-{:05}", number / 2));
        let resource = (ResourceType::Topic, PatternType::Literal, topic.as_str());
        AclBinding::new(AclPermission::Allow, operation, resource, &who)
    };
    AclObservation {
        authorizer: true,
        bindings: (0..ACLS).map(binding).collect(),
        ..AclObservation::default()
    }
}

/// Of configs and ACLs of both sides.
#[derive(Default)]
pub(super) struct Facts {
    /// Seconds of CPU of this process.
    pub(super) ours: f64,
    /// Of surveys in which nothing changed, by the clock.
    pub(super) same_ms: Vec<f64>,
    /// Rows of changes and their bytes.
    changes: i64,
    changed: i64,
    /// Bytes of whole states.
    pub(super) whole: i64,
}

impl Facts {
    pub(super) fn of_change(&self) -> f64 {
        self.changed as f64 / self.changes as f64
    }

    pub(super) fn a_day(&self) -> f64 {
        // Each minute one on either side.
        self.whole as f64 + self.of_change() * 2.0 * 1_440.0
    }

    /// Keeps what a survey saw, in the transaction that keeps the survey.
    pub(super) async fn record(
        &mut self,
        conn: &mut PgConnection,
        facts: &mut FactRecording,
        survey: &Survey,
    ) -> Result<()> {
        let (cpu, began, mut written) = (machine::own_cpu(), Instant::now(), 0);
        for side in Side::BOTH {
            let (of, seen) = ((&survey.pair, side), survey.sides.get(side));
            let told = facts.record(conn, of, survey.began_at, seen).await?;
            ensure!(told.left_out.is_empty(), "changes were left out: {told:?}");
            written += told.bytes;
        }
        self.ours += machine::own_cpu().saturating_sub(cpu).as_secs_f64();
        if written == 0 {
            self.same_ms.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(())
    }

    /// What is kept of them, and that it reads back as the last survey saw it.
    pub(super) async fn measure(
        &mut self,
        conn: &mut PgConnection,
        pair: &Pair,
        at: DateTime<Utc>,
    ) -> Result<()> {
        let sql = "select count(*), (coalesce(sum(pg_column_size(body)), 0) + count(*) * 128)::bigint from recorder_fact_change";
        let (changes, changed): (i64, i64) = sqlx::query_as(sql).fetch_one(&mut *conn).await?;
        let sql = "select count(*), (coalesce(sum(pg_column_size(body)), 0) + count(*) * 128)::bigint from recorder_fact";
        let (states, whole): (i64, i64) = sqlx::query_as(sql).fetch_one(&mut *conn).await?;
        (self.changes, self.changed, self.whole) = (changes, changed, whole);
        ensure!(states == 4 && self.changes > 0, "{states} whole states, {} changes", self.changes);
        for (side, kind) in Side::BOTH.into_iter().flat_map(|side| FactKind::ALL.map(|kind| (side, kind))) {
            let body = recorder::fact_at(conn, (&pair.name, side, kind), at).await?;
            let body = body.context("configs and ACLs are known")?;
            let (list, most) = match kind {
                FactKind::Acls => ("bindings", ACLS),
                FactKind::Configs => ("topics", TOPICS),
            };
            let found =
                body[list].as_array().map(Vec::len).or(body[list].as_object().map(serde_json::Map::len));
            ensure!(found == Some(most), "{found:?} of {most} {list}");
        }
        Ok(())
    }
}
