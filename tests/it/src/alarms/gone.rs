//! Causes that take a process away while Connect goes on saying RUNNING.

use anyhow::{Result, ensure};
use muster_domain::{
    alarm::{Alarm, AlarmCode as Code},
    pair::Side,
    survey::ConnectorRole,
};
use muster_lab::{Connect, Direction, WaitBound, wait_until};

use super::stage::{Stage, at};
use crate::WEST;

/// For a connector to stop while its source is dead, or to come back with it.
const STOPS_MS: u64 = 180_000;

impl Stage {
    /// Its connections stay open and nothing answers.
    pub(super) async fn the_worker_frozen(&mut self) -> Result<()> {
        self.look().await?;
        let worker = Direction::WestToCentral.worker();
        let connector = self.connector_name()?;
        self.lab.freeze(&worker).await?;
        let alarm = self
            .alarmed_while(Code::WorkerGone, &connector, async |stage: &Self| {
                stage.write(Side::A, "quiet", 5).await
            })
            .await?;
        ensure!(alarm.alarm.lost.at_most.is_some_and(|most| most >= 5), "{:?}", alarm.alarm.lost);
        names_quiet(&alarm.alarm)?;
        self.lab.thaw(&worker).await?;
        let end = self.end(Side::A, "quiet").await?;
        self.copied("quiet", end - 1).await?;
        self.over().await
    }

    pub(super) async fn the_source_frozen(&mut self) -> Result<()> {
        self.look().await?;
        self.lab.freeze(WEST).await?;
        let alarm = self.alarmed(Code::SourceUnreachable, WEST).await?;
        names_quiet(&alarm.alarm)?;
        ensure!(alarm.alarm.lost.at_most.is_none(), "what a silent source holds is not known");
        self.lab.thaw(WEST).await?;
        self.over().await
    }

    pub(super) async fn the_worker_gone(&mut self) -> Result<()> {
        self.look().await?;
        let worker = Direction::WestToCentral.worker();
        self.lab.kill(&worker).await?;
        let connector = self.connector_name()?;
        let alarm = self
            .alarmed_while(Code::WorkerGone, &connector, async |stage: &Self| {
                stage.write(Side::A, "quiet", 5).await
            })
            .await?;
        ensure!(alarm.alarm.lost.at_most.is_some_and(|most| most >= 5), "{:?}", alarm.alarm.lost);
        names_quiet(&alarm.alarm)?;
        self.lab.restart(&worker).await?;
        let end = self.end(Side::A, "quiet").await?;
        self.copied("quiet", end - 1).await?;
        self.over().await
    }

    pub(super) async fn the_source_gone_and_a_task_with_it(&mut self) -> Result<()> {
        let checkpoint =
            self.lab.describe().flow("orders", Direction::WestToCentral)?.checkpoint_connector.clone();
        self.look().await?;
        self.lab.kill(WEST).await?;
        let alarm = self.alarmed(Code::SourceUnreachable, WEST).await?;
        ensure!(alarm.alarm.said.contains("RUNNING"), "{}", alarm.alarm.said);
        ensure!(alarm.alarm.lost.at_most.is_none(), "what a dead source held is not known");
        names_quiet(&alarm.alarm)?;
        // In its dark the checkpoint connector loses its task and goes on saying RUNNING.
        let connect = Connect::new(self.lab.connect_url(Direction::WestToCentral)?)?;
        wait_until("the checkpoint connector to lose its task", WaitBound::seconds(150), || async {
            let (state, tasks) = connect.states(&checkpoint).await?;
            Ok((state == "RUNNING" && tasks.is_empty()).then_some(()))
        })
        .await?;
        // The source is still gone, and still alarmed.
        self.alarmed_beside(&[Code::SourceUnreachable], Code::TaskMissing, &checkpoint, async |_| Ok(()))
            .await?;
        self.is_stopped_in_the_dark().await?;
        self.lab.restart(WEST).await?;
        for role in [ConnectorRole::Source, ConnectorRole::Checkpoint] {
            self.flow().resume(role, STOPS_MS).await?;
        }
        self.over().await
    }

    /// Whoever moves applications by hand stops the flow for good, the checkpoint connector first: with its source dead that takes a while,
    /// and gets there.
    async fn is_stopped_in_the_dark(&self) -> Result<()> {
        let flow = self.flow();
        let (checkpoint, source) = (ConnectorRole::Checkpoint, ConnectorRole::Source);
        tokio::try_join!(flow.stop(checkpoint, STOPS_MS), flow.stop(source, STOPS_MS))?;
        Ok(())
    }
}

/// Partitions are named, that of `quiet` among them.
fn names_quiet(alarm: &Alarm) -> Result<()> {
    let quiet = Some(at("quiet"));
    ensure!(alarm.places.iter().any(|place| place.partition == quiet), "{:?}", alarm.places);
    Ok(())
}
