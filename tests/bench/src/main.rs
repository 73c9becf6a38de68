//! `./dev bench NAME [--json]`: what Muster costs, measured beside what people use today.
//!
//! Each benchmark prints its figures and keeps them in docs/benchmarks.md, with the machine they were measured on.
//! A figure that misses its goal is printed as missed and ends the run with an error, so CI sees it; nothing else here
//! asserts times.

mod alarms;
mod big_cluster;
mod figures;
mod house;
mod idle;
mod machine;
mod official;
mod pages;
mod process;
mod record;
mod recorder;
mod rpo;
mod schedules;
mod sse;
mod survey;
mod switchover;
mod translation;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::figures::Bench;

#[derive(Debug, Parser)]
#[command(about = "Benchmarks of Muster")]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// One JSON object per figure instead of the table.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One survey of a large pair: wall, memory, cost per partition; and beside Kafka's own tools on a real broker.
    Survey,
    /// Every page and list of the table of routes with years of history kept, and people who leave the fleet open.
    Pages,
    /// Memory of `muster serve` that nobody asks anything.
    Idle,
    /// 500 watchers of one run: memory, and how long everybody else waits for pages.
    Sse,
    /// Ten years of 10,000 schedules, looked after by three processes that die.
    Schedules,
    /// The flight recorder at 100,000 partitions and as many positions of groups: bytes, CPU of Muster and PostgreSQL, reading a month.
    Recorder,
    /// Twenty kills of the source broker under load and twelve freezes, half with connectors that copy at least once: whether the
    /// loss that is stated, and what was said of it before, holds what was lost.
    Rpo,
    /// Eighteen causes of silent loss: how long until each is alarmed.
    Alarms,
    /// Groups that lag, each put where it goes on: by Muster, by MirrorMaker 2's sync and by its checkpoints.
    Translation,
    /// One planned switchover of a pair under load, by Muster and by hand with Kafka's own tools.
    Switchover,
    /// Content verification, with and without differences, beside reading the same bytes with librdkafka and Kafka's own tool.
    Verify,
    /// Serves synthetic clusters until its standard input closes (a process of its own, so that its memory and CPU
    /// are not the survey's).
    #[command(hide = true)]
    SyntheticBrokers(big_cluster::Size),
    /// Takes surveys of synthetic clusters and prints what they cost (a process of its own, so that its peak of memory
    /// is the survey's).
    #[command(hide = true)]
    TakeSurveys(survey::synthetic::Task),
    /// Verifies the content of a lab's topic and prints what it cost (a process of its own, so that its peak of memory is
    /// the verification's).
    #[command(hide = true)]
    VerifyContent(verify::Task),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let bench = match arguments.what {
        What::Survey => survey::run().await?,
        What::Pages => pages::run().await?,
        What::Idle => idle::run().await?,
        What::Sse => sse::run().await?,
        What::Schedules => schedules::run().await?,
        What::Recorder => recorder::run().await?,
        What::Rpo => rpo::run().await?,
        What::Alarms => alarms::run().await?,
        What::Translation => translation::run().await?,
        What::Switchover => switchover::run().await?,
        What::Verify => verify::run().await?,
        What::SyntheticBrokers(size) => {
            big_cluster::serve(size).await?;
            return Ok(ExitCode::SUCCESS);
        }
        What::TakeSurveys(task) => {
            survey::synthetic::take(&task).await?;
            return Ok(ExitCode::SUCCESS);
        }
        What::VerifyContent(task) => {
            verify::verify(&task).await?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    report(&bench, arguments.json)?;
    Ok(if bench.all_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(bench: &Bench, json: bool) -> Result<()> {
    if json {
        for figure in &bench.figures {
            println!("{}", serde_json::to_string(figure)?);
        }
    } else {
        println!("{}", bench.table());
    }
    record::keep(bench)
}
