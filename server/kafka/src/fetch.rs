//! Reading stretches of many partitions straight from their leaders: no group, no consumer start-up, no guessing where
//! control records and aborted data end.
//!
//! librdkafka is not used for reading: it starts in hundreds of milliseconds and its end-of-partition event does not
//! name the topic, so a read over many topics could not tell which of them is done.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::future::join_all;
use kafka_protocol::{
    messages::{
        BrokerId, FetchRequest, FetchResponse,
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::{AbortedTransaction, PartitionData},
    },
    protocol::StrBytes,
};
use muster_domain::topic::TopicPartition;

use crate::{
    admin::OffsetSpec,
    batches::{Batch, next_batch},
    broker_error::{
        OFFSET_NOT_AVAILABLE, OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, broker_error, leader_moved,
    },
    error::{KafkaError, KafkaErrorKind},
    mover::{Isolation, Piece, ReadRange, Record},
    offsets,
    patience::Patience,
    prints::{PrintRange, RecordPrint},
    routing::{Call, Target},
    topics::topic_name,
};

/// Versions above name topics by id.
const FETCH_CAP: i16 = 12;
const PARTITION_BYTES: i32 = 1 << 20;
/// A stretch this short needs a batch or two: a whole megabyte would be sent for some records and thrown away.
const SHORT: i64 = 64;
const SHORT_BYTES: i32 = 128 << 10;
const REQUEST_BYTES: i32 = 32 << 20;
/// Partitions per request.
const BATCH: usize = 500;
/// Bytes of records that one reading may hold.
const MOST_HELD: usize = 512 << 20;
/// Prints of one stretch that are enough for a round: one answer may hold very many small records, well packed.
const ENOUGH_PRINTS: usize = 200_000;

/// A stretch being read.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(crate) partition: TopicPartition,
    /// Next offset to read.
    next: i64,
    /// One past the last offset wanted.
    until: i64,
    /// First offset of the log, once known.
    pub(crate) log_start: Option<i64>,
    pub(crate) found: Found,
    stuck: bool,
    /// Where the leader's log ends now, below what was to be read.
    short: Option<i64>,
    done: bool,
}

/// What to keep of the visible records.
#[derive(Debug)]
pub(crate) enum Found {
    All(Vec<Record>),
    /// The last one only, or why what stands there cannot be read.
    Last(Option<Result<RecordPrint, String>>),
    /// Prints only; where it stands is told to the stretch after each round.
    Prints(Box<PrintRange>),
    /// Records of so many bytes at most, until the piece is full.
    Piece {
        piece: Piece,
        longest: usize,
    },
}

impl Cursor {
    /// From `from` inclusive to `until` exclusive.
    pub(crate) fn new(partition: TopicPartition, from: i64, until: i64, found: Found) -> Self {
        let from = from.max(0);
        Self {
            partition,
            next: from,
            until,
            log_start: None,
            found,
            stuck: false,
            short: None,
            done: from >= until,
        }
    }

    /// Goes on where a stretch was left.
    fn of_range(range: &PrintRange) -> Self {
        let (partition, stuck) = (range.partition.clone(), range.left_out);
        let found = Found::Prints(Box::new(range.rest()));
        Self { stuck, ..Self::new(partition, range.next, range.until, found) }
    }

    /// Most bytes of one answer. One that had no room for a batch is asked for with all.
    fn most_bytes(&self) -> i32 {
        if self.until - self.next <= SHORT && !self.stuck { SHORT_BYTES } else { PARTITION_BYTES }
    }

    /// What is visible ends here. A whole log was read only if it reaches what was to be read: a leader that was just
    /// elected may not know yet how far its log counts (its high watermark lags), and a log that was cut holds less than was
    /// seen of it. Neither may look like a log that was read to its end.
    fn ended(&mut self, high_watermark: i64) {
        self.done = self.until == ReadRange::TO_THE_END || high_watermark >= self.until;
        self.short = (!self.done).then_some(high_watermark);
    }

    /// What was answered cannot be read. Of those who want the last record it is the answer; to others it is an error.
    fn give_up(&mut self, why: String) -> Result<(), String> {
        match &mut self.found {
            Found::Last(last) => *last = Some(Err(why)),
            Found::All(_) | Found::Prints(_) | Found::Piece { .. } => return Err(why),
        }
        self.done = true;
        Ok(())
    }

