//! What leaders answer: cursors are moved on by it, or it is said why they are not.

use std::collections::HashMap;

use kafka_protocol::messages::{FetchResponse, fetch_response::PartitionData};
use muster_domain::topic::TopicPartition;

use super::{
    aborted::Aborted,
    cursor::{Cursor, Found},
};
use crate::{
    admin::OffsetSpec,
    asking::routing::Call,
    broker_error::{OFFSET_OUT_OF_RANGE, broker_error, leader_moved},
    error::{KafkaError, KafkaErrorKind},
    mover::Isolation,
    records::batches::next_batch,
    verbs::offsets,
};

/// Bytes of records that one reading may hold.
const MOST_HELD: usize = 512 << 20;

/// By the leader that was asked; -1 where none is known.
pub(super) type Answers = Vec<(i32, Result<FetchResponse, KafkaError>)>;

/// Moves cursors on. Answers what a fresh look at the leaders may cure; anything worse is an error.
pub(super) async fn take_answers(
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
            range.jump(start);
        }
        cursor.go_to(start);
    }
    Ok(())
}
