//! Where a part of a side is away and the rest is not, nothing ends but what waits for that part.

use std::{collections::BTreeMap, time::Duration};

use muster_domain::{
    content::Found,
    pair::Side,
    proof::content::{Checkpoint, StretchEnd},
};
use muster_kafka::{
    KafkaError, KafkaErrorKind,
    double::{Call, Fault, Health, When},
};
use muster_replication::{double::small_world, verify::Keep as _};
use tokio::time::{Instant, sleep, timeout};

use super::{BOUND, Bench, FORWARD, GROUP};
use crate::{
    content_proof::{Share, again::GivenUp, compare_stretches, turns::Trying},
    translation_proof::ProofError,
};

const SIDES: [&str; 2] = ["eu-west", "eu-central"];

impl Bench {
    /// The broker that leads partition 1 of each topic there answers nobody, and all others do.
    fn cut_off_a_broker(&self, cluster: &str) {
        let mut state = self.small.world.lock();
        let cluster = state.cluster_mut(cluster);
        let broker = cluster.leader(1);
        cluster.frozen.insert(broker);
    }

    /// What came of the stretches of a partition, in order.
    fn ends_of(&self, partition: i32) -> Vec<StretchEnd> {
        let written = self.book.lock();
        let numbered = (0..).zip(&written.stretches);
        let of_it = numbered.filter(|(_, stretch)| stretch.source.partition == partition);
        of_it.filter_map(|(number, _)| written.ends.get(&number).cloned()).collect()
    }

    fn compared(&self, partition: i32) -> usize {
        let ends = self.ends_of(partition);
        ends.iter().filter(|end| matches!(end, StretchEnd::Compared { .. })).count()
    }

    /// Why stretches of a partition could not be read.
    fn unreadable(&self, partition: i32) -> Vec<String> {
        let because = |end| match end {
            StretchEnd::Unreadable { because } => Some(because),
            StretchEnd::Compared { .. } => None,
        };
        self.ends_of(partition).into_iter().filter_map(because).collect()
    }
}

/// Before, its stretches held every place while they paused, and after five minutes all of the proof failed.
#[tokio::test(start_paused = true)]
async fn a_broker_that_is_not_reached_makes_only_what_it_leads_unreadable() {
    for side in SIDES {
        let bench = Bench::with(100).await;
        bench.cut_off_a_broker(side);
        let began = Instant::now();
        let soon = async {
            sleep(Duration::from_secs(30)).await;
            (bench.compared(0), bench.compared(2), bench.book.lock().ends.len())
        };
        let (ended, soon) = tokio::join!(bench.compare(true), soon);
        ended.unwrap();
        assert_eq!(soon, (100, 100, 200), "what can be compared waits for nobody");
        assert!(began.elapsed() < Duration::from_secs(400), "{:?}", began.elapsed());
        let reasons = bench.unreadable(1);
        assert_eq!(reasons.len(), 100);
        assert!(reasons.iter().all(|reason| reason.contains(side) && reason.contains("no answer within")));
        assert!(reasons[0].starts_with("tried "), "{}", reasons[0]);
    }
}

/// They read nothing for longer than a standstill takes, and are none.
#[tokio::test(start_paused = true)]
async fn stretches_that_keep_to_a_slow_rate_are_compared_while_others_are_given_up() {
    let small = small_world();
    small.world.ticks(1_000);
    let bench = Bench::of(small, 1).await;
    bench.cut_off_a_broker("eu-west");
    let began = Instant::now();
    let share = Share { group: GROUP, leads: true, bytes_per_second: Some(1) };
    let compared = compare_stretches(&bench.clients, FORWARD, share, &bench.book);
    timeout(BOUND, compared).await.expect("it comes to an end").unwrap();
    assert!(began.elapsed() > Duration::from_secs(600), "{:?} is no slow rate", began.elapsed());
    assert_eq!((bench.compared(0), bench.compared(2)), (1, 1), "{:?}", bench.book.lock().ends);
    assert_eq!(bench.unreadable(1).len(), 1);
}

