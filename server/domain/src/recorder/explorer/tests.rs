//! The course of some partitions at some moments: percentiles, gaps, classes, hours, frames; what the files beside this one share.

mod in_time;
mod kept;
mod rpo;
mod strips;

use chrono::TimeDelta;
use uuid::Uuid;

use super::*;
use crate::recorder::{Block, Cells, Column, class_number, hours_of};

use ReadingClass::{Exact, LowerBound, Stale, Tight, Unknown};

/// A full hour.
const BEGIN: i64 = 1_760_000_400_000;

/// A partition at a survey: its end, what has arrived, how sure that is. `None`: it was not there.
type Seen = Option<(Option<i64>, Option<i64>, ReadingClass)>;

/// Some partitions at some moments, so many seconds apart.
fn block(first: i64, seconds: i64, moments: &[Vec<Seen>]) -> Block {
    let cells = |seen: &Seen| -> Cells {
        let mut cells = vec![None; Column::COUNT];
        if let Some((end, through, class)) = *seen {
            for column in [Column::End, Column::Stable, Column::Reach] {
                cells[column as usize] = end;
            }
            cells[Column::Start as usize] = Some(0);
            cells[Column::Through as usize] = through;
            // The copy holds nothing, so half of the source's offsets are surely missing.
            cells[Column::Target as usize] = Some(0);
            cells[Column::Class as usize] = Some(class_number(class));
        }
        cells
    };
    let samples: Vec<(i64, Vec<Cells>)> = (0..)
        .zip(moments)
        .map(|(number, seen)| (first + number * seconds * 1000, seen.iter().map(cells).collect()))
        .collect();
    Block::of(Column::COUNT, &samples)
}

/// Of an end at 1000, so many behind.
fn behind(records: i64) -> Seen {
    Some((Some(1000), Some(999 - records), Exact))
}

const DEAD: Seen = Some((None, Some(900), Unknown));

fn tracks(count: usize) -> Vec<Track> {
    (0..count)
        .map(|slot| Track { slot, topic: "orders".into(), partition: slot as i32, keeps_all: true })
        .collect()
}

fn after(seconds: i64) -> DateTime<Utc> {
    time(BEGIN + seconds * 1000)
}

fn worst_three() -> Wanted {
    Wanted::worst(RowsOf::Partitions, 3)
}

/// What is made of one block, in stretches of so many seconds.
fn course(block: &Block, seconds: i64, width: i64) -> Course {
    let frame =
        Frame::new(after(0), after(seconds), usize::try_from(seconds / width).unwrap(), Resolution::Survey);
    let mut explorer = Explorer::new(frame, worst_three());
    let mut chunk = explorer.chunk(tracks(block.tracks));
    chunk.add_block(block);
    chunk.done();
    explorer.finish(after(seconds))
}

#[test]
fn percentiles_are_over_partitions_each_at_its_worst() {
    let moments: Vec<Vec<Seen>> =
        vec![(0..100).map(behind).collect(), (0..100).map(|n| behind(99 - n)).collect()];
    let found = course(&block(BEGIN, 5, &moments), 10, 10);
    let records = found.items[0].records;
    // Each of them was 50 or more behind at one of the two moments.
    assert_eq!(
        (records.p50, records.p90, records.p99, records.worst),
        (Some(74), Some(94), Some(99), Some(99))
    );
    assert_eq!((records.class, records.known_class), (Exact, Some(Exact)));
    assert_eq!(found.items[0].total_records, Some(4950), "at one moment, not each at its worst");
    assert_eq!(found.gaps, []);
}

#[test]
fn an_unknown_partition_ranks_above_all_and_is_named() {
    let mut seen: Vec<Seen> = (0..9).map(behind).collect();
    seen.push(DEAD);
    let found = course(&block(BEGIN, 5, &[seen]), 5, 5);
    let records = found.items[0].records;
    assert_eq!((records.p50, records.p90, records.p99, records.worst), (Some(4), Some(8), None, None));
    assert_eq!((records.class, records.known_class), (Unknown, Some(Exact)));
    assert_eq!(found.items[0].total_records, None);
    assert_eq!(found.items[0].rpo, Some(RpoSpan::default()), "and nothing bounds what a death would cost");
    let gap = Gap { from: after(0), to: after(5), why: Why::SourceNotRead, unknown: 1, partitions: 10 };
    assert_eq!(found.gaps, [gap]);
}

#[test]
fn a_source_that_does_not_answer_leaves_a_gap_and_no_zero() {
    let at = |seen: Seen| vec![seen];
    let moments = [behind(0), behind(2), DEAD, DEAD, behind(1)].map(at);
    let found = course(&block(BEGIN, 5, &moments), 25, 5);
    let worst: Vec<Option<i64>> = found.items.iter().map(|item| item.records.worst).collect();
    assert_eq!(worst, [Some(0), Some(2), None, None, Some(1)]);
    let gap = Gap { from: after(10), to: after(20), why: Why::SourceNotRead, unknown: 1, partitions: 1 };
    assert_eq!(found.gaps, [gap]);
    assert!(found.items[2].records.p50.is_none() && found.items[2].ms.unwrap().worst.is_none());
}

