//! Comparing while clusters die, elect and refuse. Time stands still but for waiting, so minutes take none.

mod parts;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use muster_domain::{
    pair::{Direction, Side},
    proof::content::{Checkpoint, ContentAsk, Stretch, StretchEnd},
};
use muster_kafka::double::{Call, Fault, Health, When};
use muster_replication::double::{SmallWorld, small_world};
use tokio::time::{sleep, timeout};

use super::{OpenStretch, Share, StretchBook, compare_stretches, plan_content};
use crate::{
    clients::{PairClients, tests::clicks},
    translation_proof::ProofError,
};

const FORWARD: Direction = Direction { from: Side::A };
const GROUP: &str = "muster.content.test";
/// Whatever ends does so within this time.
const BOUND: Duration = Duration::from_secs(24 * 3600);

/// The stretches of one proof in memory.
struct Book(Mutex<Written>);

struct Written {
    wanted: bool,
    stretches: Vec<Stretch>,
    ends: BTreeMap<i32, StretchEnd>,
    /// Where stretches go on.
    kept: BTreeMap<i32, Checkpoint>,
    /// How often all open stretches were read.
    read: usize,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap()
    }

    fn all_compared(&self) -> bool {
        let written = self.lock();
        let compared = |end: &StretchEnd| matches!(end, StretchEnd::Compared { .. });
        written.ends.len() == written.stretches.len() && written.ends.values().all(compared)
    }
}

impl Written {
    fn open(&self) -> Vec<OpenStretch> {
        let numbered = (0..).zip(&self.stretches).filter(|(number, _)| !self.ends.contains_key(number));
        let from = |number: i32| self.kept.get(&number).cloned();
        numbered
            .map(|(number, one)| OpenStretch { number, stretch: one.clone(), from: from(number) })
            .collect()
    }
}

#[async_trait]
impl StretchBook for Book {
    async fn open(&self) -> Result<Option<Vec<OpenStretch>>, ProofError> {
        let mut written = self.lock();
        written.read += 1;
        Ok(written.wanted.then(|| written.open()))
    }

    async fn any_open(&self) -> Result<bool, ProofError> {
        let written = self.lock();
        Ok(written.wanted && !written.open().is_empty())
    }

    async fn compared(&self) -> Result<i64, ProofError> {
        let written = self.lock();
        let compared = (0..)
            .zip(&written.stretches)
            .filter(|(number, _)| matches!(written.ends.get(number), Some(StretchEnd::Compared { .. })));
        Ok(compared.map(|(_, stretch)| stretch.size()).sum())
    }

    async fn keep(&self, number: i32, _: &Checkpoint) -> bool {
        let written = self.lock();
        written.wanted && !written.ends.contains_key(&number)
    }

    async fn end(&self, number: i32, end: &StretchEnd) {
        self.lock().ends.entry(number).or_insert_with(|| end.clone());
    }
}

struct Bench {
    small: SmallWorld,
    clients: PairClients,
    book: Book,
}

impl Bench {
    /// All partitions of the pair are to be compared, each so many times.
    async fn with(times: usize) -> Self {
        Self::of(small_world(), times).await
    }

    async fn of(small: SmallWorld, times: usize) -> Self {
        let clients = clicks(&small);
        let plan = plan_content(&clients, FORWARD, &ContentAsk::default(), 1).await.unwrap();
        assert_eq!(plan.stretches.len(), 3, "{plan:?}");
        let stretches = plan.stretches.iter().flat_map(|one| vec![one.clone(); times]).collect();
        let (ends, kept) = (BTreeMap::new(), BTreeMap::new());
        let written = Written { wanted: true, stretches, ends, kept, read: 0 };
        Self { small, clients, book: Book(Mutex::new(written)) }
    }

    async fn compare(&self, leads: bool) -> Result<(), ProofError> {
        let share = Share { group: GROUP, leads, bytes_per_second: None };
        let compared = compare_stretches(&self.clients, FORWARD, share, &self.book);
        timeout(BOUND, compared).await.expect("it comes to an end")
    }

    /// Once something is read, which hangs, the source dies.
    async fn source_dies(&self) {
        self.small.world.hung().await;
        self.small.world.set_health("eu-west", Health::Dead);
    }

    fn always(&self, verb: &'static str, fault: Fault) {
        self.small.world.faults(|faults| faults.always(verb, fault));
    }

