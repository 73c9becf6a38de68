//! Positions far before every sync of a flow that writes in transactions and copied late: brokers find its markers by their time, which
//! is later than that of everything it copied.

use std::ops::Range;

use muster_replication::translate::Translated;

use super::{far::found, *};

/// When transactions end: nothing was written as late.
const LATE: i64 = 1_000_000;
/// Records of a transaction.
const AT_ONCE: i64 = 50;

fn time(number: i64) -> i64 {
    1_000 + number / 3
}

impl Logs {
    fn exactly_once() -> Self {
        Self { exactly_once: true, ..Self::new() }
    }

    /// Copies records in transactions that end late.
    fn copy_late(&mut self, numbers: Range<i64>, time: impl Fn(i64) -> i64) {
        let mut state = self.world.lock();
        let last = numbers.end - 1;
        for number in numbers {
            let record = || Payload { timestamp: time(number), ..payload(number) };
            let offset =
                state.cluster_mut("A").log_mut(&at(0)).expect("the topic").append(record(), 0, false);
            let there = state.cluster_mut("B").log_mut(&at(0)).expect("the topic");
            self.copies.push((offset, there.append(record(), MIRROR, true)));
            if number % AT_ONCE == AT_ONCE - 1 || number == last {
                there.end_transaction_at(MIRROR, true, LATE);
            }
        }
    }

    /// Copies of records that a worker did not come to commit.
    fn give_up(&self, numbers: Range<i64>) {
        let mut state = self.world.lock();
        let there = state.cluster_mut("B").log_mut(&at(0)).expect("the topic");
        for number in numbers {
            there.append(Payload { timestamp: time(number), ..payload(number) }, MIRROR, true);
        }
        there.end_transaction_at(MIRROR, false, LATE);
    }

    /// Leaves out as many offsets on both sides, as compaction does.
    fn leave_out(&self, offsets: i64) {
        let mut state = self.world.lock();
        for name in ["A", "B"] {
            state.cluster_mut(name).log_mut(&at(0)).expect("the topic").leave_hole(offsets);
        }
    }

    /// Three thousand records, then what lies between, and three thousand more, of which one near the end has the only sync that is known.
    fn late_on_both_sides_of(between: impl FnOnce(&mut Self)) -> Self {
        let mut logs = Self::exactly_once();
        logs.copy_late(0..3_000, time);
        between(&mut logs);
        let behind = logs.copies.len() + 2_500;
        logs.copy_late(3_000..6_000, time);
        logs.leave_out(410_000);
        logs.pairs = vec![logs.pair(behind)];
        logs
    }
}

/// Nothing is said of it, and why.
async fn refused(logs: &Logs, nth: usize) -> NotTranslated {
    logs.at_record(nth).await.expect_err("nothing proves a position")
}

#[tokio::test]
async fn records_that_were_copied_late_are_found_however_far_behind_the_first_marker() {
    let logs = Logs::late_on_both_sides_of(|logs| logs.leave_out(400_000));
    // The broker names the first marker for everything but what stands before it.
    let first = logs.world.lock().cluster("B").log(&at(0)).expect("the topic").at_time(time(4_000));
    assert_eq!(first, AT_ONCE);
    for nth in [0, 1, 7, 49, 50, 777, 2_990, 3_008, 4_000, 5_499] {
        assert_eq!(logs.at_record(nth).await, Ok(found(&logs, nth)), "{nth}");
    }
    for nth in [2_999, 3_000] {
        let refused = refused(&logs, nth).await;
        assert!(matches!(refused, NotTranslated::TooFar { .. }), "next to the hole: {nth}: {refused:?}");
    }
}

#[tokio::test]
async fn copies_that_were_given_up_are_not_taken_for_the_records() {
    let logs = Logs::late_on_both_sides_of(|logs| {
        logs.leave_out(200_000);
        logs.give_up(3_000..3_900);
        logs.leave_out(200_000);
    });
    for nth in [777, 3_008, 3_500, 4_000] {
        assert_eq!(logs.at_record(nth).await, Ok(found(&logs, nth)), "{nth}");
    }
}

