//! [`RecordMover`] on a real cluster: reads over our own connections, writes through librdkafka.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::join_all;
use muster_domain::{
    cluster::{Cluster, ClusterSecrets},
    topic::TopicPartition,
};
use rdkafka::producer::{DeliveryFuture, FutureRecord, Producer as _};
use tokio::{runtime::Handle, sync::OnceCell};

use crate::{
    asking::routing::{Call, Router},
    error::{KafkaError, KafkaErrorKind},
    mover::{Isolation, NewRecord, Piece, ReadRange, Record, RecordMover, Tails},
    options::ClientOptions,
    records::{
        fetch::{self, Cursor, Found},
        group_share::GroupShare,
        librdkafka::{self, Producer, kind_of},
        prints::PrintRange,
        tails,
        trouble::Trouble,
    },
    share::WorkShare,
};

/// Muster's record reader and writer on one real cluster. Cheap to clone; all clones share their connections.
#[derive(Debug, Clone)]
pub struct KafkaMover {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cluster: Cluster,
    secrets: ClusterSecrets,
    options: ClientOptions,
    router: Router,
    writer: OnceCell<Writer>,
}

/// The long-lived producer: starting one costs far more than a write.
struct Writer {
    producer: Producer,
    trouble: Arc<Trouble>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl KafkaMover {
    /// Connects to nothing yet: whatever is wrong with addresses or secrets shows at the first call.
    #[must_use]
    pub fn new(cluster: &Cluster, secrets: &ClusterSecrets, options: ClientOptions) -> Self {
        let router = Router::new(cluster, secrets, options);
        let (cluster, secrets) = (cluster.clone(), secrets.clone());
        Self { inner: Arc::new(Inner { cluster, secrets, options, router, writer: OnceCell::new() }) }
    }
}

#[async_trait]
impl RecordMover for KafkaMover {
    fn cluster(&self) -> &str {
        &self.inner.router.name
    }

