//! Kafka's own tools, run as its scripts run them.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// What `kafka-run-class.sh` gives to every tool unless told otherwise.
const FLAGS: [&str; 7] = [
    "-Xmx256M",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
];
/// Longer than any of them takes.
const BOUND: Duration = Duration::from_secs(300);

/// The tools of one set of jars.
#[derive(Debug)]
pub(crate) struct Tools {
    libs: PathBuf,
    bootstrap: String,
    properties: PathBuf,
}

/// What a tool printed and how long it took, its JVM's start included: that is how it is used.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) printed: String,
    pub(crate) wall: Duration,
}

impl Tools {
    /// `properties` is a client property file.
    pub(crate) fn new(jars: &Path, bootstrap: &str, properties: &Path) -> Self {
        Self { libs: jars.join("libs"), bootstrap: bootstrap.to_owned(), properties: properties.to_owned() }
    }

    /// `kafka-consumer-groups.sh --describe --all-groups`.
    pub(crate) async fn describe_all_groups(&self) -> Result<Ran> {
        self.run(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            &["--describe", "--all-groups", "--timeout", "60000"],
        )
        .await
    }

    /// `kafka-get-offsets.sh`: the end of every partition.
    pub(crate) async fn get_offsets(&self) -> Result<Ran> {
        self.run("org.apache.kafka.tools.GetOffsetShell", &[]).await
    }

    /// `kafka-get-offsets.sh --topic PATTERN`: the ends of some topics.
    pub(crate) async fn get_offsets_of(&self, pattern: &str) -> Result<Ran> {
        self.run("org.apache.kafka.tools.GetOffsetShell", &["--topic", pattern]).await
    }

    /// `kafka-acls.sh`.
    pub(crate) async fn acls(&self, args: &[&str]) -> Result<Ran> {
        self.run("org.apache.kafka.tools.AclCommand", args).await
    }

    async fn run(&self, main_class: &str, args: &[&str]) -> Result<Ran> {
        let began = Instant::now();
        let output = Command::new("java")
            .args(FLAGS)
            .arg("-cp")
            .arg(format!("{}/*", self.libs.display()))
            .arg(main_class)
            .args(["--bootstrap-server", &self.bootstrap, "--command-config"])
            .arg(&self.properties)
            .args(args)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(BOUND, output)
            .await
            .with_context(|| format!("{main_class} did not end within {BOUND:?}"))?
            .context("run java")?;
        let wall = began.elapsed();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{main_class}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(Ran { printed, wall })
    }

    /// The version in the name of the tools' own jar.
    pub(crate) fn kafka_version(&self) -> Result<String> {
        for entry in std::fs::read_dir(&self.libs)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(rest) = name.strip_prefix("kafka-tools-") {
                return Ok(rest.trim_end_matches(".jar").to_owned());
            }
        }
        bail!("no kafka-tools jar among the jars")
    }
}

/// The first line of `java -version`.
pub(crate) async fn java_version() -> Result<String> {
    let output = Command::new("java").arg("-version").output().await.context("run java")?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let version = text.split('"').nth(1).context("java -version names no version")?;
    Ok(version.to_owned())
}
