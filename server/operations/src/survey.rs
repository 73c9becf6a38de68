//! Taking one survey of a pair: both clusters and all flows at the same time, each part known or unknown on its own.

mod answering;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use muster_domain::{
    acl::AclFilter,
    group::{GroupListing, GroupType},
    pair::{BySide, Pair, Side},
    patterns::Scope,
    reading::Observed,
    selection::{Beyond, Selection},
    survey::{
        AclObservation, ConnectorRole, FlowObservation, GroupObservation, OpenTransaction,
        PartitionObservation, SideObservation, Survey, TopicObservation,
    },
    topic::{Configs, TopicDescription, TopicPartition},
};
use muster_kafka::{ClusterAdmin, KafkaError, OffsetSpec, admin::TopicConfigs};

use self::answering::{Waits, identity, silence, unless};
use crate::clients::PairClients;

/// Observes a pair once. Never fails and never waits longer than the clients' own bounds: what could not be read is
/// unknown, with the reason. `began_at` is Muster's clock at the start; later times are offsets from it.
pub async fn take_survey(clients: &PairClients, number: i64, began_at: DateTime<Utc>) -> Survey {
    observe(clients, number, began_at, Waits::of(None)).await
}

/// The same as one of surveys that are due a period apart. It waits for a silent cluster no longer than that what is concluded from the
/// silence is told within three periods, where a period is three seconds or more.
pub async fn take_due_survey(
    clients: &PairClients,
    number: i64,
    began_at: DateTime<Utc>,
    period: Duration,
) -> Survey {
    observe(clients, number, began_at, Waits::of(Some(period))).await
}

async fn observe(clients: &PairClients, number: i64, began_at: DateTime<Utc>, waits: Waits) -> Survey {
    let started = std::time::Instant::now();
    let ((a, others_a), (b, others_b), mut flows) = tokio::join!(
        observe_side(clients, Side::A, began_at, waits),
        observe_side(clients, Side::B, began_at, waits),
        observe_flows(clients, began_at),
    );
    let others = BySide { a: others_a, b: others_b };
    for flow in &mut flows {
        flow.beyond = beyond(&clients.pair, flow, others.get(flow.direction.from), began_at);
    }
    Survey {
        pair: clients.pair.name.clone(),
        number,
        began_at,
        took_ms: i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
        brought_forward: false,
        sides: BySide { a, b },
        flows,
    }
}

async fn observe_flows(clients: &PairClients, now: DateTime<Utc>) -> Vec<FlowObservation> {
    let known = clients.pair.flows.iter().filter_map(|flow| clients.flow(flow.direction));
    futures_util::future::join_all(known.map(|flow| flow.observe(now))).await
}

/// Names of topics that do not concern the pair, or why they are not known.
type Others = Result<Vec<String>, String>;

/// What a flow copies beside the pair's topics.
fn beyond(pair: &Pair, seen: &FlowObservation, others: &Others, now: DateTime<Utc>) -> Observed<Beyond> {
    let found = || {
        let flow = pair.flow(seen.direction).ok_or("the pair has no such flow")?;
        let Some(connector) = seen.connectors.get(&ConnectorRole::Source) else {
            // A flow without a source connector copies nothing.
            return Ok(Beyond::default());
        };
        let selection = Selection::read(flow, &connector.as_result()?.config)?;
        let others = others.as_ref().map_err(Clone::clone)?;
        Ok::<_, String>(Beyond::of(pair, flow, &selection, others.iter().map(String::as_str)))
    };
    match found() {
        Ok(beyond) => Observed::known(beyond, now),
        Err(reason) => Observed::unknown(reason, now),
    }
}

