//! One application that writes one topic in transactions, aborts some on purpose and never gives up on a record.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::Shared;
use super::address_book::Address;
use super::clients::{ABORTED_HEADER, SEQ_HEADER, bury, client_config, seq_header};
use crate::wait::now_ms;

const RECORDS_PER_TRANSACTION: u64 = 5;
/// Every so many transactions one is aborted on purpose.
const ABORT_EVERY: u64 = 10;
const COMMIT_BOUND: Duration = Duration::from_secs(5);
const INIT_BOUND: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// What the transactional application writes.
#[derive(Debug, Clone)]
pub(crate) struct TransactionalStream {
    pub(crate) topic: &'static str,
    pub(crate) transactional_id: &'static str,
    pub(crate) records_per_second: f64,
}

#[derive(Default)]
struct Placed {
    /// Number, partition and offset of the records of the open transaction.
    records: Mutex<Vec<(u64, i32, i64)>>,
}

impl ClientContext for Placed {
    fn error(&self, _error: KafkaError, _reason: &str) {
        // A failed transaction reports its own error.
    }
}

impl ProducerContext for Placed {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, report: &DeliveryResult<'_>, seq: Box<u64>) {
        if let (Ok(record), Ok(mut records)) = (report, self.records.lock()) {
            records.push((*seq, record.partition(), record.offset()));
        }
    }
}

type TransactionalProducer = ThreadedProducer<Placed>;

/// Writes until told to stop; the open transaction is finished first, or given up after `give_up_after`.
pub(crate) fn run_transactional_stream(
    stream: &TransactionalStream,
    shared: &Arc<Shared>,
    give_up_after: Duration,
) {
    let (mut next_seq, mut transactions) = (0_u64, 0_u64);
    let mut address: Option<Address> = None;
    let mut producer: Option<TransactionalProducer> = None;
    let pace = Duration::from_secs_f64(RECORDS_PER_TRANSACTION as f64 / stream.records_per_second);
    let mut due = Instant::now();
    let mut stopped: Option<Instant> = None;
    let mut unfinished = false;
    loop {
        if shared.producers_stop() {
            let since = *stopped.get_or_insert_with(Instant::now);
            if !unfinished || since.elapsed() > give_up_after {
                break;
            }
        }
        let (book, noticed_ms) = shared.book_of_topic(stream.topic).newest();
        if !address.as_ref().is_some_and(|known| known.is_same_place(&book.producers)) {
            if let Some(old) = producer.take() {
                bury(old);
            }
            shared.ledger.producer_moved(stream.topic, &book.producers.cluster, noticed_ms);
            address = Some(book.producers.clone());
        }
        let written = match producer.take().map_or_else(|| connect(stream, shared, &book.producers), Ok) {
            Ok(ready) => {
                let written = write_one(stream, shared, &ready, next_seq, transactions);
                if matches!(written, Ok(_) | Err(Failure::Aborted(_))) {
                    producer = Some(ready);
                } else {
                    bury(ready);
                }
                written
            }
            Err(error) => Err(Failure::Unusable(error)),
        };
        match written {
            Ok(count) => {
                next_seq += count;
                transactions += 1;
                unfinished = false;
                due = (due + pace).max(Instant::now() - pace);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            Err(Failure::Aborted(error) | Failure::Unusable(error)) => {
                unfinished = true;
                shared.ledger.write_failed(stream.topic, &error.to_string());
                std::thread::sleep(RETRY_PAUSE);
            }
        }
    }
    if let Some(last) = producer.take() {
        bury(last);
    }
}

enum Failure {
    /// Aborted cleanly: the same producer may try again.
    Aborted(KafkaError),
    /// The producer must be made anew (librdkafka: fatal, or an abort that failed too).
    Unusable(KafkaError),
}

/// One transaction; answers how many new records it committed (0 when it was aborted on purpose).
fn write_one(
    stream: &TransactionalStream,
    shared: &Shared,
    producer: &TransactionalProducer,
    first_seq: u64,
    transactions: u64,
) -> Result<u64, Failure> {
    let on_purpose = transactions % ABORT_EVERY == ABORT_EVERY - 1;
    if let Ok(mut records) = producer.context().records.lock() {
        records.clear();
    }
    producer.begin_transaction().map_err(Failure::Unusable)?;
    for seq in first_seq..first_seq + RECORDS_PER_TRANSACTION {
        if let Err(error) = send_one(stream, &shared.run, producer, seq, on_purpose) {
            return Err(abort(producer, error));
        }
    }
    if on_purpose {
        let _ = producer.flush(COMMIT_BOUND);
        producer.abort_transaction(COMMIT_BOUND).map_err(Failure::Unusable)?;
        shared.ledger.aborted(stream.topic, RECORDS_PER_TRANSACTION);
        return Ok(0);
    }
    commit(producer)?;
    let at_ms = now_ms();
    let placed = producer.context().records.lock().map(|mut records| std::mem::take(&mut *records));
    for (seq, partition, offset) in placed.unwrap_or_default() {
        shared.ledger.acked(stream.topic, seq, partition, offset, at_ms);
    }
    Ok(RECORDS_PER_TRANSACTION)
}

fn send_one(
    stream: &TransactionalStream,
    run: &str,
    producer: &TransactionalProducer,
    seq: u64,
    aborted: bool,
) -> Result<(), KafkaError> {
    let number = seq.to_string();
    let payload = format!("{{\"topic\":\"{}\",\"seq\":{seq},\"made_ms\":{}}}", stream.topic, now_ms());
    let key = if aborted { ABORTED_HEADER } else { SEQ_HEADER };
    let record = BaseRecord::with_opaque_to(stream.topic, Box::new(seq))
        .key(&number)
        .payload(&payload)
        .headers(OwnedHeaders::new().insert(Header { key, value: Some(&seq_header(run, seq)) }));
    producer.send(record).map_err(|(error, _)| error)
}

fn commit(producer: &TransactionalProducer) -> Result<(), Failure> {
    let started = Instant::now();
    loop {
        let error = match producer.commit_transaction(COMMIT_BOUND) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let retriable = matches!(&error, KafkaError::Transaction(inner) if inner.is_retriable());
        if !retriable || started.elapsed() > COMMIT_BOUND {
            return Err(abort(producer, error));
        }
    }
}

fn abort(producer: &TransactionalProducer, why: KafkaError) -> Failure {
    match producer.abort_transaction(COMMIT_BOUND) {
        Ok(()) => Failure::Aborted(why),
        Err(_) => Failure::Unusable(why),
    }
}

fn connect(
    stream: &TransactionalStream,
    shared: &Shared,
    address: &Address,
) -> Result<TransactionalProducer, KafkaError> {
    let mut config = client_config(address, &shared.producer_login, "app-payments");
    config
        .set("transactional.id", stream.transactional_id)
        .set("linger.ms", "0")
        .set("message.timeout.ms", "5000")
        .set("transaction.timeout.ms", "10000");
    let producer: TransactionalProducer = config.create_with_context(Placed::default())?;
    producer.init_transactions(INIT_BOUND)?;
    Ok(producer)
}
