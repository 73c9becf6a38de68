//! Rows of the strip: the worst first, each on one page, topics as their worst partition.

use super::*;

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
