//! `muster-lab demo`: the lab, a workload and Muster with sample people, pairs and one finished drill.
//!
//! Speaks to Muster only as anyone may: by starting its binary and through `/api/v1`. With `--once` nobody is needed:
//! one switchover under load is planned, approved by a second person, run, checked against what applications saw, and
//! judged by the exit code.

mod people;
mod report;
mod rest;
mod server;
mod switchover;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use muster_lab::{Lab, LabDescription, LabOptions, Workload, WorkloadOptions, wait_for_end_signal};

use people::{ADMIN, APPROVER, OPERATOR, OWNER, PASSWORD};
use rest::Rest;
use server::MusterServer;

/// What the demo is started with.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Run one switchover without a person, write the report, exit.
    #[arg(long)]
    once: bool,
    /// The `muster` program.
    #[arg(long, default_value = "target/debug/muster")]
    muster: PathBuf,
    /// Directory for the report and Muster's log.
    #[arg(long, default_value = "target/demo")]
    out: PathBuf,
    /// Where Muster listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
}

/// Runs the demo until Ctrl-C, or once. Answers whether everything was as it should be.
pub(crate) async fn run(args: &DemoArgs) -> Result<bool> {
    tokio::select! {
        outcome = run_until_done(args) => outcome,
        () = wait_for_end_signal() => {
            eprintln!("demo: stopping everything");
            Ok(true)
        }
    }
}

async fn run_until_done(args: &DemoArgs) -> Result<bool> {
    std::fs::create_dir_all(&args.out).with_context(|| format!("create {}", args.out.display()))?;
    eprintln!(
        "demo: starting two Kafka clusters, two Connect workers and twelve connectors (about 20 s) ..."
    );
    let lab = Lab::start(LabOptions::default()).await?;
    eprintln!("demo: starting producers and consumer groups ...");
    let dir = lab.describe().dir.clone();
    let mut workload = Workload::start(lab.describe(), &dir, workload_options()).await?;
    eprintln!("demo: starting Muster ...");
    let server = MusterServer::start(&args.muster, &dir, &args.out, &args.listen).await?;
    furnish(&server.url, lab.describe()).await?;

    eprintln!("demo: switchover drill of pair `orders` to eu-central under load ...");
    let drill = switchover::run_switchover(&server, "orders", muster_lab::EU_CENTRAL).await?;
    if args.once {
        let report = report::conclude(&mut workload, &drill, muster_lab::EU_CENTRAL).await?;
        return report.publish(&args.out.join("report.json"));
    }
    print_invitation(&server.url, &dir, &drill);
    wait_for_end_signal().await;
    eprintln!("demo: stopping everything");
    Ok(true)
}

/// Few enough records that `fraud` lags without falling behind for ever.
fn workload_options() -> WorkloadOptions {
    WorkloadOptions { records_per_second: 200.0, ..WorkloadOptions::default() }
}

/// People, clusters and pairs of a Muster at `url` whose admin has the demo's password; waits until both pairs have been
/// surveyed. What is there already stays, so that it can be asked for again.
pub(crate) async fn furnish(url: &str, lab: &LabDescription) -> Result<()> {
    let admin = Rest::sign_in(url, ADMIN, PASSWORD).await?;
    people::create_people(&admin).await?;
    for cluster in lab.clusters.values() {
        if !admin.has(&format!("/clusters/{}", cluster.name)).await? {
            admin.create_cluster(lab, cluster).await?;
        }
    }
    // Pairs belong to their owner, not to the admin.
    let owner = Rest::sign_in(url, OWNER, PASSWORD).await?;
    for pair in ["orders", "clicks"] {
        if !owner.has(&format!("/pairs/{pair}")).await? {
            owner.import_pair(lab, pair).await?;
            owner.attach_pair(lab, pair).await?;
        }
    }
    for pair in ["orders", "clicks"] {
        owner.wait_for_survey(pair).await?;
    }
    Ok(())
}

fn print_invitation(url: &str, dir: &Path, drill: &switchover::FinishedRun) {
    println!(
        "
Muster is at {url}

  sign in as     password            may
  {ADMIN:<14} {PASSWORD}    people, clusters, settings; no say in a run
  {OPERATOR:<14} {PASSWORD}    plan, request and drive runs
  {APPROVER:<14} {PASSWORD}    approve and attest
  {OWNER:<14} {PASSWORD}    edit pairs

What to click next
  1. As {OPERATOR}: Fleet > orders. Applications now write to eu-central: a drill moved them (run {run}, {state}).
  2. Plan a switchover back to eu-west, read its steps and predicted window, request it.
  3. In another browser as {APPROVER}: Approvals > the run of orders.
  4. As {OPERATOR}: start it and watch it live; the report is there when it ends.

Applications follow the address books in {dir}

Ctrl-C stops everything.",
        dir = dir.display(),
        run = drill.run,
        state = drill.state,
    );
}
