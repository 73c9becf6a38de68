//! Kafka Connect's REST, call by call. Says exactly what was asked and what came back; decides nothing.
//!
//! A 2xx of Connect means "noted", not "done": callers look again. A 500 is most often the timeout of an inner call, so
//! its outcome is unknown. Connections are kept alive, since a switchover pays for every round trip without writes.
//! What it signs in with is sent on every request to the one address it was entered for, and never appears in errors or debug output.
//! Redirects are not followed: where one leads it is not known what becomes of it. Credentials in the address itself are sent as basic
//! authentication: pairs take none any more, but some have them from before.

mod call;
mod entrance;
mod sign_in;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use muster_domain::{
    connect_credentials::ConnectCredentials,
    survey::{ConnectState, TaskObservation, WorkerObservation},
};
use reqwest::{Client, Method, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{ReplicationError, ReplicationErrorKind};
use call::{Call, describe, without_credentials};
use entrance::Entrance;
use sign_in::SignIn;

/// A read that takes longer is as good as none.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// Changes wait for the worker's herder and, with exactly-once, for a round of fencing.
const CHANGE_WITHIN: Duration = Duration::from_secs(30);

/// A client of one Connect worker.
#[derive(Clone)]
pub struct ConnectClient {
    base: Url,
    shown: String,
    http: Client,
    entrance: Arc<Entrance>,
}

impl std::fmt::Debug for ConnectClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ConnectClient").field(&self.shown).finish()
    }
}

/// A connector's state with its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorStatus {
    /// State of the connector itself.
    pub state: ConnectState,
    /// Its tasks by number.
    pub tasks: Vec<TaskObservation>,
    /// First line of the stack trace when the connector itself failed.
    pub trace: Option<String>,
}

/// One stored offset of a connector, exactly as Connect keeps it: unreadable entries stay visible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredOffset {
    /// Connector-specific partition, for example `{"cluster": "A", "topic": "orders", "partition": 0}`.
    pub partition: Value,
    /// Connector-specific offset, `{"offset": 41}`; null removes it.
    pub offset: Value,
}

