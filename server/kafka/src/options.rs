//! Bounds that every client of a cluster keeps.

use std::time::Duration;

/// How long to wait and how much to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// Bound of one verb of [`crate::ClusterAdmin`], its retries included, in milliseconds.
    pub call_deadline_ms: u64,
    /// Bound of connecting, TLS and signing in, in milliseconds.
    pub connect_deadline_ms: u64,
    /// Largest frame accepted from a broker. Also what tells garbage, HTTP and TLS from Kafka.
    pub max_frame_bytes: u32,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { call_deadline_ms: 10_000, connect_deadline_ms: 5_000, max_frame_bytes: 100_000_000 }
    }
}

impl ClientOptions {
    pub(crate) fn call_deadline(&self) -> Duration {
        Duration::from_millis(self.call_deadline_ms)
    }

    pub(crate) fn connect_deadline(&self) -> Duration {
        Duration::from_millis(self.connect_deadline_ms)
    }
}
