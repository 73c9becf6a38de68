//! Traffic switches as applications and receivers see them.

mod address_book;
mod webhook;

use muster_routing::Destination;
use uuid::Uuid;

pub(crate) const RUN: Uuid = Uuid::from_u128(214);

pub(crate) fn to(cluster: &str, epoch: i64) -> Destination {
    Destination {
        hold: false,
        pair: "orders".to_owned(),
        cluster: cluster.to_owned(),
        bootstrap: vec![format!("{cluster}.example:9092")],
        run: RUN,
        epoch,
    }
}
