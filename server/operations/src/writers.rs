//! Looking who writes where a flow copies to, while it copies: what the leaders there remember of producers, and which of them are
//! replication's own, by the transactional ids of its tasks.
//!
//! A look only reads, what brokers have in memory anyway. Of a large pair a thousand partitions are looked at in one survey, the same
//! ones in three surveys on end, then the next thousand: two looks at the same partition are what tells that somebody has written. Whether
//! anybody writes there in transactions also says what the target's ends are worth (`lag`).
//! Producers are asked for before transactional ids, so that the id of whoever has written by then is in what is listed. Every broker
//! lists every id there is, so they are asked for only where somebody has written who was not known in the survey before, and at
//! the beginning of a turn: an id never becomes somebody else's.

use std::collections::BTreeMap;

use chrono::Utc;
use muster_domain::{
    pair::{Flow, Mechanism, Pair},
    patterns::Scope,
    reading::Observed,
    survey::{ConnectState, ConnectorRole, FlowObservation, Survey, WriterSeen, WritersObservation},
    topic::TopicPartition,
};
use muster_kafka::{ClusterAdmin, KafkaError, ProducerState};

use crate::clients::PairClients;

/// Partitions looked at in one survey of a flow.
const MOST_PARTITIONS: usize = 1_000;
/// Surveys on end in which the same partitions are looked at.
const TURN: i64 = 3;
/// Where more producers are remembered a partition is left out: applications wrote there not long ago.
const MOST_PRODUCERS: usize = 32;

/// Adds to a survey who writes on the target of each flow that was not asked to stand still. `previous` is the one before.
pub async fn read_writers(clients: &PairClients, survey: &mut Survey, previous: Option<&Survey>) {
    for flow in &clients.pair.flows {
        let Some(connector) = copying(flow, survey) else {
            if let Some(last) = previous.and_then(|previous| last_seen(flow, survey, previous)) {
                keep(flow, survey, last);
            }
            continue;
        };
        let replicas = to_look_at(&clients.pair, flow, survey, previous);
        let before = previous.filter(|_| survey.number % TURN != 0).and_then(|survey| seen_by(survey, flow));
        let read = read(clients.admin.get(flow.direction.to()).as_ref(), &replicas, connector, before).await;
        let writers = match read {
            Ok(writers) => Observed::known(writers, Utc::now()),
            Err(e) => Observed::unknown(e.to_string(), Utc::now()),
        };
        keep(flow, survey, writers);
    }
}

fn keep(flow: &Flow, survey: &mut Survey, writers: Observed<WritersObservation>) {
    if let Some(seen) = survey.flows.iter_mut().find(|seen| seen.direction == flow.direction) {
        seen.writers = writers;
    }
}

/// What the survey before saw, where source and Connect are silent: nothing comes to the target any more, so who wrote there last did.
fn last_seen(flow: &Flow, survey: &Survey, previous: &Survey) -> Option<Observed<WritersObservation>> {
    let connector = observed(survey, flow)?.connectors.get(&ConnectorRole::Source)?;
    let silent =
        survey.sides.get(flow.direction.from).topics.value().is_none() && connector.value().is_none();
    observed(previous, flow).filter(|_| silent).map(|last| last.writers.clone())
}

fn observed<'s>(survey: &'s Survey, flow: &Flow) -> Option<&'s FlowObservation> {
    survey.flows.iter().find(|observed| observed.direction == flow.direction)
}

fn seen_by<'s>(survey: &'s Survey, flow: &Flow) -> Option<&'s WritersObservation> {
    observed(survey, flow)?.writers.value()
}

/// The source connector of a flow, unless it was asked to stand still: one that is being moved, or has failed, has copied just now.
fn copying<'f>(flow: &'f Flow, survey: &Survey) -> Option<&'f str> {
    let Mechanism::Mm2OnConnect { source_connector, .. } = &flow.mechanism else { return None };
    let stands = match observed(survey, flow)?.connectors.get(&ConnectorRole::Source)?.value()?.state {
        ConnectState::Stopped | ConnectState::Paused | ConnectState::Destroyed => true,
        ConnectState::Running
        | ConnectState::Restarting
        | ConnectState::Unassigned
        | ConnectState::Failed => false,
    };
    (!stands).then_some(source_connector.as_str())
}

/// Partitions whose turn it is. While the source does not answer these are the last: what the target holds says how much arrived.
fn to_look_at(pair: &Pair, flow: &Flow, survey: &Survey, previous: Option<&Survey>) -> Vec<TopicPartition> {
    let known = |side| survey.sides.get(side).topics.value().is_some();
    if known(flow.direction.from) || !known(flow.direction.to()) {
        return turn(replicas(pair, flow, survey), survey.number);
    }
    let seen = previous.and_then(|previous| seen_by(previous, flow));
    seen.map(|seen| seen.partitions.keys().cloned().collect()).unwrap_or_default()
}

