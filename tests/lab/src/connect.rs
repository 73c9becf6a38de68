//! A Connect worker: its property file, and the little of its REST that the lab needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

/// Main class of a distributed worker.
pub(crate) const MAIN: &str = "org.apache.kafka.connect.cli.ConnectDistributed";
/// JVM flags of a worker: about 150 MB resident.
pub(crate) const HEAP: [&str; 2] = ["-Xms64m", "-Xmx384m"];

/// What one worker is made from.
#[derive(Debug)]
pub(crate) struct WorkerPlan<'a> {
    pub(crate) name: &'a str,
    /// `group.id`: workers of one group share connectors and tasks.
    pub(crate) group: &'a str,
    /// How long the group's leader keeps the tasks of a worker that went for it (`scheduled.rebalance.max.delay.ms`).
    pub(crate) rebalance_delay: Duration,
    pub(crate) dir: &'a Path,
    pub(crate) port: u16,
    /// The cluster that the worker is attached to.
    pub(crate) bootstrap: &'a str,
    /// Principal of the worker's own topics.
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// Whether sources copy exactly once.
    pub(crate) exactly_once: bool,
}

impl WorkerPlan<'_> {
    /// REST address.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The property file of this worker.
    pub(crate) fn properties_path(&self) -> PathBuf {
        self.dir.join(format!("{}.properties", self.name))
    }

    /// Writes the property file.
    pub(crate) fn write_properties(&self) -> Result<()> {
        let mut text = format!(
            "\
bootstrap.servers={bootstrap}
group.id={group}
listeners={url}
rest.advertised.host.name=127.0.0.1
config.storage.topic=connect-configs
offset.storage.topic=connect-offsets
status.storage.topic=connect-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.partitions=1
status.storage.partitions=1
key.converter=org.apache.kafka.connect.converters.ByteArrayConverter
value.converter=org.apache.kafka.connect.converters.ByteArrayConverter
header.converter=org.apache.kafka.connect.converters.ByteArrayConverter
offset.flush.interval.ms=1000
connector.client.config.override.policy=All
exactly.once.source.support={exactly_once}
scheduled.rebalance.max.delay.ms={delay}
plugin.discovery=service_load
",
            bootstrap = self.bootstrap,
            group = self.group,
            url = self.url(),
            delay = self.rebalance_delay.as_millis(),
            exactly_once = if self.exactly_once { "enabled" } else { "disabled" },
        );
        for prefix in ["", "producer.", "consumer.", "admin."] {
            for (key, value) in sasl_settings(self.user, self.password) {
                text.push_str(&format!("{prefix}{key}={value}\n"));
            }
        }
        Ok(std::fs::write(self.properties_path(), text)?)
    }
}

/// Has the worker's REST ask for this user and password from its next start on, by Connect's own extension; answers the flag that
/// its JVM needs for it.
pub(crate) fn write_lock(dir: &Path, worker: &str, user: &str, password: &str) -> Result<String> {
    let package = "org.apache.kafka.connect.rest.basic.auth.extension";
    let users = dir.join(format!("{worker}-users.properties"));
    std::fs::write(&users, format!("{user}={password}\n"))?;
    let login = dir.join(format!("{worker}-jaas.conf"));
    let module = format!("{package}.PropertyFileLoginModule required file=\"{}\";", users.display());
    std::fs::write(&login, format!("KafkaConnect {{\n  {module}\n}};\n"))?;
    let properties = dir.join(format!("{worker}.properties"));
    let present = std::fs::read_to_string(&properties)?;
    let extension = format!("rest.extension.classes={package}.BasicAuthSecurityRestExtension\n");
    std::fs::write(&properties, present + &extension)?;
    Ok(format!("-Djava.security.auth.login.config={}", login.display()))
}

/// The three client properties that sign in by SCRAM.
pub(crate) fn sasl_settings(user: &str, password: &str) -> [(&'static str, String); 3] {
    let login = "org.apache.kafka.common.security.scram.ScramLoginModule required";
    [
        ("security.protocol", "SASL_PLAINTEXT".to_owned()),
        ("sasl.mechanism", "SCRAM-SHA-512".to_owned()),
        ("sasl.jaas.config", format!("{login} username=\"{user}\" password=\"{password}\";")),
    ]
}

/// A connector as its group's status topic has it, whichever worker is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ConnectorStatus {
    /// The connector itself.
    pub connector: Placed,
    /// Its tasks by number.
    #[serde(default)]
    pub tasks: Vec<Placed>,
}

