//! What the simulated source connector does: copying records, emitting offset syncs, syncing topic configs and ACLs.

use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    survey::{ConnectorRole, OffsetPair},
    topic::TopicPartition,
};
use muster_kafka::{
    double::{Payload, State},
    mover::{Isolation, Record},
};

use super::flow::{Flow, Progress};

/// `offset.lag.max`.
const OFFSET_LAG_MAX: i64 = 100;
/// Ticks between two rounds of topic, config and ACL sync.
const SYNC_EVERY: u64 = 3;
/// Topic configs MirrorMaker 2 leaves alone (`config.properties.exclude`).
const CONFIGS_EXCLUDED: [&str; 5] = [
    "follower.replication.throttled.replicas",
    "leader.replication.throttled.replicas",
    "message.timestamp.type",
    "min.insync.replicas",
    "unclean.leader.election.enable",
];

impl Flow {
    /// Copies one batch of every selected partition.
    pub(super) fn copy(&mut self, state: &mut State) {
        for at in self.source_partitions(state) {
            let to = self.on_target(&at);
            self.make_target_topic(state, &at, &to);
            if let Err(trace) = self.copy_partition(state, &at, &to) {
                // One refused topic fails the task and with it every topic the task copies.
                self.fail_task(ConnectorRole::Source, trace);
                return;
            }
        }
        if self.spec.exactly_once || state.tick.is_multiple_of(self.flush_every) {
            self.flush();
        }
    }

    fn source_partitions(&self, state: &State) -> Vec<TopicPartition> {
        let source = state.cluster(&self.spec.source);
        let selected = source.topics.iter().filter(|(name, _)| self.copies(name));
        selected
            .flat_map(|(name, topic)| {
                (0..).take(topic.partitions.len()).map(move |p| TopicPartition::new(name, p))
            })
            .collect()
    }

    fn make_target_topic(&self, state: &mut State, at: &TopicPartition, to: &TopicPartition) {
        let count = state.cluster(&self.spec.source).topics.get(&at.topic).map_or(0, |t| t.partitions.len());
        let target = state.cluster_mut(&self.spec.target);
        if !target.topics.contains_key(&to.topic)
            && let Ok(count) = i32::try_from(count)
        {
            // The name was free a line ago, and the source has at least one partition.
            let _ = target.create_topic(&to.topic, count);
        }
    }

    fn copy_partition(
        &mut self,
        state: &mut State,
        at: &TopicPartition,
        to: &TopicPartition,
    ) -> Result<(), String> {
        let refused =
            |topic: &str| format!("TopicAuthorizationException: Not authorized to access topics: [{topic}]");
        let source = state.cluster(&self.spec.source);
        if !source.allows_topic(&self.spec.principal, AclOperation::Read, at) {
            return Err(refused(&at.topic));
        }
        let Ok(log) = source.led_log(at) else { return Ok(()) };
        let resumed = self.committed.get(at).map_or(0, |last| last + 1);
        let progress =
            self.progress.entry(at.clone()).or_insert(Progress { next: resumed, ..Progress::default() });
        if progress.next < log.start() || progress.next > log.end() {
            // Out of range: auto.offset.reset=earliest, without a word (mm2-verified, result 8).
            progress.next = log.start();
        }
        let isolation = match self.connectors.get(&ConnectorRole::Source) {
            Some(source)
                if source
                    .config
                    .get("source.consumer.isolation.level")
                    .is_some_and(|v| v == "read_committed") =>
            {
                Isolation::ReadCommitted
            }
            Some(_) | None => Isolation::ReadUncommitted,
        };
        let batch: Vec<Record> =
            log.visible(progress.next, log.end(), isolation).take(self.batch).cloned().collect();
        if batch.is_empty() {
            return Ok(());
        }
        if !state.cluster(&self.spec.target).allows_topic(&self.spec.principal, AclOperation::Write, to) {
            return Err(refused(&to.topic));
        }
        self.write_batch(state, (at, to), batch);
        Ok(())
    }

