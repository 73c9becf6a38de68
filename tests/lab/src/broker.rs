//! One one-node KRaft cluster: its property file, its formatted storage, its rights and topics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;

use crate::java::Java;
use crate::principals::{ADMIN, MUSTER, TOPICS, access_rules};
use crate::wire::{LabAdmin, NewTopic};

/// Main class of a broker.
pub(crate) const MAIN: &str = "kafka.Kafka";
/// JVM flags of a broker: 190 MB resident when idle.
pub(crate) const HEAP: [&str; 2] = ["-Xms192m", "-Xmx320m"];

/// How the line of a property file that names the authorizer begins.
const AUTHORIZER: &str = "authorizer.class.name=";
const COMPACTED: &[(&str, &str)] = &[("cleanup.policy", "compact")];
const INTERNAL_CONNECT_TOPICS: [&str; 3] = ["connect-configs", "connect-offsets", "connect-status"];

/// What one cluster is made from.
#[derive(Debug)]
pub(crate) struct BrokerPlan<'a> {
    pub(crate) name: &'a str,
    pub(crate) dir: &'a Path,
    pub(crate) client_port: u16,
    pub(crate) controller_port: u16,
    pub(crate) users: &'a BTreeMap<String, String>,
}

impl BrokerPlan<'_> {
    /// `host:port` of the client listener.
    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.client_port)
    }

    /// The property file of this cluster's broker.
    pub(crate) fn properties_path(&self) -> PathBuf {
        properties_path(self.dir, self.name)
    }

    /// Writes the property file and formats the storage with every user in it; takes about 2 s of JVM.
    pub(crate) async fn format(&self, java: &Java) -> Result<()> {
        std::fs::write(self.properties_path(), self.properties()?)?;
        let mut args = vec!["format".to_owned(), "--cluster-id".to_owned(), make_cluster_id()];
        args.extend(["--config".to_owned(), self.properties_path().display().to_string()]);
        args.push("--standalone".to_owned());
        for (user, password) in self.users {
            args.push("--add-scram".to_owned());
            // 4096 iterations is the least Kafka accepts and its default.
            args.push(format!("SCRAM-SHA-512=[name={user},iterations=4096,password={password}]"));
        }
        java.run_tool("kafka.tools.StorageTool", &args, Duration::from_secs(60))
            .await
            .with_context(|| format!("format the storage of {}", self.name))?;
        Ok(())
    }

    /// Signs in as the admin once the broker serves; answers the connection and the cluster id.
    pub(crate) async fn look_whether_ready(&self) -> Result<(LabAdmin, String)> {
        let password = self.users.get(ADMIN).context("no admin user")?;
        let mut admin = LabAdmin::connect(&self.bootstrap(), ADMIN, password).await?;
        let cluster_id = admin.cluster_id().await?;
        Ok((admin, cluster_id))
    }

    /// Creates access rules, application topics, canary topics and Connect's internal topics.
    pub(crate) async fn furnish(&self, admin: &mut LabAdmin) -> Result<()> {
        admin.create_acls(&access_rules(self.name)).await?;
        let plain = |(name, partitions)| NewTopic { name, partitions, configs: &[] };
        let mut topics: Vec<NewTopic<'_>> = TOPICS.map(plain).into();
        // Made here so that the worker needs no right to create topics and starts a little sooner.
        topics.extend(INTERNAL_CONNECT_TOPICS.map(|name| NewTopic {
            name,
            partitions: 1,
            configs: COMPACTED,
        }));
        admin.create_topics(&topics).await
    }

    fn properties(&self) -> Result<String> {
        let admin_password = self.users.get(ADMIN).context("no admin user")?;
        let (client, controller) = (self.client_port, self.controller_port);
        let listeners = format!("SASL_PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}");
        let data = self.dir.join(format!("{}-data", self.name));
        Ok(format!(
            "\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners={listeners}
advertised.listeners={listeners}
inter.broker.listener.name=SASL_PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config={scram} username=\"{ADMIN}\" password=\"{admin_password}\";
{AUTHORIZER}org.apache.kafka.metadata.authorizer.StandardAuthorizer
# ANONYMOUS is the controller talking to itself on the PLAINTEXT controller listener; no client listener is PLAINTEXT.
super.users=User:{ADMIN};User:{MUSTER};User:ANONYMOUS
log.dirs={data}
{SMALL_AND_QUICK}",
            scram = "org.apache.kafka.common.security.scram.ScramLoginModule required",
            data = data.display(),
        ))
    }
}

fn properties_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.properties"))
}

/// Takes the authorizer out of the property file of a cluster's broker, which shows once that is started again.
pub(crate) fn leave_out_authorizer(dir: &Path, name: &str) -> Result<()> {
    let path = properties_path(dir, name);
    let file = path.display();
    let all = std::fs::read_to_string(&path).with_context(|| format!("read {file}"))?;
    let (named, kept): (Vec<&str>, Vec<&str>) = all.lines().partition(|line| line.starts_with(AUTHORIZER));
    ensure!(!named.is_empty(), "{file} names no authorizer");
    std::fs::write(&path, kept.join("\n") + "\n").with_context(|| format!("write {file}"))
}

/// A cluster id as `org.apache.kafka.common.Uuid.randomUuid` makes one: never with a dash in front, which tools would take
/// for an option.
pub(crate) fn make_cluster_id() -> String {
    loop {
        let id = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes());
        if !id.starts_with('-') {
            return id;
        }
    }
}

/// Settings that make a one-node broker small and its first seconds short; shared with the security lab. Nothing is ever
/// deleted by age: tests write records of the past, and the first deletion comes 30 s after a start.
pub(crate) const SMALL_AND_QUICK: &str = "\
log.retention.ms=-1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=8388608
";
