//! Content is compared record by record, and what differs is found.

use muster_replication::verify::{content_window, verify_content};

use super::*;

#[tokio::test]
async fn content_on_a_target_with_its_own_timestamps_is_compared_without_them_and_says_so() {
    let mut logs = Logs::new();
    // The first records were copied before somebody changed the topic.
    logs.fill(1_000);
    let timed = content_window(&logs.line(), &logs.pairs, 500).expect("there are pairs");
    let timed = verify_content(&logs.records(), &[timed]).await.expect("readable");
    assert!(timed.equal && timed.partitions[0].timestamps, "{timed:?}");
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").write_own_time(true);
    for (cluster, number) in [("A", 5_000), ("B", 5_000), ("A", 5_001)] {
        let mut state = logs.world.lock();
        state.cluster_mut(cluster).log_mut(&at(0)).expect("the topic").append(payload(number), 0, false);
    }
    let window = content_window(&logs.line(), &logs.pairs, 500).expect("there are pairs");
    let found = verify_content(&logs.records(), &[window]).await.expect("readable");
    let partition = &found.partitions[0];
    assert!(!partition.timestamps, "{found:?}");
    assert_eq!((partition.found.missing, partition.found.extra), (1, 0), "{found:?}");
    assert_eq!(partition.found.matched + 1, partition.found.on_source, "{found:?}");
}

#[tokio::test]
async fn content_is_equal_from_a_pair_on_and_a_hole_is_found() {
    let mut logs = Logs::new();
    logs.fill(3_000);
    let window = content_window(&logs.line(), &logs.pairs, 1_000).expect("there are pairs");
    assert!(window.source_until - window.source_from >= 1_000);
    let same = verify_content(&logs.records(), std::slice::from_ref(&window)).await.expect("readable");
    assert!(same.equal, "{same:?}");
    assert!(same.records > 300, "{}", same.records);
    logs.world.lock().cluster_mut("A").log_mut(&at(0)).expect("the topic").append(payload(9_999), 0, false);
    let window = content_window(&logs.line(), &logs.pairs, 1_000).expect("there are pairs");
    let lost = verify_content(&logs.records(), &[window]).await.expect("readable");
    assert_eq!((lost.nothing_lost, lost.partitions[0].found.missing), (false, 1));
    assert!(serde_json::to_string(&lost).expect("evidence").contains("\"missing\":1"));
    assert_eq!(content_window(&logs.line(), &[], 1_000), None);
}

#[tokio::test]
async fn a_target_that_keeps_its_own_time_is_compared_without_and_no_payload_is_told() {
    let mut logs = Logs::new();
    logs.fill(3_000);
    let there = Payload { timestamp: 77, ..payload(9_999) };
    for (cluster, record) in [("A", payload(9_999)), ("B", there)] {
        logs.world.lock().cluster_mut(cluster).log_mut(&at(0)).expect("the topic").append(record, 0, false);
    }
    let meter = Meter::new(None);
    let compare = async |timestamps| {
        let stretch = Stretch { timestamps, ..logs.stretch(0) };
        compared(logs.compare(&stretch, &meter, None, &Forever).await)
    };
    let timed = compare(true).await;
    assert_eq!((timed.missing, timed.extra, timed.matched), (1, 1, timed.on_source - 1), "{timed:?}");
    let told = serde_json::to_string(&timed).expect("evidence");
    assert!(told.contains("key_hash") && !told.contains("record 9999"), "{told}");
    let timeless = compare(false).await;
    assert!(timeless.equal() && timeless.source_digest == timeless.target_digest, "{timeless:?}");
    assert!(meter.records() >= 4 * timeless.on_source && meter.bytes() > 0);
}

#[tokio::test]
async fn a_stretch_in_the_middle_begins_with_the_same_record_with_and_without_pairs() {
    let mut logs = Logs::new();
    logs.fill(3_000);
    let meter = Meter::new(None);
    for with_pairs in [true, false] {
        if !with_pairs {
            logs.pairs.clear();
        }
        for from in [1, 700, 2_500] {
            let stretch = Stretch { source_goes_on: true, source_until: from + 400, ..logs.stretch(from) };
            let found = compared(logs.compare(&stretch, &meter, None, &Forever).await);
            assert!(
                found.nothing_lost() && found.duplicates == 0 && found.matched > 100,
                "{from}: {found:?}"
            );
        }
    }
    // A record that only the target has, in the middle of what is compared.
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").append(payload(77_777), 0, false);
    let all = compared(logs.compare(&logs.stretch(1_000), &meter, None, &Forever).await);
    assert_eq!((all.extra, all.missing), (1, 0), "{all:?}");
}

