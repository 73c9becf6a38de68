//! Kafka's jars, copied once by Maven into a cache outside the build directory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use tokio::process::Command;
use xxhash_rust::xxh3::xxh3_64;

const POM: &str = include_str!("../pom.xml");

/// Where jars and class-data archives are kept: `$MUSTER_CACHE`, else `$HOME/.cache/muster`.
pub fn cache_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("MUSTER_CACHE") {
        return Ok(PathBuf::from(dir));
    }
    let home = std::env::var_os("HOME").context("neither MUSTER_CACHE nor HOME is set")?;
    Ok(Path::new(&home).join(".cache").join("muster"))
}

/// The directory of Kafka's jars; fetches them when this pom has not been fetched yet.
///
/// Prints progress to stderr every few seconds. Safe to call from several processes at once: one fetches, the others
/// wait. Fails when Maven is absent or cannot reach its registry.
pub async fn fetch_jars() -> Result<PathBuf> {
    let cache = cache_dir()?;
    let kept = cache.join(format!("kafka-{:016x}", xxh3_64(POM.as_bytes())));
    if kept.is_dir() {
        return Ok(kept);
    }
    std::fs::create_dir_all(&cache).with_context(|| format!("create {}", cache.display()))?;
    let lock = File::create(cache.join("kafka.lock"))?;
    tokio::task::spawn_blocking(move || flock(&lock, FlockOperation::LockExclusive).map(|()| lock)).await??;
    // The lock is let go when its process ends; a second look tells whether another process has fetched meanwhile.
    if kept.is_dir() {
        return Ok(kept);
    }
    let partial = cache.join(format!("kafka-partial-{}", std::process::id()));
    std::fs::create_dir_all(&partial)?;
    let pom = partial.join("pom.xml");
    std::fs::write(&pom, POM)?;
    copy_with_maven(&pom, &partial.join("libs")).await?;
    std::fs::rename(&partial, &kept)?;
    Ok(kept)
}

async fn copy_with_maven(pom: &Path, libs: &Path) -> Result<()> {
    eprintln!("lab: copying Kafka's jars (about 55 MB, once) through Maven ...");
    let started = Instant::now();
    let mut maven = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(pom)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", libs.display()))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("run mvn (Debian package: maven)")?;
    let status = loop {
        match tokio::time::timeout(Duration::from_secs(4), maven.wait()).await {
            Ok(status) => break status?,
            Err(_) => {
                let jars = std::fs::read_dir(libs).map_or(0, Iterator::count);
                eprintln!("lab: {} s, {jars} jars ...", started.elapsed().as_secs());
            }
        }
    };
    if !status.success() {
        bail!("mvn dependency:copy-dependencies ended with {status}; its message is above");
    }
    let jars = std::fs::read_dir(libs)?.count();
    eprintln!("lab: {jars} jars in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}
