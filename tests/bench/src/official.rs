//! Kafka's own tools, run as its scripts run them.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
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

    /// `kafka-consumer-perf-test.sh`, with the heap that script gives it: reads so many records of a topic from its beginning.
    /// Answers for how long it fetched, by its own account: without the JVM's start and without joining its group.
    pub(crate) async fn read_topic(&self, topic: &str, records: u64) -> Result<Duration> {
        let main_class = "org.apache.kafka.tools.ConsumerPerformance";
        let wanted = records.to_string();
        let args = ["--topic", topic, "--num-records", &wanted, "--timeout", "60000"];
        let printed = self.run_with(&["-Xmx512M"], main_class, &args).await?.printed;
        // Start, end, MB, MB/s, records, records/s, ms of joining, ms of fetching, MB/s and records/s while fetching.
        let (read, fetched_ms) = printed
            .lines()
            .find_map(|line| match line.split(", ").collect::<Vec<_>>()[..] {
                [_, _, _, _, read, _, _, fetched_ms, _, _] => {
                    Some((read.parse::<u64>().ok()?, fetched_ms.parse::<u64>().ok()?))
                }
                _ => None,
            })
            .with_context(|| format!("{main_class} printed no figures:\n{printed}"))?;
        ensure!(read >= records, "{main_class} read {read} of {records} records");
        Ok(Duration::from_millis(fetched_ms))
    }

    async fn run(&self, main_class: &str, args: &[&str]) -> Result<Ran> {
        self.run_with(&[], main_class, args).await
    }

    /// `flags` are the JVM's and come last, so that they count.
    async fn run_with(&self, flags: &[&str], main_class: &str, args: &[&str]) -> Result<Ran> {
        let began = Instant::now();
        let output = Command::new("java")
            .args(FLAGS)
            .args(flags)
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