/// Partitions of replicas that have a leader.
fn replicas(pair: &Pair, flow: &Flow, survey: &Survey) -> Vec<TopicPartition> {
    let (way, scope) = (flow.direction, Scope::of(pair));
    let (Some(source), Some(target)) =
        (survey.sides.get(way.from).topics.value(), survey.sides.get(way.to()).topics.value())
    else {
        return Vec::new();
    };
    let mut replicas = Vec::new();
    for name in source.keys().filter(|name| scope.application_topic(way.from, name)) {
        let name = scope.replica(way, name);
        let Some(topic) = target.get(&name) else { continue };
        let led = (0..).zip(&topic.partitions).filter(|(_, partition)| partition.end.is_some());
        replicas.extend(led.map(|(number, _)| TopicPartition::new(name.clone(), number)));
    }
    replicas
}

/// Those whose turn it is.
fn turn(mut replicas: Vec<TopicPartition>, survey: i64) -> Vec<TopicPartition> {
    let turns = i64::try_from(replicas.len().div_ceil(MOST_PARTITIONS).max(1)).unwrap_or(1);
    let turn = usize::try_from((survey / TURN).rem_euclid(turns)).unwrap_or_default();
    let mut theirs = replicas.split_off((turn * MOST_PARTITIONS).min(replicas.len()));
    theirs.truncate(MOST_PARTITIONS);
    theirs
}

async fn read(
    admin: &dyn ClusterAdmin,
    replicas: &[TopicPartition],
    connector: &str,
    before: Option<&WritersObservation>,
) -> Result<WritersObservation, KafkaError> {
    if replicas.is_empty() {
        return Ok(WritersObservation::default());
    }
    let mut producers = BTreeMap::new();
    let (mut silent, mut first) = (0, None);
    for (at, answer) in admin.producers(replicas).await? {
        match answer {
            Ok(seen) => {
                producers.insert(at, seen);
            }
            Err(error) => {
                silent += 1;
                first.get_or_insert_with(|| format!("{at}: {error}"));
            }
        }
    }
    let unseen = first.map(|first| {
        format!(
            "producers of {silent} of {} partitions could not be read, the first of them {first}",
            replicas.len()
        )
    });
    let few = producers.into_iter().filter(|(_, producers)| producers.len() <= MOST_PRODUCERS);
    let partitions: BTreeMap<TopicPartition, Vec<WriterSeen>> =
        few.map(|(at, producers)| (at, producers.iter().map(seen).collect())).collect();
    if let Some(before) = before.filter(|before| only_own_wrote(before, &partitions)) {
        return Ok(WritersObservation { own: before.own.clone(), partitions, unseen });
    }
    let ids = admin.transactional_ids().await?;
    let own = ids.iter().filter(|(id, _)| is_of_task(id, connector)).map(|(_, producer)| *producer);
    Ok(WritersObservation { own: own.collect(), partitions, unseen })
}

/// Whether all who wrote since were known to be replication's own then.
fn only_own_wrote(before: &WritersObservation, now: &BTreeMap<TopicPartition, Vec<WriterSeen>>) -> bool {
    now.iter().all(|(at, writers)| {
        let then = before.partitions.get(at);
        let is_known = |writer: &WriterSeen| {
            before.own.contains(&writer.producer) || then.is_some_and(|then| then.contains(writer))
        };
        writers.iter().all(is_known)
    })
}

fn seen(producer: &ProducerState) -> WriterSeen {
    WriterSeen {
        producer: producer.producer_id,
        sequence: producer.last_sequence,
        timestamp_ms: producer.last_timestamp,
        transaction_from: producer.open_transaction_start,
        transactional: producer.ended_transaction || producer.open_transaction_start.is_some(),
    }
}

