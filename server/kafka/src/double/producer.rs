//! An application that writes.

use bytes::Bytes;
use muster_domain::topic::TopicPartition;

use super::{
    actors::{Acked, Actor},
    cluster::Health,
    log::Payload,
    world::State,
};

/// How a producer uses transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transactions {
    /// Not at all.
    None,
    /// One per so many ticks, under this `transactional.id`.
    Every(u64, String),
    /// Begins one and never ends it: the hung producer.
    Hung(String),
}

/// An application that writes one record per tick to every partition of its topics in turn, on the cluster the
/// switch points producers at, as long as it is authorised.
#[derive(Debug)]
pub struct Producer {
    name: String,
    principal: String,
    topics: Vec<String>,
    transactions: Transactions,
    pinned: Option<String>,
    every: u64,
    until: u64,
    written: u64,
    at: String,
    producer_id: i64,
    epoch: i16,
    in_txn: Vec<Acked>,
    txn_began: u64,
    fenced: bool,
}

impl Producer {
    /// A plain idempotent producer.
    #[must_use]
    pub fn new(name: &str, principal: &str, topics: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            principal: principal.to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            transactions: Transactions::None,
            pinned: None,
            every: 1,
            until: u64::MAX,
            written: 0,
            at: String::new(),
            producer_id: 0,
            epoch: 0,
            in_txn: Vec::new(),
            txn_began: 0,
            fenced: false,
        }
    }

    /// Uses transactions.
    #[must_use]
    pub fn transactional(mut self, transactions: Transactions) -> Self {
        self.transactions = transactions;
        self
    }

    /// Ignores the switch and stays at a cluster: the straggler.
    #[must_use]
    pub fn pinned(mut self, cluster: &str) -> Self {
        self.pinned = Some(cluster.to_owned());
        self
    }

    /// Writes only every so many ticks, and stops for good at a tick.
    #[must_use]
    pub fn paced(mut self, every: u64, until: u64) -> Self {
        self.every = every.max(1);
        self.until = until;
        self
    }

    fn transactional_id(&self) -> Option<&str> {
        match &self.transactions {
            Transactions::None => None,
            Transactions::Every(_, id) | Transactions::Hung(id) => Some(id),
        }
    }

    /// Follows the switch: a move aborts the open transaction there (a hung producer leaves it) and starts a new
    /// producer session here.
    fn follow(&mut self, state: &mut State) {
        let to = self.pinned.as_ref().unwrap_or(&state.producers_at);
        if *to == self.at {
            return;
        }
        let old = std::mem::replace(&mut self.at, to.clone());
        if let (Transactions::Every(_, id), Some(cluster)) =
            (&self.transactions, state.clusters.get_mut(&old))
            && cluster.health == Health::Up
            && !self.fenced
        {
            cluster.end_transaction(id, false);
        }
        self.in_txn.clear();
        self.fenced = false;
        if let Some(cluster) = state.clusters.get_mut(&self.at) {
            self.producer_id = cluster.new_producer_id();
            if let Some(id) = self.transactional_id().map(str::to_owned) {
                cluster.fence_producer(&id);
                self.epoch = cluster.txns.get(&id).map_or(0, |txn| txn.epoch);
            }
        }
    }

    /// Writes the next record. The value is unique over the whole world.
    fn write(&mut self, state: &mut State, topic: &str) {
        let tick = state.tick;
        let Some(cluster) = state.clusters.get_mut(&self.at) else { return };
        let partitions = cluster.topics.get(topic).map_or(0, |topic| topic.partitions.len() as u64);
        if partitions == 0 {
            return;
        }
        let partition = i32::try_from(self.written / self.topics.len() as u64 % partitions).unwrap_or(0);
        let at = TopicPartition::new(topic, partition);
        let record = format!("{}#{}", self.name, self.written);
        let payload = Payload {
            timestamp: cluster.now_ms(),
            key: Some(Bytes::from(format!("key-{}", self.written % 7))),
            value: Some(Bytes::from(record.clone())),
            headers: Vec::new(),
        };
        let id = self.transactional_id().map(str::to_owned);
        self.written += 1;
        match cluster.produce(&self.principal, &at, (self.producer_id, id.as_deref()), payload) {
            Ok(_) => {
                let acked = Acked { tick, cluster: self.at.clone(), at, record };
                if id.is_some() { &mut self.in_txn } else { &mut state.ledger.acked }.push(acked);
            }
            Err(_) => *state.ledger.refused.entry(self.name.clone()).or_default() += 1,
        }
    }

    /// Ends the transaction when it is due. Records count as promised only once it is committed.
    fn settle(&mut self, state: &mut State) {
        let Transactions::Every(length, id) = &self.transactions else { return };
        if self.in_txn.is_empty() {
            self.txn_began = state.tick;
        } else if state.tick >= self.txn_began + length {
            state.cluster_mut(&self.at).end_transaction(id, true);
            state.ledger.acked.append(&mut self.in_txn);
            self.txn_began = state.tick;
        }
    }
}

impl Actor for Producer {
    fn act(&mut self, state: &mut State) {
        for topic in &self.topics {
            state.ledger.writers.insert((self.principal.clone(), topic.clone()));
        }
        self.follow(state);
        let Some(cluster) = state.clusters.get(&self.at) else { return };
        if cluster.health != Health::Up {
            return;
        }
        let known = self.transactional_id().and_then(|id| cluster.txns.get(id)).map_or(0, |txn| txn.epoch);
        if known > self.epoch && !self.fenced {
            // Somebody fenced us: fatal for this session; what was in the open transaction was never promised.
            self.fenced = true;
            self.in_txn.clear();
        }
        if self.fenced {
            return;
        }
        if state.tick <= self.until && state.tick.is_multiple_of(self.every) {
            for topic in self.topics.clone() {
                self.write(state, &topic);
            }
        }
        self.settle(state);
    }
}
