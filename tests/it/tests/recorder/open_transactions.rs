//! A source that dies while transactions are open: what these had written may have been committed before it died, for all anybody knows
//! who cannot read it any more, so it is lost at most.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use muster_domain::{pair::Side, topic::TopicPartition};
use muster_it::{WEST, librdkafka, pair};
use muster_kafka::{Isolation, ReadRange};
use muster_lab::{Lab, LabOptions};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::{
    ONE_AT_A_TIME,
    observer::{FORWARD, Observer, PERIOD},
};

/// Two topics alike. To the second somebody else writes on when the source dies again and again.
pub(crate) const STILL: &str = "orders.died-still";
pub(crate) const BUSY: &str = "orders.died-busy";
/// Records of each that were copied.
pub(crate) const COPIED: i64 = 100;
/// Records of a transaction behind these.
pub(crate) const OPEN: i64 = 40;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    pub(crate) lab: Lab,
    pub(crate) observer: Observer,
}

pub(crate) fn at(topic: &str) -> TopicPartition {
    TopicPartition::new(topic, 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_open_is_lost_at_most_and_later_leaders_are_not_taken_for_the_one_that_died() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let stage = Stage::start().await?;
    stage.dies_with_transactions_open().await?;
    stage.dies_again_and_again().await
}

impl Stage {
    async fn start() -> Result<Self> {
        let topics = [STILL, BUSY].map(|topic| (topic.to_owned(), 1)).to_vec();
        let lab = Lab::start(LabOptions { topics, ..LabOptions::default() }).await?;
        let mut described = pair(lab.describe(), "orders", &lab.describe().dir.join("unused.json"))?;
        described.topics = vec![r"orders\.died-.*".to_owned()];
        described.canary_topic = None;
        let observer = Observer::of(&lab, described).await?;
        for topic in [STILL, BUSY] {
            observer.write(&at(topic), COPIED, |_| true).await?;
            observer.copied(&at(topic), COPIED - 1).await?;
        }
        Ok(Self { lab, observer })
    }

    /// Surveys of a living source, so that there is a rate: nothing was committed since.
    pub(crate) async fn look(&self) -> Result<()> {
        let mut ticks = tokio::time::interval(PERIOD);
        for _ in 0..2 {
            ticks.tick().await;
            self.observer.observe().await?;
        }
        Ok(())
    }

    async fn dies_with_transactions_open(&self) -> Result<()> {
        for topic in [STILL, BUSY] {
            self.leave_open(topic).await?;
        }
        self.look().await?;
        let judged = self.observer.judged().await?;
        let lag = judged.lag.iter().find(|lag| lag.direction == FORWARD).context("the flow is judged")?;
        assert_eq!(
            (lag.total_records.value, lag.in_open_transactions),
            (Some(0), Some(2 * OPEN)),
            "{lag:#?}"
        );

        let died = Utc::now();
        self.lab.kill(WEST).await?;
        let said = self.observer.stated(died).await?;
        println!("{said:#?}");
        for topic in [STILL, BUSY] {
            let lost = said.topics.iter().find(|lost| lost.topic == topic).context("it is told of")?.lost;
            assert_eq!((lost.records_at_least, lost.records_at_most), (0, Some(OPEN)), "{topic}");
            assert_eq!(self.copies(topic).await?, COPIED, "{topic}: nothing of what is open is copied");
        }
        let total = said.total;
        assert_eq!((total.records_at_least, total.records_at_most), (0, Some(2 * OPEN)), "{total:?}");

        self.lab.restart(WEST).await?;
        let settled = self.observer.settled(died).await?;
        let truth = settled.truth.clone().context("it is settled")?;
        println!("{truth:#?}");
        // Nobody has committed them until now. Whoever had when it died would lack as many.
        assert_eq!((truth.records, truth.by_logs, truth.exact), (Some(2 * OPEN), true, false), "{truth:#?}");
        assert!(settled.topics.iter().all(|topic| topic.truth == Some(OPEN)), "{settled:#?}");
        assert!(truth.method.contains("What was written since is not in it"), "{truth:#?}");
        assert_eq!(settled.total, said.total, "what was said stays beside it");
        Ok(())
    }

    /// An application writes in a transaction and is gone. Until its time is up, minutes later, nobody ends that.
    async fn leave_open(&self, topic: &'static str) -> Result<()> {
        let producer: BaseProducer = librdkafka(self.lab.describe(), WEST)?
            .set("transactional.id", topic)
            .set("transaction.timeout.ms", "600000")
            .create()?;
        let written = tokio::task::spawn_blocking(move || -> Result<()> {
            producer.init_transactions(PATIENCE)?;
            producer.begin_transaction()?;
            for number in 0..OPEN {
                let value = format!("open {number}");
                let record = BaseRecord::to(topic).partition(0).key("open").payload(&value);
                producer.send(record).map_err(|(error, _)| error)?;
            }
            Ok(producer.flush(PATIENCE)?)
        });
        written.await??;
        let end = self.observer.end(Side::A, &at(topic)).await?;
        ensure!(end == COPIED + OPEN, "{topic} ends at {end}");
        Ok(())
    }

    /// Records on the target.
    async fn copies(&self, topic: &str) -> Result<i64> {
        let partition = at(topic);
        let until = self.observer.end(Side::B, &partition).await?;
        let range = ReadRange { partition: partition.clone(), from: 0, until };
        let mover = &self.observer.clients.mover.b;
        let mut read = mover.read(&[range], Isolation::ReadUncommitted, 30_000).await?;
        Ok(i64::try_from(read.remove(&partition).unwrap_or_default().len())?)
    }
}
