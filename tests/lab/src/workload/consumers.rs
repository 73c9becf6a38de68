//! The workload's consumer groups: read, process, commit what was processed, follow the address book.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::Shared;
use super::address_book::Address;
use super::clients::{app_topic, bury, client_config, is_aborted, seq_of};

const POLL: Duration = Duration::from_millis(50);
const COMMIT_EVERY: Duration = Duration::from_millis(200);
const RECREATE_PAUSE: Duration = Duration::from_millis(500);

/// One consumer group of the workload.
#[derive(Debug, Clone)]
pub(crate) struct GroupPlan {
    /// The pair whose address book it follows.
    pub(crate) pair: &'static str,
    pub(crate) group: &'static str,
    /// Topic names; one that begins with `^` is a regular expression.
    pub(crate) topics: &'static [&'static str],
    /// KIP-848 (`group.protocol=consumer`), else classic.
    pub(crate) new_protocol: bool,
    /// Members, each on its own thread.
    pub(crate) members: usize,
    /// Time that one record takes; slow applications also fetch few records ahead.
    pub(crate) work: Duration,
    /// Where the group begins without a committed offset: `earliest` or `latest`.
    pub(crate) reset: &'static str,
}

struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, _error: KafkaError, _reason: &str) {
        // The poll loop sees every error that matters and books it.
    }
}

impl ConsumerContext for Quiet {}

/// The groups of the workload.
pub(crate) fn group_plans(fraud_work: Duration) -> Vec<GroupPlan> {
    let eager = GroupPlan {
        pair: "orders",
        group: "billing",
        topics: &["orders.placed", "payments.captured"],
        new_protocol: false,
        members: 2,
        work: Duration::ZERO,
        reset: "earliest",
    };
    vec![
        GroupPlan {
            group: "shipping",
            topics: &["orders.placed", "orders.shipped"],
            new_protocol: true,
            members: 1,
            ..eager
        },
        GroupPlan { group: "fraud", members: 1, work: fraud_work, ..eager },
        // Reads clicks under their own name and under both replicated names, as prefixed naming asks of applications.
        GroupPlan {
            pair: "clicks",
            group: "audit-log",
            topics: &[r"^(eu-west\.|eu-central\.)?clicks\.page$"],
            members: 1,
            reset: "latest",
            ..eager
        },
        eager,
    ]
}

/// Reads until told to stop. A consumer that ends in a fatal error is made anew, as a supervisor would.
pub(crate) fn run_group_member(plan: &GroupPlan, shared: &Arc<Shared>) {
    let mut address: Option<Address> = None;
    let mut consumer: Option<BaseConsumer<Quiet>> = None;
    let mut committed = Instant::now();
    let (mut uncommitted, mut joined) = (false, false);
    if plan.reset == "latest"
        && let Err(error) = pin_start(plan, shared)
    {
        shared.ledger.read_failed(plan.group, &format!("no start position: {error}"));
    }
    while !shared.consumers_stop() {
        let (book, _) = shared.book(plan.pair).newest();
        let wanted = book.of_group(plan.group);
        if wanted.hold {
            match consumer.take() {
                Some(held) => leave(held),
                None => std::thread::sleep(POLL),
            }
            continue;
        }
        if !address.as_ref().is_some_and(|known| known.is_same_place(wanted)) {
            if let Some(old) = consumer.take() {
                commit(&old, &mut uncommitted);
                bury(old);
            }
            shared.ledger.group_moved(plan.group, &wanted.cluster);
            address = Some(wanted.clone());
        }
        let Some(current) = consumer.take().or_else(|| connect(plan, shared, wanted)) else {
            std::thread::sleep(RECREATE_PAUSE);
            continue;
        };
        match current.poll(POLL) {
            None => commit(&current, &mut uncommitted),
            Some(Ok(record)) => {
                process(plan, shared, &wanted.cluster, &record);
                uncommitted = true;
            }
            Some(Err(error)) => shared.ledger.read_failed(plan.group, &error.to_string()),
        }
        if !joined && current.assignment().is_ok_and(|assigned| assigned.count() > 0) {
            joined = true;
            shared.note_joined();
        }
        if committed.elapsed() > COMMIT_EVERY {
            commit(&current, &mut uncommitted);
            committed = Instant::now();
        }
        if current.client().fatal_error().is_some() {
            bury(current);
            std::thread::sleep(RECREATE_PAUSE);
        } else {
            consumer = Some(current);
        }
    }
    if let Some(last) = consumer.take() {
        leave(last);
    }
}

