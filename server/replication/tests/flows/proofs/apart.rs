//! A partition that cannot be read, among others that can.

use super::*;

/// Twenty records of `orders-1` on both sides, each with its sync.
fn fill_other(logs: &Logs) -> Vec<OffsetPair> {
    let mut state = logs.world.lock();
    let mut append = |name: &str, number: i64| {
        state.cluster_mut(name).log_mut(&at(1)).expect("the topic").append(payload(number), 0, false)
    };
    (0..20)
        .map(|number| OffsetPair { upstream: append("A", number), downstream: append("B", number) })
        .collect()
}

fn deny(logs: &Logs, name: &str, denied: bool) {
    logs.world.lock().cluster_mut(name).log_mut(&at(1)).expect("the topic").deny_reads(denied);
}

/// That of the other one alone, for the reason the broker gave.
fn is_refused<T: std::fmt::Debug>(found: Option<&Result<T, NotTranslated>>, name: &str) {
    let Some(Err(NotTranslated::Unreadable { partition, reason })) = found else { panic!("{found:?}") };
    assert_eq!(*partition, at(1));
    assert!(
        reason.contains("TOPIC_AUTHORIZATION_FAILED") && reason.contains(&format!("`{name}`")),
        "{reason}"
    );
}

#[tokio::test]
async fn a_partition_that_cannot_be_read_refuses_its_own_groups_only() {
    let mut logs = Logs::new();
    logs.fill(1_000);
    fill_other(&logs);
    let middle = logs.copies[300];
    for name in ["A", "B"] {
        deny(&logs, name, true);
        let found = logs.translate(&[(0, middle.0), (1, 7)]).await;
        let position = found[&at(0)].as_ref().expect("it is in nobody's way");
        assert_eq!((position.mapping.target_offset, position.mapping.class), (middle.1, ReadingClass::Exact));
        is_refused(found.get(&at(1)), name);
        deny(&logs, name, false);
    }
    let found = logs.translate(&[(0, middle.0), (1, 7)]).await;
    assert_eq!(found[&at(1)].as_ref().expect("it can be read again").mapping.target_offset, 7);
}

#[tokio::test]
async fn neither_does_it_stand_in_the_way_back() {
    let mut logs = Logs::new();
    logs.fill(1_000);
    let pairs = ByPartition::from([(at(0), logs.pairs.clone()), (at(1), fill_other(&logs))]);
    let (read, copy) = logs.copies[logs.copies.len() - 1];
    let group = ByPartition::from([(at(0), copy + 1), (at(1), 7)]);
    for name in ["A", "B"] {
        deny(&logs, name, true);
        let found = logs.translate_back(&pairs, group.clone()).await;
        let position = found[&at(0)].as_ref().expect("it is in nobody's way");
        assert!(position.mapping.target_offset <= read + 1, "{position:?}");
        is_refused(found.get(&at(1)), name);
        deny(&logs, name, false);
    }
}

#[tokio::test]
async fn nor_of_rings_and_of_what_they_lead_to() {
    let mut logs = Logs::new();
    logs.fill(1_000);
    for (number, pairs) in [(0, logs.pairs.clone()), (1, fill_other(&logs))] {
        for OffsetPair { upstream, downstream } in pairs {
            sync(&logs.world, "orders", number, upstream, downstream);
        }
    }
    let connect = FakeConnect::start().await;
    let (flow, replication) = (flow(&connect.url), mirror(&connect, &logs.world));
    let (source, target, _, mover) = &logs.clients;
    let records = logs.records();
    let keeper =
        Keeper { flow: &flow, records, source, target, replication: &replication, exactly_once: false };
    let middle = logs.copies[300];
    let read = async || {
        let ends = keeper.ends(&[at(0), at(1), at(7)]).await.expect("both sides answer");
        let none = ends[&at(7)].as_ref().expect_err("there is no partition 7");
        assert!(none.starts_with("orders-7 could not be read: "), "{none}");
        let wanted = |(number, position): (i32, i64)| {
            let ends = *ends[&at(number)].as_ref().expect("it is on both sides");
            let positions = BTreeSet::from([position]);
            (at(number), Wanted { positions, ends, keeps_all: true, timestamps: true })
        };
        keeper.read(&[(0, middle.0), (1, 7)].map(wanted).into()).await.expect("both sides answer")
    };
    let all = read().await;
    assert_eq!((all.rings.len(), all.unread.len()), (2, 0));
    deny(&logs, "A", true);
    let some = read().await;
    assert_eq!(some.rings.keys().collect::<Vec<_>>(), [&at(0)]);
    let why = some.unread.get(&at(1)).expect("it cannot be read");
    assert!(why.contains("TOPIC_AUTHORIZATION_FAILED"), "{why}");
    // The source is dead, and the target does not let its copy be read.
    deny(&logs, "B", true);
    let resumer = Resumer { flow: &flow, target, mover, deadline_ms: 10_000, rings: &all.rings };
    let asked = ByPartition::from([(at(0), BTreeSet::from([middle.0])), (at(1), BTreeSet::from([7]))]);
    let resumed = resumer.resume_all(&asked).await.expect("the target answers");
    let found = resumed[&at(0)][&middle.0].as_ref().expect("it is in nobody's way");
    assert_eq!(found.translated.mapping.target_offset, middle.1);
    is_refused(resumed[&at(1)].get(&7), "B");
}
