//! A real Connect worker that asks for a user and a password, by Connect's own extension: a survey signs in there, and says what it
//! means where it is not let in.

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use muster_domain::{
    connect_credentials::{ConnectCredentials, ConnectSignIn},
    pair::{Direction, Side},
    survey::ConnectorRole,
};
use muster_it::{LabClients, pair};
use muster_lab::{Lab, LabOptions};
use muster_replication::{ClusterHands, Mm2OnConnect, Replication, connect::origin};

const BOUND_MS: u64 = 60_000;
const PASSWORD: &str = "not-to-be-told";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survey_and_a_step_sign_in_at_a_worker_that_asks_for_a_password() -> Result<()> {
    let lab = Lab::start(LabOptions::default()).await?;
    lab.lock_worker(muster_lab::Direction::WestToCentral, "muster", PASSWORD).await?;
    let signed_in = flow(&lab, Some(PASSWORD))?;
    let seen = signed_in.observe(Utc::now()).await;
    ensure!(seen.worker.value().is_some() && seen.committed.value().is_some(), "{seen:?}");
    ensure!(seen.connectors[&ConnectorRole::Source].value().is_some(), "{seen:?}");
    signed_in.stop(ConnectorRole::Heartbeat, BOUND_MS).await?;
    signed_in.resume(ConnectorRole::Heartbeat, BOUND_MS).await?;

    for (password, meaning) in [
        (None, "it asks for a user and a password, or for a token, and nothing is kept for this address"),
        (Some("wrong"), "it does not take the user `muster` with the password that is kept"),
    ] {
        let seen = flow(&lab, password)?.observe(Utc::now()).await;
        let said = seen.worker.as_result().err().context("it was let in")?;
        ensure!(said.contains("Connect answered 401") && said.contains(meaning), "{said}");
        ensure!(seen.shut_out && seen.committed.value().is_none(), "{seen:?}");
    }
    Ok(())
}

/// The flow of `orders` from west to central, signed in at with that password.
fn flow(lab: &Lab, password: Option<&str>) -> Result<Mm2OnConnect> {
    let described = lab.describe();
    let pair = pair(described, "orders", &described.dir.join("unused.json"))?;
    let direction = Direction { from: Side::A };
    let flow = pair.flow(direction).context("a flow from west")?.clone();
    let LabClients(clients) = LabClients::new(described, pair)?;
    let hands = |side: Side| ClusterHands {
        admin: clients.admin.get(side).clone(),
        mover: clients.mover.get(side).clone(),
    };
    let worker_cluster = clients.clusters.b.expected_cluster_id.clone();
    let attached = Mm2OnConnect::new(&flow, hands(Side::A), hands(Side::B), worker_cluster)?;
    let Some(password) = password else { return Ok(attached) };
    let address = origin(lab.connect_url(muster_lab::Direction::WestToCentral)?).context("an address")?;
    let sign_in = ConnectSignIn::Basic { username: "muster".to_owned(), password: password.into() };
    Ok(attached.signing_in(ConnectCredentials { address, sign_in }))
}
