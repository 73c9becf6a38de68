//! Hours of single partitions in time: what is kept of an hour is what its surveys say while they are there.

use super::*;

const HOUR: i64 = 3_600;

/// A partition written to every ten seconds, and read a minute late in the second half of each hour: at a survey every ten seconds, from
/// so many seconds on.
fn slow(from: i64, until: i64) -> Block {
    let seen = |at: i64| {
        let late = if at.rem_euclid(HOUR) > 1_800 { 60 } else { 0 };
        let (end, through) = (100_000 + at, 100_000 + at - late - 1);
        // The second partition is never behind.
        vec![Some((Some(end), Some(through), Tight)), Some((Some(end), Some(end - 1), Exact))]
    };
    let moments: Vec<Vec<Seen>> = (from..until).step_by(10).map(seen).collect();
    block(BEGIN + from * 1_000, 10, &moments)
}

/// What is kept of the hour that begins so many seconds later, with what it has left for the next.
fn told(begin: i64, left: Vec<Left>, blocks: &[&Block]) -> Option<Block> {
    let mut hour = HourInTime::new(after(begin), left);
    for block in blocks {
        hour.add_block(block);
    }
    hour.done()
}

fn left(told: &Block) -> Vec<Left> {
    (0..told.tracks).map(|track| HourTimes::left(|column| told.value(column, track, 0))).collect()
}

/// Some hours of two partitions, each with what is kept of it in time, in stretches of so many hours.
fn by_the_hour(hours: &[(Block, Option<Block>)], points: usize, keeps_all: bool) -> Course {
    let count = i64::try_from(hours.len()).unwrap();
    let frame = Frame::new(after(0), after(count * HOUR), points, Resolution::Hour);
    let mut explorer = Explorer::new(frame, worst_three());
    let mut chunk = explorer.chunk(tracks(2).into_iter().map(|track| Track { keeps_all, ..track }).collect());
    for (number, (block, times)) in (0..).zip(hours) {
        let of = |column: usize, slot: usize| times.as_ref()?.value(column, slot, 0);
        let times = times.is_some().then_some(&of as &dyn Fn(usize, usize) -> Option<i64>);
        chunk.add_hour(after(number * HOUR), &hours_of(block, 0), times);
    }
    chunk.done();
    explorer.finish(after(count * HOUR))
}

fn spans(course: &Course) -> Vec<Option<(Option<i64>, Option<i64>)>> {
    course.items.iter().map(|item| item.rpo.map(|rpo| (rpo.ms_at_least, rpo.ms_at_most))).collect()
}

#[test]
fn an_hour_in_time_is_what_its_surveys_say_while_they_are_kept() {
    let (before, hour, next) = (slow(-HOUR / 2, 0), slow(0, HOUR), slow(HOUR, HOUR + 300));
    let frame = Frame::new(after(0), after(HOUR), 1, Resolution::Survey);
    let mut explorer = Explorer::new(frame, worst_three());
    let mut chunk = explorer.chunk(tracks(2));
    chunk.add_block(&before);
    chunk.add_block(&hour);
    chunk.done();
    let near = explorer.finish(after(HOUR)).items.remove(0);
    let kept = told(0, Vec::new(), &[&before, &hour, &hour, &next]);
    let far = by_the_hour(&[(hour, kept)], 1, true).items.remove(0);
    let (near_ms, far_ms) = (near.ms.unwrap(), far.ms.unwrap());
    assert_eq!((far_ms.p50, far_ms.worst, far_ms.class), (near_ms.p50, near_ms.worst, near_ms.class));
    assert_eq!((far_ms.p50, far_ms.worst), (Some(0), Some(60_000)));
    let (near, far) = (near.rpo.unwrap(), far.rpo.unwrap());
    assert_eq!((far.ms_at_least, far.ms_at_most), (near.ms_at_least, near.ms_at_most));
    assert_eq!((far.ms_at_least, far.ms_at_most), (Some(50_000), Some(70_000)));
    assert_eq!(
        (far.records_at_least, far.records_at_most),
        (None, None),
        "of all together they are not kept"
    );
}

#[test]
fn time_in_which_nobody_looked_counts_up_to_the_look_after_the_hour() {
    let (hour, next) = (slow(0, 600), slow(2 * HOUR, 2 * HOUR + 300));
    let most = |blocks: &[&Block]| told(0, Vec::new(), blocks).unwrap().value(HourTimes::MS_AT_MOST, 1, 0);
    assert_eq!(most(&[&hour]), Some(10_000), "as long as it took since the one before");
    assert_eq!(most(&[&hour, &next]), Some((2 * HOUR - 590) * 1_000));
    assert_eq!(told(HOUR, Vec::new(), &[&hour, &next]), None, "no survey of the hour, nothing to be told");
}

