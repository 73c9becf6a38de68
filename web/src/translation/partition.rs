//! One partition of a group, and what is said of a dead source.

use chrono::{DateTime, Utc};
use muster_domain::{
    proof::translation::{DeadSource, PartitionProof},
    reading::ReadingClass,
    translation::Method,
};

use crate::{
    format,
    parts::{Mark, Notice, Tone},
};

/// A row of the page.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) name: String,
    pub(super) position: String,
    pub(super) goes_on: String,
    pub(super) how: String,
    pub(super) verdict: Mark,
    pub(super) theirs: String,
}

impl Partition {
    pub(super) fn new(partition: &PartitionProof) -> Self {
        let (goes_on, how, verdict) = match partition.found {
            Some(found) => {
                let verdict = match found.class {
                    ReadingClass::Exact => {
                        Mark::new(Tone::Ok, exactly("exact", partition.as_of.map(|as_of| as_of.looked_at)))
                    }
                    ReadingClass::Tight
                    | ReadingClass::LowerBound
                    | ReadingClass::Stale
                    | ReadingClass::Unknown => Mark::new(
                        Tone::Warn,
                        format!("reads at most {} again", format::number(found.reprocessed_at_most)),
                    ),
                };
                let how = method(found.method, found.run);
                let how = if partition.back { format!("on the way back; {how}") } else { how };
                let how = format!("{how}{}", lost(partition));
                (format::number(found.target_offset), how, verdict)
            }
            None => ("nowhere".to_owned(), partition.because.clone(), Mark::new(Tone::Unk, "cannot be told")),
        };
        Self {
            name: partition.partition.to_string(),
            position: format::number(partition.position),
            goes_on,
            how,
            verdict,
            theirs: partition.mirrored.map_or_else(|| "none".to_owned(), format::number),
        }
    }
}

/// Of a dead source nothing is exact but as of a time.
pub(super) fn exactly(word: &str, as_of: Option<DateTime<Utc>>) -> String {
    as_of.map_or_else(|| word.to_owned(), |at| format!("{word} as of {}", format::time(at)))
}

/// What of the records behind a position of a dead source never arrived.
fn lost(partition: &PartitionProof) -> String {
    match partition.as_of.map(|as_of| as_of.lost_at_most) {
        None | Some(Some(0)) => String::new(),
        Some(None) => "; how many records behind it never arrived is not known".to_owned(),
        Some(Some(lost)) => {
            format!("; at most {} of the records behind it then never arrived", format::number(lost))
        }
    }
}

fn method(method: Method, run: usize) -> String {
    let how = match method {
        Method::Drained => "nothing is left to read",
        Method::Pair => "an offset sync names the record",
        Method::Linear => "between two offset syncs as far apart on both sides",
        Method::Rank => "counted from an offset sync, all records equal",
        Method::Content => "found by comparing records",
        Method::PairFloor => "the offset sync before it: records could not decide",
        Method::Ring => "by fingerprints kept from the source",
        Method::TimestampSearch => "looked for by its time, found by the records around it",
    };
    match run {
        0 => how.to_owned(),
        run => format!("{how}; {} from there on equal", format::count(run, "record")),
    }
}

/// What stands at the head of a proof whose source could not be read.
pub(super) fn dead(source: &DeadSource, from: &str) -> Notice {
    let DeadSource { silent_since, because, positions_at, syncs_at } = source;
    let lead = format!("{from} is not readable since {} UTC.", format::date_time(*silent_since));
    let rest = format!(
        "Positions of groups are as of {} UTC, {} before. They were found by fingerprints of records kept until then and by what \
         the other side holds. What a group read after that it reads again, and nobody knows how much that is.",
        format::date_time(*positions_at),
        format::seconds(source.age_seconds()),
    );
    let rest = match syncs_at {
        Some(at) => format!(
            "{rest} Where fingerprints decide nothing, offset syncs do that were read last at {} UTC: without those that came later a \
             position is early, never late.",
            format::date_time(*at)
        ),
        None => rest,
    };
    Notice::new(Tone::Bad, lead, rest).more(format!("What came back: {because}"))
}
