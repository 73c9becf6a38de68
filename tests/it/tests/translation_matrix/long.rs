//! A log that is longer than may be compared, of which the newest offset syncs alone are known, as whoever begins to read their topic
//! when it was compacted knows no others. Groups far before them are found by their time and by what stands around them, also where all
//! that has their time at the broker's are markers of transactions, written when everything was copied late.

use anyhow::{Context as _, Result, ensure};
use muster_domain::{
    pair::Side,
    reading::ReadingClass,
    renaming::Renaming,
    survey::{ConnectorRole, OffsetPair},
    topic::{ByPartition, TopicPartition},
    translation::Method,
};
use muster_kafka::{Isolation, OffsetSpec};
use muster_replication::{
    FlowRecords,
    translate::{Translator, translate_group},
};

use crate::stage::{A_TO_B, Copied, WITHIN_MS};

/// More than are compared one by one.
const RECORDS: i64 = 330_000;
/// What is compared from the first record of a time on. Positions further than that behind the first marker of their time are found only
/// by reading on from there.
const COMPARED: i64 = 300_000;
/// Records that are behind every sync that is known.
const BEHIND: i64 = 1_000;
/// Syncs that are known.
const KNOWN: usize = 2;

pub(crate) async fn cell(flow: &Copied, exactly_once: bool) -> Result<()> {
    let at = TopicPartition::new("orders.matrix-long", 0);
    flow.create(Side::A, &at.topic, 1, &[]).await?;
    // Copied late, so that the markers on the target are all later than what was written.
    flow.flow().stop(ConnectorRole::Source, WITHIN_MS).await?;
    flow.write(&at, 0, RECORDS).await?;
    flow.flow().resume(ConnectorRole::Source, WITHIN_MS).await?;
    flow.all_copied(std::slice::from_ref(&at)).await?;
    let (here, there) = (flow.log(Side::A, &at).await?, flow.log(Side::B, &at).await?);
    let pairs = flow.flow().offset_pairs(std::slice::from_ref(&at)).await?.remove(&at).unwrap_or_default();
    // Where the log ends too few records stand behind a position to know its copy by.
    let pairs: Vec<OffsetPair> = pairs.into_iter().filter(|pair| pair.upstream < RECORDS - BEHIND).collect();
    let known: Vec<OffsetPair> = pairs[pairs.len().saturating_sub(KNOWN)..].to_vec();
    let oldest = known.first().context("the flow made syncs")?.upstream;
    ensure!(oldest > RECORDS / 2, "of {} syncs the newest are {known:?}", pairs.len());
    let clients = &flow.clients;
    let isolation = if exactly_once { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
    let known = ByPartition::from([(at.clone(), known)]);
    let translator = Translator {
        flow: clients.pair.flow(A_TO_B).context("a flow from west")?,
        renaming: &Renaming::default(),
        records: FlowRecords {
            source: &*clients.mover.a,
            target: &*clients.mover.b,
            isolation,
            deadline_ms: WITHIN_MS,
        },
        source: &*clients.admin.a,
        target: &*clients.admin.b,
        pairs: &known,
        exactly_once,
        target_until: None,
    };
    if exactly_once {
        let (record, time) = here.times.range(oldest - 1_000..).next().context("it has records")?;
        let first = flow.offsets(Side::B, std::slice::from_ref(&at), OffsetSpec::AtTime(*time)).await?;
        let first = *first.get(&at).context("it was asked for")?;
        println!("long: of the time of {record} the target has {first} first, of {}", there.end);
        ensure!(first >= 0 && first + COMPARED < *record, "a marker far before {record}, not {first}");
    }
    for position in [0, 1, 7, 777, oldest / 4, oldest / 2, oldest - 1_000, oldest - 1] {
        let group = ByPartition::from([(at.clone(), position)]);
        let found = translate_group(&translator, &group).await?.remove(&at).context("asked")?;
        let found = found.with_context(|| format!("a group at {position}, before {oldest}"))?;
        println!("long: {position} of {} is {:?} of {}", here.end, found.mapping, there.end);
        here.skips_nothing(position, &there, found.mapping.target_offset)?;
        let next = here.records.range(position..).next().context("it has not read all")?.1;
        let copy = there.records.get(&found.mapping.target_offset);
        ensure!(copy == Some(next), "a group at {position} is given another record: {found:?}");
        ensure!(found.mapping.method == Method::TimestampSearch && found.run == 5, "{found:?}");
        ensure!(found.mapping.class == ReadingClass::Exact, "{found:?}");
    }
    Ok(())
}
