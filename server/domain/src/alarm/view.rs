//! A survey as the rules look at it: one flow (the active one, or each in turn where both copy), partition by partition, beside what was
//! seen before.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Inputs, Since,
    memory::LastTopic,
    positions::{Column, Logs, waiting},
};
use crate::{
    cluster::Cluster,
    lag::{CopyMode, RecordsOnly, renamed},
    pair::{BySide, Direction, Flow, Mechanism, Pair, Side},
    patterns::Scope,
    reading::Observed,
    survey::{
        ConnectState, ConnectorObservation, ConnectorRole, FlowObservation, OffsetPair, PartitionObservation,
        Survey, TopicObservation,
    },
    topic::TopicPartition,
};

/// Shorter than this nothing is silent, however short a period is: a broker or a worker may be busy with itself for seconds.
const SILENT: TimeDelta = TimeDelta::seconds(5);

/// A survey waits as long for a worker (`muster_replication::connect`), and may notice as much later that it did.
const WORKER_WAITS: TimeDelta = TimeDelta::seconds(5);
const LATE: TimeDelta = TimeDelta::seconds(1);

/// Topics by name.
pub(super) type Topics = BTreeMap<String, TopicObservation>;

pub(super) struct View<'a> {
    pub(super) pair: &'a Pair,
    pub(super) clusters: &'a BySide<Cluster>,
    pub(super) survey: &'a Survey,
    pub(super) previous: Option<&'a Survey>,
    pub(super) memory: &'a super::Memory,
    pub(super) period: TimeDelta,
    pub(super) scope: Scope,
    /// The way records flow, or why it is not known.
    pub(super) active: Result<Direction, String>,
    /// Whether the other flow is judged as well: both sides are active, and no side stands by.
    pub(super) both: bool,
    pub(super) mode: CopyMode,
    /// Why the copies of the active flow are not known by their names.
    pub(super) renamed: Option<String>,
}

impl<'a> View<'a> {
    /// Of the flow that way, or of none where it is not known.
    pub(super) fn new(inputs: Inputs<'a>, active: Result<Direction, String>, both: bool) -> Self {
        let Inputs { pair, clusters, survey, previous, memory, period, moved_by: _ } = inputs;
        let way = active.clone().unwrap_or(Direction { from: Side::A });
        let (mode, renamed) = (CopyMode::of(survey, way), renamed(survey, way));
        let scope = Scope::of(pair);
        Self { pair, clusters, survey, previous, memory, period, scope, active, both, mode, renamed }
    }

    /// Where records come from; rules that ask have made sure that it is known.
    pub(super) fn way(&self) -> Direction {
        self.active.clone().unwrap_or(Direction { from: Side::A })
    }

