//! One application that writes one topic without transactions and never gives up on a record.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};

use super::Shared;
use super::address_book::Address;
use super::clients::{SEQ_HEADER, bury, client_config, seq_header};
use crate::wait::now_ms;

const MAX_IN_FLIGHT: usize = 200;
/// While the cluster refuses, the application makes no new records beyond this many waiting ones.
const MAX_WAITING: usize = 2_000;
/// How long a redirected application waits for what is under way: beyond that it risks duplicates rather than delay.
const FLUSH_BOUND: Duration = Duration::from_secs(1);
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Pause between looks at what is due and what was answered.
const PACE: Duration = Duration::from_millis(5);

/// What one stream writes.
#[derive(Debug, Clone)]
pub(crate) struct PlainStream {
    pub(crate) topic: &'static str,
    pub(crate) records_per_second: f64,
    pub(crate) idempotent: bool,
}

#[derive(Debug)]
struct Outcome {
    seq: u64,
    at_ms: i64,
    result: Result<(i32, i64), String>,
}

#[derive(Default)]
struct Outcomes {
    new: Mutex<Vec<Outcome>>,
}

impl ClientContext for Outcomes {
    fn error(&self, _error: KafkaError, _reason: &str) {
        // Errors of records are in their delivery reports; those of connections heal or make records fail.
    }
}

impl ProducerContext for Outcomes {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, report: &DeliveryResult<'_>, seq: Box<u64>) {
        let result = match report {
            Ok(record) => Ok((record.partition(), record.offset())),
            Err((error, _)) => Err(error.to_string()),
        };
        if let Ok(mut new) = self.new.lock() {
            new.push(Outcome { seq: *seq, at_ms: now_ms(), result });
        }
    }
}

struct Writer<'a> {
    stream: &'a PlainStream,
    shared: &'a Shared,
    address: Address,
    producer: BaseProducer<Outcomes>,
    /// Numbers to be written, lowest first; a failed one comes back here.
    waiting: BTreeSet<u64>,
    in_flight: BTreeSet<u64>,
    next_seq: u64,
    /// Set after a failure: one record at a time, with pauses, until one is acknowledged.
    refused_until: Option<Instant>,
}

/// The streams without transactions, which share nine tenths of `records_per_second`.
pub(crate) fn plain_streams(records_per_second: f64) -> Vec<PlainStream> {
    let stream = |topic, share: f64, idempotent| PlainStream {
        topic,
        records_per_second: records_per_second * share,
        idempotent,
    };
    vec![
        stream("orders.placed", 0.4, true),
        stream("orders.shipped", 0.2, true),
        stream("clicks.page", 0.3, false),
    ]
}

/// Writes until told to stop and every number made is acknowledged, or `give_up_after` has passed since the stop.
pub(crate) fn run_plain_stream(stream: &PlainStream, shared: &Arc<Shared>, give_up_after: Duration) {
    let (book, _) = shared.book_of_topic(stream.topic).newest();
    let address = book.producers;
    shared.ledger.producer_moved(stream.topic, &address.cluster, now_ms());
    let Some(producer) = connect(stream, shared, &address) else { return };
    let mut writer = Writer {
        stream,
        shared,
        address,
        producer,
        waiting: BTreeSet::new(),
        in_flight: BTreeSet::new(),
        next_seq: 0,
        refused_until: None,
    };
    let started = Instant::now();
    let mut paused = Duration::ZERO;
    let mut stopped: Option<Instant> = None;
    loop {
        writer.follow_address_book();
        if shared.producers_stop() {
            let since = *stopped.get_or_insert_with(Instant::now);
            let idle = writer.waiting.is_empty() && writer.in_flight.is_empty();
            if idle || since.elapsed() > give_up_after {
                break;
            }
        } else {
            let due = ((started.elapsed() - paused).as_secs_f64() * stream.records_per_second) as u64;
            paused += writer.make_records(due);
        }
        writer.send();
        // Its own waiting spins through the last millisecond of every wait.
        writer.producer.poll(Duration::ZERO);
        std::thread::sleep(PACE);
        writer.settle();
    }
    bury(writer.producer);
}

