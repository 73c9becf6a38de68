//! Flows whose connector has transforms. What a filter drops is behind for ever and nobody lost it, so nothing of it is proven to be
//! missing; behind a router nothing is known, and that is what is said: never that nothing is behind.

use anyhow::{Context as _, Result};
use chrono::{TimeDelta, Utc};
use muster_domain::{
    lag::{Clock, FlowLag, Past, Rpo, flow_lag_since},
    loss::Interval,
    pair::NamingPolicy,
    reading::{Observed, ReadingClass},
    survey::ConnectorRole,
    topic::TopicPartition,
};
use muster_it::{CENTRAL, WEST, connectors::start_connector, pair};
use muster_lab::{Lab, LabOptions};

use crate::{
    ONE_AT_A_TIME, behind,
    observer::{FORWARD, Observer, PERIOD},
};

const PASSING: i64 = 100;
/// Far more than pass: if they counted, hundreds would be proven to be missing.
const DROPPED: i64 = 900;
const BOUND_MS: u64 = 60_000;

const FILTER: [(&str, &str); 5] = [
    ("transforms", "drop"),
    ("transforms.drop.type", "org.apache.kafka.connect.transforms.Filter"),
    ("transforms.drop.predicate", "tombstone"),
    ("predicates", "tombstone"),
    ("predicates.tombstone.type", "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"),
];
const ROUTER: [(&str, &str); 4] = [
    ("transforms", "move"),
    ("transforms.move.type", "org.apache.kafka.connect.transforms.RegexRouter"),
    ("transforms.move.regex", r"recorder-routed\.(.*)"),
    ("transforms.move.replacement", "moved.$1"),
];

/// A flow of its own, with transforms or without, and a Muster that observes it.
pub(crate) struct Watched {
    pub(crate) observer: Observer,
    pub(crate) at: TopicPartition,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_proven_missing_behind_a_filter_and_nothing_is_known_behind_a_router() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    // A flow of committed records proves nothing to be missing anyway.
    let lab = Lab::start(LabOptions { exactly_once: false, ..LabOptions::default() }).await?;
    // MirrorMaker 2 makes the topic that its policy names, and nobody makes this one.
    lab.create_topic(CENTRAL, "moved.placed", 1).await?;
    let filtered = Watched::start(&lab, "recorder-filtered", 1, &FILTER).await?;
    let routed = Watched::start(&lab, "recorder-routed", 1, &ROUTER).await?;
    filtered.observer.write(&filtered.at, PASSING, |_| true).await?;
    filtered.observer.copied(&filtered.at, PASSING - 1).await?;
    filtered.observer.write(&filtered.at, DROPPED, |_| false).await?;
    routed.observer.write(&routed.at, PASSING + DROPPED, |_| true).await?;
    routed.observer.copied(&routed.at, PASSING + DROPPED - 1).await?;

    // What is missing while nothing copies is proven to be, where anything is.
    for watched in [&filtered, &routed] {
        watched.steer(true).await?;
    }
    look([&filtered, &routed]).await?;
    filtered.is_behind_at_most().await?;
    routed.is_not_known().await?;
    for watched in [&filtered, &routed] {
        watched.steer(false).await?;
    }
    look([&filtered, &routed]).await?;
    routed.is_not_known().await?;

    let died = Utc::now();
    lab.kill(WEST).await?;
    let dropped = filtered.observer.stated(died).await?;
    let said = (dropped.total.records_at_least, dropped.total.records_at_most);
    assert_eq!(said, (0, Some(DROPPED)), "{dropped:#?}");
    assert!(dropped.method.contains("none is proven to be missing"), "{}", dropped.method);
    let moved = routed.observer.stated(died).await?;
    assert_eq!(moved.total, Interval::default(), "no bound: {moved:#?}");
    assert_eq!(moved.topics.len(), 1, "{moved:#?}");
    assert!(moved.topics.iter().all(|topic| topic.lost == Interval::default()), "{moved:#?}");
    assert!(moved.method.contains("transform `move`"), "{}", moved.method);

    lab.restart(WEST).await?;
    let truth = filtered.observer.settled(died).await?.truth.context("it is settled")?;
    // None was lost: that is within what is said, and no figure says that any was.
    assert_eq!((truth.records, truth.exact), (Some(DROPPED), false), "{truth:#?}");
    assert!(truth.method.contains("at most so many"), "{}", truth.method);
    let truth = routed.observer.settled(died).await?.truth.context("it is settled")?;
    assert_eq!((truth.records, truth.ms, truth.exact), (None, None, false), "{truth:#?}");
    assert!(truth.method.contains("What had reached the target was not known"), "{}", truth.method);
    // One without any, in the same lab.
    behind::tells_how_far_it_is_behind(&lab).await
}

