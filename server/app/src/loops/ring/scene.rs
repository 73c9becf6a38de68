//! What is known of a flow before its source is looked at, from what is stored.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{ids::PairName, pair::Direction, recorder::CleanupPolicies};
use muster_store::{
    StoreError, canaries,
    recorder::{self, Positions},
    rings,
};
use sqlx::PgConnection;

/// Positions older than that are no positions of now: nobody could read the source.
const FRESH: TimeDelta = TimeDelta::minutes(5);

/// What is known of a flow before its source is looked at.
pub(super) struct Scene {
    /// When its groups were read last, and where they stood; `None` when that was not lately.
    pub(super) positions: Option<(DateTime<Utc>, Positions)>,
    /// It was looked at before.
    pub(super) is_known: bool,
    /// Applications are known to be on its target, so nobody's groups go there. A flow that only stands still is looked at.
    pub(super) stands_by: bool,
    /// Cleanup policies of its source's and its target's topics, where they are known. Not read where the source is not to be looked at.
    pub(super) policies: [CleanupPolicies; 2],
}

impl Scene {
    pub(super) async fn read(
        conn: &mut PgConnection,
        of: (&PairName, Direction),
    ) -> Result<Self, StoreError> {
        let (pair, direction) = of;
        let now = Utc::now();
        let whereabouts = canaries::whereabouts(conn, pair).await?;
        let active = whereabouts.and_then(|(_, now)| now.active);
        let stands_by = active == Some(direction.to());
        let positions = recorder::positions(conn, of, (now - FRESH, now + TimeDelta::minutes(1))).await?;
        let policies = if positions.is_some() && !stands_by {
            let source = recorder::cleanup_policies(conn, (pair, direction.from), now).await?;
            [source, recorder::cleanup_policies(conn, (pair, direction.to()), now).await?]
        } else {
            <[CleanupPolicies; 2]>::default()
        };
        Ok(Self { positions, is_known: rings::look(conn, of).await?.is_some(), stands_by, policies })
    }
}