    /// Everything below is read.
    fn go_to(&mut self, next: i64) {
        self.next = next;
        if let Found::Prints(range) = &mut self.found {
            range.next = next;
        }
    }

    /// Why the stretch could not be read to where it ends.
    fn shortage(&self, call: &Call<'_>, node: Option<i32>) -> Option<KafkaError> {
        let (ends, until) = (self.short?, self.until);
        let text =
            format!("its log ends at {ends}, and {until} was seen before: an election, or records were lost");
        let mut error =
            call.fail(node, broker_error(OFFSET_NOT_AVAILABLE, Some(&StrBytes::from_string(text))));
        error.call = format!("{} ({})", error.call, self.partition);
        Some(error)
    }

    /// Takes what of a batch is within the stretch; answers the bytes that are held for it from now on.
    fn keep(&mut self, batch: &Batch) -> Result<usize, String> {
        let (next, until) = (self.next, self.until);
        let wanted = |record: &Record| record.offset >= next && record.offset < until;
        match &mut self.found {
            Found::All(records) => {
                let before = records.len();
                records.extend(batch.records()?.into_iter().filter(wanted));
                let cost = |record: &Record| record.length() + size_of::<Record>();
                return Ok(records[before..].iter().map(cost).sum());
            }
            Found::Last(last) => {
                let read = batch.each_print(|print| {
                    if print.offset >= next && print.offset < until {
                        *last = Some(Ok(print));
                    }
                });
                // One that can be read may follow.
                if let Err(why) = read {
                    *last = Some(Err(batch.unreadable(&why)));
                }
            }
            Found::Prints(range) => batch.each_print(|print| range.keep(print))?,
            Found::Piece { piece, longest } => match batch.records() {
                Ok(records) => piece.take(records.into_iter().filter(wanted), *longest),
                Err(why) => piece.leave_out(batch.count().max(1), batch.unreadable(&why)),
            },
        }
        Ok(0)
    }

    /// Whether the rest of an answer is better asked for again.
    fn is_full(&self) -> bool {
        match &self.found {
            Found::All(_) | Found::Last(_) => false,
            Found::Prints(range) => range.prints.len() >= ENOUGH_PRINTS,
            Found::Piece { piece, .. } => piece.is_full(),
        }
    }
}

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

type Answers = Vec<(i32, Result<FetchResponse, KafkaError>)>;

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

