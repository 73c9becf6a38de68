//! The broker compacts the offset-syncs topic while Muster lives: what it removes there is known as before.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use muster_domain::{pair::Side, reading::ReadingClass, survey::OffsetPair, topic::TopicPartition};
use muster_lab::{Lab, LabOptions, WaitBound, wait_until};
use muster_replication::{Mm2OnConnect, Replication as _};

use crate::{ONE_AT_A_TIME, Positions, Real, SOON};

const TOPIC: &str = "orders.far-behind";
/// Records at a time: more than what MirrorMaker 2 leaves between two offset syncs.
const ROUND: i64 = 150;
const ROUNDS: usize = 4;
/// Brokers look for something to clean every fifteen seconds.
const CLEANED: WaitBound = WaitBound { within: Duration::from_secs(180), every: Duration::from_millis(300) };

/// The topic rolls and is cleaned as soon as a broker can, but for what is younger than five seconds: Muster has read that by then, as it
/// does in every survey.
const SETTINGS: [(&str, &str); 4] = [
    ("segment.ms", "500"),
    ("segment.bytes", "1048576"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("min.compaction.lag.ms", "5000"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_compacts_away_while_muster_lives_is_answered_as_before() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let options = LabOptions { topics: vec![(TOPIC.to_owned(), 1)], ..LabOptions::default() };
    let lab = Lab::start(options).await?;
    let real = Real::over(lab.describe(), &[TOPIC]).await?;
    let at = real.all.first().context("its topic has a partition")?;
    let living = real.process(true)?;
    let known = real.write_and_learn(&living, at).await?;
    println!("known before: {known:?}");
    let asked = real.groups(&[(at.clone(), known.clone())].into()).await?;
    let before = real.translate(&living, &asked).await?;

    let (side, _, syncs) = real.syncs().await?;
    let settings = SETTINGS.map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
    real.clients.0.admin.get(side).alter_topic_configs(&syncs.topic, &settings.into()).await?;
    let left = wait_until("the broker to remove all of them from the topic", CLEANED, || async {
        // A segment that takes no more records is rolled by the next one.
        real.write(at, 1).await?;
        pairs(&living, at).await?;
        let left = pairs(&real.process(false)?, at).await?;
        Ok(known.iter().all(|pair| !left.contains(pair)).then_some(left))
    })
    .await?;
    println!("the topic has {left:?}");

    let now = pairs(&living, at).await?;
    ensure!(now.starts_with(&known) && now.len() > known.len(), "{now:?}\n{known:?}");
    let after = real.translate(&living, &asked).await?;
    ensure!(places(&before) == places(&after), "{before:#?}\n{after:#?}");
    Ok(())
}

/// Where each group goes on, and how well that is known. By which method is another matter: what was written meanwhile may settle by pairs what
/// only the records' content told before.
fn places(groups: &BTreeMap<String, Positions>) -> Vec<(&str, i64, ReadingClass, i64)> {
    let all =
        groups.iter().flat_map(|(group, positions)| positions.values().map(move |found| (group, found)));
    let places = all.filter_map(|(group, found)| {
        let mapping = &found.as_ref().ok()?.mapping;
        Some((group.as_str(), mapping.target_offset, mapping.class, mapping.reprocessed_at_most))
    });
    places.collect()
}

impl Real {
    /// Writes some records, round by round, until they are copied and offset syncs of each round are known. Answers these.
    async fn write_and_learn(&self, living: &Mm2OnConnect, at: &TopicPartition) -> Result<Vec<OffsetPair>> {
        let mut known = Vec::new();
        for _ in 0..ROUNDS {
            self.write(at, ROUND).await?;
            let last = self.ends(Side::A).await?[at] - 1;
            known = wait_until("what was written to be copied, and an offset sync of it", SOON, || async {
                let copied =
                    living.committed_offsets().await?.0.get(at).is_some_and(|offset| *offset >= last);
                let pairs = pairs(living, at).await?;
                Ok((copied && pairs.len() > known.len()).then_some(pairs))
            })
            .await?;
        }
        Ok(known)
    }
}

async fn pairs(process: &Mm2OnConnect, at: &TopicPartition) -> Result<Vec<OffsetPair>> {
    Ok(process.offset_pairs(std::slice::from_ref(at)).await?.remove(at).unwrap_or_default())
}