/// A connector or a task, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Placed {
    /// The number of a task; 0 for a connector.
    #[serde(default)]
    pub id: i64,
    /// RUNNING, UNASSIGNED and so on, as the worker said it last.
    pub state: String,
    /// That worker ([`crate::WorkerDescription::id`]): it may be gone since.
    #[serde(rename = "worker_id")]
    pub worker: String,
}

/// Connect's REST, as far as the lab and its tests need it.
#[derive(Debug, Clone)]
pub struct Connect {
    url: String,
    http: reqwest::Client,
}

impl Connect {
    /// A client for the worker at `url`; each call is bounded by 30 s.
    pub fn new(url: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build()?;
        Ok(Self { url: url.to_owned(), http })
    }

    /// Whether the worker answers and can read its config topic.
    pub async fn is_ready(&self) -> Result<bool> {
        let answer = self.http.get(format!("{}/connectors", self.url)).send().await?;
        Ok(answer.status().is_success())
    }

    /// Creates a connector; `running` false creates it STOPPED. Retries while the worker rebalances (409).
    pub async fn create(&self, name: &str, config: &Value, running: bool) -> Result<()> {
        let state = if running { "RUNNING" } else { "STOPPED" };
        let body = json!({"name": name, "config": config, "initial_state": state});
        let url = format!("{}/connectors", self.url);
        self.insist(&format!("create connector {name}"), || self.http.post(&url).json(&body)).await
    }

    /// Takes a connector away, its tasks with it. Retries while the worker rebalances (409).
    pub async fn delete(&self, name: &str) -> Result<()> {
        let url = format!("{}/connectors/{name}", self.url);
        self.insist(&format!("delete connector {name}"), || self.http.delete(&url)).await
    }

    /// Makes a request again for 10 s while the worker rebalances.
    async fn insist(&self, what: &str, request: impl Fn() -> reqwest::RequestBuilder) -> Result<()> {
        for _ in 0..100 {
            let answer = request().send().await?;
            let status = answer.status();
            if status.is_success() {
                return Ok(());
            }
            let text = answer.text().await?;
            if status.as_u16() != 409 || text.contains("already exists") {
                bail!("{what}: {status} {text}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("{what}: the worker answered 409 for 10 s")
    }

    /// The connector and its tasks, and which worker has which.
    pub async fn status(&self, name: &str) -> Result<ConnectorStatus> {
        let answer = self.http.get(format!("{}/connectors/{name}/status", self.url)).send().await?;
        answer.error_for_status()?.json().await.with_context(|| format!("the status of connector {name}"))
    }

    /// The connector's state and the states of its tasks.
    pub async fn states(&self, name: &str) -> Result<(String, Vec<String>)> {
        let ConnectorStatus { connector, tasks } = self.status(name).await?;
        Ok((connector.state, tasks.into_iter().map(|task| task.state).collect()))
    }

    /// What the configs that Connect keeps of a connector's tasks say of `key`, by the number of the task.
    pub async fn task_settings(&self, name: &str, key: &str) -> Result<BTreeMap<i64, String>> {
        let answer = self.http.get(format!("{}/connectors/{name}/tasks", self.url)).send().await?;
        let tasks: Vec<Value> = answer.error_for_status()?.json().await?;
        let setting = |task: &Value| {
            let number = task.pointer("/id/task")?.as_i64()?;
            Some((number, task.get("config")?.get(key)?.as_str()?.to_owned()))
        };
        Ok(tasks.iter().filter_map(setting).collect())
    }

    /// Asks for STOPPED, PAUSED or RUNNING (`stop`, `pause`, `resume`); answered before it is done.
    pub async fn ask(&self, name: &str, verb: &str) -> Result<()> {
        let answer = self.http.put(format!("{}/connectors/{name}/{verb}", self.url)).send().await?;
        answer.error_for_status().with_context(|| format!("{verb} connector {name}"))?;
        Ok(())
    }
}
