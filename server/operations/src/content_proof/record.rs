//! Reading one record that a proof cites again, to show it. Only reads, and keeps nothing of what it read.

use std::time::Duration;

use muster_domain::{
    pair::Side,
    payload::{RawRecord, ShownRecord, TimestampType},
    proof::content::{Cited, Look, Place, PrintNow},
};
use muster_kafka::{Isolation, KafkaError, OffsetSpec, ReadRange, Record};

use crate::clients::PairClients;

/// Bound of the whole look, in milliseconds: the answer to a browser must begin within 30 s.
const WITHIN_MS: u64 = 10_000;
/// The broker knows no such topic or partition.
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// Looks for a record at one of its places, on that side of the pair.
pub async fn look_for(clients: &PairClients, side: Side, cited: &Cited, place: &Place) -> Look {
    let looking = look(clients, side, cited, place);
    match tokio::time::timeout(Duration::from_millis(WITHIN_MS), looking).await {
        Ok(Ok(look)) => look,
        Ok(Err(error)) if error.code() == Some(UNKNOWN_TOPIC_OR_PARTITION) => {
            Look::Gone { because: format!("{} is not there any more", place.partition) }
        }
        Ok(Err(error)) => Look::Unreadable { because: error.to_string() },
        Err(_) => Look::Unreadable { because: format!("no answer within {} s", WITHIN_MS / 1000) },
    }
}

async fn look(clients: &PairClients, side: Side, cited: &Cited, place: &Place) -> Result<Look, KafkaError> {
    // Nothing is believed of a cluster that has another id.
    let found = clients.admin.get(side).describe_cluster().await?.cluster_id;
    let expected = &clients.clusters.get(side).expected_cluster_id;
    if expected.as_ref().is_some_and(|expected| *expected != found) {
        let because = format!("another cluster answers there, with the id `{found}`");
        return Ok(Look::Unreadable { because });
    }
    let bounds = bounds(clients, side, place).await?;
    if bounds.1.is_some_and(|end| end <= place.offset) {
        return Ok(why_gone(bounds, place));
    }
    // What consumers of committed records see comes first; a flow may copy what they do not.
    for (isolation, committed) in [(Isolation::ReadCommitted, true), (Isolation::ReadUncommitted, false)] {
        if let Some(record) = read(clients, side, place, isolation).await? {
            return Ok(judge(&record, committed, cited, place));
        }
    }
    Ok(why_gone(bounds, place))
}

async fn read(
    clients: &PairClients,
    side: Side,
    place: &Place,
    isolation: Isolation,
) -> Result<Option<Record>, KafkaError> {
    let until = place.offset.saturating_add(1);
    let range = ReadRange { partition: place.partition.clone(), from: place.offset, until };
    let mut read = clients.mover.get(side).read(&[range], isolation, WITHIN_MS).await?;
    Ok(read.remove(&place.partition).and_then(|records| records.into_iter().next()))
}

fn judge(record: &Record, committed: bool, cited: &Cited, place: &Place) -> Look {
    let print = record.print();
    let now = PrintNow {
        key_hash: print.key.map(|key| format!("{key:016x}")),
        timestamp: print.timestamp,
        bytes: print.bytes,
    };
    if let Some(because) = cited.told_apart(place.side, &now) {
        return Look::Another { because: because.to_owned() };
    }
    let raw = RawRecord {
        timestamp: record.timestamp,
        timestamp_type: match record.log_append_time {
            true => TimestampType::LogAppendTime,
            false => TimestampType::CreateTime,
        },
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect(),
    };
    Look::Shown { record: Box::new(ShownRecord::of(&raw)), committed }
}

/// Where the partition begins and ends now.
async fn bounds(clients: &PairClients, side: Side, place: &Place) -> Result<Bounds, KafkaError> {
    let asked = [place.partition.clone()];
    let admin = clients.admin.get(side);
    let of = async |spec| -> Result<Option<i64>, KafkaError> {
        match admin.offsets(&asked, spec).await?.remove(&place.partition) {
            Some(Ok(offset)) => Ok(Some(offset)),
            Some(Err(error)) => Err(*error),
            None => Ok(None),
        }
    };
    Ok((of(OffsetSpec::Start).await?, of(OffsetSpec::End).await?))
}

type Bounds = (Option<i64>, Option<i64>);

/// What became of an offset that shows no record.
fn why_gone((start, end): Bounds, place: &Place) -> Look {
    let because = match (start, end) {
        (Some(start), _) if start > place.offset => {
            format!("the partition begins at {start} now: retention removed it, or somebody deleted records")
        }
        (_, Some(end)) if end <= place.offset => {
            format!(
                "the partition ends at {end} now: the topic was made anew, or the end of its log was lost"
            )
        }
        _ => "no record stands there now: compaction removed it, or the topic was made anew".to_owned(),
    };
    Look::Gone { because }
}
