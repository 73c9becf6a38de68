//! Reading and writing records, over control records and aborted data.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::topic::TopicPartition;

use super::{eventually, fresh_topic, records};
use crate::{
    admin::{ClusterAdmin, OffsetSpec},
    mover::{Isolation, ReadRange, Record, RecordMover},
    records::prints::PrintRange,
    share::{Dealt, WorkShare},
};

const WITHIN_MS: u64 = 10_000;
/// For what never comes.
const SHORTLY_MS: u64 = 500;

fn range(at: &TopicPartition, from: i64, until: i64) -> [ReadRange; 1] {
    [ReadRange { partition: at.clone(), from, until }]
}

/// What is written is what is read.
pub async fn mover(admin: &dyn ClusterAdmin, mover: &dyn RecordMover, prefix: &str) {
    let name = format!("{prefix}mover");
    fresh_topic(admin, &name, 2).await;
    let at = TopicPartition::new(&name, 1);
    let written = records(1_700_000_000_000, 6);
    assert_eq!(mover.write(&at, written.clone(), WITHIN_MS).await.unwrap(), [0, 1, 2, 3, 4, 5]);
    let read = async |from, until| {
        let read = mover.read(&range(&at, from, until), Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
        read.get(&at).cloned().unwrap_or_default()
    };
    let middle = read(1, 5).await;
    assert_eq!(middle.iter().map(|record| record.offset).collect::<Vec<_>>(), [1, 2, 3, 4]);
    for (got, put) in middle.iter().zip(&written[1..]) {
        assert_eq!((&got.key, &got.value, got.timestamp), (&put.key, &put.value, put.timestamp));
    }
    assert_eq!(read(4, ReadRange::TO_THE_END).await.len(), 2, "to the end of the log, no further");
    assert!(read(6, ReadRange::TO_THE_END).await.is_empty());
    for from in [4, 6, 50] {
        let reading = mover.read(&range(&at, from, 100), Isolation::ReadCommitted, SHORTLY_MS).await;
        assert_eq!(reading.unwrap_err().code(), Some(78), "from {from}: what is not there is not read");
    }
    let until = BTreeMap::from([(at.clone(), 100)]);
    let looking = mover.tails(&until, Isolation::ReadCommitted, SHORTLY_MS).await;
    assert_eq!(looking.unwrap_err().code(), Some(78), "the last record of what is not there");
    let one = read(2, 3).await;
    assert_eq!(one.len(), 1, "one record is read by its offset");
    assert_eq!((one[0].offset, &one[0].value, one[0].log_append_time), (2, &written[2].value, false));
    let [from] = range(&at, 1, 5);
    let mut prints = PrintRange::new(from);
    while !prints.done {
        mover.read_on(&mut [&mut prints], Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
    }
    assert_eq!(prints.prints, middle.iter().map(Record::print).collect::<Vec<_>>());
    pieces(mover, &at, &middle).await;
    let tail = async |until| {
        let until = BTreeMap::from([(at.clone(), until)]);
        let mut tails = mover.tails(&until, Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
        tails.remove(&at).unwrap().unwrap()
    };
    assert_eq!(tail(6).await.map(|tail| tail.offset), Some(5));
    let third = tail(3).await.unwrap();
    assert_eq!(
        (third.offset, third.fingerprint, third.timestamp),
        (2, middle[1].fingerprint(), middle[1].timestamp)
    );
    assert_eq!(tail(0).await, None);
    let absent = TopicPartition::new(format!("{prefix}absent"), 0);
    let reading = mover.read(&range(&absent, 0, 1), Isolation::ReadCommitted, WITHIN_MS).await;
    assert_eq!(reading.unwrap_err().code(), Some(3));
    let until = BTreeMap::from([(absent.clone(), 1)]);
    let looking = mover.tails(&until, Isolation::ReadCommitted, WITHIN_MS).await;
    assert_eq!(looking.unwrap_err().code(), Some(3));
    assert_eq!(
        mover.write(&absent, records(0, 1), WITHIN_MS).await.unwrap_err().code(),
        Some(3),
        "never created"
    );
    admin.delete_topic(&name).await.unwrap();
}

/// A stretch is read piece by piece; what is too long is left out and counted, and reading goes on behind it.
async fn pieces(mover: &dyn RecordMover, at: &TopicPartition, expected: &[Record]) {
    let longest = expected.iter().map(Record::length).max().unwrap();
    for longest in [longest, longest - 1] {
        let [mut range] = range(at, 1, 5);
        let (mut read, mut left_out) = (Vec::new(), 0);
        loop {
            let piece = mover.read_piece(&range, longest, Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
            assert!(piece.next > range.from && piece.next <= range.until, "{piece:?}");
            assert_eq!(piece.left_out == 0, piece.last_left_out.is_empty(), "{piece:?}");
            read.extend(piece.records);
            left_out += piece.left_out;
            range.from = piece.next;
            if piece.done {
                break;
            }
        }
        let fits: Vec<Record> =
            expected.iter().filter(|record| record.length() <= longest).cloned().collect();
        assert_eq!((left_out, &read), ((expected.len() - fits.len()) as u64, &fits));
    }
}

/// Where brokers write their own timestamps, every way of reading says so.
pub async fn own_time(admin: &dyn ClusterAdmin, mover: &dyn RecordMover, prefix: &str) {
    let name = format!("{prefix}own-time");
    fresh_topic(admin, &name, 1).await;
    let at = TopicPartition::new(&name, 0);
    let written = records(1_700_000_000_000, 2);
    mover.write(&at, written[..1].to_vec(), WITHIN_MS).await.unwrap();
    let own = BTreeMap::from([("message.timestamp.type".to_owned(), Some("LogAppendTime".to_owned()))]);
    admin.alter_topic_configs(&name, &own).await.unwrap();
    // A broker takes a config over a moment after it was accepted.
    let last = async || {
        mover.write(&at, written[1..].to_vec(), WITHIN_MS).await.unwrap();
        let read = mover.read(&range(&at, 0, i64::MAX), Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
        read[&at].clone()
    };
    eventually("the broker writes its own timestamps", async || {
        last().await.last().is_some_and(|record| record.log_append_time)
    })
    .await;
    let read = last().await;
    let (first, record) = (&read[0], read.last().unwrap());
    assert!(!first.log_append_time && first.timestamp == written[0].timestamp, "{first:?}");
    assert!(record.log_append_time && record.timestamp != written[1].timestamp, "{record:?}");
    let until = BTreeMap::from([(at.clone(), record.offset + 1)]);
    let mut tails = mover.tails(&until, Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
    let tail = tails.remove(&at).unwrap().unwrap().unwrap();
    assert!(tail.log_append_time && tail.timestamp == record.timestamp, "{tail:?}");
    let [all] = range(&at, 0, record.offset + 1);
    let mut prints = PrintRange::new(all);
    while !prints.done {
        mover.read_on(&mut [&mut prints], Isolation::ReadCommitted, WITHIN_MS).await.unwrap();
    }
    assert_eq!(prints.prints, read.iter().map(Record::print).collect::<Vec<_>>());
    let timeless = record.print().without_timestamp().fingerprint;
    let sent = Record { timestamp: written[1].timestamp, ..record.clone() }.print().without_timestamp();
    assert_eq!((timeless, tail.without_timestamp().fingerprint), (sent.fingerprint, sent.fingerprint));
    admin.delete_topic(&name).await.unwrap();
}

/// An open transaction on `at`: the caller wrote a plain record, then one in a transaction it left open.
pub async fn transactions(admin: &dyn ClusterAdmin, mover: &dyn RecordMover, at: &TopicPartition, id: &str) {
    let asked = [at.clone()];
    let offset = async |spec| *admin.offsets(&asked, spec).await.unwrap()[at].as_ref().unwrap();
    let open = async || {
        let open = admin.open_transactions().await.unwrap();
        open.into_iter().find(|open| open.transactional_id == id)
    };
    eventually("the transaction is listed", async || open().await.is_some()).await;
    let found = open().await.unwrap();
    assert_eq!((found.state.as_str(), found.partitions.as_slice()), ("Ongoing", asked.as_slice()));
    eventually("its record is there", async || offset(OffsetSpec::End).await == 2).await;
    assert_eq!(offset(OffsetSpec::Stable).await, 1, "an open transaction holds the last stable offset");
    let of_producer = async || {
        let producers = admin.producers(&asked).await.unwrap().remove(at).unwrap().unwrap();
        producers.into_iter().find(|producer| producer.producer_id == found.producer_id).unwrap()
    };
    let absent = TopicPartition::new(at.topic.clone(), i32::MAX);
    let some = admin.producers(&[at.clone(), absent.clone()]).await.unwrap();
    assert!(some[at].is_ok(), "another partition's error is not its own");
    assert_eq!(some[&absent].as_ref().unwrap_err().code(), Some(3));
    let state = of_producer().await;
    assert_eq!((state.open_transaction_start, state.ended_transaction), (Some(1), false));
    assert_eq!(admin.transactional_ids().await.unwrap().get(id), Some(&found.producer_id));
    let seen = async |isolation| {
        let read = mover.read(&range(at, 0, i64::MAX), isolation, WITHIN_MS).await.unwrap();
        read.get(at)
            .map(|records| records.iter().map(|record| record.offset).collect::<Vec<_>>())
            .unwrap_or_default()
    };
    assert_eq!(seen(Isolation::ReadUncommitted).await, [0, 1]);
    assert_eq!(seen(Isolation::ReadCommitted).await, [0]);

    admin.abort_transaction(id).await.unwrap();
    assert!(open().await.is_none());
    eventually("the marker is there", async || offset(OffsetSpec::End).await == 3).await;
    eventually("nothing holds it back", async || offset(OffsetSpec::Stable).await == 3).await;
    let state = of_producer().await;
    assert_eq!((state.open_transaction_start, state.ended_transaction), (None, true));
    assert!(
        admin.transactional_ids().await.unwrap().contains_key(id),
        "it is remembered when nothing is open"
    );
    assert_eq!(seen(Isolation::ReadUncommitted).await, [0, 1]);
    assert_eq!(seen(Isolation::ReadCommitted).await, [0]);
    // What was aborted is there for who reads everything; where the marker stands, nothing is.
    for (offset, isolation, there) in [
        (1, Isolation::ReadUncommitted, true),
        (1, Isolation::ReadCommitted, false),
        (2, Isolation::ReadUncommitted, false),
    ] {
        let read = mover.read(&range(at, offset, offset + 1), isolation, WITHIN_MS).await.unwrap();
        assert_eq!(read.get(at).is_some_and(|read| !read.is_empty()), there, "{offset} {isolation:?}");
    }
    let until = BTreeMap::from([(at.clone(), 3)]);
    for (isolation, expected) in [(Isolation::ReadCommitted, 0), (Isolation::ReadUncommitted, 1)] {
        let tails = mover.tails(&until, isolation, WITHIN_MS).await.unwrap();
        let tail = tails[at].as_ref().unwrap();
        assert_eq!(tail.as_ref().map(|tail| tail.offset), Some(expected), "{isolation:?}");
    }
}

/// Members of a group that only shares work are dealt every partition, each to one of them; who leaves gives its own to the
/// others, and nothing is committed.
pub async fn share(admin: &dyn ClusterAdmin, mover: &dyn RecordMover, prefix: &str) {
    let (name, group) = (format!("{prefix}shared"), format!("{prefix}workers"));
    fresh_topic(admin, &name, 4).await;
    let join = async || mover.share(&group, std::slice::from_ref(&name)).await.unwrap();
    let mine = |member: &dyn WorkShare| match &*member.dealt().borrow() {
        Dealt::Mine(mine) => mine.clone(),
        Dealt::Waiting | Dealt::Refused(_) => BTreeSet::new(),
    };
    let one = join().await;
    eventually("the first member is dealt everything", async || mine(&*one).len() == 4).await;
    let two = join().await;
    eventually("each of two members is dealt a half", async || {
        let (one, two) = (mine(&*one), mine(&*two));
        one.len() == 2 && two.len() == 2 && one.is_disjoint(&two)
    })
    .await;
    drop(one);
    eventually("the member that is left is dealt everything", async || mine(&*two).len() == 4).await;
    let committed = admin.group_offsets(std::slice::from_ref(&group), false).await.unwrap();
    assert!(committed.values().all(BTreeMap::is_empty), "{committed:?}");
}
