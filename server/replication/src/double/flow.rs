//! One simulated MirrorMaker 2 flow: its connectors, their states, and what they keep.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::spec::FlowSpec;
use muster_domain::{
    pair::NamingPolicy,
    survey::{ConnectState, ConnectorRole, OffsetPair},
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::double::{Actor, Health, State};
use regex::Regex;

/// One connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connector {
    /// Name.
    pub name: String,
    /// State as Connect reports it.
    pub state: ConnectState,
    /// Its tasks.
    pub tasks: Vec<ConnectState>,
    /// Trace of the failed task.
    pub trace: Option<String>,
    /// Config.
    pub config: BTreeMap<String, String>,
    /// The state it is on its way to, and when it arrives.
    pub(super) due: Option<(u64, ConnectState)>,
}

/// Where the copying of one source partition stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Next source offset to read.
    pub(super) next: i64,
    /// Newest copied record.
    pub(super) last: Option<OffsetPair>,
    /// Target offset of the newest offset sync decided.
    pub(super) synced: Option<i64>,
}

/// One simulated flow.
#[derive(Debug, Clone)]
pub struct Flow {
    /// What it is.
    pub spec: FlowSpec,
    /// Connectors by role.
    pub connectors: BTreeMap<ConnectorRole, Connector>,
    /// Committed source offsets, inclusive.
    pub committed: ByPartition<i64>,
    /// Stored offsets no task will ever read.
    pub foreign: Vec<String>,
    /// Offset syncs, oldest first.
    pub pairs: ByPartition<Vec<OffsetPair>>,
    /// False: the Connect worker does not answer (its connectors go on).
    pub answers: bool,
    /// Most records copied per partition and tick.
    pub batch: usize,
    /// Ticks between offset flushes without exactly-once.
    pub flush_every: u64,
    /// Ticks from asking for a state to reaching it, source alive.
    pub transition: u64,
    pub(super) progress: ByPartition<Progress>,
    pub(super) producer_id: Option<i64>,
    topics: Vec<Regex>,
    groups: Vec<Regex>,
}

impl Flow {
    /// A flow with all three connectors, RUNNING or STOPPED.
    #[must_use]
    pub fn new(spec: FlowSpec, state: ConnectState) -> Self {
        let connector = |role: ConnectorRole| Connector {
            name: format!("{}-{role}", spec.name),
            state,
            tasks: if state == ConnectState::Running { vec![state] } else { Vec::new() },
            trace: None,
            config: spec.config(role),
            due: None,
        };
        let roles = [ConnectorRole::Source, ConnectorRole::Checkpoint, ConnectorRole::Heartbeat];
        let mut flow = Self {
            connectors: roles.into_iter().map(|role| (role, connector(role))).collect(),
            spec,
            committed: BTreeMap::new(),
            foreign: Vec::new(),
            pairs: BTreeMap::new(),
            answers: true,
            batch: 50,
            flush_every: 10,
            transition: 3,
            progress: BTreeMap::new(),
            producer_id: None,
            topics: Vec::new(),
            groups: Vec::new(),
        };
        flow.compile();
        flow
    }

    /// Whether a connector has a running task.
    #[must_use]
    pub fn runs(&self, role: ConnectorRole) -> bool {
        self.connectors.get(&role).is_some_and(|connector| {
            connector.state == ConnectState::Running && connector.tasks.contains(&ConnectState::Running)
        })
    }

    /// A config value of a connector.
    #[must_use]
    pub(super) fn setting(&self, role: ConnectorRole, key: &str) -> Option<&str> {
        self.connectors.get(&role).and_then(|connector| connector.config.get(key)).map(String::as_str)
    }

    /// Compiles the pattern lists again, after a change of config.
    fn compile(&mut self) {
        let compiled = |role, key| {
            let list = self.setting(role, key).unwrap_or_default();
            list.split(',').filter_map(|one| Regex::new(&format!("^(?:{})$", one.trim())).ok()).collect()
        };
        (self.topics, self.groups) =
            (compiled(ConnectorRole::Source, "topics"), compiled(ConnectorRole::Checkpoint, "groups"));
    }

    /// Whether the checkpoint connector looks at this group.
    pub(super) fn checkpoints(&self, group: &str) -> bool {
        self.groups.iter().any(|pattern| pattern.is_match(group))
    }