    pub(super) fn flow(&self) -> Option<&'a Flow> {
        self.pair.flow(self.way())
    }

    pub(super) fn name(&self, side: Side) -> &str {
        self.pair.cluster(side).as_str()
    }

    pub(super) fn course(&self) -> String {
        match &self.active {
            Ok(direction) => self.pair.course(*direction),
            Err(_) => format!("{} and {}", self.name(Side::A), self.name(Side::B)),
        }
    }

    /// Between the survey before and this one.
    pub(super) fn just_now(&self) -> Since {
        Since { after: self.previous.map(|previous| previous.began_at), by: self.survey.began_at }
    }

    /// How long this survey waited in vain for a cluster it gave up then, where that says enough by itself: a whole period, and five seconds
    /// at least. What refuses answers sooner, and is looked at twice. A survey that stood still itself has begun to wait anew.
    pub(super) fn silent_for(&self, gave_up: DateTime<Utc>) -> Option<TimeDelta> {
        let waited = gave_up - self.survey.began_at;
        (waited >= self.period.max(SILENT)).then_some(waited)
    }

    /// The same of a Connect worker, which is waited for once. Where that took longer it was Muster that stood still (a snapshot of its
    /// machine): it says no more than a refusal.
    pub(super) fn worker_silent_for(&self, gave_up: DateTime<Utc>) -> Option<TimeDelta> {
        self.silent_for(gave_up).filter(|waited| *waited <= WORKER_WAITS + LATE)
    }

    pub(super) fn observed(&self) -> Option<&'a FlowObservation> {
        self.survey.flows.iter().find(|flow| flow.direction == self.way())
    }

    /// The active flow as the survey before showed it, if records flowed the same way then.
    pub(super) fn previous_flow(&self) -> Option<&'a FlowObservation> {
        let previous = self.previous.filter(|_| self.memory.active == Some(self.way()))?;
        previous.flows.iter().find(|flow| flow.direction == self.way())
    }

    pub(super) fn connector(&self, role: ConnectorRole) -> Option<&'a Observed<ConnectorObservation>> {
        self.observed()?.connectors.get(&role)
    }

    /// Whether the source connector and every task of it say RUNNING.
    pub(super) fn running(&self) -> bool {
        let source = self.connector(ConnectorRole::Source).and_then(Observed::value);
        source.is_some_and(|source| {
            source.state == ConnectState::Running
                && !source.tasks.is_empty()
                && source.tasks.iter().all(|task| task.state == ConnectState::Running)
        })
    }

    /// Whether the source connector was asked to stand still: nothing it does not copy is lost silently.
    pub(super) fn stopped(&self) -> bool {
        let source = self.connector(ConnectorRole::Source).and_then(Observed::value);
        source.is_some_and(ConnectorObservation::stands_on_purpose)
    }

    pub(super) fn topics(&self, side: Side) -> Result<&'a Topics, &'a str> {
        self.survey.sides.get(side).topics.as_result()
    }

    /// Topics of the active flow's source and target, where the target's names tell what they are copies of.
    ///
    /// # Errors
    /// Why the topics of a side are not known, or which of them are copies.
    pub(super) fn both_topics(&self) -> Result<(&'a Topics, &'a Topics), &str> {
        if let Some(reason) = &self.renamed {
            return Err(reason);
        }
        let way = self.way();
        Ok((self.topics(way.from)?, self.topics(way.to())?))
    }

    /// Whether a topic of a side is this flow's to look at: where both are, a side's copies belong to the flow that brings them and its
    /// other topics to the one that takes them away.
    pub(super) fn is_of_flow(&self, side: Side, topic: &str) -> bool {
        let taken_away = side == self.way().from;
        !self.both || taken_away != self.scope.is_replica(side, topic)
    }

    /// The id a topic had when it was last seen before this survey.
    pub(super) fn id_before(&self, side: Side, name: &str) -> Option<Uuid> {
        let previous = self.previous.and_then(|survey| survey.sides.get(side).topics.value()?.get(name));
        match previous {
            Some(topic) => topic.id,
            None => self.memory.topics.get(&side)?.get(name)?.id,
        }
    }

    /// A topic as it was last seen before this survey.
    pub(super) fn topic_before(&self, side: Side, name: &str) -> Option<LastTopic> {
        let previous = self.previous.and_then(|survey| {
            let topic = survey.sides.get(side).topics.value()?.get(name)?;
            Some(LastTopic::of(topic, survey.began_at))
        });
        previous.or_else(|| self.memory.topics.get(&side)?.get(name).cloned())
    }

    /// Looks at every application partition of the active flow's source, in order.
    ///
    /// # Errors
    /// Why the topics of a side are not known, or which are copies; nothing is looked at then.
    pub(super) fn each_row(&self, mut look: impl FnMut(Row<'a>)) -> Result<(), String> {
        let way = self.way();
        let (source, target) = self.both_topics().map_err(ToOwned::to_owned)?;
        let known = |survey: &'a Survey, side| survey.sides.get(side).topics.value();
        let (was_source, was_target) =
            (self.previous.and_then(|s| known(s, way.from)), self.previous.and_then(|s| known(s, way.to())));
        let (flow, before) = (self.observed(), self.previous_flow());
        let committed = flow.and_then(|flow| flow.committed.value()).map(|c| &c.offsets);
        let pairs = flow.and_then(|flow| flow.newest_pairs.value()).map(|pairs| &pairs.0);
        let records_only = RecordsOnly::of(flow);
        let writers = flow.and_then(|flow| flow.writers.value());
        let in_transactions = writers.is_some_and(|writers| !writers.own.is_empty());
        let remembered = self.memory.active == Some(way);
        // Without Connect's own positions nobody knows what they would have proven.
        let reads = |flow: &&FlowObservation| flow.committed.value().is_some();
        let proves = flow.filter(reads);
        let proved = before.filter(reads).filter(|_| proves.is_some());
        let was_committed = before
            .and_then(|flow| flow.committed.value())
            .or(self.memory.committed.as_ref().filter(|_| remembered))
            .map(|c| &c.offsets);
        let was_pairs = before
            .and_then(|flow| flow.newest_pairs.value())
            .or(self.memory.pairs.as_ref().filter(|_| remembered))
            .map(|pairs| &pairs.0);
        for (name, topic) in source {
            if !self.scope.application_topic(way.from, name) {
                continue;
            }
            let replica_name = self.scope.replica(way, name);
            let replica = target.get(&replica_name);
            let old = |topics: Option<&'a Topics>, name: &str, id| {
                topics.and_then(|topics| topics.get(name)).filter(|old: &&TopicObservation| old.id == id)
            };
            let old_source = old(was_source, name, topic.id);
            let old_replica = replica.and_then(|replica| old(was_target, &replica_name, replica.id));
            let columns = (
                Column::of(committed, name),
                Column::of(pairs, name),
                Column::of(was_committed, name),
                Column::of(was_pairs, name),
            );
            let unproven = Column::of(proves.map(|flow| &flow.unproven), name);
            let was_unproven = Column::of(proved.map(|flow| &flow.unproven), name);
            let anew = self.id_before(way.from, name).zip(topic.id).is_some_and(|(old, new)| old != new);
            let logs = Logs { flow, before, anew };
            for (number, partition) in (0..).zip(&topic.partitions) {
                let at = usize::try_from(number).unwrap_or(usize::MAX);
                let (shown, shown_before) = (
                    (columns.0.get(number), columns.1.get(number)),
                    (columns.2.get(number), columns.3.get(number)),
                );
                let (committed, pair) = logs.of_now(name, number, shown);
                let (was_committed, was_pair) = logs.of_before(name, number, shown_before);
                look(Row {
                    topic: name,
                    number,
                    id: topic.id,
                    source: partition,
                    target: replica.and_then(|replica| replica.partitions.get(at)),
                    in_transactions,
                    records_only: records_only.on(&replica_name, number),
                    was_source: old_source.and_then(|old| old.partitions.get(at)),
                    was_target: old_replica.and_then(|old| old.partitions.get(at)),
                    was_ever_copied: shown.0.is_some() || shown.1.is_some(),
                    committed,
                    pair,
                    was_committed,
                    was_pair,
                    unproven: unproven.get(number),
                    was_unproven: was_unproven.get(number),
                });
            }
        }
        Ok(())
    }

    /// Connect's address and the source connector of the active flow.
    pub(super) fn connect(&self) -> Option<(&'a str, &'a str)> {
        match &self.flow()?.mechanism {
            Mechanism::Mm2OnConnect { connect_url, source_connector, .. } => {
                Some((connect_url, source_connector))
            }
            Mechanism::Unattached => None,
        }
    }

    /// A command of Kafka's own tools against a cluster.
    pub(super) fn tool(&self, side: Side, tool: &str, arguments: &str) -> String {
        let bootstrap = self.clusters.get(side).bootstrap.join(",");
        format!("{tool}.sh --bootstrap-server {bootstrap} --command-config admin.properties {arguments}")
    }
}

