//! Broker error codes with Kafka's own names (`org.apache.kafka.common.protocol.Errors`).

use crate::error::KafkaErrorKind;

/// Every code the double answers, and the ones tests inject.
const NAMES: &[(i16, &str)] = &[
    (1, "OFFSET_OUT_OF_RANGE"),
    (3, "UNKNOWN_TOPIC_OR_PARTITION"),
    (5, "LEADER_NOT_AVAILABLE"),
    (6, "NOT_LEADER_OR_FOLLOWER"),
    (7, "REQUEST_TIMED_OUT"),
    (13, "NETWORK_EXCEPTION"),
    (14, "COORDINATOR_LOAD_IN_PROGRESS"),
    (15, "COORDINATOR_NOT_AVAILABLE"),
    (16, "NOT_COORDINATOR"),
    (25, "UNKNOWN_MEMBER_ID"),
    (29, "TOPIC_AUTHORIZATION_FAILED"),
    (30, "GROUP_AUTHORIZATION_FAILED"),
    (31, "CLUSTER_AUTHORIZATION_FAILED"),
    (36, "TOPIC_ALREADY_EXISTS"),
    (37, "INVALID_PARTITIONS"),
    (38, "INVALID_REPLICATION_FACTOR"),
    (40, "INVALID_CONFIG"),
    (41, "NOT_CONTROLLER"),
    (51, "CONCURRENT_TRANSACTIONS"),
    (54, "SECURITY_DISABLED"),
    (68, "NON_EMPTY_GROUP"),
    (69, "GROUP_ID_NOT_FOUND"),
    (78, "OFFSET_NOT_AVAILABLE"),
    (86, "GROUP_SUBSCRIBED_TO_TOPIC"),
    (89, "THROTTLING_QUOTA_EXCEEDED"),
];

/// The error of a code.
#[must_use]
pub fn broker_error(code: i16) -> KafkaErrorKind {
    let name =
        NAMES.iter().find(|(known, _)| *known == code).map_or("UNKNOWN_SERVER_ERROR", |(_, name)| name);
    KafkaErrorKind::Broker { code, name: (*name).to_owned(), message: None }
}