    /// Whether the source connector copies this source topic: never internal ones, never what came from the target.
    pub(super) fn copies(&self, topic: &str) -> bool {
        let from_target = match &self.spec.naming {
            NamingPolicy::Identity => false,
            NamingPolicy::Prefixed { separator } => {
                topic.starts_with(&format!("{}{separator}", self.spec.target_alias))
            }
        };
        let internal = topic.starts_with("__") || topic.starts_with("mm2-") || topic.ends_with(".internal");
        !internal && !from_target && self.topics.iter().any(|pattern| pattern.is_match(topic))
    }

    /// The name of a source partition on the target.
    pub(super) fn on_target(&self, at: &TopicPartition) -> TopicPartition {
        TopicPartition::new(self.spec.naming.target_name(&self.spec.source_alias, &at.topic), at.partition)
    }

    /// Starts on the way to a state. Stopping takes very long when the source does not answer, because an admin call
    /// inside the connector waits for its timeout (mm2-verified, correction 5).
    pub(super) fn ask(&mut self, role: ConnectorRole, wanted: ConnectState, state: &State) {
        let alive = state.clusters.get(&self.spec.source).is_some_and(|source| source.health == Health::Up);
        let quick = self.setting(role, "admin.timeout.ms").is_some();
        let takes = match (alive, quick) {
            (true, _) => self.transition,
            (false, true) => 60,
            (false, false) => 500,
        };
        if let Some(connector) = self.connectors.get_mut(&role) {
            let there = connector.state == wanted && !connector.tasks.contains(&ConnectState::Failed);
            let under_way = connector.due.is_some_and(|(_, to)| to == wanted);
            if !there && !under_way {
                connector.due = Some((state.tick + takes, wanted));
            } else if there {
                connector.due = None;
            }
        }
    }

    /// Changes config keys; a connector that is not stopped restarts its tasks. `true` when there is something to
    /// wait for.
    pub(super) fn change_config(
        &mut self,
        role: ConnectorRole,
        changes: &BTreeMap<String, Option<String>>,
        state: &State,
    ) -> bool {
        let Some(connector) = self.connectors.get_mut(&role) else { return false };
        let mut config = connector.config.clone();
        for (key, value) in changes {
            match value {
                Some(value) => config.insert(key.clone(), value.clone()),
                None => config.remove(key),
            };
        }
        let restarts = config != connector.config && connector.state != ConnectState::Stopped;
        connector.config = config;
        self.compile();
        let Some(connector) = self.connectors.get_mut(&role) else { return false };
        if restarts {
            connector.due = Some((state.tick + self.transition, ConnectState::Running));
            connector.tasks = vec![ConnectState::Unassigned];
            if role == ConnectorRole::Source {
                self.flush();
            }
        }
        restarts
    }

    /// Connectors arrive at the states asked for.
    fn arrive(&mut self, tick: u64) {
        let mut source_moved = None;
        for (role, connector) in &mut self.connectors {
            let Some((at, to)) = connector.due else { continue };
            if tick < at {
                continue;
            }
            connector.due = None;
            connector.state = to;
            connector.trace = None;
            connector.tasks = if to == ConnectState::Running { vec![to] } else { Vec::new() };
            if *role == ConnectorRole::Source {
                source_moved = Some(to);
            }
        }
        match source_moved {
            // A stop flushes; a start, and a restart of a failed task, reads what was committed.
            Some(ConnectState::Stopped) => self.flush(),
            Some(_) => self.progress.clear(),
            None => {}
        }
    }

    /// Stores the offsets of what was copied.
    pub(super) fn flush(&mut self) {
        for (at, progress) in &self.progress {
            if let Some(last) = progress.last {
                self.committed.insert(at.clone(), last.upstream);
            }
        }
    }

    /// Fails a connector's task. The connector itself stays RUNNING, as on Connect.
    pub(super) fn fail_task(&mut self, role: ConnectorRole, trace: String) {
        if let Some(connector) = self.connectors.get_mut(&role) {
            connector.tasks = vec![ConnectState::Failed];
            connector.trace = Some(trace);
        }
        if role == ConnectorRole::Source {
            self.progress.clear();
        }
    }
}

/// A flow's place among the world's actors.
#[derive(Debug)]
pub(super) struct Worker(pub(super) Arc<Mutex<Flow>>);

impl Actor for Worker {
    fn act(&mut self, state: &mut State) {
        let mut flow = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        flow.arrive(state.tick);
        let up = |name: &str| state.clusters.get(name).is_some_and(|cluster| cluster.health == Health::Up);
        if !up(&flow.spec.source) || !up(&flow.spec.target) {
            return;
        }
        if flow.runs(ConnectorRole::Source) {
            flow.copy(state);
            flow.sync_topics(state);
        }
        if flow.runs(ConnectorRole::Checkpoint) {
            flow.sync_groups(state);
        }
    }
}
