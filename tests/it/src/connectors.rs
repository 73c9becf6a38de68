//! Source connectors of a test's own, beside those of the lab.

use std::time::Duration;

use anyhow::Result;
use muster_domain::pair::{Direction, Flow, Mechanism, NamingPolicy, Side};
use muster_lab::{Connect, LabDescription, WaitBound, wait_until};
use muster_replication::connect::ConnectClient;

use crate::{CENTRAL, WEST};

const SOON: WaitBound = WaitBound { within: Duration::from_secs(180), every: Duration::from_millis(200) };

/// Starts one from west to central, that of the lab's `orders` with other topics and settings, and answers it as a flow. Its topics are
/// there already, for without any it has no task.
///
/// # Errors
/// When Connect refuses it, or it does not run in time.
pub async fn start_connector(
    lab: &LabDescription,
    name: &str,
    topics: &str,
    naming: NamingPolicy,
    settings: &[(&str, &str)],
) -> Result<Flow> {
    let described = lab.flow("orders", muster_lab::Direction::WestToCentral)?;
    let known = ConnectClient::new(&described.connect_url)?;
    let mut config = known.config(&described.source_connector).await?;
    config.remove("name");
    config.insert("topics".to_owned(), topics.to_owned());
    config.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let connect = Connect::new(&described.connect_url)?;
    connect.create(name, &serde_json::to_value(&config)?, true).await?;
    wait_until(&format!("connector {name} to run"), SOON, || async {
        let (state, tasks) = connect.states(name).await?;
        let runs = state == "RUNNING" && !tasks.is_empty() && tasks.iter().all(|task| task == "RUNNING");
        Ok(runs.then_some(()))
    })
    .await?;
    Ok(Flow {
        direction: Direction { from: Side::A },
        mechanism: Mechanism::Mm2OnConnect {
            connect_url: described.connect_url.clone(),
            source_connector: name.to_owned(),
            checkpoint_connector: None,
            heartbeat_connector: None,
        },
        source_alias: WEST.to_owned(),
        target_alias: CENTRAL.to_owned(),
        naming,
        enabled: true,
    })
}
