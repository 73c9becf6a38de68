//! The lab with a pair of its own topics, surveyed and judged as the product does it, survey by survey.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use muster_domain::{
    alarm::{AlarmCode, Inputs, StandingAlarm, judge},
    group::CommittedOffset,
    pair::{Direction, Pair, Side},
    patterns::Scope,
    recorder::{
        LastIds,
        explorer::{Mark, MarkKind},
    },
    survey::{ConnectorRole, Survey},
    topic::TopicPartition,
};
use muster_kafka::{OffsetSpec, admin::NewTopic, mover::NewRecord};
use muster_lab::{Lab, WaitBound, wait_until};
use muster_operations::{PairClients, survey::take_due_survey, writers::read_writers};
use muster_replication::Replication;
use muster_store::{
    alarms::{self, AlarmFilter},
    leases, marks, recorder, surveys,
    testing::TestDatabase,
};
use rdkafka::ClientConfig;

use super::{Raised, WITHIN};
use crate::{CENTRAL, LabClients, WEST, pair};

pub(super) const BOUND_MS: u64 = 60_000;
/// The way records flow.
pub(super) const FORWARD: Direction = Direction { from: Side::A };
/// Topics of the story, all in scope of the pair and of both connectors.
const TOPICS: [&str; 7] = ["hole", "anew", "anew-there", "grown", "back", "quiet", "busy"];

pub(super) struct Stage {
    pub(super) lab: Lab,
    /// What was alarmed so far.
    pub(super) raised: Vec<Raised>,
    /// From the beginning of a survey to the next.
    period: Duration,
    database: TestDatabase,
    pub(super) clients: PairClients,
    epoch: i64,
    previous: Option<Survey>,
    /// Ids of each side's topics.
    ids: BTreeMap<Side, LastIds>,
    began: Option<Instant>,
}

impl Stage {
    pub(super) async fn start(lab: Lab, period: Duration) -> Result<Self> {
        let pair = own_pair(&lab)?;
        Self::of(lab, period, pair, &TOPICS).await
    }

    /// A stage with this pair and these topics in its scope.
    pub(super) async fn of(lab: Lab, period: Duration, pair: Pair, topics: &[&str]) -> Result<Self> {
        let (LabClients(clients), database) = LabClients::registered(lab.describe(), pair).await?;
        let mut conn = database.conn().await;
        let lease = leases::survey_lease(&clients.pair.name);
        let epoch = leases::claim(&mut conn, &lease, "stage", 3_600.0).await?.context("a free lease")?.epoch;
        drop(conn);
        let (raised, previous, ids, began) = (Vec::new(), None, BTreeMap::new(), None);
        let stage = Self { lab, raised, period, database, clients, epoch, previous, ids, began };
        stage.furnish(topics).await?;
        Ok(stage)
    }

    /// A hundred records on each topic, all of them on both sides.
    async fn furnish(&self, topics: &[&str]) -> Result<()> {
        for name in topics {
            let topic =
                NewTopic { name: topic(name), partitions: 1, replication: 1, configs: BTreeMap::new() };
            self.clients.admin.a.create_topic(&topic).await?;
            self.write(Side::A, name, 100).await?;
        }
        for name in topics {
            self.copied(name, 99).await?;
        }
        Ok(())
    }

    /// Waits until everything up to a source offset is on the standby.
    pub(super) async fn copied(&self, name: &str, offset: i64) -> Result<()> {
        self.copied_by(FORWARD, &at(name), offset).await
    }

    /// The same of a flow.
    pub(super) async fn copied_by(&self, way: Direction, at: &TopicPartition, offset: i64) -> Result<()> {
        let flow = self.clients.flow(way).context("a flow")?.clone();
        let what = format!("offset {offset} of {at} to be copied");
        wait_until(&what, WaitBound::seconds(60), || async {
            let committed = flow.committed_offsets().await?.0;
            Ok(committed.get(at).is_some_and(|committed| *committed >= offset).then_some(()))
        })
        .await
    }

    pub(super) async fn write(&self, side: Side, name: &str, count: usize) -> Result<()> {
        self.write_at(side, &at(name), count).await
    }

    pub(super) async fn write_at(&self, side: Side, at: &TopicPartition, count: usize) -> Result<()> {
        let record = |number: usize| NewRecord {
            key: Some(Bytes::from(format!("k{number}"))),
            value: Some(Bytes::from(format!("{at} {number}"))),
            timestamp: Utc::now().timestamp_millis(),
        };
        let records = (0..count).map(record).collect();
        self.clients.mover.get(side).write(at, records, 30_000).await?;
        Ok(())
    }

