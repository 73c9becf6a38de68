//! Positions of groups, there and back, are the true ones, or earlier and said to be.

use super::*;

#[tokio::test]
async fn every_position_is_the_true_one() {
    let mut logs = Logs::new();
    logs.fill(2_000);
    assert!(logs.pairs.len() > 20 && logs.pairs.len() < 200, "{} pairs", logs.pairs.len());
    let first_pair = logs.pairs[0].upstream;
    let (source_end, target_end) = logs.ends();
    for offset in (first_pair..=source_end).step_by(7).chain([source_end]) {
        let found = logs.translate(&[(0, offset)]).await.remove(&at(0)).expect("asked").expect("comparable");
        let truth = logs
            .copies
            .iter()
            .find(|(source, _)| *source >= offset)
            .map_or(target_end, |(_, target)| *target);
        assert_eq!(found.mapping.target_offset, truth, "group at {offset}: {:?}", found.mapping);
        assert_eq!((found.mapping.class, found.mapping.reprocessed_at_most), (ReadingClass::Exact, 0));
    }
}

#[tokio::test]
async fn every_position_on_the_target_leads_back_to_where_its_records_came_from() {
    let mut logs = Logs::new();
    logs.fill(2_000);
    let pairs = ByPartition::from([(at(0), logs.pairs.clone())]);
    let back = async |offset: i64| {
        let group = ByPartition::from([(at(0), offset)]);
        logs.translate_back(&pairs, group).await.remove(&at(0)).expect("asked")
    };
    let first = logs.pairs[0].downstream;
    let (_, target_end) = logs.ends();
    let mut exact = 0;
    for offset in (first + 1..=target_end).step_by(7).chain([target_end]) {
        let found = back(offset).await.expect("a pair lies before it");
        let read = logs.copies.iter().rev().find(|(_, copy)| *copy < offset).expect("read some").0;
        assert!(found.mapping.target_offset <= read + 1, "group at {offset}: {:?}", found.mapping);
        if found.mapping.class == ReadingClass::Exact {
            assert_eq!(found.mapping.target_offset, read + 1, "group at {offset}: {:?}", found.mapping);
            exact += 1;
        }
    }
    assert!(exact > 150, "{exact}");
    let before = back(0).await;
    assert!(matches!(before, Err(NotTranslated::Untranslatable { .. })), "{before:?}");
    // What it had read there is gone: what took its place came back, too.
    for offset in [target_end + 1, i64::MAX] {
        let past = Untranslatable::PastEnd { offset, end: target_end };
        assert_eq!(back(offset).await, Err(NotTranslated::Untranslatable { untranslatable: past }));
    }
}

#[tokio::test]
async fn a_group_that_read_everything_goes_to_the_end() {
    let mut logs = Logs::new();
    logs.fill(100);
    let (source_end, target_end) = logs.ends();
    let last = logs.copies.last().expect("copied").0;
    for offset in [last + 1, source_end] {
        let found = logs.translate(&[(0, offset)]).await.remove(&at(0)).expect("asked").expect("drained");
        assert_eq!((found.mapping.target_offset, found.mapping.method), (target_end, Method::Drained));
        assert_eq!(found.mapping.class, ReadingClass::Exact);
    }
}

/// The target's brokers write their own timestamps: everything is found as if they did not, by positions that are exact.
#[tokio::test]
async fn a_target_with_its_own_timestamps_changes_no_position() {
    let mut logs = Logs::new();
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").write_own_time(true);
    logs.fill(1_000);
    let (source_end, target_end) = logs.ends();
    let first_pair = logs.pairs[0].upstream;
    let truth = |offset: i64| {
        let copy = logs.copies.iter().find(|(source, _)| *source >= offset);
        copy.map_or(target_end, |(_, target)| *target)
    };
    for offset in (first_pair..=source_end).step_by(7).chain([source_end]) {
        let found = logs.translate(&[(0, offset)]).await.remove(&at(0)).expect("asked").expect("comparable");
        assert_eq!(found.mapping.target_offset, truth(offset), "group at {offset}: {:?}", found.mapping);
        assert_eq!(found.mapping.class, ReadingClass::Exact, "group at {offset}: {:?}", found.mapping);
    }
    let middle = logs.copies[300].0;
    let rings = logs.keep(&[middle], false).await;
    let resumed = logs.resume(&rings, &[middle]).await;
    let found = &resumed[&middle].as_ref().expect("kept").translated;
    assert_eq!((found.mapping.target_offset, found.mapping.class), (truth(middle), ReadingClass::Exact));
    // With timestamps nothing would be the same there: the sync would be contradicted.
    let rings = logs.keep(&[middle], true).await;
    let resumed = logs.resume(&rings, &[middle]).await;
    let exact = |found: &Resumption| found.translated.mapping.class == ReadingClass::Exact;
    assert!(!resumed[&middle].as_ref().is_ok_and(exact), "{resumed:?}");
}

#[tokio::test]
async fn a_drained_group_on_a_target_that_is_behind_is_not_called_exact() {
    let mut logs = Logs::new();
    logs.fill(100);
    logs.world.lock().cluster_mut("A").log_mut(&at(0)).expect("the topic").append(payload(9_999), 0, false);
    let (source_end, target_end) = logs.ends();
    let found = logs.translate(&[(0, source_end)]).await.remove(&at(0)).expect("asked").expect("drained");
    assert_eq!(found.mapping.target_offset, target_end);
    assert_eq!(found.mapping.class, ReadingClass::LowerBound);
    assert!(found.mapping.reprocessed_at_most >= 1);
}

#[tokio::test]
async fn what_expired_on_the_source_is_not_skipped_on_the_target() {
    let mut logs = Logs::new();
    logs.fill(500);
    let pair = logs.pairs[3];
    logs.world.lock().cluster_mut("A").log_mut(&at(0)).expect("the topic").delete_below(pair.upstream + 100);
    let found =
        logs.translate(&[(0, pair.upstream + 1)]).await.remove(&at(0)).expect("asked").expect("the floor");
    assert_eq!((found.mapping.target_offset, found.mapping.method), (pair.downstream + 1, Method::PairFloor));
}

#[tokio::test]
async fn a_partition_the_target_does_not_have_is_named() {
    let mut logs = Logs::new();
    logs.fill(20);
    let mut found = logs.translate(&[(0, 3), (7, 3)]).await;
    assert!(found.remove(&at(0)).expect("asked").is_ok());
    let error = found.remove(&at(7)).expect("asked").expect_err("there is no partition 7");
    assert!(matches!(&error, NotTranslated::Unreadable { partition, .. } if *partition == at(7)), "{error}");
}
