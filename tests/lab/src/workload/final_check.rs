//! Reading a whole cluster and comparing it with what applications were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use super::Shared;
use super::address_book::{Address, AddressBook};
use super::clients::{Login, app_topic, client_config, is_aborted, seq_of};
use crate::description::LabDescription;
use crate::principals::MUSTER;

const READ_BOUND: Duration = Duration::from_secs(120);
const CALL_BOUND: Duration = Duration::from_secs(15);

/// What of the acknowledged records is on one cluster, for readers with `isolation.level=read_committed`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FinalCheck {
    /// The cluster that was read.
    pub cluster: String,
    /// By topic as the application names it; replicated names are counted with their original.
    pub topics: BTreeMap<String, TopicCheck>,
}

/// One topic of a [`FinalCheck`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TopicCheck {
    /// Records acknowledged to the application before the read began.
    pub acked: u64,
    /// Acknowledged and not there.
    pub lost: u64,
    /// The first ten lost sequence numbers.
    pub lost_examples: Vec<u64>,
    /// Surplus copies.
    pub duplicates: u64,
    /// There without having been acknowledged (their acknowledgement was lost or is still under way).
    pub unacknowledged: u64,
    /// Records of aborted transactions that a reader is shown; must be 0.
    pub aborted_shown: u64,
}

impl FinalCheck {
    /// Lost records of all topics.
    pub fn lost(&self) -> u64 {
        self.topics.values().map(|topic| topic.lost).sum()
    }

    /// Surplus copies of all topics.
    pub fn duplicates(&self) -> u64 {
        self.topics.values().map(|topic| topic.duplicates).sum()
    }
}

pub(super) async fn check_cluster(
    lab: &LabDescription,
    shared: Arc<Shared>,
    cluster: &str,
) -> Result<FinalCheck> {
    let login = Login { user: MUSTER.to_owned(), password: lab.password(MUSTER)?.to_owned() };
    let address = AddressBook::all_on(lab, "", cluster)?.consumers;
    tokio::task::spawn_blocking(move || read_and_compare(&shared, &address, &login)).await?
}

fn read_and_compare(shared: &Shared, address: &Address, login: &Login) -> Result<FinalCheck> {
    let names: Vec<String> = shared.ledger.pages().topic_names();
    // Taken before the ends are asked for: whatever is acknowledged now must be below them.
    let acked: BTreeMap<String, Vec<bool>> =
        names.iter().map(|name| (name.clone(), shared.ledger.acked_numbers(name))).collect();
    let copies = read_everything(shared, address, login, &names)?;
    let topics = acked
        .iter()
        .map(|(name, acked)| (name.clone(), compare(acked, copies.get(name).unwrap_or(&Copies::default()))))
        .collect();
    Ok(FinalCheck { cluster: address.cluster.clone(), topics })
}

#[derive(Debug, Default)]
struct Copies {
    by_seq: Vec<u32>,
    aborted: u64,
}

fn compare(acked: &[bool], copies: &Copies) -> TopicCheck {
    let mut check = TopicCheck { aborted_shown: copies.aborted, ..TopicCheck::default() };
    for seq in 0..acked.len().max(copies.by_seq.len()) {
        let is_acked = acked.get(seq).copied().unwrap_or(false);
        let found = copies.by_seq.get(seq).copied().unwrap_or(0);
        check.acked += u64::from(is_acked);
        check.duplicates += u64::from(found.saturating_sub(1));
        if is_acked && found == 0 {
            check.lost += 1;
            if check.lost_examples.len() < 10 {
                check.lost_examples.push(seq as u64);
            }
        }
        check.unacknowledged += u64::from(!is_acked && found > 0);
    }
    check
}

fn read_everything(
    shared: &Shared,
    address: &Address,
    login: &Login,
    names: &[String],
) -> Result<BTreeMap<String, Copies>> {
    let consumer: BaseConsumer = client_config(address, login, "lab-check")
        .set("group.id", "lab-check")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .create()?;
    let deadline = Instant::now() + READ_BOUND;
    let mut copies: BTreeMap<String, Copies> = BTreeMap::new();
    for (topic, partitions) in topics_there(&consumer, names)? {
        let found = copies.entry(app_topic(&topic).to_owned()).or_default();
        for partition in 0..partitions {
            read_partition(shared, &consumer, &topic, partition, deadline, found)
                .with_context(|| format!("read {topic} partition {partition} of {}", address.cluster))?;
        }
    }
    Ok(copies)
}

/// The applications' topics on this cluster under any of their names, with their partition counts.
fn topics_there(consumer: &BaseConsumer, names: &[String]) -> Result<Vec<(String, i32)>> {
    let metadata = consumer.fetch_metadata(None, CALL_BOUND)?;
    let wanted = |name: &str| names.iter().any(|known| known == app_topic(name));
    let there = metadata.topics().iter().filter(|topic| wanted(topic.name()));
    there.map(|topic| Ok((topic.name().to_owned(), i32::try_from(topic.partitions().len())?))).collect()
}

/// Reads one partition up to the end it had when asked; everything acknowledged before lies before that.
///
/// Under load the log's own end moves on for ever, and a log that ends in transaction markers never shows a record at
/// its end: so the read is over at a record at or past that end, or when there is nothing more to read.
fn read_partition(
    shared: &Shared,
    consumer: &BaseConsumer,
    topic: &str,
    partition: i32,
    deadline: Instant,
    found: &mut Copies,
) -> Result<()> {
    let (_, end) = consumer.fetch_watermarks(topic, partition, CALL_BOUND)?;
    let mut one = TopicPartitionList::new();
    one.add_partition_offset(topic, partition, Offset::Beginning)?;
    consumer.assign(&one)?;
    loop {
        ensure!(Instant::now() < deadline, "not done within {READ_BOUND:?}");
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Ok(record)) => {
                count(shared, &record, found);
                if record.offset() + 1 >= end {
                    return Ok(());
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error)) => return Err(error.into()),
        }
    }
}

fn count<M: Message>(shared: &Shared, record: &M, found: &mut Copies) {
    if let Some(seq) = seq_of(&shared.run, record).and_then(|seq| usize::try_from(seq).ok()) {
        if found.by_seq.len() <= seq {
            found.by_seq.resize(seq + 1, 0);
        }
        found.by_seq[seq] += 1;
    }
    found.aborted += u64::from(is_aborted(record));
}
