//! A large cluster that does not exist: synthetic brokers that answer a survey's every question, the same each time.

mod cluster;
mod groups;
mod topics;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context, Result};
use kafka_protocol::messages::{RequestKind, ResponseKind};
use muster_kafka::synthetic::{Brokers, Reply, World};
use tokio::io::AsyncReadExt;

pub(crate) use self::topics::CONFIGS;

/// Brokers of the cluster; replicas of a partition are on three of them.
const BROKERS: i32 = 6;
/// Partitions of each topic, and positions of each group.
const PARTITIONS_PER_TOPIC: i32 = 10;

/// How large, and how far away.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Size {
    /// Topics, each with ten partitions.
    #[arg(long)]
    pub(crate) topics: i32,
    /// Groups, each with two members and positions in the ten partitions of one topic.
    #[arg(long)]
    pub(crate) groups: i32,
    /// Every answer leaves that long after its request came.
    #[arg(long)]
    pub(crate) latency_ms: u64,
}

impl Size {
    pub(crate) fn partitions(self) -> i32 {
        self.topics * PARTITIONS_PER_TOPIC
    }
}

/// Prints the first broker's port and serves until standard input closes.
pub(crate) async fn serve(size: Size) -> Result<()> {
    let ports: Arc<OnceLock<Vec<u16>>> = Arc::default();
    let known = Arc::clone(&ports);
    let world = World { latency: Duration::from_millis(size.latency_ms), ..World::default() };
    let world = world.with_script(move |node, request, _| {
        let ports = known.get().map_or(&[][..], Vec::as_slice);
        answer(size, node, ports, request).map_or(Reply::Usual, Reply::with)
    });
    let brokers = Brokers::start(usize::try_from(BROKERS)?, world).await;
    let ports = ports.get_or_init(|| brokers.ports());
    println!("{}", ports.first().context("no broker")?);
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "whatever a survey does not ask")]
fn answer(size: Size, node: i32, ports: &[u16], request: &RequestKind) -> Option<ResponseKind> {
    Some(match request {
        RequestKind::Metadata(request) => ResponseKind::Metadata(topics::metadata(size, ports, request)),
        RequestKind::ListOffsets(request) => ResponseKind::ListOffsets(topics::offsets(request)),
        RequestKind::DescribeConfigs(request) => ResponseKind::DescribeConfigs(topics::configs(request)),
        RequestKind::ListGroups(_) => ResponseKind::ListGroups(groups::list(size, node)),
        RequestKind::DescribeGroups(request) => ResponseKind::DescribeGroups(groups::classic(size, request)),
        RequestKind::ConsumerGroupDescribe(request) => {
            ResponseKind::ConsumerGroupDescribe(groups::consumer(size, request))
        }
        RequestKind::OffsetFetch(request) => ResponseKind::OffsetFetch(groups::offsets(size, request)),
        RequestKind::DescribeCluster(_) => ResponseKind::DescribeCluster(cluster::describe(ports)),
        RequestKind::DescribeAcls(_) => ResponseKind::DescribeAcls(cluster::acls(size)),
        RequestKind::ListTransactions(_) => ResponseKind::ListTransactions(cluster::transactions()),
        RequestKind::DescribeClientQuotas(_) => ResponseKind::DescribeClientQuotas(cluster::quotas(size)),
        RequestKind::DescribeUserScramCredentials(_) => {
            ResponseKind::DescribeUserScramCredentials(cluster::users(size))
        }
        // ApiVersions and FindCoordinator, as any synthetic cluster answers them.
        _ => return None,
    })
}