impl Writer<'_> {
    /// Makes the records that are due; answers how much time is to be forgotten because too many wait.
    fn make_records(&mut self, due: u64) -> Duration {
        while self.next_seq < due && self.waiting.len() < MAX_WAITING {
            self.waiting.insert(self.next_seq);
            self.next_seq += 1;
        }
        Duration::from_secs_f64(due.saturating_sub(self.next_seq) as f64 / self.stream.records_per_second)
    }

    fn send(&mut self) {
        if self.refused_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let window = if self.refused_until.is_some() { 1 } else { MAX_IN_FLIGHT };
        while self.in_flight.len() < window {
            let Some(seq) = self.waiting.pop_first() else { return };
            if self.send_one(seq).is_err() {
                self.waiting.insert(seq);
                return;
            }
            self.in_flight.insert(seq);
        }
    }

    fn send_one(&self, seq: u64) -> Result<(), KafkaError> {
        let number = seq.to_string();
        let payload =
            format!("{{\"topic\":\"{}\",\"seq\":{seq},\"made_ms\":{}}}", self.stream.topic, now_ms());
        let headers = OwnedHeaders::new()
            .insert(Header { key: SEQ_HEADER, value: Some(&seq_header(&self.shared.run, seq)) });
        let record = BaseRecord::with_opaque_to(self.stream.topic, Box::new(seq))
            .key(&number)
            .payload(&payload)
            .headers(headers);
        self.producer.send(record).map_err(|(error, _)| error)
    }

    /// Books what has come back; failed records wait for their next attempt.
    fn settle(&mut self) {
        let outcomes = match self.producer.context().new.lock() {
            Ok(mut new) => std::mem::take(&mut *new),
            Err(_) => return,
        };
        for outcome in outcomes {
            self.in_flight.remove(&outcome.seq);
            match outcome.result {
                Ok((partition, offset)) => {
                    self.shared.ledger.acked(
                        self.stream.topic,
                        outcome.seq,
                        partition,
                        offset,
                        outcome.at_ms,
                    );
                    self.refused_until = None;
                }
                Err(error) => {
                    self.shared.ledger.write_failed(self.stream.topic, &error);
                    self.waiting.insert(outcome.seq);
                    self.refused_until = Some(Instant::now() + RETRY_PAUSE);
                }
            }
        }
        if let Some((code, reason)) = self.producer.client().fatal_error() {
            self.replace_after_fatal(code, &reason);
        }
    }

    fn replace_after_fatal(&mut self, code: RDKafkaErrorCode, reason: &str) {
        self.shared.ledger.write_failed(self.stream.topic, &format!("fatal {code}: {reason}"));
        self.replace(self.address.clone());
    }

    fn follow_address_book(&mut self) {
        let (book, noticed_ms) = self.shared.book_of_topic(self.stream.topic).newest();
        if book.producers.is_same_place(&self.address) {
            return;
        }
        // What is under way is waited for a moment and booked to the cluster left; what has no answer by then is written
        // again on the new one, as any application must.
        let turning = Instant::now();
        while !self.in_flight.is_empty() && turning.elapsed() < FLUSH_BOUND {
            self.producer.poll(Duration::ZERO);
            std::thread::sleep(PACE);
            self.settle();
        }
        if self.replace(book.producers) {
            self.shared.ledger.producer_moved(self.stream.topic, &self.address.cluster, noticed_ms);
        }
    }

    /// Continues on `address` with a new producer; answers whether one could be made.
    fn replace(&mut self, address: Address) -> bool {
        let Some(producer) = connect(self.stream, self.shared, &address) else { return false };
        let old = std::mem::replace(&mut self.producer, producer);
        old.purge(PurgeConfig::default().queue().inflight());
        self.shared.ledger.cut_off(self.stream.topic, self.in_flight.len());
        self.waiting.append(&mut self.in_flight);
        self.refused_until = None;
        self.address = address;
        bury(old);
        true
    }
}

fn connect(stream: &PlainStream, shared: &Shared, address: &Address) -> Option<BaseProducer<Outcomes>> {
    let client_id = format!("app-{}", stream.topic.replace('.', "-"));
    let mut config = client_config(address, &shared.producer_login, &client_id);
    config
        .set("enable.idempotence", if stream.idempotent { "true" } else { "false" })
        .set("acks", "all")
        .set("linger.ms", "2")
        .set("message.timeout.ms", "5000");
    match config.create_with_context(Outcomes::default()) {
        Ok(producer) => Some(producer),
        Err(error) => {
            shared.ledger.write_failed(stream.topic, &format!("a producer could not be made: {error}"));
            None
        }
    }
}
