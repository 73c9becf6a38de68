use muster_domain::recorder::{Cells, Kind};
use proptest::prelude::*;

use super::*;

const PARENTS: &[Option<usize>] = &[None, Some(0), Some(1)];

/// Blocks that follow one another, tracks coming in on the way.
fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let value = prop_oneof![
        1 => Just(None),
        6 => (0_i64..1000).prop_map(Some),
        1 => any::<i64>().prop_map(Some)
    ];
    let cells = proptest::collection::vec(value, 3);
    let sample = (any::<i64>(), proptest::collection::vec(cells, 0..6));
    let block = proptest::collection::vec(sample, 0..5).prop_map(|samples| Block::of(3, &samples));
    proptest::collection::vec(block, 1..4)
}

proptest! {
    #[test]
    fn what_was_packed_comes_back(blocks in blocks()) {
        let (mut writing, mut reading) = (Chain::default(), Chain::default());
        for block in &blocks {
            let body = encode(block, PARENTS, &mut writing).unwrap();
            prop_assert_eq!(&decode(&body, PARENTS, &mut reading).unwrap(), block);
        }
        prop_assert_eq!(writing, reading);
    }

    #[test]
    fn bytes_that_are_cut_or_changed_are_refused(
        blocks in blocks(), at in any::<prop::sample::Index>(), bit in 0..8_u32
    ) {
        let body = encode(&blocks[0], PARENTS, &mut Chain::default()).unwrap();
        let cut = at.index(body.len());
        prop_assert!(decode(&body[..cut], PARENTS, &mut Chain::default()).is_err());
        let mut torn = body;
        torn[cut] ^= 1 << bit;
        prop_assert!(decode(&torn, PARENTS, &mut Chain::default()).is_err());
    }

    /// Whoever can make the hash right can write anything: an error, never a panic, and never more memory than a block.
    #[test]
    fn foreign_bytes_with_a_right_hash_never_panic(
        blocks in blocks(), noise in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 1..8)
    ) {
        let body = encode(&blocks[0], PARENTS, &mut Chain::default()).unwrap();
        let mut content = bytes::opened(MARK, &body).unwrap().to_vec();
        for (at, byte) in noise {
            let at = at.index(content.len());
            content[at] = byte;
        }
        let _ = decode(&bytes::sealed(MARK, &content), PARENTS, &mut Chain::default());
    }
}

#[test]
fn partitions_that_do_not_move_cost_nothing() {
    let still: Vec<Cells> = vec![vec![Some(1_000_000_000); 10]; 2000];
    let samples: Vec<_> = (0..60).map(|n| (n * 5000, still.clone())).collect();
    let mut chain = Chain::default();
    let parents = Kind::Partitions.parents();
    let first = encode(&Block::of(10, &samples[..1]), parents, &mut chain).unwrap();
    let rest = encode(&Block::of(10, &samples[1..]), parents, &mut chain).unwrap();
    assert!(rest.len() < 1000, "{} bytes after {}", rest.len(), first.len());
}

#[test]
fn another_shape_is_refused() {
    let body = encode(&Block::default(), &[], &mut Chain::default()).unwrap();
    assert!(decode(&body, PARENTS, &mut Chain::default()).is_err());
    let many = Block { at: vec![0], tracks: MOST_TRACKS + 1, columns: vec![vec![None; MOST_TRACKS + 1]] };
    assert!(encode(&many, &[None], &mut Chain::default()).is_err());
}
