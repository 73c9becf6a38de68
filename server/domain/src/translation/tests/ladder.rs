//! The pairs MirrorMaker 2 keeps in memory.

use super::*;

#[test]
fn the_ladder_keeps_few_pairs_and_loses_precision_with_distance() {
    let mut ladder = Mm2Ladder::new();
    (0..=20_000).for_each(|n| ladder.push(pair(n * 101, n * 101)));
    let kept = ladder.pairs().len();
    assert!((12..=24).contains(&kept), "{kept} pairs");
    let head = 20_000 * 101;
    for behind in [1_000, 10_000, 100_000] {
        let given = ladder.translate(head - behind).expect("within the ladder");
        let again = head - behind - given;
        assert!((0..=2 * behind).contains(&again), "{behind} behind: {again} read again");
    }
    assert_eq!(ladder.translate(head), Some(head));
    assert_eq!(Mm2Ladder::new().translate(5), None);
}

#[test]
fn the_ladder_forgets_everything_when_the_source_goes_back() {
    let mut ladder = Mm2Ladder::new();
    [pair(10, 10), pair(500, 400), pair(50, 500)].into_iter().for_each(|p| ladder.push(p));
    assert_eq!((ladder.pairs(), ladder.translate(20)), (vec![pair(50, 500)], None));
}