#[test]
fn time_that_nobody_looked_is_a_gap_too() {
    let mut explorer = Explorer::new(Frame::new(after(0), after(600), 60, Resolution::Survey), worst_three());
    let mut chunk = explorer.chunk(tracks(1));
    chunk.add_block(&block(BEGIN + 60_000, 5, &vec![vec![behind(0)]; 12]));
    chunk.add_block(&block(BEGIN + 300_000, 5, &vec![vec![behind(0)]; 12]));
    chunk.done();
    let found = explorer.finish(after(500));
    let gap =
        |from, to| Gap { from: after(from), to: after(to), why: Why::NotRecorded, unknown: 0, partitions: 0 };
    assert_eq!(found.gaps, [gap(0, 60), gap(115, 300), gap(355, 500)], "and none of what is still ahead");
    assert_eq!(
        Explorer::new(Frame::new(after(0), after(60), 6, Resolution::Survey), worst_three())
            .finish(after(60))
            .gaps,
        [gap(0, 60)]
    );
}

#[test]
fn a_surveys_class_is_kept_and_time_behind_is_never_exact() {
    let seen = |class| Some((Some(1000), Some(990), class));
    let moments = [vec![behind(0)], vec![seen(LowerBound)], vec![seen(Stale)]];
    let found = course(&block(BEGIN, 5, &moments), 15, 5);
    let classes: Vec<_> =
        found.items.iter().map(|item| (item.records.class, item.ms.map(|ms| ms.class))).collect();
    assert_eq!(classes, [(Exact, Some(Exact)), (LowerBound, Some(Unknown)), (Stale, Some(Unknown))]);
    // The end was where the target is at no kept sample: since when is not known.
    assert_eq!(found.items[1].ms.unwrap().worst, None);
}

#[test]
fn a_block_that_is_kept_twice_counts_once() {
    let kept = block(BEGIN, 5, &[vec![behind(3)], vec![behind(4)]]);
    let mut explorer = Explorer::new(Frame::new(after(0), after(10), 1, Resolution::Survey), worst_three());
    let mut chunk = explorer.chunk(tracks(1));
    chunk.add_block(&kept);
    chunk.add_block(&kept);
    chunk.done();
    assert_eq!(explorer.finish(after(10)), course(&kept, 10, 10));
}

#[test]
fn chunks_together_are_as_one() {
    let moments = [[behind(3), behind(7), DEAD], [behind(1), behind(30), behind(2)]];
    let whole = course(&block(BEGIN, 5, &moments.map(Vec::from)), 10, 5);
    let mut explorer = Explorer::new(Frame::new(after(0), after(10), 2, Resolution::Survey), worst_three());
    for number in 0..3 {
        let mut chunk = explorer.chunk(vec![Track { partition: number as i32, ..tracks(1).remove(0) }]);
        chunk.add_block(&block(BEGIN, 5, &moments.map(|moment| vec![moment[number]])));
        chunk.done();
    }
    assert_eq!(explorer.finish(after(10)), whole);
}

#[test]
fn hours_have_their_worst_and_the_one_that_is_missing_is_a_gap() {
    let frame = Frame::new(after(600), after(5 * 3600), 100, Resolution::Hour);
    assert_eq!((frame.from, frame.width, frame.count), (BEGIN, 3_600_000, 5), "whole hours");
    let mut explorer = Explorer::new(frame, worst_three());
    let mut chunk = explorer.chunk(tracks(2));
    for (hour, seen) in [(0, [behind(3), behind(9)]), (1, [behind(4), DEAD]), (3, [behind(0), behind(0)])] {
        let block = block(BEGIN + hour * 3_600_000, 5, &[Vec::from(seen)]);
        chunk.add_hour(after(hour * 3600), &hours_of(&block, 0), None);
    }
    chunk.done();
    let found = explorer.finish(after(5 * 3600));
    let worst: Vec<_> = found.items.iter().map(|item| (item.records.p50, item.records.worst)).collect();
    assert_eq!(worst, [(Some(3), Some(9)), (Some(4), None), (Some(0), Some(0))]);
    assert!(found.items.iter().all(|item| item.ms.is_none() && item.rpo.is_none()), "which are not kept");
    let gaps: Vec<_> = found.gaps.iter().map(|gap| (gap.from, gap.to, gap.why)).collect();
    assert_eq!(
        gaps,
        [
            (after(3600), after(2 * 3600), Why::InTheHour),
            (after(2 * 3600), after(3 * 3600), Why::NotRecorded),
            (after(4 * 3600), after(5 * 3600), Why::NotRecorded),
        ]
    );
}

#[test]
fn frames_cover_what_is_asked_about() {
    let frame = Frame::new(after(0), after(3_600), 240, Resolution::Survey);
    assert_eq!((frame.width, frame.count), (15_000, 240));
    let index = |seconds: i64| frame.index(BEGIN + seconds * 1000);
    assert_eq!(
        (index(-1), index(0), index(14), index(15), index(3_599), index(3_600)),
        (None, Some(0), Some(0), Some(1), Some(239), None)
    );
    let uneven = Frame::new(after(0), after(100), 7, Resolution::Survey);
    assert!(uneven.count <= 7 && uneven.index(BEGIN + 99_999).is_some());
    let month = Frame::new(after(0), after(30 * 86_400), 240, Resolution::Hour);
    assert_eq!((month.width, month.count), (3 * 3_600_000, 240));
}

#[test]
fn marks_that_would_lie_over_each_other_are_on_lines_of_their_own() {
    let mark = |from: i64, to: Option<i64>| Mark {
        from: after(from),
        to: to.map(after),
        what: MarkKind::Alarm {
            id: Uuid::nil(),
            number: 1,
            code: "task-gone".to_owned(),
            subject: "orders".to_owned(),
        },
    };
    let marks = [mark(0, None), mark(10, Some(20)), mark(15, Some(30)), mark(40, Some(50)), mark(100, None)];
    assert_eq!(lanes(&marks, after(60), TimeDelta::seconds(5)), [0, 1, 2, 1, 0]);
}
