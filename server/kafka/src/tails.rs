//! The last visible record of each partition, found backwards in growing steps.

use std::collections::BTreeMap;

use muster_domain::topic::TopicPartition;

use crate::{
    error::KafkaError,
    fetch::{self, Cursor, Found},
    mover::{Isolation, TailRecord},
    routing::Call,
};

/// The first step back: over a marker or two.
const FIRST_STEP: i64 = 10;
/// Each further step is that many times longer.
const GROWTH: i64 = 10;

/// The last visible record below `until` of each partition; `None` when there is none.
pub(crate) async fn find_tails(
    call: &Call<'_>,
    until: &BTreeMap<TopicPartition, i64>,
    isolation: Isolation,
) -> Result<BTreeMap<TopicPartition, Option<TailRecord>>, KafkaError> {
    let mut tails = BTreeMap::new();
    let mut open: Vec<(TopicPartition, i64)> = until.iter().map(|(tp, until)| (tp.clone(), *until)).collect();
    let mut step = FIRST_STEP;
    while !open.is_empty() {
        let stretch = |(tp, until): (TopicPartition, i64)| {
            let from = until.saturating_sub(step).max(0);
            (from, Cursor::new(tp, from, until, Found::Last(None)))
        };
        let (begins, mut cursors): (Vec<i64>, Vec<Cursor>) = open.drain(..).map(stretch).unzip();
        fetch::read_to_end(call, &mut cursors, isolation).await?;
        for (from, cursor) in begins.into_iter().zip(cursors) {
            match cursor.found {
                Found::Last(Some(print)) => {
                    tails.insert(cursor.partition, Some(TailRecord::from(print)));
                }
                Found::Last(None) | Found::All(_) | Found::Prints(_) | Found::Piece { .. }
                    if from <= cursor.log_start.unwrap_or_default() =>
                {
                    tails.insert(cursor.partition, None);
                }
                // What was read needs no second look.
                Found::Last(None) | Found::All(_) | Found::Prints(_) | Found::Piece { .. } => {
                    open.push((cursor.partition, from));
                }
            }
        }
        step = step.saturating_mul(GROWTH);
    }
    Ok(tails)
}
