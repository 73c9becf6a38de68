//! The real program in processes of its own, on a lab and a test's database.

use anyhow::{Context, Result, ensure};
use muster_lab::{ChildProcess, LabDescription};
use muster_store::{
    secrets::{self, SecretsKey},
    testing::TestDatabase,
};
use sqlx::ConnectOptions as _;

use crate::{CENTRAL, WEST, cluster};

/// Thirty-two bytes in base64: every process opens the same secrets.
const KEY: [u8; 32] = [7; 32];
const KEY_TEXT: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// Seals what clients of both clusters need, so that other processes can build theirs.
///
/// # Errors
/// When the database refuses, or the lab lacks a password.
pub async fn seal_secrets(database: &TestDatabase, lab: &LabDescription) -> Result<()> {
    let key = SecretsKey::from_bytes(KEY);
    let mut tx = muster_store::begin(database.pool()).await?;
    secrets::check_key(&mut tx, &key).await?;
    for name in [WEST, CENTRAL] {
        let (cluster, sealed) = cluster(lab, name)?;
        secrets::put(&mut tx, &key, &cluster.name, &sealed).await?;
    }
    Ok(tx.commit().await?)
}

/// One more `muster worker`; `number` names its log.
///
/// # Errors
/// When the program was not built beside the test, or does not start.
pub fn worker(database: &TestDatabase, lab: &LabDescription, number: usize) -> Result<ChildProcess> {
    let test = std::env::current_exe()?;
    let built = test.parent().and_then(|deps| deps.parent()).context("no directory of programs")?;
    let program = built.join("muster");
    ensure!(program.exists(), "build it first: cargo build -p muster-app ({})", program.display());
    let dir = lab.dir.join("workers");
    std::fs::create_dir_all(&dir)?;
    let url = database.connect_options().to_url_lossy();
    let data = dir.join("data");
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("MUSTER_DATABASE_CONNECTIONS", "6"),
        ("MUSTER_SECRETS_KEY", KEY_TEXT),
        ("MUSTER_DATA_DIR", data.to_str().context("a path that is text")?),
    ];
    let log = dir.join(format!("worker-{number}.log"));
    ChildProcess::spawn("muster worker", &program, &["worker".to_owned()], &environment, &log)
}