    /// Appends a batch to the target, as one transaction with exactly-once, and emits its offset syncs: the first
    /// one due at once, of the others only the newest (the pending one is overwritten, mm2-verified, correction 1).
    fn write_batch(
        &mut self,
        state: &mut State,
        (at, to): (&TopicPartition, &TopicPartition),
        batch: Vec<Record>,
    ) {
        let exactly_once = self.spec.exactly_once;
        let target = state.cluster_mut(&self.spec.target);
        let producer = *self.producer_id.get_or_insert_with(|| target.new_producer_id());
        let Ok(log) = target.log_mut(to) else { return };
        let progress = self.progress.entry(at.clone()).or_default();
        let mut due = Vec::new();
        for record in batch {
            let upstream = record.offset;
            let downstream = log.append(payload(record), producer, exactly_once);
            let pair = OffsetPair { upstream, downstream };
            if progress.is_due(pair) {
                progress.synced = Some(downstream);
                due.push(pair);
            }
            progress.last = Some(pair);
            progress.next = upstream + 1;
        }
        if exactly_once {
            log.end_transaction(producer, true);
        }
        let emitted = match due.as_slice() {
            [first, .., newest] => vec![*first, *newest],
            few => few.to_vec(),
        };
        self.pairs.entry(at.clone()).or_default().extend(emitted);
    }

    /// Syncs configs and, when asked for, ACLs of the selected topics.
    pub(super) fn sync_topics(&mut self, state: &mut State) {
        if !state.tick.is_multiple_of(SYNC_EVERY) {
            return;
        }
        if self.setting(ConnectorRole::Source, "sync.topic.configs.enabled") != Some("false") {
            self.sync_configs(state);
        }
        if self.setting(ConnectorRole::Source, "sync.topic.acls.enabled") != Some("false") {
            self.sync_acls(state);
        }
    }

    fn sync_configs(&self, state: &mut State) {
        let topics: Vec<_> = state
            .cluster(&self.spec.source)
            .topics
            .iter()
            .map(|(n, t)| (n.clone(), t.configs.clone()))
            .collect();
        for (name, mut configs) in topics {
            let to = self.spec.naming.target_name(&self.spec.source_alias, &name);
            if !self.copies(&name) {
                continue;
            }
            configs.retain(|key, _| !CONFIGS_EXCLUDED.contains(&key.as_str()));
            if let Some(topic) = state.cluster_mut(&self.spec.target).topics.get_mut(&to) {
                topic.configs.extend(configs);
            }
        }
    }

    /// Copies LITERAL topic ACLs, DENY included, never ALLOW WRITE; ALLOW ALL becomes ALLOW READ; what disappears on
    /// the source stays on the target (mm2-verified, result 2).
    fn sync_acls(&self, state: &mut State) {
        let bindings: Vec<AclBinding> = state
            .cluster(&self.spec.source)
            .authorizer
            .bindings()
            .iter()
            .filter_map(|b| self.synced(b))
            .collect();
        let target = state.cluster_mut(&self.spec.target);
        let now = target.now;
        for binding in bindings {
            target.authorizer.create(binding, now);
        }
    }

    fn synced(&self, binding: &AclBinding) -> Option<AclBinding> {
        let about = binding.resource == ResourceType::Topic && binding.pattern == PatternType::Literal;
        if !about || !self.copies(&binding.name) {
            return None;
        }
        let operation = match (binding.permission, binding.operation) {
            (AclPermission::Allow, AclOperation::Write) => return None,
            (AclPermission::Allow, AclOperation::All) => AclOperation::Read,
            (AclPermission::Allow | AclPermission::Deny, operation) => operation,
        };
        let name = self.spec.naming.target_name(&self.spec.source_alias, &binding.name);
        Some(AclBinding { name, operation, ..binding.clone() })
    }
}

impl Progress {
    /// Whether this record's pair is due (MirrorMaker 2, `PartitionState.update`).
    fn is_due(&self, pair: OffsetPair) -> bool {
        let (Some(last), Some(synced)) = (self.last, self.synced) else { return true };
        pair.downstream - (synced + 1) >= OFFSET_LAG_MAX
            || pair.upstream - last.upstream != 1
            || pair.downstream < last.downstream
    }
}

fn payload(record: Record) -> Payload {
    Payload { timestamp: record.timestamp, key: record.key, value: record.value, headers: record.headers }
}