/// One side. The identity comes first: nothing else is believed of a cluster that is not the expected one. One that falls silent while it
/// is read is unknown as a cluster that never answered is; what was read before that stays.
async fn observe_side(
    clients: &PairClients,
    side: Side,
    now: DateTime<Utc>,
    waits: Waits,
) -> (SideObservation, Others) {
    let admin = clients.admin.get(side);
    let started = std::time::Instant::now();
    // When it was known: until then it may have answered others.
    let time = || now + TimeDelta::from_std(started.elapsed()).unwrap_or_default();
    let cluster = match identity(admin, waits).await {
        Ok(cluster) => cluster,
        Err(unanswered) => {
            let reason = unanswered.reason;
            return (SideObservation::unreachable(&reason, time()), Err(reason));
        }
    };
    let expected = clients.clusters.get(side).expected_cluster_id.as_deref();
    if expected.is_some_and(|expected| expected != cluster.cluster_id) {
        let reason = format!(
            "`{}` answers with cluster id {} instead of {}",
            admin.cluster(),
            cluster.cluster_id,
            expected.unwrap_or_default()
        );
        let mut side = SideObservation::unreachable(&reason, now);
        side.cluster = Observed::known(cluster, now);
        return (side, Err(reason));
    }
    let everything = AclFilter::default();
    let silent = silence(admin, waits).shared();
    let (topics, groups, acls, transactions, rights, quotas, users) = tokio::join!(
        unless(silent.clone(), topics(admin.as_ref(), &clients.pair, side)),
        unless(silent.clone(), groups(admin.as_ref(), &clients.pair)),
        unless(silent.clone(), async { acls_or_none(admin.acls(&everything).await) }),
        unless(silent.clone(), admin.open_transactions()),
        unless(silent.clone(), admin.rights()),
        unless(silent.clone(), admin.client_quotas()),
        unless(silent.clone(), admin.scram_users()),
    );
    let (topics, others) = match topics {
        Ok((topics, others)) => (Ok(topics), Ok(others)),
        Err(reason) => (Err(reason.clone()), Err(reason)),
    };
    let in_scope: Option<BTreeSet<String>> =
        topics.as_ref().ok().map(|topics| topics.keys().cloned().collect());
    let observation = SideObservation {
        cluster: match silent.peek() {
            Some(unanswered) => Observed::unknown(&unanswered.reason, time()),
            None => Observed::known(cluster, now),
        },
        groups: observed(groups.map(|groups| only_in_scope(groups, in_scope.as_ref())), now),
        topics: observed(topics, now),
        acls: observed(acls, now),
        transactions: observed(transactions.map(|open| touching(open, in_scope.as_ref())), now),
        rights: observed(rights, now),
        quotas: observed(quotas, now),
        users: observed(users, now),
        brokers: Observed::unknown("not asked", now),
    };
    (observation, others)
}

fn observed<T>(read: Result<T, String>, at: DateTime<Utc>) -> Observed<T> {
    match read {
        Ok(value) => Observed::known(value, at),
        Err(reason) => Observed::unknown(reason, at),
    }
}

/// A cluster without an authorizer answers `SECURITY_DISABLED` (54): that is known, not unknown.
fn acls_or_none(read: Result<AclObservation, KafkaError>) -> Result<AclObservation, KafkaError> {
    match read {
        Err(e) if e.code() == Some(54) => Ok(AclObservation::default()),
        other => other,
    }
}

fn touching(open: Vec<OpenTransaction>, topics: Option<&BTreeSet<String>>) -> Vec<OpenTransaction> {
    open.into_iter()
        .filter(|transaction| {
            topics.is_none_or(|topics| transaction.partitions.iter().any(|tp| topics.contains(&tp.topic)))
        })
        .collect()
}

fn only_in_scope(
    mut groups: BTreeMap<String, GroupObservation>,
    topics: Option<&BTreeSet<String>>,
) -> BTreeMap<String, GroupObservation> {
    if let Some(topics) = topics {
        for group in groups.values_mut() {
            group.offsets.retain(|tp, _| topics.contains(&tp.topic));
        }
    }
    groups
}

/// The pair's topics on a side, and the names of the others.
async fn topics(
    admin: &dyn ClusterAdmin,
    pair: &Pair,
    side: Side,
) -> Result<(BTreeMap<String, TopicObservation>, Vec<String>), KafkaError> {
    let scope = Scope::of(pair);
    let mut found: BTreeMap<String, TopicObservation> = BTreeMap::new();
    let mut others = Vec::new();
    for topic in admin.topics(None).await?.into_iter().filter(|topic| !topic.internal) {
        if scope.topic(side, &topic.name) {
            found.extend([begin_topic(topic)]);
        } else {
            others.push(topic.name);
        }
    }
    let partitions: Vec<TopicPartition> = found
        .iter()
        .flat_map(|(name, topic)| {
            (0..).zip(&topic.partitions).map(|(p, _)| TopicPartition::new(name.clone(), p))
        })
        .collect();
    let names: Vec<String> = found.keys().cloned().collect();
    let (starts, ends, stables, configs) = tokio::join!(
        column(admin, &partitions, OffsetSpec::Start),
        column(admin, &partitions, OffsetSpec::End),
        column(admin, &partitions, OffsetSpec::Stable),
        admin.topic_configs(&names),
    );
    drop((partitions, names));
    let (mut starts, mut ends, mut stables) = (starts?.into_iter(), ends?.into_iter(), stables?.into_iter());
    let now = Utc::now();
    for (name, topic) in &mut found {
        for partition in &mut topic.partitions {
            // In the order they were asked.
            end_partition(
                partition,
                [&mut starts, &mut ends, &mut stables].map(|column| column.next().flatten()),
            );
        }
        topic.configs = configs_of(&configs, name, now);
    }
    Ok((found, others))
}