#[tokio::test]
async fn what_is_not_copied_yet_is_on_its_way() {
    let mut logs = Logs::new();
    logs.fill(500);
    let known = logs.ends().0;
    for number in 0..5 {
        let mut world = logs.world.lock();
        world.cluster_mut("A").log_mut(&at(0)).expect("the topic").append(payload(9_000 + number), 0, false);
    }
    let stretch = Stretch { required_until: known, ..logs.stretch(0) };
    let found = compared(logs.compare(&stretch, &Meter::new(None), None, &Forever).await);
    assert_eq!((found.pending, found.missing, found.nothing_lost(), found.equal()), (5, 0, true, false));
}

/// Killed with the default commit interval, a worker of a busy at-least-once flow copies more again than is remembered.
#[tokio::test]
async fn what_was_copied_again_is_counted_however_much_it_is() {
    let logs = Logs::new();
    {
        let mut world = logs.world.lock();
        let log = world.cluster_mut("A").log_mut(&at(0)).expect("the topic");
        for number in 0..200_000 {
            log.append(payload(number), 0, false);
        }
        let log = world.cluster_mut("B").log_mut(&at(0)).expect("the topic");
        for number in (0..140_000).chain(10_000..200_000) {
            log.append(payload(number), 0, false);
        }
    }
    for timestamps in [true, false] {
        let meter = Meter::new(None);
        let stretch = Stretch { timestamps, ..logs.stretch(0) };
        let found = compared(logs.compare(&stretch, &meter, None, &Forever).await);
        assert_eq!((found.matched, found.duplicates), (200_000, 130_000), "{found:?}");
        assert!(found.nothing_lost(), "{found:?}");
        let read = meter.records();
        assert!(
            read < 2 * (found.on_source + found.on_target),
            "{read} read: what is looked for is next to what was found"
        );
    }
}

/// The stretch begins behind what was copied again, and what it is a copy of.
#[tokio::test]
async fn what_was_copied_again_from_before_a_stretch_is_not_foreign() {
    let logs = Logs::new();
    {
        let mut world = logs.world.lock();
        let log = world.cluster_mut("A").log_mut(&at(0)).expect("the topic");
        for number in 0..160_000 {
            log.append(payload(number), 0, false);
        }
        let log = world.cluster_mut("B").log_mut(&at(0)).expect("the topic");
        for number in (0..140_000).chain(10_000..160_000) {
            log.append(payload(number), 0, false);
        }
    }
    let found = compared(logs.compare(&logs.stretch(139_000), &Meter::new(None), None, &Forever).await);
    assert_eq!((found.missing, found.extra, found.undecided, found.lost_place), (0, 0, 0, None), "{found:?}");
    assert_eq!(found.duplicates, 130_000, "{found:?}");
}

/// What producers wrote is not in the order of its times, so what retention removed may be younger than what is left.
#[tokio::test]
async fn what_retention_may_have_removed_out_of_the_order_of_time_is_not_foreign() {
    const HOUR: i64 = 60 * 60 * 1_000;
    let at_hour = |number: i64, hour: i64| Payload { timestamp: hour * HOUR, ..payload(number) };
    for (number, hour, told) in [(3, 50, (1, 0)), (777, 90, (0, 1))] {
        let logs = Logs::new();
        {
            let mut world = logs.world.lock();
            for cluster in ["A", "B"] {
                let log = world.cluster_mut(cluster).log_mut(&at(0)).expect("the topic");
                for number in 0..100 {
                    log.append(at_hour(number, if number == 3 { 50 } else { number }), 0, false);
                }
            }
            let log = world.cluster_mut("B").log_mut(&at(0)).expect("the topic");
            log.append(at_hour(number, hour), 0, false);
            world.cluster_mut("A").log_mut(&at(0)).expect("the topic").delete_below(40);
        }
        let found = compared(logs.compare(&logs.stretch(40), &Meter::new(None), None, &Forever).await);
        assert_eq!((found.undecided, found.extra), told, "{number}: {found:?}");
        assert_eq!((found.matched, found.missing), (60, 0), "{number}: {found:?}");
    }
}
