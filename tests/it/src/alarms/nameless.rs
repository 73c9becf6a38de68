//! A writer that no broker remembers, on the standby of a flow that no broker remembers either: numbers alone tell it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use muster_domain::{alarm::AlarmCode as Code, pair::Side};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::{
    WITHIN,
    stage::{Stage, at, topic},
};
use crate::CENTRAL;

/// Records that applications write at a time.
const SOME: i64 = 20;

impl Stage {
    /// Applications write on the source all the while, and replication copies.
    pub(super) async fn a_foreign_writer_that_numbers_tell(&mut self) -> Result<()> {
        for _ in 0..2 * WITHIN {
            self.copies(2 * SOME, async || Ok(())).await?;
            self.look().await?;
            let open = self.open().await?;
            ensure!(open.is_empty(), "alarmed though replication alone writes: {open:#?}");
        }
        // Like a Java client with `enable.idempotence=false`.
        let stranger: FutureProducer =
            self.client(CENTRAL).set("enable.idempotence", "false").set("linger.ms", "0").create()?;
        let alarm = self
            .alarmed_while(Code::ForeignWriter, &topic("busy"), async |stage: &Self| {
                stage.copies(2 * SOME, async || write_as(&stranger).await).await
            })
            .await?;
        // Neither had a name that could have told it.
        let seen = self.clients.admin.b.producers(&[at("busy")]).await?;
        let seen = seen.get(&at("busy")).context("it was asked for")?.clone().map_err(|error| *error)?;
        ensure!(seen.is_empty(), "its leader remembers {seen:?}");
        let place = &alarm.alarm.places[0];
        ensure!(
            place.name == "orders.alarm-busy-0" && place.said.contains("offsets more between"),
            "{place:?}"
        );
        ensure!(alarm.alarm.likely, "records that came twice look the same: {:?}", alarm.alarm);
        self.acknowledged(&alarm).await
    }

    /// Applications write half of some records, something happens while these are being copied, they write the others, and all of them
    /// arrive.
    async fn copies(&self, records: i64, meanwhile: impl AsyncFn() -> Result<()>) -> Result<()> {
        let end = self.end(Side::A, "busy").await?;
        let half = usize::try_from(records / 2)?;
        self.write(Side::A, "busy", half).await?;
        meanwhile().await?;
        self.write(Side::A, "busy", half).await?;
        self.copied("busy", end + records - 1).await
    }
}

async fn write_as(stranger: &FutureProducer) -> Result<()> {
    let name = topic("busy");
    let record = FutureRecord::to(&name).partition(0).key("k").payload("foreign");
    stranger.send(record, Duration::from_secs(30)).await.map_err(|(error, _)| error)?;
    Ok(())
}
