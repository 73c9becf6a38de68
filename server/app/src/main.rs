//! The one binary of Muster.

use std::process::ExitCode;

use clap::Parser as _;
use muster_app::{
    cli::{self, Cli},
    process::logs,
};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let _logs = logs::start(&cli.log);
    match cli::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("muster: {error:#}");
            ExitCode::FAILURE
        }
    }
}
