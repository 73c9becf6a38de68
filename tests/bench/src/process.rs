//! `muster serve` as a process of its own, so that its memory and its time are not the benchmark's.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use muster_store::testing::TestDatabase;
use sqlx::ConnectOptions as _;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::machine;

/// How long it may take to serve.
const SERVES_WITHIN: Duration = Duration::from_secs(60);

/// A running `muster serve` on somebody's database; it ends with this value.
pub(crate) struct Process {
    /// Where it serves.
    pub(crate) url: String,
    pid: u32,
    data: PathBuf,
    _child: Child,
}

impl Process {
    /// Starts the program that was built beside this one.
    pub(crate) async fn serve(database: &TestDatabase) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("muster");
        ensure!(program.exists(), "{} is not built; `./dev bench` builds it", program.display());
        let data = std::env::temp_dir().join(format!("muster-bench-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&data)?;
        let mut child = Command::new(&program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .env("DATABASE_URL", database.connect_options().to_url_lossy().as_str())
            .env("MUSTER_LOG", "info")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let pid = child.id().context("it ended at once")?;
        let mut lines = BufReader::new(child.stderr.take().context("no log")?).lines();
        let serves = async {
            let mut said = Vec::new();
            while let Some(line) = lines.next_line().await? {
                if line.contains("Muster serves http") {
                    let url = line.split(' ').find(|word| word.starts_with("http"));
                    return Ok(url.context("it serves nowhere")?.to_owned());
                }
                said.push(line);
            }
            anyhow::bail!("muster ended:\n{}", said.join("\n"))
        };
        let url = tokio::time::timeout(SERVES_WITHIN, serves).await.context("it does not serve")??;
        // A log nobody reads would block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { url, pid, data, _child: child })
    }

    /// The most it has resident, looked at every half second for so long, in MB.
    pub(crate) async fn resident_mb(&self, within: Duration) -> Result<f64> {
        let until = tokio::time::Instant::now() + within;
        let mut most = 0.0_f64;
        while tokio::time::Instant::now() < until {
            most = most.max(machine::resident_mb_of(self.pid)?.0);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(most)
    }

    /// The most it ever had resident, its start included, in MB.
    pub(crate) fn peak_mb(&self) -> Result<f64> {
        Ok(machine::resident_mb_of(self.pid)?.1)
    }

    /// CPU time it has used.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        machine::cpu_of(self.pid)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.data));
    }
}
