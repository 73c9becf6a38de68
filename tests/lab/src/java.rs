//! How the lab's Java programs are started.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

const LOG4J: &str = "\
status = error
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = OUT
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p [%t] %c{1}: %m%n
";

/// Kafka's jars and the lab directory that holds the logging configuration.
#[derive(Debug, Clone)]
pub(crate) struct Java {
    libs: PathBuf,
    log4j: PathBuf,
}

impl Java {
    /// Writes the logging configuration to `dir`; `jars` is the answer of `fetch_jars`.
    pub(crate) fn new(jars: &Path, dir: &Path) -> Result<Self> {
        let log4j = dir.join("log4j2.properties");
        std::fs::write(&log4j, LOG4J)?;
        Ok(Self { libs: jars.join("libs"), log4j })
    }

    /// The arguments of `java` for `main_class`. `heap` and `extra` are JVM flags, `args` the program's own.
    pub(crate) fn arguments(&self, heap: &[&str], main_class: &str, args: &[String]) -> Vec<String> {
        // One compiler tier and one collector thread: starts count here, not throughput.
        let mut all: Vec<String> =
            ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]
                .iter()
                .chain(heap)
                .map(|flag| (*flag).to_owned())
                .collect();
        all.push(format!("-Dlog4j2.configurationFile={}", self.log4j.display()));
        all.push("-cp".to_owned());
        all.push(format!("{}/*", self.libs.display()));
        all.push(main_class.to_owned());
        all.extend(args.iter().cloned());
        all
    }

    /// Runs one of Kafka's tools and answers what it printed to stdout.
    ///
    /// Fails with what it printed when it ends with an error or takes longer than `within`.
    pub(crate) async fn run_tool(
        &self,
        main_class: &str,
        args: &[String],
        within: Duration,
    ) -> Result<String> {
        let output = Command::new("java")
            .args(self.arguments(&["-Xmx256m"], main_class, args))
            .current_dir(&self.libs)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(within, output)
            .await
            .with_context(|| format!("{main_class} did not end within {within:?}"))?
            .context("run java (Debian package: default-jdk-headless, 17 or newer)")?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{main_class}: {}\n{printed}{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(printed)
    }
}