/// One source partition, its replica, and both as the survey before saw them (only of the same topic: ids are equal).
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) topic: &'a str,
    pub(super) number: i32,
    /// Id of the topic on the source.
    pub(super) id: Option<Uuid>,
    pub(super) source: &'a PartitionObservation,
    pub(super) target: Option<&'a PartitionObservation>,
    /// Whether the flow's own tasks write in transactions, be it that only their worker is set to: then offsets are committed with the
    /// records.
    pub(super) in_transactions: bool,
    /// Whether nothing but records is added to the replica, as far as its leaders tell.
    pub(super) records_only: bool,
    pub(super) was_source: Option<&'a PartitionObservation>,
    pub(super) was_target: Option<&'a PartitionObservation>,
    /// Whether the flow has a position on it, be it one of a log before.
    pub(super) was_ever_copied: bool,
    /// Positions are those of this log: what is of the one before the topic was made anew is none.
    pub(super) committed: Option<i64>,
    pub(super) pair: Option<OffsetPair>,
    pub(super) was_committed: Option<i64>,
    pub(super) was_pair: Option<OffsetPair>,
    /// Since when the replica holds more than any position proves, where that is too long: it may be somebody else's. `None` where
    /// committed offsets cannot be read, too.
    pub(super) unproven: Option<DateTime<Utc>>,
    pub(super) was_unproven: Option<DateTime<Utc>>,
}