#[tokio::test]
async fn times_that_go_back_and_forth_leave_a_position_open_and_never_put_it_past_the_truth() {
    // Some records ahead of their time close to the position: they were read, and are known when they stand before it.
    let ahead = |number: i64| if number % 500 == 3 { time(number) + 2_000 } else { time(number) };
    let mut logs = Logs::exactly_once();
    logs.copy_late(0..3_000, time);
    logs.leave_out(400_000);
    logs.copy_late(3_000..6_000, ahead);
    logs.leave_out(410_000);
    logs.pairs = vec![logs.pair(5_500)];
    for nth in [777, 3_100, 4_000, 5_000] {
        assert_eq!(logs.at_record(nth).await, Ok(found(&logs, nth)), "{nth}");
    }
    // One far before it: from there on the position is further away than is compared.
    let mut logs = Logs::exactly_once();
    logs.copy_late(0..3_000, |number| if number == 1_000 { 5_000 } else { time(number) });
    logs.leave_out(400_000);
    logs.copy_late(3_000..6_000, time);
    logs.leave_out(410_000);
    logs.pairs = vec![logs.pair(5_500)];
    assert_eq!(logs.at_record(777).await, Ok(found(&logs, 777)));
    let refused = refused(&logs, 4_000).await;
    assert!(matches!(refused, NotTranslated::TooFar { .. }), "{refused:?}");
}

/// Half an hour of records is written once more, long after, with the times they had.
#[tokio::test]
async fn of_records_that_were_written_again_the_first_ones_count() {
    let mut logs = Logs::exactly_once();
    logs.copy_late(0..6_000, time);
    logs.leave_out(400_000);
    logs.copy_late(6_000..7_000, time);
    logs.copy_late(2_000..4_000, time);
    logs.copy_late(7_000..9_000, time);
    logs.leave_out(410_000);
    logs.pairs = vec![logs.pair(10_500)];
    for nth in [777, 2_000, 2_100, 3_000, 3_999, 6_500] {
        let position = logs.at_record(nth).await;
        let past = position.as_ref().is_ok_and(|mapping| mapping.target_offset > logs.copies[nth].1);
        assert!(!past, "{nth} at {} is put past it: {position:?}", logs.copies[nth].1);
    }
    assert_eq!(logs.at_record(3_000).await, Ok(found(&logs, 3_000)));
}

#[tokio::test]
async fn what_is_gone_from_the_target_is_not_found_behind_its_markers() {
    let logs = Logs::late_on_both_sides_of(|logs| logs.leave_out(400_000));
    let kept = logs.copies[5_000].1;
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").delete_below(kept);
    for nth in [777, 4_000] {
        let refused = refused(&logs, nth).await;
        assert!(matches!(refused, NotTranslated::TooFar { .. }), "{nth}: {refused:?}");
    }
    assert_eq!(logs.at_record(5_200).await, Ok(found(&logs, 5_200)));
    // Nothing but markers is left before the sync.
    let kept = logs.copies[5_499].1 + 1;
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").delete_below(kept);
    let refused = refused(&logs, 4_000).await;
    assert!(matches!(refused, NotTranslated::TooFar { .. }), "{refused:?}");
}

/// What is said of a group that reads the record next, where time is no bound.
async fn in_good_time(logs: &Logs, nth: usize) -> Result<Translated, NotTranslated> {
    let records = FlowRecords { deadline_ms: 600_000, ..logs.records() };
    logs.translate_by(records, &[(0, logs.copies[nth].0)]).await.remove(&at(0)).expect("asked")
}

#[tokio::test]
async fn how_far_is_read_behind_markers_is_bounded_and_said() {
    let mut logs = Logs::late_on_both_sides_of(|logs| logs.leave_out(12_000_000));
    assert_eq!(logs.at_record(777).await, Ok(found(&logs, 777)));
    let refused = in_good_time(&logs, 4_000).await.expect_err("it is further than is read");
    assert!(matches!(refused, NotTranslated::NotReached { read: 10_000_000, .. }), "{refused:?}");
    let said = refused.to_string();
    assert!(said.contains("10000000 offsets were read behind them"), "{said}");
    // A sync before it speaks.
    let first = logs.pair(0);
    logs.pairs.insert(0, first);
    let floor = in_good_time(&logs, 4_000).await.expect("a sync is before it").mapping;
    assert_eq!((floor.target_offset, floor.method), (logs.copies[0].1 + 1, Method::PairFloor));
}
