//! A drain is proven by the last records, and not by what repeats itself.

use super::*;

#[tokio::test]
async fn a_drain_is_proven_by_the_last_committed_record() {
    let mut logs = Logs::new();
    logs.fill(200);
    // An aborted straggler at the end, as settling transactions leaves it: nothing to copy.
    {
        let mut state = logs.world.lock();
        let log = state.cluster_mut("A").log_mut(&at(0)).expect("the topic");
        log.append(payload(9_000), 6, true);
        log.end_transaction(6, false);
    }
    let proof = tails_match(&logs.records(), &[logs.line()]).await.expect("readable").remove(0);
    assert!(proof.drained, "{}", proof.reason);
    assert_eq!(proof.source.expect("a tail").offset, logs.copies.last().expect("copied").0);
    logs.world.lock().cluster_mut("A").log_mut(&at(0)).expect("the topic").append(payload(9_001), 0, false);
    let open = tails_match(&logs.records(), &[logs.line()]).await.expect("readable").remove(0);
    assert!(!open.drained && open.reason.contains("is not the target's last one"), "{}", open.reason);
}

#[tokio::test]
async fn records_that_are_all_alike_do_not_prove_a_drain_early() {
    let logs = Logs::new();
    let put = |name: &str, count: i64| {
        let mut state = logs.world.lock();
        let log = state.cluster_mut(name).log_mut(&at(0)).expect("the topic");
        for _ in 0..count {
            log.append(payload(1), 0, false);
        }
    };
    let prove = async || tails_match(&logs.records(), &[logs.line()]).await.expect("readable").remove(0);
    put("A", 5);
    put("B", 3);
    let early = prove().await;
    assert!(!early.drained, "two are missing");
    assert_eq!(early.reason, "the last 5 records of the source are alike and the target holds 3 of them");
    put("B", 2);
    assert!(prove().await.drained);
    put("A", 100);
    put("B", 90);
    assert!(!prove().await.drained, "more alike than are looked at");
    let empty = CutLine {
        partition: PartitionEnds { source: at(1), target: at(1) },
        source_until: 0,
        target_until: 0,
    };
    assert!(tails_match(&logs.records(), &[empty]).await.expect("readable")[0].drained);
}

/// Without timestamps what repeats itself looks the same further up: then the last record alone proves nothing.
#[tokio::test]
async fn a_drain_to_a_target_with_its_own_timestamps_is_proven_without_them() {
    let mut logs = Logs::new();
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").write_own_time(true);
    logs.fill(200);
    let prove = async || tails_match(&logs.records(), &[logs.line()]).await.expect("readable").remove(0);
    let proof = prove().await;
    assert!(proof.drained, "{}", proof.reason);
    let put = |name: &str, numbers: &[i64]| {
        let mut state = logs.world.lock();
        let log = state.cluster_mut(name).log_mut(&at(0)).expect("the topic");
        for number in numbers {
            log.append(payload(*number), 0, false);
        }
    };
    put("A", &[9_001]);
    let open = prove().await;
    assert!(!open.drained && open.reason.contains("is not the target's last one"), "{}", open.reason);
    put("B", &[9_001]);
    assert!(prove().await.drained);
    // On and off, four times; the target has seen the first two.
    put("A", &[1, 2, 1, 2, 1, 2, 1, 2]);
    put("B", &[1, 2, 1, 2]);
    let early = prove().await;
    assert!(!early.drained && early.reason.contains("repeat themselves"), "{}", early.reason);
    put("B", &[1, 2, 1, 2]);
    let proof = prove().await;
    assert!(proof.drained, "{}", proof.reason);
    // A keepalive that stood there long before, and a hundred records since: the target has seen the first one.
    let since: Vec<i64> = (20_000..20_100).collect();
    put("A", &[7]);
    put("B", &[7]);
    assert!(prove().await.drained);
    put("A", &since);
    put("A", &[7]);
    let early = prove().await;
    assert!(!early.drained && early.reason.contains("those before them do not"), "{}", early.reason);
    put("B", &since);
    put("B", &[7]);
    let proof = prove().await;
    assert!(proof.drained, "{}", proof.reason);
}

/// A log that has been going on and off for longer than is read looks the same wherever it is cut off.
#[tokio::test]
async fn a_drain_without_timestamps_is_not_proven_where_all_that_was_read_repeats_itself() {
    let logs = Logs::new();
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").write_own_time(true);
    let prove = async || tails_match(&logs.records(), &[logs.line()]).await.expect("readable").remove(0);
    let put = |name: &str, numbers: &mut dyn Iterator<Item = i64>| {
        let mut state = logs.world.lock();
        let log = state.cluster_mut(name).log_mut(&at(0)).expect("the topic");
        for number in numbers {
            log.append(payload(number), 0, false);
        }
    };
    let on_and_off = |times: usize| [1_i64, 2].into_iter().cycle().take(times);
    // The whole log is read: none can be missing.
    for name in ["A", "B"] {
        put(name, &mut on_and_off(40));
    }
    let proof = prove().await;
    assert!(proof.drained, "{}", proof.reason);
    put("A", &mut on_and_off(200));
    put("B", &mut on_and_off(100));
    let early = prove().await;
    assert!(!early.drained && early.reason.contains("repeat themselves"), "{}", early.reason);
    put("B", &mut on_and_off(100));
    let there = prove().await;
    assert!(!there.drained && there.reason.contains("repeat themselves"), "{}", there.reason);
    for name in ["A", "B"] {
        put(name, &mut std::iter::once(9_001_i64));
    }
    let proof = prove().await;
    assert!(proof.drained, "{}", proof.reason);
}
