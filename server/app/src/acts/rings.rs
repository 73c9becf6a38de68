//! How looks at a pair's sources go: what is kept of them for the day they are dead, and what is in the way. Read from what is stored.

use muster_domain::{
    ids::PairName,
    pair::{Flow, Mechanism, Pair},
    proof::looks::{Looks, Trouble, UnreadPartition},
    topic::TopicPartition,
};
use muster_store::{
    StoreError, canaries,
    rings::{self, Unread},
};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::pairs;
use crate::http::Answer;

/// Partitions that are told of one by one.
const PARTITIONS: i64 = 100;

/// Looks at the sources of a pair.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RingsView {
    /// The pair.
    pub pair: PairName,
    /// Each source of a flow that is attached; none on the side that stands by.
    pub items: Vec<Looks>,
}

/// How looks at the sources of a pair go.
///
/// # Errors
/// `not-found`.
pub async fn view(conn: &mut PgConnection, name: &PairName) -> Answer<RingsView> {
    let pair = pairs::get(conn, name).await?;
    Ok(RingsView { items: of_pair(conn, &pair).await?, pair: pair.name })
}

/// The same of a pair that was read.
///
/// # Errors
/// When the database refuses.
pub async fn of_pair(conn: &mut PgConnection, pair: &Pair) -> Result<Vec<Looks>, StoreError> {
    let whereabouts = canaries::whereabouts(conn, &pair.name).await?;
    let active = whereabouts.and_then(|(_, now)| now.active);
    let is_looked_at =
        |flow: &&Flow| flow.mechanism != Mechanism::Unattached && active != Some(flow.direction.to());
    let mut all = Vec::new();
    for flow in pair.flows.iter().filter(is_looked_at) {
        all.push(of_flow(conn, pair, flow).await?);
    }
    Ok(all)
}

async fn of_flow(conn: &mut PgConnection, pair: &Pair, flow: &Flow) -> Result<Looks, StoreError> {
    let of = (&pair.name, flow.direction);
    let look = rings::look(conn, of).await?;
    let partitions = rings::unread(conn, of, PARTITIONS).await?.into_iter().map(unread).collect();
    let trouble = |since, because: &String| Trouble { since, because: because.clone() };
    Ok(Looks {
        from: pair.cluster(flow.direction.from).clone(),
        to: pair.cluster(flow.direction.to()).clone(),
        looked_at: look.as_ref().map(|look| look.looked_at),
        positions_at: look.as_ref().map(|look| look.positions_at),
        silent: look
            .as_ref()
            .and_then(|look| look.silent_since.map(|since| trouble(since, &look.silent_because))),
        failing: look
            .as_ref()
            .and_then(|look| look.failing_since.map(|since| trouble(since, &look.failing_because))),
        unread: rings::count_unread(conn, of).await?,
        partitions,
        beyond: look.as_ref().map_or(0, |look| look.beyond),
    })
}

fn unread((at, unread): (TopicPartition, Unread)) -> UnreadPartition {
    let Unread { since, tried_at, because } = unread;
    UnreadPartition { topic: at.topic, partition: at.partition, since, tried_at, because }
}
