//! Brokers in this process, on the codec's broker side: they answer like Kafka, late, wrongly or not at all. Tests bend
//! single answers; the benchmarks answer for clusters larger than any lab.
#![expect(clippy::unwrap_used, reason = "a broken double is a broken test")]
#![expect(clippy::wildcard_enum_match_arm, reason = "requests without a usual answer")]

mod usual;
mod wire;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, atomic::AtomicI32},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use muster_domain::{
    cluster::{Cluster, ClusterSecrets, Security},
    ids::ClusterName,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub use self::wire::frame;
use crate::{ClientOptions, KafkaAdmin};

/// Id that every synthetic cluster reports unless told otherwise.
pub const CLUSTER_ID: &str = "synthetic";

/// What to do with one request instead of the usual answer.
#[derive(Debug)]
pub enum Reply {
    /// The usual answer.
    Usual,
    /// This one.
    Answer(Box<ResponseKind>),
    /// These very bytes, frame and all.
    Raw(Bytes),
    /// None, ever, on this connection.
    Hang,
    /// None; the connection is closed.
    Close,
}

impl Reply {
    /// That response, in the version of the request.
    #[must_use]
    pub fn with(response: ResponseKind) -> Self {
        Self::Answer(Box::new(response))
    }
}

/// Decides about each request by broker, request and version.
pub type Script = dyn Fn(i32, &RequestKind, i16) -> Reply + Send + Sync;

/// What the brokers know. Groups are coordinated by `number % brokers`.
pub struct World {
    /// Id of the cluster.
    pub cluster_id: String,
    /// Leaders by topic and partition; changed while running, brokers answer `NOT_LEADER_OR_FOLLOWER` for the rest.
    pub topics: Mutex<BTreeMap<String, Vec<i32>>>,
    /// Whom brokers name as the controller.
    pub controller: AtomicI32,
    /// How many groups there are: `group-0` and so on.
    pub groups: usize,
    /// Committed partitions per group, all of topic `t0`.
    pub offsets_per_group: i32,
    /// Highest version by API; others as the codec knows them.
    pub caps: HashMap<i16, i16>,
    /// How long after a request its answer leaves, at least.
    pub latency: Duration,
    /// TLS on every listener.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Asked first.
    pub script: Box<Script>,
    /// Ports of the brokers by number.
    pub ports: Mutex<Vec<u16>>,
    /// Every request so far: broker, kind, version.
    pub seen: Mutex<Vec<(i32, ApiKey, i16)>>,
    /// Tells every connection to end.
    pub hang_up: watch::Sender<()>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("cluster_id", &self.cluster_id).finish_non_exhaustive()
    }
}

impl Default for World {
    fn default() -> Self {
        Self {
            cluster_id: CLUSTER_ID.to_owned(),
            topics: Mutex::default(),
            controller: AtomicI32::new(0),
            groups: 0,
            offsets_per_group: 0,
            caps: HashMap::new(),
            latency: Duration::ZERO,
            tls: None,
            script: Box::new(|_, _, _| Reply::Usual),
            ports: Mutex::default(),
            seen: Mutex::default(),
            hang_up: watch::Sender::new(()),
        }
    }
}

impl World {
    /// With a script.
    #[must_use]
    pub fn with_script(
        mut self,
        script: impl Fn(i32, &RequestKind, i16) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.script = Box::new(script);
        self
    }

    /// With one more topic.
    #[must_use]
    pub fn with_topic(self, name: &str, leaders: &[i32]) -> Self {
        self.topics.lock().unwrap().insert(name.to_owned(), leaders.to_vec());
        self
    }
}

/// Running brokers, numbered from 0; they end with this value.
#[derive(Debug)]
pub struct Brokers {
    /// What they know.
    pub world: Arc<World>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Brokers {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Brokers {
    /// Starts so many.
    pub async fn start(count: usize, world: World) -> Self {
        let world = Arc::new(world);
        let mut tasks = Vec::new();
        for node in 0..count {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            world.ports.lock().unwrap().push(listener.local_addr().unwrap().port());
            tasks.push(tokio::spawn(wire::accept(
                listener,
                i32::try_from(node).unwrap(),
                Arc::clone(&world),
            )));
        }
        Self { world, tasks }
    }

    /// Closes every connection that is open, asked or not; new ones are served. One that was never answered stays.
    pub fn hang_up(&self) {
        self.world.hang_up.send_replace(());
    }

    /// Ends them as a death does: they refuse connections from now on, and close those that are open.
    pub async fn die(mut self) {
        for task in &mut self.tasks {
            task.abort();
            // Its listener is closed once it has ended.
            drop(task.await);
        }
        self.hang_up();
    }

    /// Where they listen, by number.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.world.ports.lock().unwrap().clone()
    }

    /// The cluster as it would be registered.
    #[must_use]
    pub fn cluster(&self) -> Cluster {
        cluster_at(self.world.ports.lock().unwrap()[0])
    }

    /// A client of it.
    #[must_use]
    pub fn admin(&self) -> KafkaAdmin {
        self.admin_with(ClientOptions::default())
    }

    /// A client with other bounds.
    #[must_use]
    pub fn admin_with(&self, options: ClientOptions) -> KafkaAdmin {
        KafkaAdmin::new(&self.cluster(), &ClusterSecrets::default(), options)
    }

    /// Requests of that kind so far: broker and version.
    #[must_use]
    pub fn seen(&self, key: ApiKey) -> Vec<(i32, i16)> {
        let seen = self.world.seen.lock().unwrap();
        seen.iter().filter(|(_, k, _)| *k == key).map(|(node, _, version)| (*node, *version)).collect()
    }
}

/// A cluster behind one plaintext port.
#[must_use]
pub fn cluster_at(port: u16) -> Cluster {
    Cluster {
        name: ClusterName::new("synthetic").unwrap(),
        bootstrap: vec![format!("127.0.0.1:{port}")],
        security: Security::PLAINTEXT,
        probe: None,
        expected_cluster_id: Some(CLUSTER_ID.to_owned()),
        region: String::new(),
        version: 1,
        updated_at: chrono::Utc::now(),
    }
}
