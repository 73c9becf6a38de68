use std::time::{Duration, Instant};

use super::*;

fn print(offset: i64, fingerprint: u64, key: u64) -> RecordPrint {
    let key = Some(key);
    RecordPrint { offset, timestamp: 0, log_append_time: false, fingerprint, key, bytes: 9, tombstone: false }
}

/// One by one these are more than 100,000,000,000 comparisons, which no machine does in a minute.
#[test]
fn of_a_key_with_very_many_nobody_looks_at_each_to_say_that_another_does_not_wait() {
    let mut waiting = Waiting::of(true);
    let before = Instant::now();
    for n in 0..100_000_u32 {
        assert_eq!(waiting.put(print(n.into(), n.into(), 1), false, false), 0);
    }
    for n in 0..1_000_000_u32 {
        let other = print(n.into(), 1_000_000 + u64::from(n), 1);
        assert!(!waiting.holds(&other) && waiting.take(&other).is_none());
    }
    assert!(before.elapsed() < Duration::from_secs(60), "{:?}", before.elapsed());
    assert!(waiting.holds(&print(7, 7, 1)) && waiting.take(&print(7, 7, 1)).is_some());
    assert!(!waiting.holds(&print(7, 7, 1)));
}

proptest::proptest! {
    /// Against a list of those that wait.
    #[test]
    fn what_waits_is_known_whatever_came_and_went(
        steps in proptest::collection::vec((0u8..5, 0u64..4, 0u64..3, proptest::bool::ANY), 0..60),
    ) {
        let mut waiting = Waiting::of(true);
        let mut list: Vec<(RecordPrint, bool)> = Vec::new();
        for (offset, (what, like, key, doubtful)) in (0..).zip(steps) {
            let one = print(offset, 10 * key + like, key);
            match what {
                0 | 1 => {
                    waiting.put(one, doubtful, false);
                    list.push((one, doubtful));
                }
                2 => {
                    let at = list.iter().position(|(print, _)| print.fingerprint == one.fingerprint);
                    let expected = at.map(|at| list.remove(at).0.offset);
                    assert_eq!(waiting.take(&one).map(|waited| waited.print.offset), expected);
                }
                3 => {
                    let held = list.len();
                    list.retain(|(print, doubtful)| print.key != one.key || *doubtful);
                    assert_eq!(waiting.settle(one.key), (held - list.len()) as u64);
                }
                _ => {
                    let (held, below) = (list.len(), offset / 2);
                    list.retain(|(print, _)| print.key != one.key || print.offset >= below);
                    assert_eq!(waiting.settle_before(one.key, below), (held - list.len()) as u64);
                }
            }
            for fingerprint in 0..24 {
                let waits = list.iter().any(|(print, _)| print.fingerprint == fingerprint);
                assert_eq!(waiting.holds(&print(0, fingerprint, fingerprint / 10)), waits, "{fingerprint}");
            }
            assert_eq!(waiting.is_empty(), list.is_empty());
        }
        let (lost, undecided) = waiting.end();
        assert_eq!((lost.len() as u64 + undecided, waiting.is_empty()), (list.len() as u64, true));
        assert!((0..24).all(|fingerprint| !waiting.holds(&print(0, fingerprint, fingerprint / 10))));
    }
}
