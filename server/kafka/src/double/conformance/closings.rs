//! Connections that the other side closes.

use std::time::Duration;

use futures_util::FutureExt as _;

use crate::admin::ClusterAdmin;

/// How long it may take until a connection that was closed is told.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster that goes down closes the connections that had served, and that is told though nobody asks anything. `goes_down` ends once
/// it refuses connections. Dials that fail are not told.
pub async fn closings(admin: &dyn ClusterAdmin, goes_down: impl Future<Output = ()>) {
    let mut closings = admin.closings();
    admin.describe_cluster().await.unwrap();
    assert!(closings.next().now_or_never().is_none(), "it was opened, and not closed");
    goes_down.await;
    let told = tokio::time::timeout(PATIENCE, closings.next()).await;
    assert!(told.is_ok(), "it was never told");
    for _ in 0..3 {
        admin.describe_cluster().await.unwrap_err();
        assert!(closings.next().now_or_never().is_none(), "a dial that failed was told");
    }
    assert!(admin.closings().next().now_or_never().is_none(), "who asks later was told of before");
}
