//! There, back and there again on the real lab, with everything that flows leave behind: positions of Muster's canary, of
//! heartbeats and of a topic that was deleted meanwhile. Whoever carries a run dies after setting where the way back begins.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use muster_domain::{
    pair::{Direction, Side},
    run::RunState,
    topic::TopicPartition,
};
use muster_kafka::{OffsetSpec, admin::NewTopic, mover::NewRecord};
use muster_lab::{WaitBound, wait_until};

use crate::{Bench, KillOnce, assert_nothing_lost, rules};

/// Created on the second side while applications are there, deleted when they are back.
const PASSING: &str = "orders.passing";
const CANARY: &str = "muster.canary.orders";

impl Bench {
    /// Leaves a side; the first worker dies after the effect of `prepare_reverse`.
    async fn leave(&self, from: Side) -> anyhow::Result<()> {
        let run = self.begin(from, rules()).await?;
        let dies = Arc::new(KillOnce { left: Mutex::new(BTreeSet::from(["prepare_reverse"])) });
        let mut deaths = 0;
        while self.story(run.id).await?.0.state.wants_worker() {
            match self
                .worker_with(&format!("worker-{deaths}"), 3.0)
                .with_hooks(dies.clone())
                .run_pending()
                .await
            {
                Err(muster_operations::engine::Stopped::Killed(_)) => deaths += 1,
                // The dead worker's lease runs for a moment more.
                Ok(_) | Err(muster_operations::engine::Stopped::LeaseLost) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(e) => return Err(e.into()),
            }
        }
        let (run, story) = self.story(run.id).await?;
        println!("{story}");
        assert_eq!((run.state, deaths), (RunState::Succeeded, 1), "{story}");
        assert_eq!(run.outcome.expect("it ended").lost_records, Some(0));
        Ok(())
    }

    /// Topics of which the flow from a side keeps positions.
    async fn kept(&self, from: Side) -> anyhow::Result<BTreeSet<String>> {
        let flow = self.clients.0.flow(Direction { from }).expect("Muster steers both flows");
        let (kept, foreign) = flow.committed_offsets().await?;
        assert_eq!(foreign, Vec::<String>::new());
        Ok(kept.into_keys().map(|partition| partition.topic).collect())
    }

    async fn canaries(&self, on: Side) -> anyhow::Result<i64> {
        let at = TopicPartition::new(CANARY, 0);
        let ends = self.clients.0.admin.get(on).offsets(std::slice::from_ref(&at), OffsetSpec::End).await?;
        Ok(*ends[&at].as_ref().map_err(|e| anyhow::anyhow!("{e}"))?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_flows_left_behind_does_not_stop_the_way_back() -> anyhow::Result<()> {
    let (bench, mut workload) = Bench::start("orders").await?;
    let admin = &bench.clients.0.admin;
    bench.leave(Side::A).await?;

    let passing =
        NewTopic { name: PASSING.to_owned(), partitions: 1, replication: 1, configs: BTreeMap::new() };
    admin.b.create_topic(&passing).await?;
    let record = NewRecord { key: None, value: Some("passing".into()), timestamp: 1_700_000_000_000 };
    bench.clients.0.mover.b.write(&TopicPartition::new(PASSING, 0), vec![record], 15_000).await?;
    let wanted = BTreeSet::from([CANARY, PASSING, "heartbeats"].map(str::to_owned));
    wait_until("the way back keeping positions of everything it copies", WaitBound::seconds(90), || async {
        Ok(bench.kept(Side::B).await?.is_superset(&wanted).then_some(()))
    })
    .await?;
    bench.leave(Side::B).await?;

    admin.a.delete_topic(PASSING).await?;
    admin.b.delete_topic(PASSING).await?;
    let left = bench.kept(Side::B).await?;
    assert!(left.is_superset(&wanted), "Connect keeps positions of topics that are gone: {left:?}");
    let before = bench.canaries(Side::A).await?;
    bench.leave(Side::A).await?;

    let kept = bench.kept(Side::B).await?;
    assert!(kept.contains("heartbeats") && !kept.contains(PASSING), "{kept:?}");
    // The one that proved the way back, with its transaction's marker; none of those that came from here.
    let more = bench.canaries(Side::A).await? - before;
    assert!((1..=2).contains(&more), "{more} more offsets of canaries after {before}");
    assert_nothing_lost(&mut workload, muster_it::CENTRAL).await
}
