//! The world: clusters by name, actors, one clock, one lock.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    actors::{Actor, Ledger},
    admin::MemoryAdmin,
    cluster::{ClusterState, Health},
    faults::{Call, Fault, Faults, When},
    mover::MemoryMover,
    shares::Shares,
    verdict::{self, Verdict},
};

/// Everything there is, behind the lock. Actors get it to act on.
#[derive(Debug, Default)]
pub struct State {
    /// The clock.
    pub tick: u64,
    /// Clusters by name.
    pub clusters: BTreeMap<String, ClusterState>,
    /// Where producers that follow the switch write; empty: nowhere.
    pub producers_at: String,
    /// Where consumers that follow the switch read; empty: nowhere.
    pub consumers_at: String,
    /// Whether consumers that follow the switch have left their groups and wait.
    pub consumers_hold: bool,
    /// Groups whose consumers go on processing after they were removed (mm2-verified, correction 3b).
    pub zombies: BTreeSet<String>,
    /// What applications were promised and what they did.
    pub ledger: Ledger,
    /// Every mutating call that got as far as the world, in order.
    pub journal: Vec<Call>,
    /// Groups whose members share work.
    pub shares: Shares,
    /// The script of trouble.
    pub faults: Faults,
    actors: Vec<Box<dyn Actor>>,
}

impl State {
    /// A cluster that exists.
    ///
    /// # Panics
    /// When the scenario never made that cluster.
    #[must_use]
    pub fn cluster(&self, name: &str) -> &ClusterState {
        self.clusters.get(name).expect("the scenario has this cluster")
    }

    /// The same, to change.
    ///
    /// # Panics
    /// When the scenario never made that cluster.
    pub fn cluster_mut(&mut self, name: &str) -> &mut ClusterState {
        self.clusters.get_mut(name).expect("the scenario has this cluster")
    }

    /// Moves the clock by one: ACLs spread, then every actor acts once, in the order they were added.
    pub fn advance(&mut self) {
        self.tick += 1;
        for cluster in self.clusters.values_mut() {
            cluster.now = self.tick;
            cluster.authorizer.spread(self.tick);
        }
        let mut actors = std::mem::take(&mut self.actors);
        for actor in &mut actors {
            actor.act(self);
        }
        actors.append(&mut self.actors);
        self.actors = actors;
        verdict::watch_writers(self);
    }

    /// A caller's call at this moment: trouble from the script, or the effect may go on. Journals mutating calls
    /// that pass `Before`.
    pub fn pass(&mut self, call: &Call, when: When) -> Option<Fault> {
        let fault = self.faults.strike(call, when);
        if when == When::Before && fault.is_none() && call.mutating {
            self.journal.push(call.clone());
        }
        fault
    }
}

/// A handle on the world; clones share it.
#[derive(Debug, Clone, Default)]
pub struct World {
    state: Arc<Mutex<State>>,
    hung: Arc<tokio::sync::Notify>,
}

impl World {
    /// Clusters of two brokers each. ACLs reach the second broker two ticks after the first.
    #[must_use]
    pub fn new(clusters: &[&str]) -> Self {
        let world = Self::default();
        for name in clusters {
            world.lock().clusters.insert((*name).to_owned(), ClusterState::new(name, 2));
        }
        world
    }

    /// The state, to look at or to change by hand. Never hold it over an await.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked with the lock held must not hide its own message.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the clock by one.
    pub fn tick(&self) {
        self.lock().advance();
    }

    /// Moves the clock by `n`.
    pub fn ticks(&self, n: u64) {
        for _ in 0..n {
            self.tick();
        }
    }

    /// Adds somebody who acts on every tick.
    pub fn add_actor(&self, actor: impl Actor + 'static) {
        self.lock().actors.push(Box::new(actor));
    }

    /// Muster's admin client of a cluster: super user `User:muster`, probe principal `User:muster-probe`, expecting
    /// the id the cluster has now.
    #[must_use]
    pub fn admin(&self, cluster: &str) -> MemoryAdmin {
        MemoryAdmin::new(self.clone(), cluster)
    }

    /// Muster's record mover of a cluster.
    #[must_use]
    pub fn mover(&self, cluster: &str) -> MemoryMover {
        MemoryMover::new(self.clone(), cluster)
    }

    /// Kills, freezes or brings back a cluster. Its data stays. One that is killed closes its connections.
    pub fn set_health(&self, cluster: &str, health: Health) {
        let mut state = self.lock();
        let cluster = state.cluster_mut(cluster);
        cluster.health = health;
        if health == Health::Dead {
            cluster.close_connections();
        }
        // Members of its groups notice within their sessions; here at once.
        let name = cluster.name.clone();
        match health {
            Health::Up => state.shares.deal_again(&name),
            Health::Dead | Health::Frozen => state.shares.revoke(&name),
        }
    }

    /// Points producers that follow the switch at a cluster.
    pub fn point_producers(&self, cluster: &str) {
        cluster.clone_into(&mut self.lock().producers_at);
    }

    /// Points consumers that follow the switch at a cluster.
    pub fn point_consumers(&self, cluster: &str) {
        let mut state = self.lock();
        cluster.clone_into(&mut state.consumers_at);
        state.consumers_hold = false;
    }

    /// Makes consumers that follow the switch leave their groups and wait.
    pub fn hold_consumers(&self) {
        self.lock().consumers_hold = true;
    }

    /// Makes the consumers of a group go on processing after they are removed from it, until topic READ is denied.
    pub fn make_zombie(&self, group: &str) {
        self.lock().zombies.insert(group.to_owned());
    }

    /// Writes or clears the script of trouble.
    pub fn faults<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        change(&mut self.lock().faults)
    }

    /// Asks a hook about every call of every room, before and after its effect.
    pub fn on_call(&self, hook: impl FnMut(&Call, When) -> Option<Fault> + Send + 'static) {
        self.lock().faults.on_call(hook);
    }

    /// Every mutating call that got as far as the world, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.lock().journal.clone()
    }

    /// What became of the applications' records.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        verdict::judge(&self.lock())
    }

    /// What the clusters hold, as text without clocks, to compare worlds: committed records, groups, ACLs and open
    /// transactions. Applications that go on writing change it; point them nowhere first.
    #[must_use]
    pub fn picture(&self) -> String {
        self.lock().clusters.values().map(super::picture::draw).collect()
    }

    /// Resolves once a call hangs ([`Fault::Hang`]): the moment to drop the run and start another worker.
    pub async fn hung(&self) {
        self.hung.notified().await;
    }

    /// One call of any room: ticks, asks the script, carries out the effect unless there is trouble before it, asks
    /// the script again. `Err(Ok(fault))` is trouble, `Err(Err(e))` the effect's own error.
    pub async fn call<T, E>(
        &self,
        mut call: Call,
        effect: impl FnOnce(&mut State) -> Result<T, E> + Send,
    ) -> Result<T, Result<Fault, E>> {
        tokio::task::yield_now().await;
        let outcome = {
            let mut state = self.lock();
            state.advance();
            call.tick = state.tick;
            match state.pass(&call, When::Before) {
                Some(fault) => Err(Ok(fault)),
                None => {
                    let done = effect(&mut state);
                    match state.pass(&call, When::After) {
                        Some(fault) => Err(Ok(fault)),
                        None => done.map_err(Err),
                    }
                }
            }
        };
        if matches!(outcome, Err(Ok(Fault::Hang))) {
            self.hung.notify_one();
            std::future::pending::<()>().await;
        }
        outcome
    }
}
