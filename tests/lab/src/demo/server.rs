//! Muster's binary as a child of the demo.

use std::path::Path;

use anyhow::{Context, Result};
use muster_lab::{ChildProcess, WaitBound, wait_until};

use super::people::PASSWORD;

/// A running `muster serve`; dies with this process.
#[derive(Debug)]
pub(super) struct MusterServer {
    /// Where it is, without a trailing slash.
    pub(super) url: String,
    _child: ChildProcess,
}

impl MusterServer {
    /// Starts `muster serve` with its data in the lab's directory `dir` and its log in `out`, and waits until it is ready.
    ///
    /// The repository may be below a directory that only root may enter, and PostgreSQL never runs as root.
    pub(super) async fn start(program: &Path, dir: &Path, out: &Path, listen: &str) -> Result<Self> {
        let data = dir.join("muster");
        std::fs::create_dir_all(&data)?;
        let program =
            program.canonicalize().with_context(|| format!("{} is not built", program.display()))?;
        let args = ["serve".to_owned(), "--data-dir".to_owned(), data.display().to_string()];
        let environment = [("MUSTER_LISTEN", listen), ("MUSTER_ADMIN_PASSWORD", PASSWORD)];
        let log = out.canonicalize()?.join("muster.log");
        let child = ChildProcess::spawn("muster", &program, &args, &environment, &log)?;
        let url = format!("http://{listen}");
        let http = reqwest::Client::builder().no_proxy().build()?;
        wait_until("Muster to be ready", WaitBound::seconds(60), || async {
            child.expect_running()?;
            let answer = http.get(format!("{url}/readyz")).send().await?;
            Ok(answer.status().is_success().then_some(()))
        })
        .await
        .with_context(|| format!("{} ends:\n{}", log.display(), child.log_tail()))?;
        Ok(Self { url, _child: child })
    }
}
