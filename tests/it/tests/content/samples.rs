//! Parts of a topic that are compared: samples, which say what they leave open, and windows of time. And how fast is read.

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use muster_app::loops::proof::carry_out_one;
use muster_domain::proof::content::{
    ContentAsk, ContentProof, ContentVerdict, PartitionContent, SampleAsk, chosen,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{RECORDS, Real, VALUE};

/// To find half of the stretches nine times in ten, three are enough of eight, and of ten.
const HALF: SampleAsk = SampleAsk { differing: 0.5, confidence: 0.9 };
const TAKEN: usize = 3;
/// Megabytes a second over both sides: far below what two brokers on this machine send.
const RATE: u32 = 2;
/// Records of each partition in the window before the hole.
const WINDOW: i64 = 5_000;

/// The time of a record by its number.
fn time_of(number: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_millis(1_790_000_000_000 + number).context("a time")
}

impl Real {
    /// Asks for a comparison and carries it out by one process.
    pub(crate) async fn compared(&self, asked: ContentAsk) -> Result<(Uuid, ContentProof)> {
        let id = self.ask(asked).await?;
        assert!(carry_out_one(self.database.pool(), &self.clients, "one", &CancellationToken::new()).await?);
        Ok((id, self.result(id).await?))
    }

    /// While both sides are the same: what was not looked at is told with how sure that is. It takes as long as all that it read does at
    /// the rate it was given: the values alone are as many bytes.
    pub(crate) async fn a_sample_says_what_it_leaves_open_and_keeps_to_its_rate(&self) -> Result<()> {
        let asked = ContentAsk { sample: Some(HALF), mb_per_second: Some(RATE), ..ContentAsk::default() };
        let (_, proof) = self.compared(asked).await?;
        let drawn = proof.sampling.context("it is a sample")?;
        assert_eq!((drawn.asked, drawn.of, drawn.taken), (HALF, 8, TAKEN), "{proof:#?}");
        assert_eq!(proof.partitions.iter().map(|one| one.stretches).sum::<usize>(), TAKEN, "{proof:#?}");
        let found = &proof.summary.found;
        assert_eq!(proof.summary.verdict, ContentVerdict::Same, "{proof:#?}");
        assert!(found.matched == found.on_source && found.matched >= 30_000, "{proof:#?}");
        let said =
            "3 of 8 stretches were compared; with 90 % confidence fewer than 50 % of all stretches differ";
        assert_eq!(proof.sampled().as_deref(), Some(said));
        assert!(proof.sentence().contains(said), "{}", proof.sentence());

        let read = 2 * found.matched * u64::try_from(VALUE)?;
        let at_least_ms = i64::try_from(read / (u64::from(RATE) * 1_000))?;
        println!("{read} bytes at least in {} ms, at {RATE} MB/s {at_least_ms} ms", proof.took_ms);
        assert!(proof.took_ms >= at_least_ms, "{proof:#?}");
        Ok(())
    }

    /// Ten of 100 new records are left out in one stretch, and a foreign one is in another. Which of the ten stretches are drawn is known by
    /// the id of the proof.
    pub(crate) async fn samples_tell_what_they_drew(&self) -> Result<()> {
        let (id, proof) = self.compared(ContentAsk { sample: Some(HALF), ..ContentAsk::default() }).await?;
        let drawn = proof.sampling.context("it is a sample")?;
        assert_eq!((drawn.of, drawn.taken), (10, TAKEN), "{proof:#?}");
        // Of partition 0 there are two, the foreign record in the last of them; of partition 1 three, the hole in the last.
        let numbers = chosen(drawn.of, drawn.taken, id.as_u64_pair().1);
        let (foreign, hole) = (numbers.contains(&1), numbers.contains(&4));
        let differing = usize::from(foreign) + usize::from(hole);
        println!("drawn are {numbers:?}");
        let summary = &proof.summary;
        assert_eq!(summary.differing, differing, "{proof:#?}");
        let found = (summary.found.missing, summary.found.extra);
        assert_eq!(found, (if hole { 10 } else { 0 }, u64::from(foreign)), "{proof:#?}");
        let said = match differing {
            0 => "3 of 10 stretches were compared; with 90 % confidence fewer than 50 % of all stretches differ"
                .to_owned(),
            differing => format!("{differing} of 3 sampled stretches differ"),
        };
        assert_eq!(proof.sampled(), Some(said));

        // One that has to find one stretch in ten of ten takes all of them, and says so.
        let sample = SampleAsk { differing: 0.1, confidence: 0.99 };
        let (_, all) = self.compared(ContentAsk { sample: Some(sample), ..ContentAsk::default() }).await?;
        let drawn = all.sampling.context("it is a sample")?;
        assert_eq!((drawn.of, drawn.taken), (10, 10));
        assert_eq!((all.summary.found.missing, all.summary.found.extra), (10, 1), "{all:#?}");
        Ok(())
    }

    /// Before the hole nothing is missing, and up to the newest record what the hole left out is.
    pub(crate) async fn a_window_ends_where_it_is_asked_to(&self) -> Result<()> {
        let (since, until) = (Some(time_of(RECORDS - WINDOW)?), Some(time_of(RECORDS)?));
        let (_, before) = self.compared(ContentAsk { since, until, ..ContentAsk::default() }).await?;
        assert_eq!(before.summary.found.missing, 0, "{before:#?}");
        assert!(before.summary.found.matched >= 4 * WINDOW.unsigned_abs(), "{before:#?}");
        let with_hole = before.partitions.iter().find(|one| one.source.partition == 1);
        let PartitionContent { source_from, source_until, verdict, .. } = with_hole.context("it is told")?;
        let told = (*source_from, *source_until, *verdict);
        assert_eq!(told, (RECORDS - WINDOW, RECORDS, ContentVerdict::Same), "{before:#?}");

        // Since a time: only the last records, which the timestamps of both sides align.
        let since = Some(time_of(RECORDS - 100)?);
        let (_, late) = self.compared(ContentAsk { since, ..ContentAsk::default() }).await?;
        assert_eq!(late.summary.found.missing, 10, "{late:#?}");
        assert!(late.summary.found.on_source < 2_000, "{late:#?}");
        Ok(())
    }
}
