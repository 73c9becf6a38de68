//! What can go wrong with a cluster, keeping what was tried and the broker's exact answer.

/// An error of a cluster call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{call} on cluster `{cluster}`{}: {kind}", .node.map(|n| format!(" (broker {n})")).unwrap_or_default())]
pub struct KafkaError {
    /// Cluster name in Muster.
    pub cluster: String,
    /// What was tried, with its object: `CreateAcls for 3 bindings`, `ListOffsets of 12 partitions`.
    pub call: String,
    /// Broker it was sent to, when one was chosen.
    pub node: Option<i32>,
    /// What came back.
    pub kind: KafkaErrorKind,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KafkaErrorKind {
    /// No TCP connection, or it broke. The call may or may not have been carried out.
    #[error("connection failed: {0}")]
    Connection(String),
    /// TLS failed: wrong authority, expired certificate, wrong name, or the port does not speak TLS.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The broker refused the credentials.
    #[error("authentication failed: {0}")]
    Authentication(String),
    /// The peer does not answer like a Kafka broker (garbage, an HTTP or TLS port, a frame over the size cap).
    #[error("the peer does not speak Kafka here: {0}")]
    NotKafka(String),
    /// No answer in time. The call may or may not have been carried out.
    #[error("no answer within {0} ms")]
    Timeout(u64),
    /// The cluster is not the one Muster knows under this name. Nothing was changed.
    #[error("wrong cluster: expected id `{expected}`, found `{found}`; nothing was changed")]
    WrongCluster {
        /// Id Muster knows.
        expected: String,
        /// Id found.
        found: String,
    },
    /// The cluster's id was never recorded, so nothing may be changed there.
    #[error("the cluster's id is not known yet; check the cluster first. Nothing was changed")]
    UnknownCluster,
    /// A broker error code (`org.apache.kafka.common.protocol.Errors`).
    #[error("broker error {code} {name}{}", .message.as_deref().map(|m| format!(": {m}")).unwrap_or_default())]
    Broker {
        /// Code.
        code: i16,
        /// Its name, for example `TOPIC_AUTHORIZATION_FAILED`.
        name: String,
        /// The broker's own text, if it gave one.
        message: Option<String>,
    },
    /// The broker is too old (or too new) for this call.
    #[error("the broker does not support {0}")]
    Unsupported(String),
    /// The request could not be built, or the answer could not be read.
    #[error("{0}")]
    Protocol(String),
}

impl KafkaError {
    /// The broker error code, if it was one.
    #[must_use]
    pub fn code(&self) -> Option<i16> {
        match &self.kind {
            KafkaErrorKind::Broker { code, .. } => Some(*code),
            KafkaErrorKind::Connection(_)
            | KafkaErrorKind::Tls(_)
            | KafkaErrorKind::Authentication(_)
            | KafkaErrorKind::NotKafka(_)
            | KafkaErrorKind::Timeout(_)
            | KafkaErrorKind::WrongCluster { .. }
            | KafkaErrorKind::UnknownCluster
            | KafkaErrorKind::Unsupported(_)
            | KafkaErrorKind::Protocol(_) => None,
        }
    }

    /// Whether the cluster answered, and would answer the same a moment later: it refuses, or what it holds cannot be read. That is often
    /// so of one partition of many, and no reason not to ask for the others.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        let answered = matches!(self.kind, KafkaErrorKind::Broker { .. } | KafkaErrorKind::Protocol(_));
        answered && !self.may_pass()
    }

    /// Whether the same call may succeed a moment later without anybody doing anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match &self.kind {
            KafkaErrorKind::Connection(_) | KafkaErrorKind::Timeout(_) => true,
            // LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, NETWORK_EXCEPTION,
            // COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, NOT_CONTROLLER,
            // CONCURRENT_TRANSACTIONS, THROTTLING_QUOTA_EXCEEDED.
            KafkaErrorKind::Broker { code, .. } => {
                matches!(code, 5 | 6 | 7 | 13 | 14 | 15 | 16 | 41 | 51 | 89)
            }
            KafkaErrorKind::Tls(_)
            | KafkaErrorKind::Authentication(_)
            | KafkaErrorKind::NotKafka(_)
            | KafkaErrorKind::WrongCluster { .. }
            | KafkaErrorKind::UnknownCluster
            | KafkaErrorKind::Unsupported(_)
            | KafkaErrorKind::Protocol(_) => false,
        }
    }
}