impl Row<'_> {
    pub(super) fn name(&self) -> String {
        self.key().to_string()
    }

    pub(super) fn key(&self) -> TopicPartition {
        TopicPartition::new(self.topic, self.number)
    }

    /// One past the last record the flow could copy.
    pub(super) fn copyable(&self, mode: CopyMode) -> Option<i64> {
        if mode.read_committed { self.source.stable } else { self.source.end }
    }

    /// The same at the survey before.
    pub(super) fn was_copyable(&self, mode: CopyMode) -> Option<i64> {
        let was = self.was_source?;
        if mode.read_committed { was.stable } else { was.end }
    }

    /// Last source offset on the target, inclusive, where that is sure enough to conclude from.
    pub(super) fn through(&self, mode: CopyMode) -> Option<i64> {
        if self.unproven.is_some() && !self.committed_is_exact(mode) {
            return by_positions(self.known_committed(), self.pair);
        }
        self.through_if_all_is_ours(mode)
    }

    /// The same where whatever the replica holds counts as replication's.
    pub(super) fn through_if_all_is_ours(&self, mode: CopyMode) -> Option<i64> {
        through(self.committed, self.pair, self.target, self.committed_is_exact(mode))
    }

    /// The same where what is behind the newest sync on the target may be markers of transactions: no more than this is proven.
    pub(super) fn proven_through(&self, mode: CopyMode) -> Option<i64> {
        if self.committed_is_exact(mode) || self.records_only {
            return self.through(mode);
        }
        by_positions(self.known_committed(), self.pair)
    }

    /// The committed offset of now or, where it is not known, of before: what had arrived then is there still.
    fn known_committed(&self) -> Option<i64> {
        self.committed.or(self.was_committed)
    }

    fn committed_is_exact(&self, mode: CopyMode) -> bool {
        mode.exactly_once || self.in_transactions
    }

    /// The same at the survey before.
    pub(super) fn was_through(&self, mode: CopyMode) -> Option<i64> {
        if self.was_unproven.is_some() && !self.committed_is_exact(mode) {
            return by_positions(self.was_committed, self.was_pair);
        }
        through(self.was_committed, self.was_pair, self.was_target, self.committed_is_exact(mode))
    }

    /// Offsets on the source that are not known to be on the target, by the flow's committed offset; `None` where that is not known, as with
    /// one that is of another log.
    pub(super) fn waiting(&self, mode: CopyMode) -> Option<i64> {
        let empty = self.source.end.is_some() && self.source.start == self.source.end;
        let known = self.copyable(mode).zip(self.known_committed()).filter(|(end, through)| through < end);
        known.map(|(end, through)| waiting(self.source.start, end, Some(through))).or(empty.then_some(0))
    }

    /// Offsets the replica has grown by since the survey before.
    pub(super) fn grown(&self) -> Option<i64> {
        Some(self.target?.end?.saturating_sub(self.was_target?.end?))
    }
}

fn by_positions(committed: Option<i64>, pair: Option<OffsetPair>) -> Option<i64> {
    Some(pair?.upstream.max(committed.unwrap_or(-1)))
}

fn through(
    committed: Option<i64>,
    pair: Option<OffsetPair>,
    target: Option<&PartitionObservation>,
    committed_is_exact: bool,
) -> Option<i64> {
    if committed_is_exact {
        return committed;
    }
    let pair = pair?;
    let ahead = target?.end?.saturating_sub(1).saturating_sub(pair.downstream);
    (ahead >= 0).then(|| pair.upstream.saturating_add(ahead).max(committed.unwrap_or(-1)))
}