/// Moves cursors on. Answers what a fresh look at the leaders may cure; anything worse is an error.
async fn take_answers(
    call: &Call<'_>,
    cursors: &mut [Cursor],
    index: &HashMap<&TopicPartition, usize>,
    answers: Answers,
    isolation: Isolation,
    held: &mut usize,
) -> Result<Option<KafkaError>, KafkaError> {
    let mut trouble = None;
    let mut out_of_range = Vec::new();
    for (node, answer) in answers {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.may_pass() && !matches!(error.kind, KafkaErrorKind::Timeout(_)) => {
                trouble = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        call.expect_ok(Some(node), answer.error_code, None)?;
        for topic in answer.responses {
            for data in topic.partitions {
                let tp = TopicPartition::new(topic.topic.as_str(), data.partition_index);
                let Some(at) = index.get(&tp).copied() else { continue };
                match data.error_code {
                    0 => {
                        if let Err(text) = advance(&mut cursors[at], data, isolation, held) {
                            cursors[at].give_up(text).map_err(|text| {
                                call.fail(Some(node), KafkaErrorKind::Protocol(format!("{tp}: {text}")))
                            })?;
                        }
                        trouble = cursors[at].shortage(call, Some(node)).or(trouble);
                    }
                    OFFSET_OUT_OF_RANGE => out_of_range.push(at),
                    code => {
                        let mut error = call.fail(Some(node), broker_error(code, None));
                        error.call = format!("{} ({tp})", error.call);
                        if !leader_moved(code) {
                            return Err(error);
                        }
                        trouble = Some(error);
                    }
                }
            }
        }
    }
    jump_to_start(call, cursors, &out_of_range).await?;
    let short = out_of_range.iter().find_map(|at| cursors[*at].shortage(call, None));
    Ok(trouble.or(short))
}

/// Takes what one partition answered: visible records, and how far that reading went.
fn advance(
    cursor: &mut Cursor,
    data: PartitionData,
    isolation: Isolation,
    held: &mut usize,
) -> Result<(), String> {
    let committed = isolation == Isolation::ReadCommitted;
    let end =
        if committed && data.last_stable_offset >= 0 { data.last_stable_offset } else { data.high_watermark };
    if data.log_start_offset >= 0 {
        cursor.log_start = Some(data.log_start_offset);
    }
    let mut aborted = Aborted::new(if committed { data.aborted_transactions.as_deref() } else { None });
    let mut bytes = data.records.unwrap_or_default();
    if let Found::Prints(range) = &mut cursor.found {
        range.bytes += bytes.len() as u64;
    }
    let before = cursor.next;
    while let Some(batch) = next_batch(&mut bytes)? {
        if batch.base_offset >= cursor.until {
            cursor.next = cursor.until;
            break;
        }
        let hidden = aborted.hides(&batch).map_err(|why| batch.unreadable(&why))?;
        if batch.last_offset >= cursor.next {
            if !hidden {
                let kept = cursor.keep(&batch).map_err(|why| batch.unreadable(&why))?;
                *held = held.saturating_add(kept);
                if *held > MOST_HELD {
                    return Err(format!("more than {} MiB of records are too many at once", MOST_HELD >> 20));
                }
            }
            cursor.go_to(batch.last_offset.saturating_add(1));
            if cursor.is_full() {
                break;
            }
        }
    }
    cursor.stuck = cursor.next == before;
    cursor.short = None;
    cursor.done = cursor.next >= cursor.until;
    if cursor.stuck && cursor.next >= end && !cursor.done {
        cursor.ended(data.high_watermark);
    }
    Ok(())
}

/// Which batches of a committed read are aborted data, as Kafka's own consumer decides it.
struct Aborted {
    /// By first offset.
    coming: BTreeMap<i64, Vec<i64>>,
    /// Producers whose transaction at this place of the log was aborted.
    current: HashSet<i64>,
}

impl Aborted {
    fn new(list: Option<&[AbortedTransaction]>) -> Self {
        let mut coming: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for one in list.unwrap_or_default() {
            coming.entry(one.first_offset).or_default().push(one.producer_id.0);
        }
        Self { coming, current: HashSet::new() }
    }

    /// Whether the batch shows no data: it is a marker, or its transaction was aborted.
    fn hides(&mut self, batch: &Batch) -> Result<bool, String> {
        while let Some(entry) = self.coming.first_entry()
            && *entry.key() <= batch.last_offset
        {
            self.current.extend(entry.remove());
        }
        if batch.is_control() {
            if self.current.contains(&batch.producer_id) && batch.is_abort_marker()? {
                self.current.remove(&batch.producer_id);
            }
            return Ok(true);
        }
        Ok(batch.is_transactional() && self.current.contains(&batch.producer_id))
    }
}

/// Retention passed the place to read from, or the place is beyond the end.
async fn jump_to_start(call: &Call<'_>, cursors: &mut [Cursor], which: &[usize]) -> Result<(), KafkaError> {
    if which.is_empty() {
        return Ok(());
    }
    let starts = {
        let partitions: Vec<&TopicPartition> = which.iter().map(|at| &cursors[*at].partition).collect();
        offsets::list_within(call, partitions, OffsetSpec::Start).await?
    };
    for at in which {
        let cursor = &mut cursors[*at];
        let Some(start) = starts.get(&cursor.partition) else { continue };
        let start = *start.as_ref().map_err(|error| (**error).clone())?;
        cursor.log_start = Some(start);
        cursor.short = None;
        cursor.done = start >= cursor.until;
        if cursor.next >= start && !cursor.done {
            // Not below the start means above the end, wherever that is: at most here.
            cursor.ended(cursor.next);
            continue;
        }
        if let Found::Prints(range) = &mut cursor.found {
            range.gone += (start.min(cursor.until) - cursor.next).max(0);
        }
        cursor.go_to(start);
    }
    Ok(())
}