    async fn read(
        &self,
        ranges: &[ReadRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<BTreeMap<TopicPartition, Vec<Record>>, KafkaError> {
        let what = format!("read {} stretches of records", ranges.len());
        let call = self.inner.router.look(&what).within(deadline_ms);
        let mut cursors: Vec<Cursor> = ranges
            .iter()
            .map(|range| {
                Cursor::new(range.partition.clone(), range.from, range.until, Found::All(Vec::new()))
            })
            .collect();
        fetch::read_to_end(&call, &mut cursors, isolation).await?;
        let mut read: BTreeMap<TopicPartition, Vec<Record>> = BTreeMap::new();
        for cursor in cursors {
            if let Found::All(records) = cursor.found {
                read.entry(cursor.partition).or_default().extend(records);
            }
        }
        Ok(read)
    }

    async fn read_piece(
        &self,
        range: &ReadRange,
        longest: usize,
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<Piece, KafkaError> {
        let what = format!("read {} on from offset {}", range.partition, range.from);
        let call = self.inner.router.look(&what).within(deadline_ms);
        fetch::read_piece(&call, range, longest, isolation).await
    }

    async fn read_on(
        &self,
        stretches: &mut [&mut PrintRange],
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<(), KafkaError> {
        let what = format!("read {} stretches of records on", stretches.len());
        let call = self.inner.router.look(&what).within(deadline_ms);
        fetch::read_on(&call, stretches, isolation).await
    }

    async fn tails(
        &self,
        until: &BTreeMap<TopicPartition, i64>,
        isolation: Isolation,
        deadline_ms: u64,
    ) -> Result<Tails, KafkaError> {
        let what = format!("find the last records of {} partitions", until.len());
        let call = self.inner.router.look(&what).within(deadline_ms);
        tails::find_tails(&call, until, isolation).await
    }

    async fn share(&self, group: &str, topics: &[String]) -> Result<Box<dyn WorkShare>, KafkaError> {
        let what = format!("join group {group}");
        let call = self.inner.router.look(&what);
        let joined = self.inner.join(group, topics).await.map_err(|kind| call.fail(None, kind))?;
        Ok(Box::new(joined))
    }

    async fn write(
        &self,
        partition: &TopicPartition,
        records: Vec<NewRecord>,
        deadline_ms: u64,
    ) -> Result<Vec<i64>, KafkaError> {
        let what = format!("write {} records to {partition}", records.len());
        let call = self.inner.router.change(&what).within(deadline_ms);
        expect_leader(&call, partition).await?;
        let writer = self.inner.writer(&call).await.map_err(|kind| call.fail(None, kind))?;
        writer.check_identity(&self.inner.cluster, &call).await.map_err(|kind| call.fail(None, kind))?;
        let sent = writer.send_all(partition, &records).map_err(|kind| call.fail(None, kind))?;
        let delivered = call.deadline().bound(async { Ok(join_all(sent).await) }).await;
        let delivered = delivered.map_err(|kind| call.fail(None, writer.trouble.explain(kind)))?;
        let mut offsets = Vec::with_capacity(delivered.len());
        for delivery in delivered {
            let kind = match delivery {
                Ok(Ok(delivery)) => {
                    offsets.push(delivery.offset);
                    continue;
                }
                Ok(Err((error, _))) => writer.trouble.explain(kind_of(&error, "")),
                Err(_) => KafkaErrorKind::Connection("the producer was closed".to_owned()),
            };
            return Err(call.fail(None, kind));
        }
        Ok(offsets)
    }
}

/// librdkafka would wait for a topic that does not exist until the deadline.
async fn expect_leader(call: &Call<'_>, partition: &TopicPartition) -> Result<(), KafkaError> {
    if call.by_leader(&[partition]).await?.leaderless.is_empty() {
        return Ok(());
    }
    call.router.leaders.forget([partition]);
    let found = call.by_leader(&[partition]).await?;
    if found.leaderless.is_empty() {
        return Ok(());
    }
    Err(call.no_leader(partition))
}

impl Inner {
    async fn join(&self, group: &str, topics: &[String]) -> Result<GroupShare, KafkaErrorKind> {
        let credentials = self.router.dialer().credentials()?.clone();
        let (cluster, secrets, options) = (self.cluster.clone(), self.secrets.clone(), self.options);
        let (runtime, group, topics) = (Handle::current(), group.to_owned(), topics.to_vec());
        let joined = tokio::task::spawn_blocking(move || {
            let who = (&cluster, &secrets, &credentials);
            librdkafka::join_group(who, options, runtime, (&group, &topics))
        });
        joined.await.map_err(|_| KafkaErrorKind::Protocol("the group could not be joined".to_owned()))?
    }

    async fn writer(&self, call: &Call<'_>) -> Result<&Writer, KafkaErrorKind> {
        // Nothing is even connected to a cluster that is not known.
        if self.cluster.expected_cluster_id.is_none() {
            return Err(KafkaErrorKind::UnknownCluster);
        }
        let make = || async {
            let credentials = self.router.dialer().credentials()?.clone();
            let (cluster, secrets, options) = (self.cluster.clone(), self.secrets.clone(), self.options);
            let runtime = Handle::current();
            let made = tokio::task::spawn_blocking(move || {
                librdkafka::create_producer(&cluster, &secrets, &credentials, options, runtime)
            });
            let (producer, trouble) = made
                .await
                .map_err(|_| KafkaErrorKind::Protocol("the producer could not be started".to_owned()))??;
            Ok(Writer { producer, trouble })
        };
        call.deadline().bound(self.writer.get_or_try_init(make)).await
    }
}

impl Writer {
    /// librdkafka tells which cluster its own connections belong to: at once, after the first time.
    async fn check_identity(&self, cluster: &Cluster, call: &Call<'_>) -> Result<(), KafkaErrorKind> {
        let found = self.ask_identity(call).await?;
        match &cluster.expected_cluster_id {
            None => Err(KafkaErrorKind::UnknownCluster),
            Some(expected) if *expected == found => Ok(()),
            Some(expected) => Err(KafkaErrorKind::WrongCluster { expected: expected.clone(), found }),
        }
    }

    async fn ask_identity(&self, call: &Call<'_>) -> Result<String, KafkaErrorKind> {
        const ROUND: Duration = Duration::from_millis(250);
        self.trouble.forget_complaint();
        loop {
            let producer = self.producer.clone();
            let round = ROUND.min(call.left());
            let asked = tokio::task::spawn_blocking(move || producer.client().fetch_cluster_id(round)).await;
            if let Ok(Some(id)) = asked {
                return Ok(id);
            }
            // Wrong credentials or certificates do not heal by waiting.
            match self.trouble.told() {
                Some(kind @ (KafkaErrorKind::Authentication(_) | KafkaErrorKind::Tls(_))) => {
                    return Err(kind);
                }
                _ if call.left().is_zero() => return Err(self.trouble.explain(call.timed_out().kind)),
                _ => {}
            }
        }
    }

    fn send_all(
        &self,
        partition: &TopicPartition,
        records: &[NewRecord],
    ) -> Result<Vec<DeliveryFuture>, KafkaErrorKind> {
        let mut sent = Vec::with_capacity(records.len());
        for record in records {
            let mut message: FutureRecord<'_, [u8], [u8]> =
                FutureRecord::to(&partition.topic).partition(partition.partition).timestamp(record.timestamp);
            message.key = record.key.as_deref();
            message.payload = record.value.as_deref();
            sent.push(
                self.producer
                    .send_result(message)
                    .map_err(|(error, _)| self.trouble.explain(kind_of(&error, "")))?,
            );
        }
        Ok(sent)
    }
}
