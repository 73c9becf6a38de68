//! Since when it is behind, and what a death would have cost.

use super::*;

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