/// Whether a transactional id is a source task's: Connect makes them of its group, the connector and the task's number (KIP-618).
fn is_of_task(id: &str, connector: &str) -> bool {
    let Some((rest, task)) = id.rsplit_once('-') else { return false };
    let numbered = !task.is_empty() && task.bytes().all(|byte| byte.is_ascii_digit());
    numbered && rest.strip_suffix(connector).is_some_and(|group| group.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use muster_kafka::double::{Payload, When, World};

    use super::*;

    #[test]
    fn tasks_of_the_connector_are_known_by_their_transactional_ids() {
        assert!(is_of_task("connect-eu-orders-source-0", "orders-source"));
        assert!(is_of_task("A-mm2-MirrorSourceConnector-12", "MirrorSourceConnector"));
        for other in
            ["connect-eu-orders-source", "connect-eu-my-orders-source-x", "orders-source-0", "shop", ""]
        {
            assert!(!is_of_task(other, "orders-source"), "{other}");
        }
        assert!(!is_of_task("connect-eu-reorders-0", "orders"));
    }

    #[test]
    fn many_partitions_are_looked_at_in_turns_of_three_surveys() {
        let all: Vec<TopicPartition> =
            (0..2_500).map(|number| TopicPartition::new("orders", number)).collect();
        let first = |survey| turn(all.clone(), survey).first().map(|at| at.partition);
        let begins: Vec<Option<i32>> = (3..13).map(first).collect();
        let expected = [1_000, 1_000, 1_000, 2_000, 2_000, 2_000, 0, 0, 0, 1_000].map(Some);
        assert_eq!(begins, expected);
        assert_eq!(turn(all.clone(), 6).len(), 500);
        assert_eq!(turn(all[..7].to_vec(), 6).len(), 7);
        assert_eq!(turn(Vec::new(), 6), []);
    }

    /// Replication has written in a transaction, and somebody else without one.
    fn world() -> World {
        let world = World::new(&["west"]);
        let mut state = world.lock();
        let west = state.cluster_mut("west");
        west.authorizer.add_super_user("User:app");
        west.create_topic("orders", 1).expect("a new cluster has no topics");
        for producer in [(7, Some("connect-orders-source-0")), (8, None)] {
            let payload = Payload { timestamp: 100, key: None, value: None, headers: Vec::new() };
            west.produce("User:app", &TopicPartition::new("orders", 0), producer, payload).expect("it may");
        }
        west.end_transaction("connect-orders-source-0", true);
        drop(state);
        world
    }

    #[tokio::test]
    async fn replications_own_producers_are_told_from_others() {
        let (admin, at) = (world().admin("west"), TopicPartition::new("orders", 0));
        let found = read(&admin, std::slice::from_ref(&at), "orders-source", None).await.unwrap();
        assert_eq!(found.own.iter().copied().collect::<Vec<_>>(), [7]);
        let told: Vec<_> =
            found.partitions[&at].iter().map(|one| (one.producer, one.sequence, one.transactional)).collect();
        assert_eq!(told, [(7, -1, true), (8, 0, false)]);
        assert_eq!(found.unseen, None);
    }

    #[tokio::test]
    async fn a_partition_that_does_not_answer_hides_no_other() {
        let (admin, at) = (world().admin("west"), TopicPartition::new("orders", 0));
        let asked = [at.clone(), TopicPartition::new("orders", 7)];
        let found = read(&admin, &asked, "orders-source", None).await.unwrap();
        assert_eq!(found.partitions.keys().collect::<Vec<_>>(), [&at]);
        let unseen = found.unseen.expect("one is silent");
        assert!(
            unseen.starts_with("producers of 1 of 2 partitions") && unseen.contains("orders-7"),
            "{unseen}"
        );
        assert_eq!(read(&admin, &[], "orders-source", None).await.unwrap(), WritersObservation::default());
    }

    #[tokio::test]
    async fn ids_are_listed_again_once_somebody_wrote_who_was_not_known() {
        let (world, at) = (world(), TopicPartition::new("orders", 0));
        let admin = world.admin("west");
        let listings = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&listings);
        world.on_call(move |call, when| {
            let lists = call.verb == "transactional_ids" && when == When::Before;
            count.fetch_add(usize::from(lists), Ordering::Relaxed);
            None
        });
        let listed = || listings.load(Ordering::Relaxed);
        let write = |producer: (i64, Option<&str>)| {
            let payload = Payload { timestamp: 200, key: None, value: None, headers: Vec::new() };
            let mut state = world.lock();
            state.cluster_mut("west").produce("User:app", &at, producer, payload).expect("it may");
        };
        let places = std::slice::from_ref(&at);
        let first = read(&admin, places, "orders-source", None).await.unwrap();
        write((7, Some("connect-orders-source-0")));
        let second = read(&admin, places, "orders-source", Some(&first)).await.unwrap();
        assert_eq!((second.own.clone(), listed()), (first.own, 1), "only its own task wrote");
        write((8, None));
        let third = read(&admin, places, "orders-source", Some(&second)).await.unwrap();
        assert_eq!((third.own.clone(), listed()), (second.own, 2), "somebody else wrote on");
        write((9, Some("connect-orders-source-1")));
        let fourth = read(&admin, places, "orders-source", Some(&third)).await.unwrap();
        assert_eq!(fourth.own.into_iter().collect::<Vec<_>>(), [7, 9], "a task began");
    }
}