    pub(super) async fn end(&self, side: Side, name: &str) -> Result<i64> {
        self.end_at(side, &at(name)).await
    }

    pub(super) async fn end_at(&self, side: Side, at: &TopicPartition) -> Result<i64> {
        let offsets = self.clients.admin.get(side).offsets(std::slice::from_ref(at), OffsetSpec::End).await?;
        let end = offsets.into_values().next().context("an answer")?;
        end.map_err(|e| anyhow::anyhow!("{e}"))
    }

    pub(super) fn flow(&self) -> Arc<dyn Replication> {
        self.clients.flow(FORWARD).unwrap().clone()
    }

    /// Changes configs of the source connector and waits until its tasks run again.
    pub(super) async fn configure(&self, changes: &[(&str, Option<&str>)]) -> Result<()> {
        let changes = changes.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)));
        self.flow().change_config(ConnectorRole::Source, &changes.collect(), BOUND_MS).await?;
        Ok(())
    }

    pub(super) fn client(&self, cluster: &str) -> ClientConfig {
        let lab = self.lab.describe();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &lab.cluster(cluster).unwrap().bootstrap)
            .set("security.protocol", &lab.security_protocol)
            .set("sasl.mechanisms", &lab.sasl_mechanism)
            .set("sasl.username", "muster")
            .set("sasl.password", lab.password("muster").unwrap());
        config
    }

    pub(super) async fn commit(&self, side: Side, group: &str, name: &str, offset: i64) -> Result<()> {
        let committed = CommittedOffset { offset, metadata: String::new(), leader_epoch: None };
        let offsets = BTreeMap::from([(at(name), committed)]);
        Ok(self.clients.admin.get(side).alter_group_offsets(group, &offsets).await?)
    }

    /// Takes one survey a period after the one before, judges and keeps it as the survey loop does. Its number.
    pub(super) async fn look(&mut self) -> Result<i64> {
        if let Some(began) = self.began {
            tokio::time::sleep_until((began + self.period).into()).await;
        }
        self.began = Some(Instant::now());
        let number = self.previous.as_ref().map_or(1, |survey| survey.number + 1);
        let mut survey = take_due_survey(&self.clients, number, Utc::now(), self.period).await;
        read_writers(&self.clients, &mut survey, self.previous.as_ref()).await;
        let (pair, clusters) = (&self.clients.pair, &self.clients.clusters);
        let mut tx = muster_store::begin(self.database.pool()).await?;
        let memory = alarms::memory(&mut tx, &pair.name).await?;
        let previous = self.previous.as_ref();
        let period = TimeDelta::from_std(self.period)?;
        let (judged, memory) = judge(Inputs {
            pair,
            clusters,
            survey: &survey,
            previous,
            memory: &memory,
            period,
            moved_by: None,
        });
        surveys::keep(&mut tx, &survey, self.epoch).await?;
        let of = (number, survey.began_at);
        alarms::keep(&mut tx, (&pair.name, &pair.team), self.epoch, of, judged, &memory).await?;
        let scope = Scope::of(pair);
        for side in Side::BOTH {
            let changed = self.ids.entry(side).or_default().see(&scope, side, &survey);
            recorder::keep_ids(&mut tx, (&pair.name, side), survey.began_at, &changed).await?;
        }
        tx.commit().await?;
        self.previous = Some(survey);
        Ok(number)
    }

    pub(super) async fn open(&self) -> Result<Vec<StandingAlarm>> {
        let filter = AlarmFilter { open: Some(true), ..AlarmFilter::default() };
        Ok(alarms::list(&mut *self.database.conn().await, &filter, None, 100).await?)
    }

    /// Looks until this alarm is open, at most three surveys; it must be the only one.
    pub(super) async fn alarmed(&mut self, code: AlarmCode, subject: &str) -> Result<StandingAlarm> {
        self.alarmed_while(code, subject, async |_| Ok(())).await
    }

    /// The same, with something that goes on before each survey.
    pub(super) async fn alarmed_while(
        &mut self,
        code: AlarmCode,
        subject: &str,
        goes_on: impl AsyncFn(&Self) -> Result<()>,
    ) -> Result<StandingAlarm> {
        self.alarmed_beside(&[], code, subject, goes_on).await
    }

    /// The same while others are open, too.
    pub(super) async fn alarmed_beside(
        &mut self,
        beside: &[AlarmCode],
        code: AlarmCode,
        subject: &str,
        goes_on: impl AsyncFn(&Self) -> Result<()>,
    ) -> Result<StandingAlarm> {
        let caused = Instant::now();
        for surveys in 1..=WITHIN {
            goes_on(self).await?;
            let number = self.look().await?;
            let open = self.open().await?;
            let found = open.iter().find(|kept| kept.alarm.code == code && kept.alarm.subject == subject);
            if let Some(found) = found {
                println!("{code} of {subject}: alarmed by survey {surveys} after its cause");
                let took = caused.elapsed();
                self.raised.push(Raised { code, subject: subject.to_owned(), surveys, took });
                println!("{}", serde_json::to_string_pretty(&found.alarm)?);
                ensure!(found.opened_survey == number, "{found:#?}");
                let others: Vec<_> = open
                    .iter()
                    .filter(|kept| kept.alarm.code != code && !beside.contains(&kept.alarm.code))
                    .collect();
                ensure!(others.is_empty(), "alarmed besides {code}: {others:#?}");
                return Ok(found.clone());
            }
        }
        let shown = self.previous.as_ref().map(serde_json::to_string_pretty).transpose()?.unwrap_or_default();
        anyhow::bail!("{code} of {subject} was not alarmed within {WITHIN} surveys; the last one:\n{shown}")
    }

    /// Looks until no alarm is open: their causes are gone.
    pub(super) async fn over(&mut self) -> Result<()> {
        let mut open = Vec::new();
        for _ in 0..20 {
            self.look().await?;
            open = self.open().await?;
            if open.is_empty() {
                return Ok(());
            }
        }
        anyhow::bail!("still open: {open:#?}")
    }

    /// Marks of the lag explorer that say that this topic was made anew on a side.
    pub(super) async fn made_anew(&self, side: Side, name: &str) -> Result<Vec<Mark>> {
        let now = Utc::now();
        let pair = &self.clients.pair;
        let other = pair.course(FORWARD.reverse());
        let of = (&pair.name, FORWARD, other.as_str());
        let within = (now - TimeDelta::hours(1), now);
        let found = marks::between(&mut *self.database.conn().await, of, within, 100).await?;
        let wanted = |mark: &Mark| match &mark.what {
            MarkKind::Recreated { side: on, topic, .. } => *on == side && topic == name,
            MarkKind::Run { .. } | MarkKind::Loss { .. } | MarkKind::Alarm { .. } => false,
        };
        Ok(found.into_iter().filter(wanted).collect())
    }

    /// What happened stays open, survey by survey, until somebody acknowledges it.
    pub(super) async fn acknowledged(&mut self, alarm: &StandingAlarm) -> Result<()> {
        self.look().await?;
        let open: BTreeSet<_> = self.open().await?.into_iter().map(|kept| kept.id).collect();
        ensure!(open == BTreeSet::from([alarm.id]), "open: {open:?}");
        let conn = &mut *self.database.conn().await;
        ensure!(alarms::acknowledge(conn, alarm.id, "mira", "seen to").await?);
        Ok(())
    }

    pub(super) async fn nothing_is_alarmed(&mut self) -> Result<()> {
        for _ in 0..4 {
            self.look().await?;
            let open = self.open().await?;
            ensure!(open.is_empty(), "alarmed with nothing wrong: {open:#?}");
            self.write(Side::A, "quiet", 20).await?;
        }
        let end = self.end(Side::A, "quiet").await?;
        self.copied("quiet", end - 1).await
    }
}

/// The lab's pair `orders` with topics and groups of the story's own.
pub(super) fn own_pair(lab: &Lab) -> Result<Pair> {
    let mut pair = pair(lab.describe(), "orders", &lab.describe().dir.join("unused.json"))?;
    pair.topics = vec![r"orders\.alarm-.*".to_owned()];
    pair.groups = vec!["alarm-.*".to_owned()];
    pair.canary_topic = None;
    Ok(pair)
}

pub(super) fn topic(name: &str) -> String {
    format!("orders.alarm-{name}")
}

pub(super) fn at(name: &str) -> TopicPartition {
    TopicPartition::new(topic(name), 0)
}

pub(super) const SIDES: [(Side, &str); 2] = [(Side::A, WEST), (Side::B, CENTRAL)];
