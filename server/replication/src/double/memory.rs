//! [`Replication`] on a simulated flow.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_domain::{
    pair::Direction,
    reading::Observed,
    survey::{
        CommittedSourceOffsets, ConnectState, ConnectorObservation, ConnectorRole, FlowObservation,
        NewestPairs, OffsetPair, TaskObservation, UnreadableSyncs, WorkerObservation,
    },
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::double::{Call, DIED, Fault, Health, State, TICK_MS, World};

use super::{
    flow::{Connector, Flow, Worker},
    spec::FlowSpec,
};
use crate::{FlowState, Replication, ReplicationError, ReplicationErrorKind};

const NOT_STOPPED: &str = "Connectors must be in the STOPPED state before their offsets can be modified.";

/// [`Replication`] on a simulated flow; clones share it.
#[derive(Debug, Clone)]
pub struct MemoryReplication {
    world: World,
    direction: Direction,
    flow: Arc<Mutex<Flow>>,
}

impl MemoryReplication {
    /// Adds a flow to a world.
    #[must_use]
    pub fn new(world: &World, direction: Direction, spec: FlowSpec, state: ConnectState) -> Self {
        let flow = Arc::new(Mutex::new(Flow::new(spec, state)));
        world.add_actor(Worker(Arc::clone(&flow)));
        Self { world: world.clone(), direction, flow }
    }