    /// So many calls from now on fail.
    fn for_a_while(&self, verb: &'static str, calls: usize, fault: Fault) {
        let mut left = calls;
        self.small.world.on_call(move |call: &Call, when| {
            let strikes = call.verb == verb && when == When::Before && left > 0;
            left -= usize::from(strikes);
            strikes.then(|| fault.clone())
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_died_ends_the_part_of_each_process_with_what_was_tried() {
    for leads in [true, false] {
        let bench = Bench::with(1).await;
        bench.always("read", Fault::Hang);
        let (ended, ()) = tokio::join!(bench.compare(leads), bench.source_dies());
        let reason = ended.unwrap_err().to_string();
        let tried = "group `muster.content.test` on cluster `eu-west`, which deals out what to compare, has dealt nothing";
        assert!(
            reason.starts_with(&format!("for 5 minutes nothing could be compared: {tried}.")),
            "{reason}"
        );
        assert!(bench.book.lock().ends.is_empty(), "nothing is told of what was not read");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_comes_back_within_minutes_is_compared() {
    let bench = Bench::with(1).await;
    bench.always("read", Fault::Hang);
    let away = async {
        bench.source_dies().await;
        sleep(Duration::from_secs(240)).await;
        bench.small.world.faults(|faults| faults.clear());
        bench.small.world.set_health("eu-west", Health::Up);
    };
    let (ended, ()) = tokio::join!(bench.compare(true), away);
    ended.unwrap();
    assert!(bench.book.all_compared(), "{:?}", bench.book.lock().ends);
}

#[tokio::test(start_paused = true)]
async fn a_side_nobody_answers_from_ends_the_proof_and_makes_nothing_unreadable() {
    let bench = Bench::with(1).await;
    bench.always("offsets", Fault::Connection);
    bench.always("describe_cluster", Fault::Connection);
    let reason = bench.compare(true).await.unwrap_err().to_string();
    assert!(
        reason.contains("the last error was: offsets") && reason.contains("connection reset"),
        "{reason}"
    );
    assert!(bench.book.lock().ends.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_election_or_a_broken_connection_makes_nothing_unreadable() {
    for (verb, fault) in [("offsets", Fault::Code(6)), ("read", Fault::Connection), ("read", Fault::Timeout)]
    {
        let bench = Bench::with(100).await;
        bench.for_a_while(verb, 12, fault.clone());
        bench.compare(true).await.unwrap();
        assert!(bench.book.all_compared(), "{verb} {fault:?}: {:?}", bench.book.lock().ends);
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_stays_without_a_leader_is_told_with_how_often_it_was_tried() {
    let bench = Bench::with(100).await;
    bench.always("offsets", Fault::Code(5));
    bench.compare(true).await.unwrap();
    let written = bench.book.lock();
    assert_eq!(written.ends.len(), 300);
    let StretchEnd::Unreadable { because } = &written.ends[&0] else { panic!("{:?}", written.ends[&0]) };
    assert!(because.starts_with("tried 6 times, the last time: offsets on cluster `eu-west`"), "{because}");
    let once =
        |end: &StretchEnd| matches!(end, StretchEnd::Unreadable { because } if !because.contains("tried"));
    let tried_once = written.ends.values().filter(|end| once(end)).count();
    assert!(tried_once > 250, "{tried_once}: each partition is waited for once");
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_tried_once() {
    let bench = Bench::with(1).await;
    bench.always("offsets", Fault::Code(29));
    let began = tokio::time::Instant::now();
    bench.compare(true).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(bench.book.lock().ends.values().all(|end| matches!(end, StretchEnd::Unreadable { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_helper_stops_in_the_middle_once_nobody_wants_the_proof() {
    let bench = Bench::with(100).await;
    bench.always("read", Fault::Hang);
    let cancelled = async {
        bench.small.world.hung().await;
        bench.book.lock().wanted = false;
    };
    let began = tokio::time::Instant::now();
    let (ended, ()) = tokio::join!(bench.compare(false), cancelled);
    ended.unwrap();
    assert!(began.elapsed() < Duration::from_secs(2) && bench.book.lock().ends.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_has_nothing_to_compare_does_not_read_what_others_have() {
    let bench = Bench::with(100).await;
    let mover = bench.clients.mover.get(Side::A);
    let other = mover.share(GROUP, &["clicks.page".to_owned()]).await.unwrap();
    bench.book.lock().stretches.retain(|stretch| stretch.source.partition == 0);
    let share = Share { group: GROUP, leads: false, bytes_per_second: None };
    let compared = compare_stretches(&bench.clients, FORWARD, share, &bench.book);
    let minute = timeout(Duration::from_secs(60), compared).await;
    assert!(minute.is_err(), "it waits for the other to end or to die");
    assert!(bench.book.lock().read <= 2, "{}", bench.book.lock().read);
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn where_no_work_can_be_shared_the_leader_does_all_and_a_helper_says_why_not() {
    let bench = Bench::with(1).await;
    bench.always("share", Fault::Code(30));
    let refused = bench.compare(false).await.unwrap_err();
    assert!(matches!(refused, ProofError::NoPart { .. }), "{refused}");
    assert!(refused.to_string().contains("30 GROUP_AUTHORIZATION_FAILED"), "{refused}");
    bench.compare(true).await.unwrap();
    assert!(bench.book.all_compared(), "{:?}", bench.book.lock().ends);
}
