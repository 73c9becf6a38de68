//! Connections to the brokers of one cluster: opened at first use, shared, replaced when they broke.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;

use crate::{
    connecting::{
        closings::{Closer, Closings},
        connection::Connection,
        dial::Dialer,
        transport::{Deadline, parse_address},
    },
    error::KafkaErrorKind,
};

/// A broker's advertised address.
pub(crate) type Address = (String, u16);

/// All connections of one principal to one cluster.
#[derive(Debug)]
pub(crate) struct Pool {
    dialer: Dialer,
    bootstrap: Vec<String>,
    entry: Slot,
    nodes: Mutex<HashMap<i32, (Address, Arc<Slot>)>>,
    closer: Closer,
}

/// Place for one connection. Whoever finds it empty dials; the others wait for the result, a failure included.
#[derive(Debug, Default)]
struct Slot {
    dialling: tokio::sync::Mutex<Option<(Instant, KafkaErrorKind)>>,
    current: Mutex<Option<Connection>>,
}

impl Pool {
    /// Connects to nothing yet.
    pub(crate) fn new(dialer: Dialer, bootstrap: Vec<String>) -> Self {
        Self { dialer, bootstrap, entry: Slot::default(), nodes: Mutex::default(), closer: Closer::default() }
    }

    /// How connections are made.
    pub(crate) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Tells of its connections that the other side closes from now on.
    pub(crate) fn closings(&self) -> Closings {
        self.closer.closings()
    }

    /// The connection to one broker.
    pub(crate) async fn node(
        &self,
        id: i32,
        address: &Address,
        deadline: Deadline,
    ) -> Result<Connection, KafkaErrorKind> {
        let slot = self.slot(id, address);
        slot.get(deadline, || self.dial(address, deadline)).await
    }

    /// The connection that entered the cluster serves as that broker's own when it is at the advertised address.
    pub(crate) fn adopt(&self, brokers: &BTreeMap<i32, Address>) {
        let Some(connection) = self.entry.usable() else { return };
        let Some((id, address)) = brokers.iter().find(|(_, address)| *address == connection.address()) else {
            return;
        };
        let slot = self.slot(*id, address);
        let mut current = lock(&slot.current);
        if current.is_none() {
            *current = Some(connection);
            drop(current);
            *lock(&self.entry.current) = None;
        }
    }

    /// A connection to any broker: one that is open and answers, else the first that opens.
    pub(crate) async fn any(
        &self,
        known: &BTreeMap<i32, Address>,
        deadline: Deadline,
    ) -> Result<Connection, KafkaErrorKind> {
        match self.open_connection() {
            Some(connection) => Ok(connection),
            None => self.entry.get(deadline, || self.dial_first(known, deadline)).await,
        }
    }

    /// The usable connection that has been waiting least for an answer, so that a hanging broker is avoided.
    fn open_connection(&self) -> Option<Connection> {
        let nodes = lock(&self.nodes);
        let open = nodes.values().filter_map(|(_, slot)| slot.usable());
        open.chain(self.entry.usable()).min_by_key(|c| c.waiting_since().map(|since| since.elapsed()))
    }

    /// Dials every address at once and keeps the first connection; with none, the most telling error.
    async fn dial_first(
        &self,
        known: &BTreeMap<i32, Address>,
        deadline: Deadline,
    ) -> Result<Connection, KafkaErrorKind> {
        let bootstrap = self.bootstrap.iter().map(|address| parse_address(address));
        let mut addresses = Vec::with_capacity(self.bootstrap.len() + known.len());
        let mut worst: Option<KafkaErrorKind> = None;
        for address in bootstrap.chain(known.values().cloned().map(Ok)) {
            match address {
                Ok(address) if addresses.contains(&address) => {}
                Ok(address) => addresses.push(address),
                Err(kind) => worst = Some(kind),
            }
        }
        let mut dials: FuturesUnordered<_> =
            addresses.iter().map(|address| self.dial(address, deadline)).collect();
        while let Some(result) = dials.next().await {
            match result {
                Ok(connection) => return Ok(connection),
                Err(kind) if worst.as_ref().is_none_or(|known| rank(&kind) > rank(known)) => {
                    worst = Some(kind)
                }
                Err(_) => {}
            }
        }
        Err(worst.unwrap_or_else(|| KafkaErrorKind::Connection("no bootstrap server is recorded".to_owned())))
    }

    /// Opens a connection that is told when the other side closes it.
    async fn dial(&self, address: &Address, deadline: Deadline) -> Result<Connection, KafkaErrorKind> {
        let connection = self.dialer.dial(&address.0, address.1, deadline).await?;
        connection.tell_closing(&self.closer);
        Ok(connection)
    }

    fn slot(&self, id: i32, address: &Address) -> Arc<Slot> {
        let mut nodes = lock(&self.nodes);
        let entry = nodes.entry(id).or_insert_with(|| (address.clone(), Arc::default()));
        if entry.0 != *address {
            *entry = (address.clone(), Arc::default());
        }
        Arc::clone(&entry.1)
    }
}

impl Slot {
    async fn get<F>(&self, deadline: Deadline, dial: impl FnOnce() -> F) -> Result<Connection, KafkaErrorKind>
    where
        F: Future<Output = Result<Connection, KafkaErrorKind>>,
    {
        if let Some(connection) = self.usable() {
            return Ok(connection);
        }
        let asked_at = Instant::now();
        let mut last_failure = deadline.bound(async { Ok(self.dialling.lock().await) }).await?;
        if let Some(connection) = self.usable() {
            return Ok(connection);
        }
        if let Some((at, kind)) = last_failure.as_ref()
            && *at >= asked_at
        {
            return Err(kind.clone());
        }
        match dial().await {
            Ok(connection) => {
                *lock(&self.current) = Some(connection.clone());
                Ok(connection)
            }
            Err(kind) => {
                *last_failure = Some((Instant::now(), kind.clone()));
                Err(kind)
            }
        }
    }

    fn usable(&self) -> Option<Connection> {
        let mut current = lock(&self.current);
        if current.as_ref().is_some_and(|connection| !connection.is_usable()) {
            *current = None;
        }
        current.clone()
    }
}

/// Which error says most about what to repair, when several addresses failed.
fn rank(kind: &KafkaErrorKind) -> u8 {
    match kind {
        KafkaErrorKind::Connection(_) => 0,
        KafkaErrorKind::Timeout(_) => 1,
        KafkaErrorKind::NotKafka(_) => 2,
        KafkaErrorKind::Tls(_) => 3,
        KafkaErrorKind::Protocol(_) | KafkaErrorKind::Unsupported(_) | KafkaErrorKind::Broker { .. } => 4,
        KafkaErrorKind::Authentication(_)
        | KafkaErrorKind::WrongCluster { .. }
        | KafkaErrorKind::UnknownCluster => 5,
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing behind these locks is left half-changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
