//! The last visible record of each partition, found backwards in growing steps.

use std::collections::BTreeMap;

use muster_domain::topic::TopicPartition;

use crate::{
    asking::routing::Call,
    error::{KafkaError, KafkaErrorKind},
    mover::{Isolation, TailRecord, Tails},
    records::fetch::{self, Cursor, Found},
};

/// The first step back: over a marker or two.
const FIRST_STEP: i64 = 10;
/// Each further step is that many times longer.
const GROWTH: i64 = 10;

/// The last visible record below `until` of each partition; `None` when there is none, and an error where the last that is there
/// cannot be read.
pub(crate) async fn find_tails(
    call: &Call<'_>,
    until: &BTreeMap<TopicPartition, i64>,
    isolation: Isolation,
) -> Result<Tails, KafkaError> {
    let mut tails = Tails::new();
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
                Found::Last(Some(Ok(print))) => {
                    tails.insert(cursor.partition, Ok(Some(TailRecord::from(print))));
                }
                Found::Last(Some(Err(why))) => {
                    let text = format!("{}: {why}", cursor.partition);
                    let error = call.fail(None, KafkaErrorKind::Protocol(text));
                    tails.insert(cursor.partition, Err(Box::new(error)));
                }
                Found::Last(None) | Found::All(_) | Found::Prints(_) | Found::Piece { .. }
                    if from <= cursor.log_start.unwrap_or_default() =>
                {
                    tails.insert(cursor.partition, Ok(None));
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