#[test]
fn an_outage_of_hours_is_told_from_where_it_began() {
    // The first partition's copy stands still from the twentieth minute of the first hour on, for two hours and a half.
    let seen = |at: i64| {
        let end = 100_000 + at;
        let through = if (1_200..10_200).contains(&at) { 101_199 } else { end - 1 };
        vec![Some((Some(end), Some(through), Tight)), behind(0)]
    };
    let of = |from: i64, until: i64| {
        let moments: Vec<Vec<Seen>> = (from..until).step_by(60).map(seen).collect();
        block(BEGIN + from * 1_000, 60, &moments)
    };
    let ms = |told: &Block| told.value(HourTimes::MS, 0, 0);
    let first = told(0, Vec::new(), &[&of(0, HOUR)]).unwrap();
    let second = told(HOUR, left(&first), &[&of(HOUR / 2, HOUR), &of(HOUR, 2 * HOUR)]).unwrap();
    let third =
        told(2 * HOUR, left(&second), &[&of(3 * HOUR / 2, 2 * HOUR), &of(2 * HOUR, 3 * HOUR)]).unwrap();
    assert_eq!([&first, &second, &third].map(ms), [2_340, 5_940, 8_940].map(|seconds| Some(seconds * 1_000)));
    let least = |told: &Block| told.value(HourTimes::MS_AT_LEAST, 0, 0);
    assert_eq!(
        [&first, &second, &third].map(least),
        [2_280, 5_880, 8_880].map(|seconds| Some(seconds * 1_000))
    );
    assert_eq!(left(&third), [Left::default(); 2], "everything has arrived");
    // Who does not know what was before cannot tell, and it is not zero.
    let alone = told(HOUR, Vec::new(), &[&of(HOUR / 2, HOUR), &of(HOUR, 2 * HOUR)]).unwrap();
    assert_eq!((ms(&alone), alone.value(HourTimes::MS_AT_MOST, 0, 0)), (None, None));
    assert_eq!(alone.value(HourTimes::MS, 1, 0), Some(0), "the other partition is known all the same");
}

#[test]
fn an_outage_is_told_from_where_it_began_though_nobody_knew_the_target_for_hours() {
    // From the twentieth minute of the first hour on the target does not answer; four hours later it does, and all is copied after one more.
    let seen = |at: i64| {
        let end = 100_000 + at;
        let of_first = match at {
            15_600..19_200 => Some((Some(end), Some(101_199), Tight)),
            1_200..15_600 => Some((Some(end), None, Unknown)),
            _ => Some((Some(end), Some(end - 1), Tight)),
        };
        vec![of_first, behind(0)]
    };
    let of = |from: i64, until: i64| {
        let moments: Vec<Vec<Seen>> = (from..until).step_by(60).map(seen).collect();
        block(BEGIN + from * 1_000, 60, &moments)
    };
    let mut before = Vec::new();
    let mut hours = Vec::new();
    for number in 0..6 {
        let begin = number * HOUR;
        let next = begin + HOUR;
        let hour = told(begin, before, &[&of(begin - HOUR / 2, begin), &of(begin, next)]).unwrap();
        before = left(&hour);
        hours.push(hour.value(HourTimes::MS, 0, 0));
    }
    // The end that it stands at was seen at the first survey the target did not answer.
    assert_eq!(hours, [None, None, None, None, None, Some((19_140 - 1_200) * 1_000)]);
}

#[test]
fn hours_that_are_not_kept_in_time_have_none_and_unknown_ones_are_unknown() {
    let good = || slow(0, HOUR);
    let dead = block(BEGIN, 10, &vec![vec![DEAD, behind(0)]; 360]);
    let in_time = |block: Block| {
        let kept = told(0, Vec::new(), &[&block]);
        (block, kept)
    };
    let hours = [in_time(good()), (good(), None), in_time(dead)];
    let found = by_the_hour(&hours, 3, true);
    let known = Some((Some(50_000), Some(70_000)));
    assert_eq!(spans(&found), [known, None, Some((None, None))]);
    let ms: Vec<_> = found.items.iter().map(|item| item.ms.map(|ms| ms.worst)).collect();
    assert_eq!(ms, [Some(Some(60_000)), None, Some(None)]);
    assert_eq!(found.items[1].records.worst, Some(60), "records are kept of it");
    // Of a stretch with such an hour the whole is not known.
    assert_eq!(spans(&by_the_hour(&hours[..2], 1, true)), [None]);
    // What may have been given up or compacted is not proven to be missing.
    assert_eq!(spans(&by_the_hour(&hours[..1], 1, false)), [Some((Some(0), Some(70_000)))]);
}
