//! Batches that no broker should hand out: they end neither the process nor the reading of what stands behind them.

use std::{collections::BTreeMap, io::Write};

use bytes::Bytes;
use kafka_protocol::messages::{
    FetchResponse, RequestKind, ResponseKind,
    fetch_request::FetchPartition,
    fetch_response::{FetchableTopicResponse, PartitionData},
};
use muster_domain::{cluster::ClusterSecrets, topic::TopicPartition};
use muster_kafka::{
    ClientOptions, Isolation, KafkaErrorKind, KafkaMover, PrintRange, ReadRange, RecordMover, every_tail,
    synthetic::{Brokers, Reply, World},
};

const WITHIN_MS: u64 = 20_000;

/// One record without key, value and headers, that many offsets behind its batch's first.
fn record(delta: u8) -> Vec<u8> {
    vec![12, 0, 0, delta * 2, 1, 1, 0]
}

/// A number as records have it.
fn varint(value: usize) -> Vec<u8> {
    let mut value = value as u64 * 2;
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A record whose key is that many zeros, without a value.
fn long_key(zeros: usize) -> Vec<u8> {
    let length = varint(zeros);
    let mut record = varint(5 + length.len() + zeros);
    record.extend([0, 0, 0]);
    record.extend(length);
    record.resize(record.len() + zeros, 0);
    record.extend([1, 0]);
    record
}

/// A record whose value is that many zeros.
fn long_record(zeros: usize) -> Vec<u8> {
    let length = varint(zeros);
    let mut record = varint(5 + length.len() + zeros);
    record.extend([0, 0, 0, 1]);
    record.extend(length);
    record.resize(record.len() + zeros, 0);
    record.push(0);
    record
}

fn batch(offset: i64, attributes: i16, count: i32, records: &[u8]) -> Vec<u8> {
    let mut data = offset.to_be_bytes().to_vec();
    data.extend(i32::try_from(49 + records.len()).unwrap().to_be_bytes());
    data.extend([0, 0, 0, 0, 2, 0, 0, 0, 0]);
    data.extend(attributes.to_be_bytes());
    data.extend((count - 1).to_be_bytes());
    data.extend([0; 30]);
    data.extend(count.to_be_bytes());
    data.extend(records);
    data
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn at() -> TopicPartition {
    TopicPartition::new("t0", 0)
}

fn range(from: i64, until: i64) -> ReadRange {
    ReadRange { partition: at(), from, until }
}

/// Batches of a log, each with its last offset.
type Log = Vec<(i64, Vec<u8>)>;

/// One broker whose log of `t0-0` is these batches.
async fn broker(log: Log) -> (Brokers, KafkaMover) {
    broker_of(vec![log]).await
}

/// One broker that has a log for each partition of `t0`.
async fn broker_of(logs: Vec<Log>) -> (Brokers, KafkaMover) {
    let leaders = vec![0; logs.len()];
    let script = move |_: i32, request: &RequestKind, _: i16| match request {
        RequestKind::Fetch(request) => {
            let answer = |asked: &FetchPartition| {
                let log = &logs[usize::try_from(asked.partition).unwrap()];
                let end = log.last().unwrap().0 + 1;
                let rest = log.iter().filter(|(last, _)| *last >= asked.fetch_offset);
                let records: Vec<u8> = rest.flat_map(|(_, batch)| batch.clone()).collect();
                PartitionData::default()
                    .with_partition_index(asked.partition)
                    .with_high_watermark(end)
                    .with_last_stable_offset(end)
                    .with_records(Some(Bytes::from(records)))
            };
            let topic = FetchableTopicResponse::default()
                .with_topic(request.topics[0].topic.clone())
                .with_partitions(request.topics[0].partitions.iter().map(answer).collect());
            Reply::with(ResponseKind::Fetch(FetchResponse::default().with_responses(vec![topic])))
        }
        _ => Reply::Usual,
    };
    let brokers = Brokers::start(1, World::default().with_topic("t0", &leaders).with_script(script)).await;
    let mover = KafkaMover::new(&brokers.cluster(), &ClusterSecrets::default(), ClientOptions::default());
    (brokers, mover)
}

/// Two records, a bomb of two that would be 70 MiB, and one record behind it.
fn with_a_bomb() -> Log {
    let bomb = gzip(&long_record(70 << 20));
    assert!(bomb.len() < 1 << 20, "{} bytes are no bomb", bomb.len());
    let two = [record(0), record(1)].concat();
    vec![(1, batch(0, 0, 2, &two)), (3, batch(2, 1, 2, &bomb)), (4, batch(4, 0, 1, &record(0)))]
}

#[tokio::test]
async fn a_bomb_is_named_by_its_offsets_and_what_stands_around_it_is_read() {
    let (_brokers, mover) = broker(with_a_bomb()).await;
    let bomb = "t0-0: the batch at offsets 2 to 3 cannot be read: records that do not decompress: they unpack to more than 64 MiB";
    let expected = KafkaErrorKind::Protocol(bomb.to_owned());
    let all = mover.read(&[range(0, 5)], Isolation::ReadCommitted, WITHIN_MS).await;
    assert_eq!(all.unwrap_err().kind, expected);
    let behind = mover.read(&[range(4, 5)], Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
    assert_eq!(behind[&at()].iter().map(|record| record.offset).collect::<Vec<_>>(), [4]);
    let mut prints = PrintRange::new(range(0, 5));
    let read_on = mover.read_on(&mut [&mut prints], Isolation::ReadCommitted, WITHIN_MS).await;
    assert_eq!(read_on.unwrap_err().kind, expected);
    assert!(prints.prints.is_empty() && prints.next == 0 && !prints.done, "as it was: {prints:?}");
    let tail = async |until| {
        let until = BTreeMap::from([(at(), until)]);
        let mut tails = mover.tails(&until, Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
        tails.remove(&at()).unwrap().map(|tail| tail.unwrap().offset).map_err(|error| error.kind)
    };
    assert_eq!(tail(2).await, Ok(1));
    assert_eq!(tail(4).await, Err(expected));
    assert_eq!(tail(5).await, Ok(4), "what stands behind it is the last one");
}

#[tokio::test]
async fn a_bomb_at_the_end_of_one_partition_leaves_the_last_records_of_others_to_be_found() {
    let mut ends_with_it = with_a_bomb();
    ends_with_it.pop();
    let other = vec![(0, batch(0, 0, 1, &record(0)))];
    let (_brokers, mover) = broker_of(vec![ends_with_it, other]).await;
    let until = BTreeMap::from([(at(), 4), (TopicPartition::new("t0", 1), 1)]);
    let tails = mover.tails(&until, Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
    let other = tails[&TopicPartition::new("t0", 1)].as_ref().unwrap();
    assert_eq!(other.as_ref().map(|tail| tail.offset), Some(0));
    let error = tails[&at()].as_ref().unwrap_err().to_string();
    assert!(error.contains("t0-0: the batch at offsets 2 to 3 cannot be read"), "{error}");
    let every = every_tail(tails).unwrap_err().to_string();
    assert_eq!(every, error, "who needs every one of them is told which is missing");
}

#[tokio::test]
async fn reading_in_pieces_goes_on_behind_a_bomb_and_counts_what_it_left_out() {
    let (_brokers, mover) = broker(with_a_bomb()).await;
    let piece = mover.read_piece(&range(0, 5), 1_000, Isolation::ReadUncommitted, WITHIN_MS).await.unwrap();
    assert_eq!(piece.records.iter().map(|record| record.offset).collect::<Vec<_>>(), [0, 1, 4]);
    assert_eq!((piece.next, piece.done, piece.left_out), (5, true, 2));
    assert!(piece.last_left_out.starts_with("the batch at offsets 2 to 3 cannot be read"), "{piece:?}");
}

#[tokio::test]
async fn a_key_of_a_megabyte_is_read_printed_and_where_it_is_too_long_left_out() {
    const LONG: usize = 1 << 20;
    let log = [record(0), long_key(LONG), record(0)];
    let log = (0..).zip(log).map(|(offset, record)| (offset, batch(offset, 0, 1, &record))).collect();
    let (_brokers, mover) = broker(log).await;
    let all = mover.read(&[range(0, 3)], Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
    let lengths: Vec<_> =
        all[&at()].iter().map(|record| (record.offset, record.key.as_ref().map(Bytes::len))).collect();
    assert_eq!(lengths, [(0, None), (1, Some(LONG)), (2, None)]);
    let mut prints = PrintRange::new(range(0, 3));
    while !prints.done {
        mover.read_on(&mut [&mut prints], Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
    }
    let whole: Vec<_> = all[&at()].iter().map(muster_kafka::Record::print).collect();
    assert_eq!(prints.prints, whole, "what is compared of it is what it is");
    assert!(whole[1].key.is_some() && whole[1].bytes as usize > LONG && whole[1].tombstone, "{:?}", whole[1]);
    let tails = mover.tails(&BTreeMap::from([(at(), 2)]), Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
    assert_eq!(tails[&at()].as_ref().unwrap().as_ref().map(|tail| tail.offset), Some(1));
    let piece = mover.read_piece(&range(0, 3), 1_000, Isolation::ReadUncommitted, WITHIN_MS).await.unwrap();
    assert_eq!(piece.records.iter().map(|record| record.offset).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(
        (piece.left_out, piece.last_left_out.as_str()),
        (1, "the record at offset 1 is 1048576 bytes long")
    );
}

/// A megabyte of an answer may unpack to a gigabyte of records that are each no bomb: a piece ends in between.
#[tokio::test]
async fn a_piece_is_full_before_a_well_packed_answer_ends() {
    let packed = gzip(&long_record(5 << 20));
    let batches = (0..6).map(|offset| (offset, batch(offset, 1, 1, &packed))).collect();
    let (_brokers, mover) = broker(batches).await;
    let mut from = 0;
    for next in [2, 4, 6] {
        let piece =
            mover.read_piece(&range(from, 6), 1_000, Isolation::ReadUncommitted, WITHIN_MS).await.unwrap();
        assert_eq!((piece.next, piece.done, piece.left_out), (next, next == 6, 2));
        assert_eq!(
            piece.last_left_out,
            format!("the record at offset {} is 5242880 bytes long", next - 1),
            "nothing of it is held"
        );
        assert!(piece.records.is_empty());
        from = next;
    }
}
