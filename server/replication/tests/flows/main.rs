//! Flows against a Connect worker that behaves as the real one was seen to, and clusters in memory.

mod bad_input;
#[cfg(feature = "double")]
mod dead_source;
mod fake_connect;
mod observing;
mod offsets;
#[cfg(feature = "double")]
mod pair_memory;
mod proofs;
mod rest;
mod signing_in;
mod steering;

use std::sync::Arc;

use fake_connect::{CLUSTER_ID, FakeConnect, SOURCE};
use muster_domain::pair::{Direction, Flow, Mechanism, NamingPolicy, Side};
use muster_kafka::double::World;
use muster_replication::{ClusterHands, Mm2OnConnect};

/// The two clusters of every test here, `A` and `B`, with a topic and the flow's offset syncs.
pub(crate) fn world() -> World {
    let world = World::new(&["A", "B"]);
    {
        let mut state = world.lock();
        for name in ["A", "B"] {
            state.cluster_mut(name).authorizer.add_super_user("User:muster");
            state.cluster_mut(name).create_topic("orders", 2).expect("new");
        }
        state.cluster_mut("B").create_topic("mm2-offset-syncs.A.internal", 1).expect("new");
    }
    world
}

pub(crate) fn hands(world: &World, name: &str) -> ClusterHands {
    ClusterHands { admin: Arc::new(world.admin(name)), mover: Arc::new(world.mover(name)) }
}

pub(crate) fn flow(url: &str) -> Flow {
    Flow {
        direction: Direction { from: Side::A },
        mechanism: Mechanism::Mm2OnConnect {
            connect_url: url.to_owned(),
            source_connector: SOURCE.to_owned(),
            checkpoint_connector: Some("orders-checkpoint".to_owned()),
            heartbeat_connector: None,
        },
        source_alias: "A".to_owned(),
        target_alias: "B".to_owned(),
        naming: NamingPolicy::Identity,
        enabled: true,
    }
}

pub(crate) fn mirror(connect: &FakeConnect, world: &World) -> Mm2OnConnect {
    let worker_cluster = Some(CLUSTER_ID.to_owned());
    Mm2OnConnect::new(&flow(&connect.url), hands(world, "A"), hands(world, "B"), worker_cluster)
        .expect("a flow")
}
