//! Reading stretches of many partitions straight from their leaders: no group, no consumer start-up, no guessing where
//! control records and aborted data end.
//!
//! librdkafka is not used for reading: it starts in hundreds of milliseconds and its end-of-partition event does not
//! name the topic, so a read over many topics could not tell which of them is done.

mod aborted;
mod answers;
mod cursor;

use std::collections::HashMap;

use futures_util::future::join_all;
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FetchResponse,
    fetch_request::{FetchPartition, FetchTopic},
};
use muster_domain::topic::TopicPartition;

use self::answers::{Answers, take_answers};
pub(crate) use self::cursor::{Cursor, Found};
use crate::{
    asking::{
        patience::Patience,
        routing::{Call, Target},
    },
    broker_error::UNKNOWN_TOPIC_OR_PARTITION,
    error::KafkaError,
    mover::{Isolation, Piece, ReadRange},
    records::prints::PrintRange,
    verbs::topics::topic_name,
};

/// Versions above name topics by id.
const FETCH_CAP: i16 = 12;
const REQUEST_BYTES: i32 = 32 << 20;
/// Partitions per request.
const BATCH: usize = 500;

/// Reads every stretch to its end, or to the end of what is visible.
pub(crate) async fn read_to_end(
    call: &Call<'_>,
    cursors: &mut [Cursor],
    isolation: Isolation,
) -> Result<(), KafkaError> {
    let mut setbacks = Setbacks::of(call);
    while cursors.iter().any(|cursor| !cursor.done) {
        read_round(call, cursors, isolation, &mut setbacks).await?;
    }
    Ok(())
}

/// Reads stretches on by what one answer holds: a round that is of use, however many it takes.
pub(crate) async fn read_on(
    call: &Call<'_>,
    stretches: &mut [&mut PrintRange],
    isolation: Isolation,
) -> Result<(), KafkaError> {
    let mut setbacks = Setbacks::of(call);
    let open: Vec<usize> = (0..stretches.len()).filter(|at| !stretches[*at].done).collect();
    let mut cursors: Vec<Cursor> = open.iter().map(|at| Cursor::of_range(stretches[*at])).collect();
    while !cursors.is_empty() && !read_round(call, &mut cursors, isolation, &mut setbacks).await? {}
    for (at, cursor) in open.into_iter().zip(cursors) {
        if let Found::Prints(read) = cursor.found {
            stretches[at].take_over(*read);
            (stretches[at].done, stretches[at].left_out) = (cursor.done, cursor.stuck);
        }
    }
    Ok(())
}

/// Reads one stretch on until something of it is read, or nothing is left.
pub(crate) async fn read_piece(
    call: &Call<'_>,
    range: &ReadRange,
    longest: usize,
    isolation: Isolation,
) -> Result<Piece, KafkaError> {
    let mut setbacks = Setbacks::of(call);
    let found = Found::Piece { piece: Piece::default(), longest };
    let mut cursor = [Cursor::new(range.partition.clone(), range.from, range.until, found)];
    while !cursor[0].done && cursor[0].next <= range.from.max(0) {
        read_round(call, &mut cursor, isolation, &mut setbacks).await?;
    }
    let [Cursor { found, next, done, .. }] = cursor;
    let read = match found {
        Found::Piece { piece, .. } => Some(piece),
        Found::All(_) | Found::Last(_) | Found::Prints(_) => None,
    };
    // A batch may go on behind the stretch.
    let next = next.min(range.until.max(range.from));
    Ok(Piece { next, done, ..read.expect("it was made a piece above") })
}

/// What went wrong so far in one read, and what it costs.
struct Setbacks<'a> {
    patience: Patience<'a>,
    unknown_topic: u32,
    /// Bytes of records that are held.
    held: usize,
}

impl<'a> Setbacks<'a> {
    fn of(call: &Call<'a>) -> Self {
        Self { patience: call.patience(), unknown_topic: 0, held: 0 }
    }
}

/// One question to every leader; false when some of it has to be asked again.
async fn read_round(
    call: &Call<'_>,
    cursors: &mut [Cursor],
    isolation: Isolation,
    setbacks: &mut Setbacks<'_>,
) -> Result<bool, KafkaError> {
    let mut open: Vec<usize> = (0..cursors.len()).filter(|at| !cursors[*at].done).collect();
    // A broker serves the first partitions of a request first: those it left out come to the front.
    open.sort_by_key(|at| !cursors[*at].stuck);
    let partitions: Vec<TopicPartition> = open.iter().map(|at| cursors[*at].partition.clone()).collect();
    let answers = fetch_round(call, cursors, &open, isolation).await?;
    let index: HashMap<&TopicPartition, usize> = partitions.iter().zip(open.iter().copied()).collect();
    let held = &mut setbacks.held;
    let Some(error) = take_answers(call, cursors, &index, answers, isolation, held).await? else {
        return Ok(true);
    };
    call.router.leaders.forget(&partitions);
    // A topic that brokers do not know a moment later either is gone.
    setbacks.unknown_topic += u32::from(error.code() == Some(UNKNOWN_TOPIC_OR_PARTITION));
    if setbacks.unknown_topic > 3 || !setbacks.patience.wait().await {
        return Err(error);
    }
    Ok(false)
}

async fn fetch_round(
    call: &Call<'_>,
    cursors: &[Cursor],
    open: &[usize],
    isolation: Isolation,
) -> Result<Answers, KafkaError> {
    let wanted: Vec<&TopicPartition> = open.iter().map(|at| &cursors[*at].partition).collect();
    let by_partition: HashMap<&TopicPartition, &Cursor> =
        open.iter().map(|at| (&cursors[*at].partition, &cursors[*at])).collect();
    let grouped = call.by_leader(&wanted).await?;
    if let Some(tp) = grouped.leaderless.first() {
        // Never skipped: an unread partition must not look like an empty one.
        return Ok(vec![(-1, Err(call.no_leader(tp)))]);
    }
    let mut asks = Vec::new();
    for (node, led) in &grouped.led {
        for batch in led.chunks(BATCH) {
            let batch: Vec<&Cursor> = batch.iter().filter_map(|tp| by_partition.get(*tp).copied()).collect();
            asks.push(fetch_from(call, *node, batch, isolation));
        }
    }
    Ok(join_all(asks).await)
}

async fn fetch_from(
    call: &Call<'_>,
    node: i32,
    batch: Vec<&Cursor>,
    isolation: Isolation,
) -> (i32, Result<FetchResponse, KafkaError>) {
    let build = |_| {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for cursor in &batch {
            let partition = FetchPartition::default()
                .with_partition(cursor.partition.partition)
                .with_fetch_offset(cursor.next)
                .with_partition_max_bytes(cursor.most_bytes());
            match topics.last_mut() {
                Some(topic) if *topic.topic == *cursor.partition.topic.as_str() => {
                    topic.partitions.push(partition)
                }
                _ => topics.push(
                    FetchTopic::default()
                        .with_topic(topic_name(&cursor.partition.topic))
                        .with_partitions(vec![partition]),
                ),
            }
        }
        // No waiting for more, no fetch session.
        FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(0)
            .with_min_bytes(0)
            .with_max_bytes(REQUEST_BYTES)
            .with_isolation_level(i8::from(isolation == Isolation::ReadCommitted))
            .with_session_epoch(-1)
            .with_topics(topics)
    };
    let sent = call.send(Target::Node(node), Some(FETCH_CAP), build).await;
    (node, sent.map(|(answer, _)| answer))
}
