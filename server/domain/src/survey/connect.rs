//! What Connect says of a flow: the worker that answered, and its connectors with their tasks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::topic::TopicPartition;

/// The Connect worker that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerObservation {
    /// Kafka version of the worker.
    pub version: String,
    /// Cluster its records are written to (`kafka_cluster_id`).
    pub kafka_cluster_id: String,
}

/// What a connector of a flow does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectorRole {
    /// MirrorSourceConnector: copies records.
    Source,
    /// MirrorCheckpointConnector: translates and writes group offsets.
    Checkpoint,
    /// MirrorHeartbeatConnector.
    Heartbeat,
}

impl std::fmt::Display for ConnectorRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Checkpoint => "checkpoint",
            Self::Heartbeat => "heartbeat",
        })
    }
}

/// A connector or task state as Connect reports it. RUNNING proves nothing about records moving (mm2.md 0.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "Connect's own words, one to one (AbstractStatus.State)")]
pub enum ConnectState {
    Unassigned,
    Running,
    Paused,
    Failed,
    Destroyed,
    Restarting,
    Stopped,
}

impl ConnectState {
    /// Whether a task that is so is nobody's.
    #[must_use]
    pub fn has_no_worker(self) -> bool {
        match self {
            Self::Unassigned | Self::Destroyed => true,
            Self::Running | Self::Paused | Self::Failed | Self::Restarting | Self::Stopped => false,
        }
    }
}

impl std::fmt::Display for ConnectState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Failed => "FAILED",
            Self::Destroyed => "DESTROYED",
            Self::Restarting => "RESTARTING",
            Self::Stopped => "STOPPED",
        })
    }
}

/// A connector as Connect reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorObservation {
    /// Connector name.
    pub name: String,
    /// Its state.
    pub state: ConnectState,
    /// Its tasks by number, as its status has them; empty when it has none. A task nobody ever started is not among them.
    pub tasks: Vec<TaskObservation>,
    /// Tasks Connect keeps configs of, so many it has to have (`GET /connectors/{name}/tasks`); `None` where that was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_tasks: Option<i32>,
    /// Source partitions of those of these tasks that no worker has, as their configs name them. Of tasks that a worker has nothing is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assigned: Vec<AssignedPartitions>,
    /// Its config with every credential replaced by `[redacted]`.
    pub config: BTreeMap<String, String>,
}

impl ConnectorObservation {
    /// Whether somebody stopped or paused it.
    #[must_use]
    pub fn stands_on_purpose(&self) -> bool {
        match self.state {
            ConnectState::Stopped | ConnectState::Paused => true,
            ConnectState::Unassigned
            | ConnectState::Running
            | ConnectState::Failed
            | ConnectState::Destroyed
            | ConnectState::Restarting => false,
        }
    }

    /// Numbers of tasks that Connect keeps configs of and its status does not have.
    #[must_use]
    pub fn tasks_without_status(&self) -> Vec<i32> {
        let there = |number: &i32| self.tasks.iter().any(|task| task.id == *number);
        (0..self.given_tasks.unwrap_or(0)).filter(|number| !there(number)).collect()
    }

    /// Tasks it has to have as far as is known: those with a status and those without.
    #[must_use]
    pub fn tasks_to_run(&self) -> usize {
        self.tasks.len() + self.tasks_without_status().len()
    }
}

/// Partitions that a task was given to copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedPartitions {
    /// The task's number.
    pub task: i32,
    /// Of the source.
    pub named: Vec<TopicPartition>,
    /// Those beyond the first thousand of a connector, or whose names cannot be read.
    #[serde(default)]
    pub more: usize,
}

/// A task as Connect reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskObservation {
    /// Task number.
    pub id: i32,
    /// Its state.
    pub state: ConnectState,
    /// First line of the stack trace when it failed.
    pub trace: Option<String>,
}