/// Those of one topic. What is not told of another leaves it known.
fn configs_of(
    told: &Result<TopicConfigs, KafkaError>,
    topic: &str,
    now: DateTime<Utc>,
) -> Observed<Arc<Configs>> {
    match told.as_ref().map(|all| all.get(topic)) {
        Ok(Some(Ok(configs))) => Observed::known(Arc::clone(configs), now),
        Ok(Some(Err(error))) => Observed::unknown(error.to_string(), now),
        Ok(None) => Observed::unknown("the broker did not answer for this topic", now),
        Err(error) => Observed::unknown(error.to_string(), now),
    }
}

/// What Metadata says of a topic; the rest is asked for.
fn begin_topic(topic: TopicDescription) -> (String, TopicObservation) {
    let partitions = topic.partitions.iter().map(|p| PartitionObservation {
        replicas: i32::try_from(p.replicas.len()).unwrap_or(i32::MAX),
        in_sync: i32::try_from(p.isr.len()).unwrap_or(i32::MAX),
        trouble: if p.leader.is_none() { "the partition has no leader".to_owned() } else { String::new() },
        leader_epoch: p.leader_epoch,
        ..PartitionObservation::default()
    });
    let partitions = partitions.collect();
    let configs = Observed::unknown("not asked", DateTime::UNIX_EPOCH);
    (topic.name, TopicObservation { id: topic.id, partitions, configs })
}

type Answer = Option<Result<i64, Box<KafkaError>>>;

fn end_partition(partition: &mut PartitionObservation, answers: [Answer; 3]) {
    if partition.trouble.is_empty() {
        let error = answers.iter().find_map(|answer| answer.as_ref()?.as_ref().err());
        partition.trouble = error.map(ToString::to_string).unwrap_or_default();
    }
    [partition.start, partition.end, partition.stable] = answers.map(|answer| answer?.ok());
}

/// One answer per partition, in the order asked: of a large cluster a map by name would be most of what a survey needs.
async fn column(
    admin: &dyn ClusterAdmin,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<Vec<Answer>, KafkaError> {
    let mut answers = admin.offsets(partitions, spec).await?;
    Ok(partitions.iter().map(|tp| answers.remove(tp)).collect())
}

async fn groups(
    admin: &dyn ClusterAdmin,
    pair: &Pair,
) -> Result<BTreeMap<String, GroupObservation>, KafkaError> {
    let scope = Scope::of(pair);
    let listed: Vec<GroupListing> =
        admin.list_groups().await?.into_iter().filter(|group| scope.group(&group.group)).collect();
    let asked: Vec<(String, GroupType)> = listed.iter().map(|g| (g.group.clone(), g.kind)).collect();
    let names: Vec<String> = listed.iter().map(|g| g.group.clone()).collect();
    let (described, offsets) =
        tokio::join!(admin.describe_groups(&asked), admin.group_offsets(&names, false));
    let mut offsets = offsets?;
    Ok(described?
        .into_iter()
        .map(|group| {
            let committed = offsets.remove(&group.group).unwrap_or_default();
            let observation = GroupObservation {
                kind: group.kind,
                state: group.state,
                members: group.members,
                offsets: committed.into_iter().map(|(tp, committed)| (tp, committed.offset)).collect(),
            };
            (group.group, observation)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use muster_kafka::KafkaErrorKind;

    use super::*;

    fn refused(call: &str) -> KafkaError {
        let kind =
            KafkaErrorKind::Broker { code: 29, name: "TOPIC_AUTHORIZATION_FAILED".to_owned(), message: None };
        KafkaError { cluster: "west".to_owned(), call: call.to_owned(), node: None, kind }
    }

    #[test]
    fn configs_that_nobody_may_read_leave_those_of_other_topics_known() {
        let now = DateTime::UNIX_EPOCH;
        let told: Result<TopicConfigs, KafkaError> = Ok(BTreeMap::from([
            ("orders".to_owned(), Ok(Arc::new(Configs::new()))),
            ("secret".to_owned(), Err(Box::new(refused("DescribeConfigs of 2 topics")))),
        ]));
        assert_eq!(configs_of(&told, "orders", now), Observed::known(Arc::new(Configs::new()), now));
        let reason =
            "DescribeConfigs of 2 topics on cluster `west`: broker error 29 TOPIC_AUTHORIZATION_FAILED";
        assert_eq!(configs_of(&told, "secret", now), Observed::unknown(reason, now));
        let gone = "the broker did not answer for this topic";
        assert_eq!(configs_of(&told, "gone", now), Observed::unknown(gone, now));
        assert_eq!(configs_of(&Err(refused("DescribeConfigs of 2 topics")), "orders", now).value(), None);
    }
}
