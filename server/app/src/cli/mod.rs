//! The command line: what a process of Muster is started with, and the client commands that speak only the REST API.
//!
//! Exit codes: 0 done; 1 refused or failed, with the reason on stderr; 2 the command line is wrong; 3 a watched run did
//! not succeed; 4 it waits for a person.

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
mod routes;
mod runs;
mod session;
mod terminal;
mod verify;

use std::process::ExitCode;

use clap::CommandFactory as _;
pub use commands::{Cli, Command};

use crate::{config::Config, doctor, http::openapi, routes as table, serve};
use client::Client;

/// Carries a command out.
///
/// # Errors
/// What went wrong, for stderr.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let done = ExitCode::SUCCESS;
    match cli.command {
        Command::Serve(config) => serve::serve(config).await.map(|()| done),
        Command::Worker(config) => serve::work(config).await.map(|()| done),
        Command::Migrate(config) => serve::migrate(config).await.map(|()| done),
        Command::Doctor(config) => doctor::doctor(config).await,
        Command::Secrets { command: commands::Secrets::Rotate { config, new_key_file } } => {
            rotate(config, new_key_file).await.map(|()| done)
        }
        Command::Openapi => {
            println!("{}", serde_json::to_string_pretty(&openapi::document(&table::routes()))?);
            Ok(done)
        }
        Command::Routes => {
            routes::routes(cli.client.json);
            Ok(done)
        }
        Command::Login { name } => session::login(&cli.client, name).await.map(|()| done),
        Command::Logout => session::logout(&cli.client).await.map(|()| done),
        Command::Whoami => session::whoami(&Client::new(&cli.client)?).await.map(|()| done),
        Command::Password => session::change_password(&Client::new(&cli.client)?).await.map(|()| done),
        Command::Clusters { command } => {
            registry::clusters(&Client::new(&cli.client)?, command).await.map(|()| done)
        }
        Command::Pairs { command } => pairs::pairs(&Client::new(&cli.client)?, command).await,
        Command::People { command } => {
            people::people(&Client::new(&cli.client)?, command).await.map(|()| done)
        }
        Command::Teams { command } => people::teams(&Client::new(&cli.client)?, command).await.map(|()| done),
        Command::Sessions { command } => {
            people::sessions(&Client::new(&cli.client)?, command).await.map(|()| done)
        }
        Command::Tokens { command } => {
            people::tokens(&Client::new(&cli.client)?, command).await.map(|()| done)
        }
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "muster", &mut std::io::stdout());
            Ok(done)
        }
        Command::Schedules { command } => {
            registry::schedules(&Client::new(&cli.client)?, command).await.map(|()| done)
        }
        Command::Findings { command } => {
            findings::findings(&Client::new(&cli.client)?, command).await.map(|()| done)
        }
        Command::Alarms { command } => {
            alarms::alarms(&Client::new(&cli.client)?, command).await.map(|()| done)
        }
        Command::Verify { file } => verify::verify(&file, cli.client.json),
        Command::Channels { command } => {
            channels::channels(&Client::new(&cli.client)?, command).await.map(|()| done)
        }
        Command::Plan(plan) => plans::plan(&Client::new(&cli.client)?, plan).await.map(|()| done),
        Command::Run { command } => runs::run(&Client::new(&cli.client)?, command).await,
        Command::Approvals { command } => {
            approvals::approvals(&Client::new(&cli.client)?, command).await.map(|()| done)
        }
        Command::Proofs { command } => proofs::proofs(&Client::new(&cli.client)?, command).await,
        Command::Audit { command } => audit::audit(&Client::new(&cli.client)?, command).await,
        Command::Settings => installation::settings(&Client::new(&cli.client)?).await.map(|()| done),
        Command::Brake { command } => brake::brake(&Client::new(&cli.client)?, command).await.map(|()| done),
    }
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
