//! Positions translated by records and offset syncs: what the files beside this one share.

mod exact;
mod ladder;
mod properties;
mod repeating;

use super::*;

fn pair(upstream: i64, downstream: i64) -> OffsetPair {
    OffsetPair { upstream, downstream }
}

/// `(offset, content)` of each record.
fn log(records: &[(i64, u64)]) -> Vec<Visible> {
    records.iter().map(|&(offset, fingerprint)| Visible { offset, fingerprint }).collect()
}

/// Of one position alone.
pub(super) fn translate<'a>(
    g: i64,
    syncs: impl Into<AllSyncs<'a>>,
    source: &[Visible],
    target: &[Visible],
    target_end: i64,
) -> Result<Mapping, Untranslatable> {
    Lifetimes::of(syncs.into(), target_end).translate(g, source, target)
}

/// Of one position alone.
fn windows<'a>(g: i64, syncs: impl Into<AllSyncs<'a>>, target_end: i64) -> Windows {
    Lifetimes::of(syncs.into(), target_end).windows(g)
}
