//! Asking again: only on errors that say "not now", and only while the call's deadline lasts.

use std::time::Duration;

use crate::{
    asking::routing::Call,
    error::{KafkaError, KafkaErrorKind},
};

/// Waits between attempts, a little longer each time, never past the deadline.
#[derive(Debug)]
pub(crate) struct Patience<'a> {
    call: Call<'a>,
    pause: Duration,
    not_now: Option<KafkaError>,
}

impl<'a> Patience<'a> {
    /// Short at first.
    pub(crate) fn new(call: Call<'a>) -> Self {
        Self { call, pause: Duration::from_millis(10), not_now: None }
    }

    /// Whether to try again: the broker said "not now" and there is time. Waits before it answers yes.
    pub(crate) async fn after(&mut self, error: &KafkaError) -> bool {
        if error.code().is_none() || !error.may_pass() {
            return false;
        }
        self.not_now = Some(error.clone());
        self.wait().await
    }

    /// What to report in the end: a broker that kept saying "not now" says more than the deadline that cut the last
    /// attempt short.
    pub(crate) fn verdict(&mut self, error: KafkaError) -> KafkaError {
        match error.kind {
            KafkaErrorKind::Timeout(_) => self.not_now.take().unwrap_or(error),
            KafkaErrorKind::Connection(_)
            | KafkaErrorKind::Tls(_)
            | KafkaErrorKind::Authentication(_)
            | KafkaErrorKind::NotKafka(_)
            | KafkaErrorKind::WrongCluster { .. }
            | KafkaErrorKind::UnknownCluster
            | KafkaErrorKind::Broker { .. }
            | KafkaErrorKind::Unsupported(_)
            | KafkaErrorKind::Protocol(_) => error,
        }
    }

    /// Waits for the next attempt; false when there is no time for one.
    pub(crate) async fn wait(&mut self) -> bool {
        if self.call.left() <= self.pause {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Duration::from_millis(500));
        true
    }
}
