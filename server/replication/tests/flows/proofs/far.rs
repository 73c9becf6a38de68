//! Positions with more between them and every sync than may be compared, and how much is held of what is.

use std::ops::Range;

use muster_domain::translation::Mapping;

use super::{payloads::PrintsOnly, *};

impl Logs {
    /// Copies records one by one, and leaves out as many offsets behind them on both sides.
    fn copy(&mut self, numbers: Range<i64>, time: impl Fn(i64) -> i64, hole: i64) {
        let mut state = self.world.lock();
        for number in numbers {
            let record = || Payload { timestamp: time(number), ..payload(number) };
            let offset =
                state.cluster_mut("A").log_mut(&at(0)).expect("the topic").append(record(), 0, false);
            let copy = state.cluster_mut("B").log_mut(&at(0)).expect("the topic").append(record(), 0, false);
            self.copies.push((offset, copy));
        }
        for name in ["A", "B"] {
            state.cluster_mut(name).log_mut(&at(0)).expect("the topic").leave_hole(hole);
        }
    }

    /// The sync of a record.
    pub(super) fn pair(&self, nth: usize) -> OffsetPair {
        let (upstream, downstream) = self.copies[nth];
        OffsetPair { upstream, downstream }
    }

    /// A group that reads the record next.
    pub(super) async fn at_record(&self, nth: usize) -> Result<Mapping, NotTranslated> {
        let found = self.translate(&[(0, self.copies[nth].0)]).await.remove(&at(0)).expect("asked")?;
        let is_found = found.mapping.method == Method::TimestampSearch;
        assert!(!is_found || found.run == 5, "{found:?}");
        Ok(found.mapping)
    }
}

/// What is true of the record when it was found by time.
pub(super) fn found(logs: &Logs, nth: usize) -> Mapping {
    Mapping {
        target_offset: logs.copies[nth].1,
        class: ReadingClass::Exact,
        method: Method::TimestampSearch,
        reprocessed_at_most: 0,
    }
}

#[tokio::test]
async fn groups_far_before_every_sync_are_found_by_their_time_and_what_stands_around_them() {
    let mut logs = Logs::new();
    let time = |number: i64| 1_000 + number / 3;
    logs.copy(0..3_000, time, 400_000);
    logs.copy(3_000..6_000, time, 410_000);
    logs.pairs = vec![logs.pair(5_500)];
    for nth in [0, 1, 7, 777, 2_990, 3_008, 4_000, 5_499] {
        assert_eq!(logs.at_record(nth).await, Ok(found(&logs, nth)), "{nth}");
    }
    // Next to the hole there are not enough records on one side.
    for nth in [2_999, 3_000] {
        let refused = logs.at_record(nth).await;
        assert!(matches!(refused, Err(NotTranslated::TooFar { records: 816_000 })), "{nth}: {refused:?}");
    }
    // The same between two syncs that are as far apart; where it decides nothing the one before it speaks.
    logs.pairs = vec![logs.pair(0), logs.pair(3_000), logs.pair(5_500)];
    assert_eq!(logs.at_record(777).await, Ok(found(&logs, 777)));
    let floor = logs.at_record(2_999).await.expect("a sync is before it");
    assert_eq!((floor.target_offset, floor.method), (1, Method::PairFloor));
    // Without any sync behind them nobody knows that the flow had caught up.
    logs.pairs.clear();
    assert!(matches!(logs.at_record(777).await, Err(NotTranslated::TooFar { .. })));
}

#[tokio::test]
async fn a_target_that_writes_its_own_time_is_not_asked_by_time() {
    let mut logs = Logs::new();
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").write_own_time(true);
    let time = |number: i64| 1_000 + number / 3;
    logs.copy(0..3_000, time, 400_000);
    logs.copy(3_000..6_000, time, 0);
    logs.pairs = vec![logs.pair(5_500)];
    let before = logs.world.calls();
    let refused = logs.at_record(777).await;
    assert!(matches!(refused, Err(NotTranslated::TooFar { .. })), "{refused:?}");
    assert_eq!(logs.world.calls(), before, "and changes nothing");
    // It did so for a while only.
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").write_own_time(false);
    logs.copy(6_000..6_100, time, 0);
    let refused = logs.at_record(777).await;
    assert!(matches!(refused, Err(NotTranslated::TooFar { .. })), "{refused:?}");
}

#[tokio::test]
async fn where_all_records_are_of_one_time_what_is_far_from_the_first_of_them_is_not_found() {
    let mut logs = Logs::new();
    logs.copy(0..3_000, |_| 5, 400_000);
    logs.copy(3_000..6_000, |_| 5, 0);
    logs.pairs = vec![logs.pair(5_500)];
    assert_eq!(logs.at_record(777).await, Ok(found(&logs, 777)));
    let refused = logs.at_record(4_000).await;
    assert!(matches!(refused, Err(NotTranslated::TooFar { .. })), "{refused:?}");
}

/// Six groups, each between two syncs that are a quarter of a million offsets apart.
#[tokio::test]
async fn what_is_compared_is_held_a_part_at_a_time() {
    let mut logs = Logs::new();
    for block in 0..7 {
        logs.copy(block * 20..block * 20 + 20, |number| 1_000 + number, 250_000);
        let pair = logs.pair(usize::try_from(block * 20).expect("small"));
        logs.pairs.push(pair);
    }
    let (_, _, source, target) = &logs.clients;
    let (source, target) = (PrintsOnly::of(source), PrintsOnly::of(target));
    let records = FlowRecords { source: &source, target: &target, ..logs.records() };
    let groups: BTreeMap<String, ByPartition<i64>> = (0..6)
        .map(|block| (format!("g{block}"), ByPartition::from([(at(0), logs.copies[block * 20 + 10].0)])))
        .collect();
    let found = logs.translate_groups(records, &groups).await;
    for block in 0..6 {
        let position = found[&format!("g{block}")][&at(0)].as_ref().expect("comparable");
        assert_eq!(position.mapping.target_offset, logs.copies[block * 20 + 10].1, "{block}: {position:?}");
    }
    for most in [source.most_at_once(), target.most_at_once()] {
        assert!((250_000..=1_000_000).contains(&most), "{most}");
    }
}