impl ConnectClient {
    /// A client for the worker at an address such as `http://connect:8083`. Connects to nothing yet.
    pub fn new(connect_url: &str) -> Result<Self, ReplicationError> {
        let refuse = |kind| ReplicationError {
            call: "read the Connect address".to_owned(),
            target: "connect_url of the flow".to_owned(),
            kind,
        };
        // The address is not repeated: one that does not parse may still hold a password.
        let base = Url::parse(connect_url.trim())
            .map_err(|e| refuse(ReplicationErrorKind::Unsupported(format!("it is not an address: {e}"))))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            let text = format!("`{}://` is not http:// or https://", base.scheme());
            return Err(refuse(ReplicationErrorKind::Unsupported(text)));
        }
        let http = Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(55))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|e| refuse(ReplicationErrorKind::Unsupported(describe(e))))?;
        let entrance = Arc::new(Entrance::of(SignIn::of(&base)));
        Ok(Self { shown: shown(&base), base, http, entrance })
    }

    /// Signs in with that on every request, if this is the address it was entered for. To any other it is not sent.
    #[must_use]
    pub fn signing_in(mut self, credentials: ConnectCredentials) -> Self {
        let ConnectCredentials { address, sign_in } = credentials;
        let in_address = SignIn::of(&self.base).tries();
        if address == origin_of(&self.base) {
            // What stands in the address from before would be sent besides. Cannot fail: the address has a host.
            let _ = self.base.set_username("");
            let _ = self.base.set_password(None);
            self.entrance = Arc::new(Entrance::of(SignIn::Kept(sign_in)));
        } else if !in_address {
            self.entrance = Arc::new(Entrance::of(SignIn::Elsewhere { address }));
        }
        self
    }

    /// The address without credentials.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Version of the worker and the cluster it is attached to.
    pub async fn root(&self) -> Result<WorkerObservation, ReplicationError> {
        let call = self.call(Method::GET, &[], "ask the worker who it is", READ_WITHIN);
        let root: Root = call.read().await?;
        Ok(WorkerObservation { version: root.version, kafka_cluster_id: root.kafka_cluster_id })
    }

    /// State of a connector and its tasks.
    pub async fn status(&self, name: &str) -> Result<ConnectorStatus, ReplicationError> {
        let what = format!("read the status of connector {name}");
        let answer: Status =
            self.call(Method::GET, &["connectors", name, "status"], what, READ_WITHIN).read().await?;
        Ok(answer.into())
    }

    /// Config of a connector, credentials included.
    pub async fn config(&self, name: &str) -> Result<BTreeMap<String, String>, ReplicationError> {
        let what = format!("read the config of connector {name}");
        let answer: BTreeMap<String, Option<String>> =
            self.call(Method::GET, &["connectors", name, "config"], what, READ_WITHIN).read().await?;
        Ok(answer.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }

    /// Configs its tasks were last given, credentials included.
    pub async fn task_configs(&self, name: &str) -> Result<Vec<BTreeMap<String, String>>, ReplicationError> {
        let what = format!("read the task configs of connector {name}");
        let answer: Vec<TaskConfig> =
            self.call(Method::GET, &["connectors", name, "tasks"], what, READ_WITHIN).read().await?;
        let known = |config: BTreeMap<String, Option<String>>| {
            config.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
        };
        Ok(answer.into_iter().map(|task| known(task.config)).collect())
    }

    /// Replaces the whole config of a connector (creates it where there is none).
    pub async fn put_config(
        &self,
        name: &str,
        config: &BTreeMap<String, String>,
    ) -> Result<(), ReplicationError> {
        let what = format!("replace the config of connector {name}");
        let call = self.call(Method::PUT, &["connectors", name, "config"], what, CHANGE_WITHIN);
        call.json(config).send().await.map(drop).map_err(|e| without_credentials(e, config))
    }

    /// Changes single config keys: `Some` sets, `None` removes. Workers before 3.8 have no PATCH (405): there the whole
    /// config is read and replaced.
    pub async fn patch_config(
        &self,
        name: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(), ReplicationError> {
        let what = format!("change the config of connector {name}");
        let call = self.call(Method::PATCH, &["connectors", name, "config"], what, CHANGE_WITHIN);
        match call.json(changes).send().await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind, ReplicationErrorKind::Status { status: 405, .. }) => {
                let mut config = self.config(name).await?;
                for (key, value) in changes {
                    match value {
                        Some(value) => config.insert(key.clone(), value.clone()),
                        None => config.remove(key),
                    };
                }
                self.put_config(name, &config).await
            }
            Err(error) => {
                let set = changes.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
                Err(without_credentials(error, &set.collect()))
            }
        }
    }

    /// Asks for STOPPED; answered before it is (204, also when already stopped).
    pub async fn stop(&self, name: &str) -> Result<(), ReplicationError> {
        self.put(name, "stop").await
    }

    /// Asks for RUNNING; answered before it is (202).
    pub async fn resume(&self, name: &str) -> Result<(), ReplicationError> {
        self.put(name, "resume").await
    }

    /// Asks for PAUSED; answered before it is (202). A paused checkpoint connector still writes group offsets
    /// (mm2-verified, correction 9): no step of ours relies on it.
    pub async fn pause(&self, name: &str) -> Result<(), ReplicationError> {
        self.put(name, "pause").await
    }

    /// Restarts a connector and its tasks (202). `only_failed` misses tasks that died without a status
    /// (mm2-verified, correction 8a).
    pub async fn restart(&self, name: &str, only_failed: bool) -> Result<(), ReplicationError> {
        let what = format!("restart connector {name} and its tasks");
        let mut call = self.call(Method::POST, &["connectors", name, "restart"], what, CHANGE_WITHIN);
        let only_failed = if only_failed { "true" } else { "false" };
        call.request = call.request.query(&[("includeTasks", "true"), ("onlyFailed", only_failed)]);
        call.send().await.map(drop)
    }

    /// Everything stored as offsets of a connector.
    pub async fn offsets(&self, name: &str) -> Result<Vec<StoredOffset>, ReplicationError> {
        let what = format!("read the offsets of connector {name}");
        let answer: Offsets =
            self.call(Method::GET, &["connectors", name, "offsets"], what, READ_WITHIN).read().await?;
        Ok(answer.offsets)
    }

    /// Changes single offsets of a stopped connector. A 200 proves nothing: wrong aliases and unknown topics are stored
    /// without a word.
    pub async fn patch_offsets(&self, name: &str, offsets: &[StoredOffset]) -> Result<(), ReplicationError> {
        let what = format!("set {} offsets of connector {name}", offsets.len());
        let call = self.call(Method::PATCH, &["connectors", name, "offsets"], what, CHANGE_WITHIN);
        call.json(&json!({ "offsets": offsets })).send().await.map(drop)
    }

    /// Forgets all offsets of a stopped connector: resumed, it copies everything again.
    pub async fn delete_offsets(&self, name: &str) -> Result<(), ReplicationError> {
        let what = format!("delete all offsets of connector {name}");
        self.call(Method::DELETE, &["connectors", name, "offsets"], what, CHANGE_WITHIN)
            .send()
            .await
            .map(drop)
    }

    /// Creates a connector, STOPPED unless `running`. Fails with status 409 when it exists.
    pub async fn create(
        &self,
        name: &str,
        config: &BTreeMap<String, String>,
        running: bool,
    ) -> Result<(), ReplicationError> {
        let call =
            self.call(Method::POST, &["connectors"], format!("create connector {name}"), CHANGE_WITHIN);
        let state = if running { "RUNNING" } else { "STOPPED" };
        let body = json!({ "name": name, "config": config, "initial_state": state });
        call.json(&body).send().await.map(drop).map_err(|e| without_credentials(e, config))
    }

    async fn put(&self, name: &str, verb: &str) -> Result<(), ReplicationError> {
        let call = self.call(
            Method::PUT,
            &["connectors", name, verb],
            format!("{verb} connector {name}"),
            CHANGE_WITHIN,
        );
        call.send().await.map(drop)
    }

    fn call(&self, method: Method, path: &[&str], what: impl Into<String>, within: Duration) -> Call {
        let mut url = self.base.clone();
        url.set_query(None);
        url.set_fragment(None);
        // As segments, so that a name with `/` or `->` stays one name.
        url.path_segments_mut().expect("http addresses have a path").pop_if_empty().extend(path);
        let reads = method == Method::GET;
        let request = self.http.request(method, url).timeout(within).header("accept", "application/json");
        let request = self.entrance.sign(request);
        let (what, target, entrance) = (what.into(), self.shown.clone(), Arc::clone(&self.entrance));
        Call { request, what, target, reads, entrance }
    }
}