/// Commits what was processed and leaves the group.
fn leave(consumer: BaseConsumer<Quiet>) {
    // Refused when the group is fenced: then the committed position stays behind, as it would for any application.
    let _ = consumer.commit_consumer_state(CommitMode::Sync);
    bury(consumer);
}

/// Commits the logs' ends for a group that starts without positions, so that `latest` means "from before the first
/// record of this workload" and everything later must be processed.
fn pin_start(plan: &GroupPlan, shared: &Shared) -> KafkaResult<()> {
    const BOUND: Duration = Duration::from_secs(10);
    let (book, _) = shared.book(plan.pair).newest();
    let consumer: BaseConsumer = client_config(book.of_group(plan.group), &shared.consumer_login, plan.group)
        .set("group.id", plan.group)
        .create()?;
    let mut starts = TopicPartitionList::new();
    for topic in consumer.fetch_metadata(None, BOUND)?.topics() {
        if app_topic(topic.name()) != "clicks.page" {
            continue;
        }
        for partition in 0..i32::try_from(topic.partitions().len()).unwrap_or(0) {
            let (_, end) = consumer.fetch_watermarks(topic.name(), partition, BOUND)?;
            starts.add_partition_offset(topic.name(), partition, Offset::Offset(end))?;
        }
    }
    let known = consumer.committed_offsets(starts.clone(), BOUND)?;
    if known.elements().iter().all(|position| position.offset() == Offset::Invalid) {
        consumer.commit(&starts, CommitMode::Sync)?;
    }
    Ok(())
}

fn process<M: Message>(plan: &GroupPlan, shared: &Shared, cluster: &str, record: &M) {
    if !plan.work.is_zero() && !shared.hurries() {
        std::thread::sleep(plan.work);
    }
    if let Some(seq) = seq_of(&shared.run, record) {
        shared.ledger.processed(plan.group, cluster, app_topic(record.topic()), seq);
    } else if is_aborted(record) {
        shared.ledger.aborted_seen(plan.group);
    }
}

fn commit(consumer: &BaseConsumer<Quiet>, uncommitted: &mut bool) {
    // A refused commit comes back as an error of the poll loop; the next commit covers it.
    if *uncommitted && consumer.commit_consumer_state(CommitMode::Async).is_ok() {
        *uncommitted = false;
    }
}

fn connect(plan: &GroupPlan, shared: &Shared, address: &Address) -> Option<BaseConsumer<Quiet>> {
    let mut config = client_config(address, &shared.consumer_login, &format!("app-{}", plan.group));
    config
        .set("group.id", plan.group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", plan.reset)
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "50")
        .set("fetch.error.backoff.ms", "50")
        .set("topic.metadata.refresh.interval.ms", "1000");
    if plan.new_protocol {
        config.set("group.protocol", "consumer");
    } else {
        config.set("session.timeout.ms", "10000").set("heartbeat.interval.ms", "1000");
    }
    if !plan.work.is_zero() {
        // Little read ahead, so that what was read and not processed stays small, as in an application that is slow.
        config.set("queued.min.messages", "100").set("fetch.message.max.bytes", "16384");
    }
    let connected = config.create_with_context(Quiet).and_then(|consumer: BaseConsumer<Quiet>| {
        consumer.subscribe(plan.topics)?;
        Ok(consumer)
    });
    connected.map_err(|error| shared.ledger.read_failed(plan.group, &format!("no consumer: {error}"))).ok()
}
