//! `muster-lab`: the lab from the command line.

mod demo;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use muster_lab::{
    Lab, LabDescription, LabOptions, SecurityLab, Workload, WorkloadOptions, jars, serve_control,
    wait_for_end_signal,
};
use tracing_subscriber::EnvFilter;

/// Two real Kafka clusters with MirrorMaker 2 and a workload, without Docker.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Fetch Kafka's jars into the cache and print where they are.
    Jars,
    /// Start a lab and keep it until Ctrl-C or SIGTERM.
    Up {
        /// Keep the lab's files here (default: a temporary directory, removed at the end).
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Only the two clusters, without Connect and MirrorMaker.
        #[arg(long)]
        no_connect: bool,
        /// Also a broker with every kind of security; described by `security.json` beside `lab.json`.
        #[arg(long)]
        security: bool,
    },
    /// Run producers and consumer groups against a running lab until Ctrl-C or SIGTERM.
    Workload {
        /// The lab's `lab.json`.
        #[arg(long, env = "MUSTER_LAB")]
        lab: PathBuf,
        /// Directory of the address books that applications follow (default: the lab's).
        #[arg(long)]
        address_books: Option<PathBuf>,
        /// Records per second over all topics.
        #[arg(long, default_value_t = 500.0)]
        rate: f64,
    },
    /// Lab, workload and Muster with sample data (`./dev demo`).
    Demo(demo::DemoArgs),
    /// Give a running Muster the demo's people, clusters and pairs; its admin has the password of the demo.
    Furnish {
        /// Address of Muster.
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        muster: String,
        /// The lab's `lab.json`.
        #[arg(long, env = "MUSTER_LAB")]
        lab: PathBuf,
        /// Directory of the address books that applications follow (default: the lab's).
        #[arg(long)]
        address_books: Option<PathBuf>,
    },
    /// Print what a running lab looks like.
    Describe {
        /// The lab's `lab.json`.
        #[arg(long, env = "MUSTER_LAB")]
        lab: PathBuf,
    },
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    // librdkafka tells of every refused write, which is what a fence is for.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,librdkafka=off,rdkafka=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match Cli::parse().command {
        Verb::Jars => println!("{}", jars::fetch_jars().await?.display()),
        Verb::Up { dir, no_connect, security } => {
            keep_up(LabOptions { dir, connect: !no_connect, ..LabOptions::default() }, security).await?;
        }
        Verb::Workload { lab, address_books, rate } => keep_working(&lab, address_books, rate).await?,
        Verb::Demo(args) => {
            return Ok(if demo::run(&args).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Verb::Furnish { muster, lab, address_books } => {
            let mut lab = LabDescription::read(&lab)?;
            lab.dir = address_books.unwrap_or(lab.dir);
            demo::furnish(&muster, &lab).await?;
        }
        Verb::Describe { lab } => {
            println!("{}", serde_json::to_string_pretty(&LabDescription::read(&lab)?)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn keep_up(options: LabOptions, security: bool) -> Result<()> {
    let started = Instant::now();
    eprintln!("lab: starting (about 15 s) ...");
    let lab = Arc::new(tokio::select! {
        lab = Lab::start(options) => lab?,
        () = wait_for_end_signal() => return Ok(()),
    });
    eprintln!("lab: up after {:.1} s", started.elapsed().as_secs_f64());
    let security = if security { Some(SecurityLab::start().await?) } else { None };
    if let Some(security) = &security {
        let path = lab.describe().dir.join("security.json");
        std::fs::write(&path, serde_json::to_vec_pretty(security.describe())?)?;
        println!("MUSTER_SECURITY_LAB={}", path.display());
    }
    println!("MUSTER_LAB={}", lab.describe().dir.join("lab.json").display());
    tokio::select! {
        served = serve_control(Arc::clone(&lab)) => served.context("the control socket failed"),
        () = wait_for_end_signal() => Ok(()),
    }
}

async fn keep_working(lab: &Path, address_books: Option<PathBuf>, rate: f64) -> Result<()> {
    let lab = LabDescription::read(lab)?;
    let address_books = address_books.unwrap_or_else(|| lab.dir.clone());
    let options = WorkloadOptions { records_per_second: rate, ..WorkloadOptions::default() };
    let workload = Workload::start(&lab, &address_books, options).await?;
    eprintln!("workload: running; applications follow {}/address-book-*.json", address_books.display());
    eprintln!("workload: figures every second in {}", lab.dir.join("ledger.json").display());
    wait_for_end_signal().await;
    println!("{}", serde_json::to_string_pretty(&workload.ledger())?);
    Ok(())
}
