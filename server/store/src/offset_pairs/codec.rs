//! How offset pairs become bytes, and bytes offset pairs: upstream as what it moved since the pair before, downstream as what it
//! moved beyond that, which is next to nothing; columns packed by pco, behind a hash.

use std::iter::repeat_n;

use muster_domain::{
    offset_pairs::{BOUNDS, PartitionPairs, ReadPairs},
    survey::{OffsetPair, Rewind, UnreadableSyncs},
    topic::{ByPartition, TopicPartition},
};
use pco::DeltaSpec;

use crate::recorder::codec::{
    CodecError,
    bytes::{Reader, Writer, opened, sealed},
    pack, read_list, unpack, write_list,
};

/// The first bytes of every body: its format.
const MARK: &[u8; 4] = b"MOP1";

const ANEW: u32 = 1;
const WENT_BACK: u32 = 2;

/// Packs what a stretch says of its partitions.
pub(super) fn encode(read: &ReadPairs) -> Result<Vec<u8>, CodecError> {
    let mut topics: Vec<(&str, u32)> = Vec::new();
    let (mut numbers, mut flags, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    let (mut rewinds, mut firsts, mut steps, mut beyond) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (partition, known) in &read.partitions {
        match topics.last_mut() {
            Some((topic, count)) if *topic == partition.topic => *count += 1,
            Some(_) | None => topics.push((&partition.topic, 1)),
        }
        numbers.push(partition.partition.cast_unsigned());
        let went_back = if known.rewind.is_some() { WENT_BACK } else { 0 };
        flags.push(went_back | if known.anew { ANEW } else { 0 });
        lengths.push(u32::try_from(known.pairs.len()).unwrap_or(u32::MAX));
        rewinds.extend(known.rewind.iter().flat_map(|back| [back.from, back.to, back.downstream]));
        firsts.extend(known.pairs.first().iter().flat_map(|first| [first.upstream, first.downstream]));
        for two in known.pairs.windows(2) {
            let step = two[1].upstream.wrapping_sub(two[0].upstream);
            steps.push(step);
            beyond.push(two[1].downstream.wrapping_sub(two[0].downstream).wrapping_sub(step));
        }
    }
    let mut writer = Writer::default();
    writer.count(topics.len());
    topics.iter().for_each(|(topic, _)| writer.bytes(topic.as_bytes()));
    let of_topics: Vec<u32> = topics.iter().map(|(_, count)| *count).collect();
    for list in [&of_topics, &numbers, &flags, &lengths] {
        write_list(&mut writer, list)?;
    }
    for column in [&rewinds, &firsts, &steps, &beyond] {
        writer.bytes(&pack(column, DeltaSpec::NoOp)?);
    }
    Ok(sealed(MARK, &writer.into_bytes()))
}

/// Unpacks what the stretch between these offsets says.
pub(super) fn decode(body: &[u8], (from, until): (i64, i64)) -> Result<ReadPairs, CodecError> {
    let mut reader = Reader(opened(MARK, body).ok_or(CodecError::Foreign("the hash is another"))?);
    let count = reader.count()?;
    if count > BOUNDS.partitions {
        return Err(CodecError::Foreign("there are too many topics"));
    }
    let topics = (0..count).map(|_| {
        let name = std::str::from_utf8(reader.bytes()?);
        name.map_err(|_| CodecError::Foreign("a name that is no text"))
    });
    let topics: Vec<&str> = topics.collect::<Result<_, _>>()?;
    let mut list = || read_list(&mut reader, BOUNDS.partitions);
    let (of_topics, numbers, flags, lengths) = (list()?, list()?, list()?, list()?);
    let partitions: usize = of_topics.iter().map(|count| *count as usize).sum();
    let pairs: usize = lengths.iter().map(|length| *length as usize).sum();
    let as_many = |list: &[u32]| list.len() == partitions;
    if of_topics.len() != topics.len() || ![&numbers, &flags, &lengths].into_iter().all(|list| as_many(list))
    {
        return Err(CodecError::Foreign("lists are not of one length"));
    }
    if pairs > BOUNDS.pairs {
        return Err(CodecError::Foreign("there are too many pairs"));
    }
    let went_back = flags.iter().filter(|flags| **flags & WENT_BACK != 0).count();
    let filled = lengths.iter().filter(|length| **length > 0).count();
    let mut column = |count: usize| unpack::<i64>(reader.bytes()?, count);
    let mut columns = Columns {
        rewinds: column(3 * went_back)?.into_iter(),
        firsts: column(2 * filled)?.into_iter(),
        steps: column(pairs - filled)?.into_iter(),
        beyond: column(pairs - filled)?.into_iter(),
    };
    let names = topics.iter().zip(&of_topics).flat_map(|(topic, count)| repeat_n(*topic, *count as usize));
    let mut all = ByPartition::new();
    for ((topic, number), (flags, length)) in names.zip(&numbers).zip(flags.iter().zip(&lengths)) {
        let known = columns.take(*flags, *length).ok_or(CodecError::Foreign("it ends early"))?;
        all.insert(TopicPartition::new(topic, number.cast_signed()), known);
    }
    Ok(ReadPairs { partitions: all, until, ..ReadPairs::beginning_at(from, UnreadableSyncs::default()) })
}

/// What is left of the columns.
struct Columns {
    rewinds: std::vec::IntoIter<i64>,
    firsts: std::vec::IntoIter<i64>,
    steps: std::vec::IntoIter<i64>,
    beyond: std::vec::IntoIter<i64>,
}

impl Columns {
    fn take(&mut self, flags: u32, length: u32) -> Option<PartitionPairs> {
        let rewind = match flags & WENT_BACK {
            0 => None,
            _ => Some(Rewind {
                from: self.rewinds.next()?,
                to: self.rewinds.next()?,
                downstream: self.rewinds.next()?,
            }),
        };
        let mut pairs = Vec::with_capacity(length as usize);
        if length > 0 {
            pairs.push(OffsetPair { upstream: self.firsts.next()?, downstream: self.firsts.next()? });
        }
        while pairs.len() < length as usize {
            let (last, step) = (*pairs.last()?, self.steps.next()?);
            pairs.push(OffsetPair {
                upstream: last.upstream.wrapping_add(step),
                downstream: last.downstream.wrapping_add(step).wrapping_add(self.beyond.next()?),
            });
        }
        Some(PartitionPairs { anew: flags & ANEW != 0, rewind, pairs })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stretch(partitions: ByPartition<PartitionPairs>) -> ReadPairs {
        ReadPairs { partitions, until: 9, ..ReadPairs::beginning_at(5, UnreadableSyncs::default()) }
    }

    fn stretches() -> impl Strategy<Value = ReadPairs> {
        let pair = any::<(i64, i64)>().prop_map(|(upstream, downstream)| OffsetPair { upstream, downstream });
        let rewind =
            any::<(i64, i64, i64)>().prop_map(|(from, to, downstream)| Rewind { from, to, downstream });
        let known = (any::<bool>(), prop::option::of(rewind), prop::collection::vec(pair, 0..20))
            .prop_map(|(anew, rewind, pairs)| PartitionPairs { anew, rewind, pairs });
        let partition = ("[a-c.]{1,3}", 0..i32::MAX).prop_map(|(topic, n)| TopicPartition::new(topic, n));
        prop::collection::btree_map(partition, known, 0..9).prop_map(stretch)
    }

    proptest! {
        #[test]
        fn what_was_read_comes_back_and_what_is_cut_does_not(read in stretches(), cut in 1_usize..40) {
            let body = encode(&read).expect("packed");
            prop_assert_eq!(decode(&body, (5, 9)).expect("unpacked"), read);
            prop_assert!(decode(&body[..body.len().saturating_sub(cut)], (5, 9)).is_err());
        }

        #[test]
        fn foreign_bytes_are_an_error_or_something_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode(&bytes, (5, 9)).is_err());
            let _ = decode(&sealed(MARK, &bytes), (5, 9));
        }
    }

    /// Splitmix64: numbers like any.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Bytes a pair: of a hundred partitions with a thousand pairs each.
    fn bytes_a_pair(mut next: impl FnMut(OffsetPair) -> OffsetPair) -> f64 {
        let mut partitions = ByPartition::new();
        for number in 0..100 {
            let mut last = OffsetPair { upstream: 1_000_000, downstream: 900_000 };
            let mut pairs = Vec::new();
            for _ in 0..1000 {
                last = next(last);
                pairs.push(last);
            }
            partitions.insert(
                TopicPartition::new("orders.placed", number),
                PartitionPairs { pairs, ..Default::default() },
            );
        }
        let body = encode(&stretch(partitions)).expect("packed");
        f64::from(u32::try_from(body.len()).expect("small")) / 100_000.0
    }

    /// What OPERATING.md says of sizes.
    #[test]
    fn a_pair_takes_two_bytes_as_mirror_maker_writes_them_and_at_most_seventeen() {
        let mut state = 1;
        let usual = bytes_a_pair(|last| {
            let step = 100 + i64::try_from(random(&mut state) % 64).expect("small");
            let markers = i64::try_from(random(&mut state) % 4).expect("small");
            OffsetPair { upstream: last.upstream + step, downstream: last.downstream + step + markers }
        });
        let any = bytes_a_pair(|_| {
            let offset = |random: u64| (random >> 2).cast_signed();
            OffsetPair { upstream: offset(random(&mut state)), downstream: offset(random(&mut state)) }
        });
        println!("{usual:.2} bytes a pair as written by MirrorMaker 2, {any:.2} of any numbers");
        assert!(usual < 2.0, "{usual}");
        assert!(any < 17.5, "{any}");
    }
}
