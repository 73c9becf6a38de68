//! How rings become bytes, and bytes rings: whole numbers as often as not in one or two bytes, fingerprints as they are.

use muster_domain::{
    survey::OffsetPair,
    translation::{Kept, Rings, Run, SyncsAround, Visible},
};

/// The first byte: its format.
const FORMAT: u8 = 1;

const HAS_SYNCS: u8 = 1;
const HAS_NEXT: u8 = 2;
const RESTARTED: u8 = 4;

/// Packs the rings of a partition.
pub(super) fn encode(rings: &Rings) -> Vec<u8> {
    let mut to = vec![FORMAT, u8::from(rings.keeps_all)];
    put(&mut to, rings.source_end);
    put(&mut to, rings.target_end);
    put(&mut to, length(rings.runs.len()));
    for Run { from, until, prints } in &rings.runs {
        put(&mut to, *from);
        put(&mut to, until.wrapping_sub(*from));
        put(&mut to, length(prints.len()));
        let mut last = *from;
        for Visible { offset, fingerprint } in prints {
            put(&mut to, offset.wrapping_sub(last));
            to.extend(fingerprint.to_le_bytes());
            last = *offset;
        }
    }
    put(&mut to, length(rings.positions.len()));
    for Kept { position, syncs } in &rings.positions {
        put(&mut to, *position);
        put_syncs(&mut to, *position, *syncs);
    }
    to
}

fn put_syncs(to: &mut Vec<u8>, position: i64, syncs: Option<SyncsAround>) {
    let Some(SyncsAround { before, after, restarted }) = syncs else {
        to.push(0);
        return;
    };
    let next = if after.is_some() { HAS_NEXT } else { 0 };
    to.push(HAS_SYNCS | next | if restarted { RESTARTED } else { 0 });
    put(to, before.upstream.wrapping_sub(position));
    put(to, before.downstream);
    if let Some(after) = after {
        put(to, after.upstream.wrapping_sub(before.upstream));
        put(to, after.downstream.wrapping_sub(before.downstream));
    }
}

/// Unpacks them; `None` for bytes that are none.
pub(super) fn decode(bytes: &[u8]) -> Option<Rings> {
    let mut from = bytes;
    if take_byte(&mut from)? != FORMAT {
        return None;
    }
    let keeps_all = match take_byte(&mut from)? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let (source_end, target_end) = (take(&mut from)?, take(&mut from)?);
    let mut rings = Rings { source_end, target_end, keeps_all, runs: Vec::new(), positions: Vec::new() };
    for _ in 0..take(&mut from)? {
        rings.runs.push(take_run(&mut from)?);
    }
    for _ in 0..take(&mut from)? {
        let position = take(&mut from)?;
        rings.positions.push(Kept { position, syncs: take_syncs(&mut from, position)? });
    }
    from.is_empty().then_some(rings)
}

fn take_run(bytes: &mut &[u8]) -> Option<Run> {
    let from = take(bytes)?;
    let until = from.wrapping_add(take(bytes)?);
    let (count, mut last) = (take(bytes)?, from);
    let mut prints = Vec::new();
    for _ in 0..count {
        last = last.wrapping_add(take(bytes)?);
        let (fingerprint, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        prints.push(Visible { offset: last, fingerprint: u64::from_le_bytes(*fingerprint) });
    }
    Some(Run { from, until, prints })
}

/// The outer `None` is for bytes that are none.
#[expect(clippy::option_option, reason = "the one is a fault, the other a value")]
fn take_syncs(bytes: &mut &[u8], position: i64) -> Option<Option<SyncsAround>> {
    let flags = take_byte(bytes)?;
    match flags {
        0 => return Some(None),
        flags if flags & HAS_SYNCS == 0 || flags > (HAS_SYNCS | HAS_NEXT | RESTARTED) => return None,
        _ => {}
    }
    let before = OffsetPair { upstream: position.wrapping_add(take(bytes)?), downstream: take(bytes)? };
    let after = match flags & HAS_NEXT {
        0 => None,
        _ => Some(OffsetPair {
            upstream: before.upstream.wrapping_add(take(bytes)?),
            downstream: before.downstream.wrapping_add(take(bytes)?),
        }),
    };
    Some(Some(SyncsAround { before, after, restarted: flags & RESTARTED != 0 }))
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Seven bits a byte, the lowest first; small negative numbers are short, too.
fn put(to: &mut Vec<u8>, value: i64) {
    let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while left >= 0x80 {
        to.push(u8::try_from(left & 0x7f).unwrap_or_default() | 0x80);
        left >>= 7;
    }
    to.push(u8::try_from(left).unwrap_or_default());
}

fn take(from: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take_byte(from)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

fn take_byte(from: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = from.split_first()?;
    *from = rest;
    Some(*byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair() -> impl Strategy<Value = OffsetPair> {
        any::<(i64, i64)>().prop_map(|(upstream, downstream)| OffsetPair { upstream, downstream })
    }

    fn rings() -> impl Strategy<Value = Rings> {
        let print = any::<(i64, u64)>().prop_map(|(offset, fingerprint)| Visible { offset, fingerprint });
        let run = (any::<(i64, i64)>(), prop::collection::vec(print, 0..20))
            .prop_map(|((from, until), prints)| Run { from, until, prints });
        let syncs = (pair(), prop::option::of(pair()), any::<bool>())
            .prop_map(|(before, after, restarted)| SyncsAround { before, after, restarted });
        let kept =
            (any::<i64>(), prop::option::of(syncs)).prop_map(|(position, syncs)| Kept { position, syncs });
        let all = (prop::collection::vec(run, 0..4), prop::collection::vec(kept, 0..4));
        (any::<(i64, i64, bool)>(), all).prop_map(
            |((source_end, target_end, keeps_all), (runs, positions))| Rings {
                source_end,
                target_end,
                keeps_all,
                runs,
                positions,
            },
        )
    }

    proptest! {
        #[test]
        fn what_was_kept_comes_back_and_what_is_cut_does_not(rings in rings(), cut in 1usize..30) {
            let bytes = encode(&rings);
            prop_assert_eq!(decode(&bytes), Some(rings));
            prop_assert_eq!(decode(&bytes[..bytes.len().saturating_sub(cut)]), None);
        }

        #[test]
        fn foreign_bytes_are_refused_or_something_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let _ = decode(&[&[FORMAT, 1], bytes.as_slice()].concat());
        }
    }

    #[test]
    fn the_ring_of_one_position_near_a_million_takes_about_a_hundred_and_seventy_bytes() {
        let print = |offset: i64| Visible { offset, fingerprint: 0xdead_beef_dead_beef };
        let run = Run { from: 999_992, until: 1_000_008, prints: (999_992..1_000_008).map(print).collect() };
        let before = OffsetPair { upstream: 999_950, downstream: 400_000 };
        let syncs = Some(SyncsAround { before, after: None, restarted: false });
        let positions = vec![Kept { position: 1_000_000, syncs }];
        let rings =
            Rings { source_end: 1_000_100, target_end: 400_100, keeps_all: true, runs: vec![run], positions };
        let bytes = encode(&rings).len();
        assert!((160..180).contains(&bytes), "{bytes}");
    }
}
