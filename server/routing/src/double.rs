//! A traffic switch in memory, for tests: a hook tells the simulated world where its applications go.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{Audience, Destination, Routing, RoutingError};

/// A moment of a call, as the hook sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A look at where an audience is sent; nothing will change.
    Look,
    /// Before a send has any effect.
    Before,
    /// The effect: the audience moves now. What the hook answers to this is ignored.
    Effect,
    /// The effect of a hold: the audience stops and waits. What the hook answers to this is ignored.
    Hold,
    /// After the effect, before the caller gets to know.
    After,
}

/// Trouble a hook makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The call fails.
    Fails {
        /// Reason.
        reason: String,
        /// Whether it may pass.
        may_pass: bool,
    },
    /// The call never returns.
    Hangs,
}

type Hook = Box<dyn FnMut(Audience, &str, Moment) -> Option<Trouble> + Send>;

/// What the switch holds.
#[derive(Default)]
struct Switch {
    hook: Option<Hook>,
    now: BTreeMap<Audience, Destination>,
    epochs: BTreeMap<uuid::Uuid, i64>,
    sent: Vec<(Audience, Destination)>,
}

/// A traffic switch in memory; clones share it. Like the real receivers it ignores epochs lower than one it has
/// seen for the same run.
#[derive(Clone, Default)]
pub struct MemoryRouting {
    switch: Arc<Mutex<Switch>>,
}

impl std::fmt::Debug for MemoryRouting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryRouting").field("now", &self.lock().now).finish()
    }
}

impl MemoryRouting {
    /// A switch that was never set. The hook gets audience, cluster and moment of every call.
    pub fn new(hook: impl FnMut(Audience, &str, Moment) -> Option<Trouble> + Send + 'static) -> Self {
        let routing = Self::default();
        routing.lock().hook = Some(Box::new(hook));
        routing
    }

    fn lock(&self) -> MutexGuard<'_, Switch> {
        self.switch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets where an audience is, as it was before the test began; the hook is not asked.
    pub fn place(&self, audience: Audience, at: Destination) {
        self.lock().now.insert(audience, at);
    }

    /// Everything that was sent and had its effect, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<(Audience, Destination)> {
        self.lock().sent.clone()
    }

    fn ask(&self, audience: Audience, cluster: &str, moment: Moment) -> Option<Trouble> {
        self.lock().hook.as_mut().and_then(|hook| hook(audience, cluster, moment))
    }

    async fn suffer(&self, call: String, trouble: Option<Trouble>) -> Result<(), RoutingError> {
        match trouble {
            None => Ok(()),
            Some(Trouble::Fails { reason, may_pass }) => {
                Err(RoutingError { call, target: self.describe(), reason, may_pass })
            }
            Some(Trouble::Hangs) => std::future::pending().await,
        }
    }

    /// Moves the audience, unless a newer worker of the same run was here already.
    fn apply(&self, audience: Audience, to: &Destination) {
        let mut switch = self.lock();
        let newest = switch.epochs.entry(to.run).or_insert(to.epoch);
        if to.epoch < *newest {
            return;
        }
        *newest = to.epoch;
        switch.sent.push((audience, to.clone()));
        switch.now.insert(audience, to.clone());
        if let Some(hook) = switch.hook.as_mut() {
            hook(audience, &to.cluster, if to.hold { Moment::Hold } else { Moment::Effect });
        }
    }
}

#[async_trait]
impl Routing for MemoryRouting {
    fn describe(&self) -> String {
        "switch in memory".to_owned()
    }

    async fn current(&self, audience: Audience) -> Result<Option<Destination>, RoutingError> {
        let now = self.lock().now.get(&audience).cloned();
        let cluster = now.as_ref().map_or("", |now| now.cluster.as_str());
        let trouble = self.ask(audience, cluster, Moment::Look);
        self.suffer(format!("look where {audience:?} go"), trouble).await?;
        Ok(now)
    }

    async fn send(&self, audience: Audience, to: &Destination) -> Result<(), RoutingError> {
        let call = || format!("send {audience:?} to {}", to.cluster);
        let trouble = self.ask(audience, &to.cluster, Moment::Before);
        self.suffer(call(), trouble).await?;
        self.apply(audience, to);
        let trouble = self.ask(audience, &to.cluster, Moment::After);
        self.suffer(call(), trouble).await
    }
}