/// Whoever resumes reads the source again each time, which gets nothing on.
#[tokio::test(start_paused = true)]
async fn a_target_that_dies_in_the_middle_is_a_standstill() {
    let bench = Bench::with(1).await;
    {
        let mut written = bench.book.lock();
        let places = (0..).zip(&written.stretches);
        let places: BTreeMap<i32, Checkpoint> =
            places.map(|(number, one)| (number, kept(one.source_until - 1, one.target_until - 1))).collect();
        written.kept = places;
    }
    bench.small.world.on_call(|call: &Call, when| {
        (call.place == "eu-central" && when == When::Before).then_some(Fault::Connection)
    });
    let began = Instant::now();
    let reason = bench.compare(true).await.unwrap_err().to_string();
    assert!(reason.contains("the last error was: read on cluster `eu-central`"), "{reason}");
    assert!(began.elapsed() < Duration::from_secs(310), "{:?}", began.elapsed());
    assert!(bench.book.lock().ends.is_empty(), "nothing is told of what was not read");
}

/// A topic that was deleted is dealt to nobody, and what a process that hangs was dealt is dealt to nobody else.
#[tokio::test(start_paused = true)]
async fn who_leads_takes_what_nobody_gets_on_with() {
    for gone in [false, true] {
        let bench = Bench::with(2).await;
        let mover = bench.clients.mover.get(Side::A);
        let hangs = mover.share(GROUP, &["clicks.page".to_owned()]).await.unwrap();
        if gone {
            bench.always("offsets", Fault::Code(3));
        }
        let began = Instant::now();
        bench.compare(true).await.unwrap();
        assert!(began.elapsed() > Duration::from_secs(300), "others have their time: {:?}", began.elapsed());
        for partition in 0..3 {
            let (compared, reasons) = (bench.compared(partition), bench.unreadable(partition));
            assert_eq!((compared, reasons.len()), if gone { (0, 2) } else { (2, 0) }, "{reasons:?}");
            assert!(
                reasons.iter().all(|reason| reason.contains("3 UNKNOWN_TOPIC_OR_PARTITION")),
                "{reasons:?}"
            );
        }
        drop(hangs);
    }
}

/// Both sides answer and the group does not: who leads needs no group.
#[tokio::test(start_paused = true)]
async fn a_group_that_deals_nothing_out_is_done_without() {
    for leads in [true, false] {
        let bench = Bench::with(1).await;
        bench.always("read", Fault::Hang);
        let taken_away = async {
            bench.source_dies().await;
            bench.small.world.faults(|faults| faults.clear());
            // Its members are not dealt anything again.
            bench.small.world.lock().cluster_mut("eu-west").health = Health::Up;
        };
        let (ended, ()) = tokio::join!(bench.compare(leads), taken_away);
        match ended {
            Ok(()) => assert!(leads && bench.book.all_compared(), "{:?}", bench.book.lock().ends),
            Err(error) => assert!(!leads && matches!(error, ProofError::StandsStill { .. }), "{error}"),
        }
    }
}

/// A stretch of hours may meet more elections than it is tried in vain.
#[tokio::test]
async fn a_stretch_that_moved_on_is_tried_as_often_as_at_first() {
    let bench = Bench::with(1).await;
    let open = bench.book.lock().open().remove(0);
    let given_up = GivenUp::default();
    let mut one = Trying::of(open, &given_up, &bench.book);
    let name = "LEADER_NOT_AVAILABLE".to_owned();
    let error = KafkaError {
        cluster: "eu-west".to_owned(),
        call: "read".to_owned(),
        node: None,
        kind: KafkaErrorKind::Broker { code: 5, name, message: None },
    };
    for place in 1..20 {
        assert_eq!(one.failed(&error), Some(Duration::from_secs(2)), "at {place}");
        assert_eq!(one.failed(&error), Some(Duration::from_secs(4)), "at {place}");
        assert!(one.page.keep(kept(place, place)).await);
    }
    assert_eq!(one.failed(&error), Some(Duration::from_secs(2)));
    assert!(one.page.keep(kept(19, 19)).await, "which is where it stood");
    let more = (0..10).take_while(|_| one.failed(&error).is_some()).count();
    assert_eq!(more, 4, "six times in all");
}

/// A place some records were found to be the same before.
fn kept(source_next: i64, target_next: i64) -> Checkpoint {
    let found = Found { on_source: 1, on_target: 1, matched: 1, ..Found::default() };
    let kept = serde_json::json!({
        "source_next": source_next, "target_next": target_next, "found": found, "source_gone": 0, "target_gone": 0
    });
    serde_json::from_value(kept).unwrap()
}
