use chrono::TimeDelta;
use proptest::prelude::*;
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
fn since_when_it_is_behind_is_told_from_the_samples_before() {
    // Written to all the time; the target stands still after the second survey.
    let seen = |end: i64, through: i64| vec![Some((Some(end), Some(through), Tight))];
    let moments = [seen(100, 99), seen(110, 109), seen(120, 109), seen(130, 109), seen(140, 139)];
    let found = course(&block(BEGIN, 5, &moments), 25, 5);
    let ms: Vec<Option<i64>> = found.items.iter().map(|item| item.ms.unwrap().worst).collect();
    assert_eq!(ms, [Some(0), Some(0), Some(5_000), Some(10_000), Some(0)]);
    let rpo: Vec<_> = found.items.iter().map(|item| item.rpo.unwrap()).collect();
    let span = |least, most, ms_least, ms_most| RpoSpan {
        records_at_least: Some(least),
        records_at_most: most,
        ms_at_least: Some(ms_least),
        ms_at_most: Some(ms_most),
    };
    // On top comes what may be written in the 5 s until it is looked again: 10, and twice the root of that.
    assert_eq!(
        rpo,
        [
            span(0, None, 0, 5_000),
            span(0, Some(17), 0, 5_000),
            span(10, Some(10 + 17), 0, 10_000),
            span(20, Some(20 + 17), 5_000, 15_000),
            span(0, Some(17), 0, 5_000),
        ]
    );
}

#[test]
fn a_look_that_came_late_counts_all_the_time_in_which_nobody_looked() {
    let seen = |end: i64| vec![Some((Some(end), Some(end - 1), Tight))];
    let mut explorer = Explorer::new(Frame::new(after(0), after(30), 6, Resolution::Survey), worst_three());
    let mut chunk = explorer.chunk(tracks(1));
    chunk.add_block(&block(BEGIN, 5, &[seen(100), seen(110)]));
    chunk.add_block(&block(BEGIN + 19_000, 5, &[seen(138), seen(148)]));
    chunk.done();
    let found = explorer.finish(after(30));
    let ms: Vec<_> =
        found.items.iter().filter_map(|item| item.rpo.map(|rpo| rpo.ms_at_most.unwrap())).collect();
    // The newest one is not followed by any yet: as long as it took since the one before.
    assert_eq!(ms, [5_000, 14_000, 5_000, 5_000]);
    // 10 in five seconds, for 14, and twice the root of that.
    assert_eq!(found.items[1].rpo.unwrap().records_at_most, Some(28 + 11));
}

/// One partition, all of which could be copied has arrived: at each moment its reach, its last stable offset and its end.
fn held_back(moments: &[(i64, i64, i64)]) -> Block {
    let samples: Vec<(i64, Vec<Cells>)> = (0..)
        .zip(moments)
        .map(|(number, (reach, stable, end))| {
            let mut cells = vec![None; Column::COUNT];
            cells[Column::End as usize] = Some(*end);
            cells[Column::Stable as usize] = Some(*stable);
            cells[Column::Reach as usize] = Some(*reach);
            cells[Column::Start as usize] = Some(0);
            cells[Column::Through as usize] = Some(reach - 1);
            cells[Column::Class as usize] = Some(class_number(Exact));
            (BEGIN + number * 5_000, vec![cells])
        })
        .collect();
    Block::of(Column::COUNT, &samples)
}

#[test]
fn what_was_in_open_transactions_might_have_been_lost_where_the_flow_could_not_copy_it() {
    let at_most = |moments: &[(i64, i64, i64)]| {
        let found = course(&held_back(moments), 10, 5);
        found.items[1].rpo.unwrap().records_at_most
    };
    // Of committed records: the transaction was open at both moments, and 100 were written in between.
    assert_eq!(at_most(&[(50, 50, 150), (50, 50, 250)]), Some(200 + 100 + 20));
    // Of all records they had arrived. What is known to be no record before the end counts neither way.
    assert_eq!(at_most(&[(150, 50, 150), (250, 50, 250)]), Some(100 + 20));
    assert_eq!(at_most(&[(150, 151, 151), (150, 151, 151)]), Some(0));
    let block = held_back(&[(50, 50, 150), (150, 50, 150), (150, 151, 151)]);
    assert_eq!([0, 1, 2].map(|sample| block.written(0, sample)), [150; 3].map(Some));
}

#[test]
fn a_burst_is_remembered_for_a_quarter_of_an_hour() {
    // 1,000 in five seconds, and nothing before or after it.
    let at_most = |seconds: i64| {
        let samples = 3 + usize::try_from(seconds / 5).unwrap();
        let mut moments = vec![vec![Some((Some(1_000), Some(999), Exact))]; samples];
        moments[0] = vec![Some((Some(0), Some(-1), Exact))];
        let found = course(&block(BEGIN, 5, &moments), seconds + 15, 5);
        found.items.last().unwrap().rpo.unwrap().records_at_most
    };
    assert_eq!(at_most(0), Some(1_000 + 64));
    assert_eq!(at_most(890), Some(1_000 + 64));
    assert_eq!(at_most(900), Some(0));
}