/// Scheme, host and port of an address: what credentials are entered for, and sent to. None of what is no address of the web.
#[must_use]
pub fn origin(connect_url: &str) -> Option<String> {
    let url = Url::parse(connect_url.trim()).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| origin_of(&url))
}

fn origin_of(base: &Url) -> String {
    base.origin().ascii_serialization()
}

fn shown(base: &Url) -> String {
    let mut clean = base.clone();
    // Cannot fail: the address has a host.
    let _ = clean.set_username("");
    let _ = clean.set_password(None);
    clean.set_query(None);
    clean.set_fragment(None);
    clean.to_string().trim_end_matches('/').to_owned()
}

fn first_line(trace: Option<String>) -> Option<String> {
    let line = trace?.lines().next()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}

#[derive(Deserialize)]
struct Root {
    version: String,
    kafka_cluster_id: String,
}

#[derive(Deserialize)]
struct Status {
    connector: StatusEntry,
    #[serde(default)]
    tasks: Vec<TaskEntry>,
}

impl From<Status> for ConnectorStatus {
    fn from(answer: Status) -> Self {
        let task = |task: TaskEntry| TaskObservation {
            id: task.id,
            state: task.state,
            trace: first_line(task.trace),
        };
        let mut tasks: Vec<TaskObservation> = answer.tasks.into_iter().map(task).collect();
        tasks.sort_by_key(|task| task.id);
        Self { state: answer.connector.state, tasks, trace: first_line(answer.connector.trace) }
    }
}

#[derive(Deserialize)]
struct StatusEntry {
    state: ConnectState,
    trace: Option<String>,
}

#[derive(Deserialize)]
struct TaskEntry {
    id: i32,
    state: ConnectState,
    trace: Option<String>,
}

#[derive(Deserialize)]
struct TaskConfig {
    config: BTreeMap<String, Option<String>>,
}

#[derive(Deserialize)]
struct Offsets {
    offsets: Vec<StoredOffset>,
}