/// Three surveys of each: what is written is known from the two before. Nothing is any more.
async fn look(all: [&Watched; 2]) -> Result<()> {
    let mut ticks = tokio::time::interval(PERIOD);
    for _ in 0..3 {
        ticks.tick().await;
        for watched in all {
            assert_eq!(watched.observer.observe().await?, None, "nobody died");
        }
    }
    Ok(())
}

impl Watched {
    /// With a topic of so many partitions, of which this is the first.
    pub(crate) async fn start(
        lab: &Lab,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let at = TopicPartition::new(format!("{name}.placed"), 0);
        lab.create_topic(WEST, &at.topic, partitions).await?;
        let topics = format!(r"{name}\..*");
        let flow = start_connector(lab.describe(), name, &topics, NamingPolicy::Identity, settings).await?;
        let mut described = pair(lab.describe(), "orders", &lab.describe().dir.join("unused.json"))?;
        described.topics = vec![topics];
        described.canary_topic = None;
        described.flows = vec![flow];
        Ok(Self { observer: Observer::of(lab, described).await?, at })
    }

    /// Stops its connector, or has it run again.
    pub(crate) async fn steer(&self, stop: bool) -> Result<()> {
        let flow = self.observer.clients.flow(FORWARD).context("Muster steers it")?;
        match stop {
            true => flow.stop(ConnectorRole::Source, BOUND_MS).await?,
            false => flow.resume(ConnectorRole::Source, BOUND_MS).await?,
        }
        Ok(())
    }

    /// Everything that was dropped is behind at most, and none of it is proven to be missing.
    async fn is_behind_at_most(&self) -> Result<()> {
        let judged = self.observer.judged().await?;
        let lag = judged.lag.first().context("its flow is judged")?;
        let total = (lag.total_records.value, lag.total_records.class);
        assert_eq!(total, (Some(DROPPED), ReadingClass::LowerBound), "{lag:#?}");
        let lost = (lag.rpo.records_at_least, lag.rpo.records_at_most);
        assert_eq!(lost, (Some(0), Some(DROPPED)), "{:?}", lag.rpo);
        let blind = self.had_it_no_transforms().await?;
        assert!(blind.rpo.records_at_least > Some(0), "nothing could be proven here: {blind:#?}");
        Ok(())
    }

    /// No figure of it has a value, and each says why.
    async fn is_not_known(&self) -> Result<()> {
        let judged = self.observer.judged().await?;
        let lag = judged.lag.first().context("its flow is judged")?;
        let topic = lag.topics.get(&self.at.topic).context("its topic is judged")?;
        let figures = [&lag.worst_records, &lag.total_records, &lag.worst_ms, &topic.records, &topic.ms];
        let shown = [judged.behind(FORWARD), judged.lag(FORWARD), judged.rpo(FORWARD)];
        for reading in figures.into_iter().chain(&shown) {
            assert_eq!((reading.value, reading.class), (None, ReadingClass::Unknown), "{lag:#?}");
            assert!(reading.reason.contains("transform `move`"), "{reading:?}");
        }
        for rpo in [&lag.rpo, &topic.rpo] {
            assert_eq!(*rpo, Rpo::not_known(rpo.reason.as_str()));
            assert!(rpo.reason.contains("transform `move`"), "{rpo:?}");
        }
        assert!(judged.at_stake(FORWARD, Utc::now()).is_none(), "nothing is told to whoever moves it");
        let blind = self.had_it_no_transforms().await?;
        let total = (blind.total_records.value, blind.total_records.class);
        assert_eq!(total, (Some(0), ReadingClass::Exact), "offsets alone would call it copied: {blind:#?}");
        Ok(())
    }

    /// The newest survey alone, judged as that of a flow that leaves names and records alone.
    async fn had_it_no_transforms(&self) -> Result<FlowLag> {
        let mut survey = self.observer.survey().await?;
        for flow in &mut survey.flows {
            if let Some(Observed::Known { value, .. }) = flow.connectors.get_mut(&ConnectorRole::Source) {
                value.config.remove("transforms");
            }
        }
        let pair = &self.observer.clients.pair;
        let flow = pair.flow(FORWARD).context("it has one")?;
        let clock = Clock { now: survey.began_at, period: TimeDelta::hours(1) };
        Ok(flow_lag_since(pair, flow, &survey, Past::default(), clock))
    }
}