#[test]
fn what_may_have_been_given_up_or_compacted_is_at_least_nothing() {
    let seen = |end: i64, class| vec![Some((Some(end), Some(99), class))];
    let moments = [seen(100, Exact), seen(110, Exact), seen(120, LowerBound)];
    let found = course(&block(BEGIN, 5, &moments), 15, 15).items[0].rpo.unwrap();
    assert_eq!((found.records_at_least, found.ms_at_least), (Some(20), Some(5_000)));
    let sparse = tracks(1).into_iter().map(|track| Track { keeps_all: false, ..track }).collect();
    let mut explorer = Explorer::new(Frame::new(after(0), after(15), 1, Resolution::Survey), worst_three());
    let mut chunk = explorer.chunk(sparse);
    chunk.add_block(&block(BEGIN, 5, &moments));
    chunk.done();
    let item = explorer.finish(after(15)).items[0].clone();
    assert_eq!(item.records.class, LowerBound, "at most so many records");
    let found = item.rpo.unwrap();
    assert_eq!(
        (found.records_at_least, found.ms_at_least),
        (Some(0), Some(0)),
        "markers may stand among them"
    );
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
fn the_strip_has_the_worst_first_and_says_of_how_many() {
    let moments = [
        vec![behind(0), behind(5), behind(20_000), DEAD, behind(1)],
        vec![behind(0), behind(6), behind(0), behind(0), behind(700)],
        vec![behind(0), behind(40), behind(0), behind(0), behind(0)],
    ];
    let strip = course(&block(BEGIN, 5, &moments), 15, 5).strip;
    assert_eq!((strip.total, strip.partitions, strip.rows.len()), (5, 5, 3));
    let order: Vec<Option<i32>> = strip.rows.iter().map(|row| row.partition).collect();
    assert_eq!(order, [Some(3), Some(2), Some(4)], "what was unknown may hold the loss");
    let levels = |row: &StripRow| -> Vec<(i64, i64, Level)> {
        let second = |at: DateTime<Utc>| (at - after(0)).num_seconds();
        row.runs.iter().map(|run| (second(run.from), second(run.to), run.level)).collect()
    };
    assert_eq!(levels(&strip.rows[0]), [(0, 5, Level::Unknown), (5, 15, Level::None)]);
    assert_eq!(levels(&strip.rows[1]), [(0, 5, Level::More), (5, 15, Level::None)]);
    assert_eq!(
        levels(&strip.rows[2]),
        [(0, 5, Level::Ones), (5, 10, Level::Hundreds), (10, 15, Level::None)]
    );
    assert_eq!((strip.rows[0].unknown_ms, strip.rows[0].worst_records), (5_000, Some(0)));
    assert_eq!((strip.rows[2].worst_records, strip.rows[2].worst_at), (Some(700), Some(after(5))));
}

/// The strip of some moments, five seconds apart, in rows of their own.
fn strip(moments: &[Vec<Seen>], tracks: Vec<Track>, wanted: Wanted) -> Strip {
    let seconds = i64::try_from(moments.len()).unwrap() * 5;
    let frame = Frame::new(after(0), after(seconds), moments.len(), Resolution::Survey);
    let mut explorer = Explorer::new(frame, wanted);
    let mut chunk = explorer.chunk(tracks);
    chunk.add_block(&block(BEGIN, 5, moments));
    chunk.done();
    explorer.finish(after(seconds)).strip
}

#[test]
fn every_partition_is_on_some_page_and_on_one_only() {
    let moments = [(0..23).map(|number| behind(number * 7 % 23)).collect::<Vec<_>>()];
    let page = |skip| strip(&moments, tracks(23), Wanted { of: RowsOf::Partitions, skip, most: 10 });
    let pages = [page(0), page(10), page(20), page(30)];
    assert_eq!(pages.each_ref().map(|page| page.rows.len()), [10, 10, 3, 0]);
    assert!(pages.iter().all(|page| page.total == 23 && page.partitions == 23));
    let shown: Vec<i64> =
        pages.iter().flat_map(|page| &page.rows).map(|row| row.worst_records.unwrap()).collect();
    assert_eq!(shown, (0..23).rev().collect::<Vec<i64>>(), "the worst first, over all pages");
}

#[test]
fn a_topic_is_as_its_worst_partition_at_each_moment() {
    let of = |topic: &str, slot: usize| Track { topic: topic.into(), ..tracks(slot + 1).remove(slot) };
    let named = vec![of("orders", 0), of("orders", 1), of("carts", 2), of("idle", 3)];
    let moments = [
        vec![behind(3), behind(40), behind(0), behind(0)],
        vec![behind(700), behind(2), DEAD, behind(0)],
        vec![behind(1), behind(0), behind(5), behind(0)],
    ];
    let strip = strip(&moments, named, Wanted::worst(RowsOf::Topics, 2));
    assert_eq!((strip.of, strip.total, strip.partitions, strip.rows.len()), (RowsOf::Topics, 3, 4, 2));
    let [carts, orders] = strip.rows.as_slice() else { panic!("{strip:?}") };
    assert_eq!((carts.topic.as_str(), carts.unknown_ms, carts.worst_records), ("carts", 5_000, Some(5)));
    assert_eq!((orders.topic.as_str(), orders.partition, orders.partitions), ("orders", Some(0), 2));
    assert_eq!((orders.worst_records, orders.worst_at), (Some(700), Some(after(5))));
    let levels = |row: &StripRow| row.runs.iter().map(|run| run.level).collect::<Vec<_>>();
    assert_eq!(levels(orders), [Level::Tens, Level::Hundreds, Level::Ones]);
    assert_eq!(levels(carts), [Level::None, Level::Unknown, Level::Ones]);
}

#[test]
fn levels_are_powers_of_ten_and_unknown_is_none_of_them() {
    let levels =
        [None, Some(0), Some(1), Some(9), Some(10), Some(999), Some(1_000), Some(i64::MAX)].map(Level::of);
    use Level::{Hundreds, More, None as Nothing, Ones, Tens, Thousands, Unknown as NotKnown};
    assert_eq!(levels, [NotKnown, Nothing, Ones, Ones, Tens, Hundreds, Thousands, More]);
    assert!(!Level::KNOWN.contains(&Level::of(None)));
}

#[test]
fn hours_have_their_worst_and_the_one_that_is_missing_is_a_gap() {
    let frame = Frame::new(after(600), after(5 * 3600), 100, Resolution::Hour);
    assert_eq!((frame.from, frame.width, frame.count), (BEGIN, 3_600_000, 5), "whole hours");
    let mut explorer = Explorer::new(frame, worst_three());
    let mut chunk = explorer.chunk(tracks(2));
    for (hour, seen) in [(0, [behind(3), behind(9)]), (1, [behind(4), DEAD]), (3, [behind(0), behind(0)])] {
        let block = block(BEGIN + hour * 3_600_000, 5, &[Vec::from(seen)]);
        chunk.add_hour(after(hour * 3600), &hours_of(&block, 0));
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

/// The plain way: all values of a stretch, sorted, unknown last.
fn plainly(values: &[Option<i64>], percent: usize) -> Option<i64> {
    let mut sorted: Vec<i64> = values.iter().map(|value| value.unwrap_or(i64::MAX)).collect();
    sorted.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().filter(|value| *value < i64::MAX)
}

proptest! {
    #[test]
    fn a_sketch_is_never_below_the_truth_and_close_to_it(
        values in prop::collection::vec(prop::option::weighted(0.95, 0_i64..10_000_000), 1..300),
    ) {
        let mut sketch = sketch::Sketch::default();
        for value in &values {
            sketch.add(*value);
        }
        for percent in [50, 90, 99] {
            let (truth, said) = (plainly(&values, percent), sketch.percentile(percent as u64));
            prop_assert_eq!(truth.is_some(), said.is_some());
            if let Some((truth, said)) = truth.zip(said) {
                prop_assert!(said >= truth && said <= truth + truth / 128, "{said} of {truth}");
                prop_assert!(truth >= 256 || said == truth);
            }
        }
        prop_assert_eq!(sketch.worst(), plainly(&values, 100));
    }

    #[test]
    fn since_when_is_as_the_live_rule_finds_it(
        ends in prop::collection::vec(0_i64..40, 1..60),
        through in -1_i64..40,
    ) {
        let mut kept = ends::Ends::default();
        for (at, end) in (0..).zip(&ends) {
            kept.push(at, *end);
        }
        // lag::partition::behind_since: the newest sample whose end is at or before the position.
        let live = (0..).zip(&ends).filter(|(_, end)| **end <= through + 1).map(|(at, _)| at).last();
        let behind = kept.behind(through, 1_000);
        prop_assert_eq!(behind.may_since, live);
        // Some sample showed the first missing record then; no sample between the two says otherwise.
        let shown = (0..).zip(&ends).any(|(at, end)| at == behind.surely_since && *end > through + 1);
        prop_assert!(shown || behind.surely_since == 1_000);
        prop_assert!(live.is_none_or(|live| live < behind.surely_since));
    }
}

#[test]
fn very_many_ends_are_thinned_towards_longer_ago() {
    let mut kept = ends::Ends::default();
    for at in 0..10_000 {
        kept.push(at, at);
    }
    for through in [0, 100, 5_000, 9_000, 9_998] {
        let behind = kept.behind(through, 10_000);
        let since = behind.may_since.expect("the first sample stays");
        assert!(since <= through + 1 && behind.surely_since > through + 1, "{through}: {behind:?}");
    }
    assert_eq!(kept.behind(9_990, 10_000).may_since, Some(9_991), "the recent past stays fine");
}