    /// The flow, to look at or to change by hand. Never take the world's lock while holding it.
    pub fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, verb: &str, kind: ReplicationErrorKind) -> ReplicationError {
        let flow = self.flow();
        ReplicationError {
            call: format!("{verb} {}", flow.spec.name),
            target: format!("http://connect.{}.example:8083", flow.spec.target),
            kind,
        }
    }

    /// One call: ticks, trouble from the script, Connect's reachability, then the effect.
    async fn call<T: Send>(
        &self,
        (verb, mutating): (&'static str, bool),
        object: String,
        effect: impl FnOnce(&State, &mut Flow) -> Result<T, ReplicationErrorKind> + Send,
    ) -> Result<T, ReplicationError> {
        let place = self.flow().spec.name.clone();
        let call = Call { tick: 0, verb, place, object, mutating };
        let done = self.world.call(call, |state| {
            let mut flow = self.flow();
            if !flow.answers || state.cluster(&flow.spec.target).health != Health::Up {
                return Err(ReplicationErrorKind::Unreachable("Connect does not answer".to_owned()));
            }
            effect(state, &mut flow)
        });
        done.await.map_err(|trouble| {
            let kind = match trouble {
                Err(kind) => kind,
                Ok(Fault::Timeout | Fault::Hang) => {
                    ReplicationErrorKind::Unreachable("no answer in time".to_owned())
                }
                Ok(Fault::Connection) => ReplicationErrorKind::Unreachable("connection reset".to_owned()),
                Ok(Fault::Code(409)) => ReplicationErrorKind::Rebalancing,
                Ok(Fault::Code(404)) => ReplicationErrorKind::NoSuchConnector,
                Ok(Fault::Code(code)) => ReplicationErrorKind::Status {
                    status: u16::try_from(code).unwrap_or(500),
                    message: "injected".to_owned(),
                },
                Ok(Fault::Died) => ReplicationErrorKind::Unreadable(DIED.to_owned()),
            };
            self.error(verb, kind)
        })
    }

    /// Ticks until a condition of a connector holds.
    async fn reach(
        &self,
        (verb, role): (&'static str, ConnectorRole),
        bound_ms: u64,
        there: impl Fn(&Connector) -> bool + Send + Sync,
    ) -> Result<(), ReplicationError> {
        let ticks = bound_ms / TICK_MS.unsigned_abs();
        let mut last_seen = String::new();
        for _ in 0..=ticks {
            let connector =
                self.call((verb, false), role.to_string(), |_, flow| Ok(connector(flow, role)?.clone()));
            let connector = connector.await?;
            if there(&connector) {
                return Ok(());
            }
            let tasks: Vec<_> = connector.tasks.iter().map(ToString::to_string).collect();
            last_seen = format!("{} with tasks [{}]", connector.state, tasks.join(", "));
            if connector.due.is_none()
                && let Some(trace) = connector.trace
            {
                last_seen.push_str(&format!(": {trace}"));
            }
        }
        Err(self.error(verb, ReplicationErrorKind::NotReached { bound_ms, last_seen }))
    }
}

fn connector(flow: &Flow, role: ConnectorRole) -> Result<&Connector, ReplicationErrorKind> {
    flow.connectors.get(&role).ok_or(ReplicationErrorKind::NoSuchConnector)
}

fn stopped(connector: &Connector) -> bool {
    connector.state == ConnectState::Stopped && connector.tasks.is_empty()
}

fn running(connector: &Connector) -> bool {
    connector.due.is_none()
        && connector.state == ConnectState::Running
        && connector.tasks.contains(&ConnectState::Running)
}

fn observe_connector(connector: &Connector) -> ConnectorObservation {
    let shown = |(key, value): (&String, &String)| {
        let secret = key.ends_with("sasl.jaas.config") || key.ends_with("password");
        (key.clone(), if secret { "[redacted]".to_owned() } else { value.clone() })
    };
    ConnectorObservation {
        name: connector.name.clone(),
        state: connector.state,
        given_tasks: i32::try_from(connector.tasks.len()).ok(),
        assigned: Vec::new(),
        tasks: (0..)
            .zip(&connector.tasks)
            .map(|(id, state)| TaskObservation { id, state: *state, trace: connector.trace.clone() })
            .collect(),
        config: connector.config.iter().map(shown).collect(),
    }
}

#[async_trait]
impl Replication for MemoryReplication {
    async fn observe(&self, now: DateTime<Utc>) -> FlowObservation {
        let seen = self.call(("observe", false), String::new(), |state, flow| {
            let known = |value: &Connector| Observed::known(observe_connector(value), now);
            let newest = |pairs: &Vec<OffsetPair>| pairs.last().copied();
            let pairs = flow.pairs.iter().filter_map(|(at, pairs)| Some((at.clone(), newest(pairs)?)));
            let worker = WorkerObservation {
                version: "4.3.1".to_owned(),
                kafka_cluster_id: state.cluster(&flow.spec.target).id.clone(),
            };
            let committed =
                CommittedSourceOffsets { offsets: flow.committed.clone(), foreign: flow.foreign.clone() };
            Ok(FlowObservation {
                direction: self.direction,
                worker: Observed::known(worker, now),
                shut_out: false,
                connectors: flow.connectors.iter().map(|(role, it)| (*role, known(it))).collect(),
                committed: Observed::known(committed, now),
                newest_pairs: Observed::known(NewestPairs(pairs.collect()), now),
                last_pairs: None,
                rewinds: ByPartition::new(),
                of_another_log: ByPartition::new(),
                unproven: ByPartition::new(),
                beyond: Observed::unknown("not compared with the pair", now),
                unreadable_syncs: UnreadableSyncs::default(),
                writers: Observed::unknown("not looked at", now),
            })
        });
        seen.await.unwrap_or_else(|error| {
            let reason = error.to_string();
            let roles: Vec<_> = self.flow().connectors.keys().copied().collect();
            FlowObservation {
                direction: self.direction,
                worker: Observed::unknown(&reason, now),
                shut_out: error.shuts_out(),
                connectors: roles.into_iter().map(|role| (role, Observed::unknown(&reason, now))).collect(),
                committed: Observed::unknown(&reason, now),
                newest_pairs: Observed::unknown(&reason, now),
                last_pairs: None,
                rewinds: ByPartition::new(),
                of_another_log: ByPartition::new(),
                unproven: ByPartition::new(),
                beyond: Observed::unknown(&reason, now),
                unreadable_syncs: UnreadableSyncs::default(),
                writers: Observed::unknown("not looked at", now),
            }
        })
    }

    async fn state(&self, role: ConnectorRole) -> Result<Option<FlowState>, ReplicationError> {
        self.call(("state", false), role.to_string(), |_, flow| {
            let state = |it: &Connector| FlowState { connector: it.state, tasks: it.tasks.clone() };
            Ok(flow.connectors.get(&role).map(state))
        })
        .await
    }

    async fn stop(&self, role: ConnectorRole, bound_ms: u64) -> Result<(), ReplicationError> {
        let asked = self.call(("stop", true), role.to_string(), |state, flow| {
            connector(flow, role)?;
            flow.ask(role, ConnectState::Stopped, state);
            Ok(())
        });
        asked.await?;
        self.reach(("await_stop", role), bound_ms, stopped).await
    }

    async fn resume(&self, role: ConnectorRole, bound_ms: u64) -> Result<(), ReplicationError> {
        let asked = self.call(("resume", true), role.to_string(), |state, flow| {
            connector(flow, role)?;
            flow.ask(role, ConnectState::Running, state);
            Ok(())
        });
        asked.await?;
        self.reach(("await_resume", role), bound_ms, running).await
    }

    async fn config(&self, role: ConnectorRole) -> Result<BTreeMap<String, String>, ReplicationError> {
        self.call(("config", false), role.to_string(), |_, flow| Ok(connector(flow, role)?.config.clone()))
            .await
    }

    async fn change_config(
        &self,
        role: ConnectorRole,
        changes: &BTreeMap<String, Option<String>>,
        bound_ms: u64,
    ) -> Result<(), ReplicationError> {
        let asked = self.call(("change_config", true), role.to_string(), |state, flow| {
            connector(flow, role)?;
            Ok(flow.change_config(role, changes, state))
        });
        if asked.await? { self.reach(("await_config", role), bound_ms, running).await } else { Ok(()) }
    }

    async fn committed_offsets(&self) -> Result<(ByPartition<i64>, Vec<String>), ReplicationError> {
        self.call(("committed_offsets", false), String::new(), |_, flow| {
            connector(flow, ConnectorRole::Source)?;
            Ok((flow.committed.clone(), flow.foreign.clone()))
        })
        .await
    }

    async fn set_committed_offsets(
        &self,
        offsets: &ByPartition<Option<i64>>,
    ) -> Result<(), ReplicationError> {
        let asked = self.call(("set_committed_offsets", true), format!("{offsets:?}"), |_, flow| {
            let stopped = stopped(connector(flow, ConnectorRole::Source)?);
            if let Some((at, offset)) = offsets.iter().find_map(|(at, o)| Some((at, o.filter(|o| *o < 0)?))) {
                let text = format!("{offset} for {at} is not an offset; nothing was changed");
                return Err(ReplicationErrorKind::Unsupported(text));
            }
            let differs = offsets.iter().any(|(at, asked)| flow.committed.get(at) != asked.as_ref());
            if !stopped && (differs || !flow.foreign.is_empty()) {
                return Err(ReplicationErrorKind::Status { status: 400, message: NOT_STOPPED.to_owned() });
            }
            // What no task would read is removed; what the flow has and was not asked for stays and is told below.
            flow.foreign.clear();
            for (at, offset) in offsets {
                match offset {
                    Some(offset) => flow.committed.insert(at.clone(), *offset),
                    None => flow.committed.remove(at),
                };
            }
            Ok(())
        });
        asked.await?;
        let (kept, _) = self.committed_offsets().await?;
        let wrong = offsets.iter().filter(|(at, asked)| kept.get(at) != asked.as_ref());
        let wrong = wrong.map(|(at, asked)| format!("{at} holds {:?}, asked was {asked:?}", kept.get(at)));
        let unasked = kept.iter().filter(|(at, _)| !offsets.contains_key(at));
        let unasked = unasked.map(|(at, offset)| format!("{at} holds {offset} and was not asked for"));
        let all: Vec<String> = wrong.chain(unasked).collect();
        if all.is_empty() {
            return Ok(());
        }
        Err(self.error("set_committed_offsets", ReplicationErrorKind::NotAsAsked(all.join("; "))))
    }

    async fn offset_pairs(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<ByPartition<Vec<OffsetPair>>, ReplicationError> {
        self.call(("offset_pairs", false), String::new(), |_, flow| {
            let of = |at: &TopicPartition| flow.pairs.get(at).cloned().unwrap_or_default();
            Ok(partitions.iter().map(|at| (at.clone(), of(at))).collect())
        })
        .await
    }
}
