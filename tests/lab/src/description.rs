//! What a running lab looks like from outside: `<dir>/lab.json`, read by every test and by the demo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::principals::{EU_CENTRAL, EU_WEST};

/// Addresses, names, users and passwords of one lab. The passwords are made for this lab and die with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LabDescription {
    /// The lab's directory: property files, logs, data, `lab.json`.
    pub dir: PathBuf,
    /// Process id of the process that owns the lab.
    pub owner_pid: u32,
    /// Both clusters by name (`eu-west` is the active side at first).
    pub clusters: BTreeMap<String, ClusterDescription>,
    /// Security protocol of the client listeners of both clusters.
    pub security_protocol: String,
    /// SASL mechanism of the client listeners of both clusters.
    pub sasl_mechanism: String,
    /// User name to password; the same on both clusters.
    pub users: BTreeMap<String, String>,
    /// Connect workers by process name; empty when the lab was started without Connect.
    pub workers: BTreeMap<String, WorkerDescription>,
    /// Both directions of both pairs; empty when the lab was started without Connect.
    pub flows: Vec<FlowDescription>,
    /// Process id by process name, for looking, and for tests in browsers, which can only freeze and thaw: ask [`crate::Lab`] to
    /// stop or kill.
    pub pids: BTreeMap<String, u32>,
    /// Unix socket through which an attached process stops, kills, freezes and restarts.
    pub control_socket: PathBuf,
}

/// One one-node KRaft cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClusterDescription {
    /// Name of the cluster, of its process and its MirrorMaker alias.
    pub name: String,
    /// The broker's own cluster id.
    pub cluster_id: String,
    /// `host:port` of the client listener.
    pub bootstrap: String,
}

/// One Connect worker, attached to the target cluster of its direction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkerDescription {
    /// Process name, `connect-<target cluster>`; that of a second worker of the same group ends in `-2`.
    pub name: String,
    /// REST address without a trailing slash.
    pub url: String,
    /// The cluster that keeps its internal topics.
    pub cluster: String,
    /// Which way its connectors replicate.
    pub direction: Direction,
}

/// One direction of one pair: three MirrorMaker 2 connectors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FlowDescription {
    /// `orders` or `clicks`.
    pub pair: String,
    /// Which way it replicates.
    pub direction: Direction,
    /// How replicated topics are named.
    pub naming: NamingPolicy,
    /// MirrorMaker's topic filter.
    pub topics: String,
    /// REST address of the worker.
    pub connect_url: String,
    /// Name of the MirrorSourceConnector.
    pub source_connector: String,
    /// Name of the MirrorCheckpointConnector.
    pub checkpoint_connector: String,
    /// Name of the MirrorHeartbeatConnector.
    pub heartbeat_connector: String,
    /// Principal that reads the source and writes the target.
    pub principal: String,
    /// Whether it was created RUNNING (else STOPPED).
    pub running: bool,
}

/// Which way a flow replicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// `eu-west` to `eu-central`.
    WestToCentral,
    /// `eu-central` to `eu-west`.
    CentralToWest,
}

/// How MirrorMaker names the topics on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamingPolicy {
    /// IdentityReplicationPolicy: the same name.
    Identity,
    /// DefaultReplicationPolicy: `<source alias>.<topic>`.
    Prefixed,
}

impl Direction {
    /// Both, the initially running one first.
    pub const BOTH: [Self; 2] = [Self::WestToCentral, Self::CentralToWest];

    /// `west-to-central`, as in connector and principal names.
    pub fn id(self) -> &'static str {
        match self {
            Self::WestToCentral => "west-to-central",
            Self::CentralToWest => "central-to-west",
        }
    }

    /// Name of the cluster read from.
    pub fn source(self) -> &'static str {
        match self {
            Self::WestToCentral => EU_WEST,
            Self::CentralToWest => EU_CENTRAL,
        }
    }

    /// Name of the cluster written to.
    pub fn target(self) -> &'static str {
        match self {
            Self::WestToCentral => EU_CENTRAL,
            Self::CentralToWest => EU_WEST,
        }
    }

    /// The principal whose rights replication in this direction uses.
    pub fn principal(self) -> String {
        format!("mm2-{}", self.id())
    }

    /// Name of the worker process of this direction, and of its group.
    pub fn worker(self) -> String {
        format!("connect-{}", self.target())
    }

    /// Name of the second worker process of this direction, in labs that have one.
    pub fn second_worker(self) -> String {
        format!("{}-2", self.worker())
    }
}

impl WorkerDescription {
    /// What Connect calls it in statuses (`worker_id`): host and port of its REST.
    pub fn id(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

impl NamingPolicy {
    /// Java class name for `replication.policy.class`.
    pub fn class(self) -> &'static str {
        match self {
            Self::Identity => "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
            Self::Prefixed => "org.apache.kafka.connect.mirror.DefaultReplicationPolicy",
        }
    }
}

impl LabDescription {
    /// Reads `lab.json`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("understand {}", path.display()))
    }

    /// Writes `lab.json` into the lab's directory and answers its path. Readers see the old or the new file, whole.
    pub fn write(&self) -> Result<PathBuf> {
        let path = self.dir.join("lab.json");
        let draft = self.dir.join("lab.json.new");
        std::fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&draft, &path).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// The cluster named `name`.
    pub fn cluster(&self, name: &str) -> Result<&ClusterDescription> {
        self.clusters.get(name).with_context(|| format!("the lab has no cluster `{name}`"))
    }

    /// The password of `user`.
    pub fn password(&self, user: &str) -> Result<&str> {
        self.users.get(user).map(String::as_str).with_context(|| format!("the lab has no user `{user}`"))
    }

    /// The flow of `pair` in `direction`.
    pub fn flow(&self, pair: &str, direction: Direction) -> Result<&FlowDescription> {
        self.flows
            .iter()
            .find(|flow| flow.pair == pair && flow.direction == direction)
            .with_context(|| format!("the lab has no flow `{pair}` {}", direction.id()))
    }
}
