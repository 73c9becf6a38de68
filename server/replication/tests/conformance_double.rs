//! The simulated flow behaves as the conformance test says. The same test runs on real workers in `tests/it`.
#![cfg(feature = "double")]

use muster_replication::double::{KeptInMemory, conformance, small_world};

#[tokio::test]
async fn flow() {
    let small = small_world();
    small.world.point_producers("");
    let (source, target) = ("eu-west", "eu-central");
    let (source_admin, source_mover) = (small.world.admin(source), small.world.mover(source));
    let (target_admin, target_mover) = (small.world.admin(target), small.world.mover(target));
    let source = conformance::End { admin: &source_admin, mover: &source_mover };
    let target = conformance::End { admin: &target_admin, mover: &target_mover };
    conformance::flow(&small.west_to_central, source, target, "orders.conformance").await;
}

#[tokio::test]
async fn pair_memory() {
    conformance::pair_memory(&KeptInMemory::default()).await;
}
