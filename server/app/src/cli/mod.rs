//! The command line: what a process of Muster is started with, and the client commands that speak only the REST API.
//!
//! What a command's end says to a pipeline is told by `muster --help` and docs/API.md.

mod alarms;
mod approvals;
mod audit;
mod brake;
mod canaries;
mod channels;
pub mod client;
mod commands;
mod comparisons;
mod connect;
mod differences;
mod findings;
mod installation;
mod kept;
mod lag;
mod losses;
mod observed;
mod pairs;
mod people;
mod plans;
mod print;
mod progress;
mod proofs;
mod reach;
mod recorded;
mod refused;
mod registry;
mod rings;
mod routes;
mod runs;
mod session;
mod terminal;
mod verify;

use std::process::ExitCode;

use clap::CommandFactory as _;
pub use commands::{Cli, Command};
use muster_web::document::Document;

use crate::{
    http::openapi,
    process::{config::Config, doctor, serve},
    routes as table,
};
use client::Client;

/// Carries a command out.
///
/// # Errors
/// What went wrong, for stderr.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let client = || Client::new(&cli.client);
    match cli.command {
        Command::Serve(config) => serve::serve(config).await?,
        Command::Worker(config) => serve::work(config).await?,
        Command::Migrate(config) => serve::migrate(config).await?,
        Command::Doctor(config) => return doctor::doctor(config).await,
        Command::Restored(config) => restored(&config).await?,
        Command::Secrets { command: commands::Secrets::Rotate { config, new_key_file } } => {
            rotate(config, new_key_file).await?;
        }
        Command::Runbooks => print!("{}", Document::Runbooks.text()),
        Command::Openapi => {
            println!("{}", serde_json::to_string_pretty(&openapi::document(&table::routes()))?);
        }
        Command::Routes => routes::routes(cli.client.json),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "muster", &mut std::io::stdout());
        }
        Command::Verify { file } => return verify::verify(&file, cli.client.json),
        Command::Login { name } => session::login(&cli.client, name).await?,
        Command::Logout => session::logout(&cli.client).await?,
        Command::Whoami => session::whoami(&client()?).await?,
        Command::Password => session::change_password(&client()?).await?,
        Command::Clusters { command } => registry::clusters(&client()?, command).await?,
        Command::Pairs { command } => return pairs::pairs(&client()?, command).await,
        Command::People { command } => people::people(&client()?, command).await?,
        Command::Teams { command } => people::teams(&client()?, command).await?,
        Command::Sessions { command } => people::sessions(&client()?, command).await?,
        Command::Tokens { command } => people::tokens(&client()?, command).await?,
        Command::Schedules { command } => registry::schedules(&client()?, command).await?,
        Command::Findings { command } => findings::findings(&client()?, command).await?,
        Command::Alarms { command } => alarms::alarms(&client()?, command).await?,
        Command::Channels { command } => channels::channels(&client()?, command).await?,
        Command::Plan(plan) => plans::plan(&client()?, plan).await?,
        Command::Run { command } => return runs::run(&client()?, command).await,
        Command::Approvals { command } => approvals::approvals(&client()?, command).await?,
        Command::Proofs { command } => return proofs::proofs(&client()?, command).await,
        Command::Audit { command } => return audit::audit(&client()?, command).await,
        Command::Settings => installation::settings(&client()?).await?,
        Command::Brake { command } => brake::brake(&client()?, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn rotate(config: Config, new_key_file: std::path::PathBuf) -> anyhow::Result<()> {
    let count = serve::rotate_secrets(config, &new_key_file).await?;
    println!("{count} secrets are sealed with the key in {} now.", new_key_file.display());
    println!(
        "Restart every process of Muster with that file as its secrets key; the old key opens nothing any more, and \
         everybody signs in again."
    );
    Ok(())
}

async fn restored(config: &Config) -> anyhow::Result<()> {
    let parked = serve::park_restored(config).await?;
    let brake = if parked.braked { "is on now" } else { "was on already" };
    println!("The brake {brake}: nothing starts before somebody releases it.");
    for (run, was) in &parked.runs {
        let way = if run.no_return_at.is_some() { "past" } else { "before" };
        println!(
            "Run {} ({}), {} of {}, {}: was {}, {way} the point of no return; {} now.",
            run.number,
            run.id,
            run.operation.as_str().replace('_', " "),
            run.pair,
            run.course,
            was.as_str().replace('_', " "),
            run.state.as_str().replace('_', " ")
        );
    }
    println!(
        "{} parked. What was done after the backup is not known here: look at both clusters of each run before you decide \
         on it; `muster runbooks` says how (A run was restored from a backup).",
        match parked.runs.len() {
            0 => "No run had to be".to_owned(),
            1 => "1 run is".to_owned(),
            many => format!("{many} runs are"),
        }
    );
    Ok(())
}
