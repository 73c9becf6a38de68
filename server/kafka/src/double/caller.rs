//! One call on a simulated cluster: what comes before and after its effect.

use super::{
    cluster::{ClusterState, Health},
    code::broker_error,
    faults::{Call, DIED, Fault},
    world::World,
};
use crate::error::{KafkaError, KafkaErrorKind};

/// How long a simulated timeout claims to have waited.
pub(super) const BOUND_MS: u64 = 5_000;

/// Who calls, and what id it expects: shared by the admin client and the record mover.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) world: World,
    pub(super) cluster: String,
    pub(super) expected_id: Option<String>,
}

impl Caller {
    pub(super) fn new(world: World, cluster: &str) -> Self {
        let expected_id = Some(world.lock().cluster(cluster).id.clone());
        Self { world, cluster: cluster.to_owned(), expected_id }
    }

    pub(super) fn error(&self, verb: &str, object: &str, kind: KafkaErrorKind) -> KafkaError {
        KafkaError {
            cluster: self.cluster.clone(),
            call: format!("{verb} {object}").trim_end().to_owned(),
            node: None,
            kind,
        }
    }

    /// One call: reads just go, mutations check the cluster id first.
    pub(super) async fn call<T: Send>(
        &self,
        (verb, mutating): (&'static str, bool),
        object: String,
        effect: impl FnOnce(&mut ClusterState) -> Result<T, KafkaErrorKind> + Send,
    ) -> Result<T, KafkaError> {
        let place = self.cluster.clone();
        let call = Call { tick: 0, verb, place, object: object.clone(), mutating };
        let done = self.world.call(call, |state| {
            let cluster = state.cluster_mut(&self.cluster);
            match cluster.health {
                Health::Up => {}
                Health::Dead => return Err(KafkaErrorKind::Connection("connection refused".to_owned())),
                Health::Frozen => return Err(KafkaErrorKind::Timeout(BOUND_MS)),
            }
            cluster.connected();
            if mutating {
                self.check_id(cluster)?;
            }
            effect(cluster)
        });
        done.await.map_err(|trouble| {
            let kind = match trouble {
                Err(kind) => kind,
                Ok(Fault::Timeout | Fault::Hang) => KafkaErrorKind::Timeout(BOUND_MS),
                Ok(Fault::Connection) => KafkaErrorKind::Connection("connection reset".to_owned()),
                Ok(Fault::Code(code)) => broker_error(code),
                Ok(Fault::Died) => KafkaErrorKind::Protocol(DIED.to_owned()),
            };
            self.error(verb, &object, kind)
        })
    }

    pub(super) fn check_id(&self, cluster: &ClusterState) -> Result<(), KafkaErrorKind> {
        match &self.expected_id {
            None => Err(KafkaErrorKind::UnknownCluster),
            Some(expected) if *expected != cluster.id => {
                Err(KafkaErrorKind::WrongCluster { expected: expected.clone(), found: cluster.id.clone() })
            }
            Some(_) => Ok(()),
        }
    }
}
