//! Broker error codes by Kafka's own names, and which of them say "ask again" or "ask somebody else".

use kafka_protocol::{error::ResponseError, protocol::StrBytes};

use crate::error::KafkaErrorKind;

pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
pub(crate) const LEADER_NOT_AVAILABLE: i16 = 5;
pub(crate) const NOT_COORDINATOR: i16 = 16;
pub(crate) const UNKNOWN_MEMBER_ID: i16 = 25;
pub(crate) const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
pub(crate) const UNSUPPORTED_VERSION: i16 = 35;
pub(crate) const SECURITY_DISABLED: i16 = 54;
pub(crate) const GROUP_ID_NOT_FOUND: i16 = 69;
pub(crate) const UNSTABLE_OFFSET_COMMIT: i16 = 88;
pub(crate) const TRANSACTIONAL_ID_NOT_FOUND: i16 = 105;
pub(crate) const OFFSET_NOT_AVAILABLE: i16 = 78;
pub(crate) const OFFSET_OUT_OF_RANGE: i16 = 1;

/// `Ok` for 0, else the code with its name and the broker's own text.
pub(crate) fn check(code: i16, message: Option<&StrBytes>) -> Result<(), KafkaErrorKind> {
    if code == 0 { Ok(()) } else { Err(broker_error(code, message)) }
}

/// A broker error code as an error.
pub(crate) fn broker_error(code: i16, message: Option<&StrBytes>) -> KafkaErrorKind {
    let message = message.map(|text| text.to_string()).filter(|text| !text.is_empty());
    KafkaErrorKind::Broker { code, name: name_of(code), message }
}

/// `NOT_LEADER_OR_FOLLOWER` for 6; `ERROR_4711` for codes newer than this client.
pub(crate) fn name_of(code: i16) -> String {
    let Some(error) = ResponseError::try_from_code(code) else { return "NONE".to_owned() };
    if matches!(error, ResponseError::Unknown(_)) {
        return format!("ERROR_{code}");
    }
    let mut name = String::with_capacity(40);
    for letter in error.to_string().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// The leader moved or is being elected: look up the leader again, then ask it.
pub(crate) fn leader_moved(code: i16) -> bool {
    // LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REPLICA_NOT_AVAILABLE, KAFKA_STORAGE_ERROR, FENCED_LEADER_EPOCH,
    // UNKNOWN_LEADER_EPOCH, OFFSET_NOT_AVAILABLE; UNKNOWN_TOPIC_OR_PARTITION because metadata spreads unevenly.
    matches!(code, 3 | 5 | 6 | 9 | 56 | 74 | 75 | 78)
}

/// The coordinator moved or is loading: look it up again, then ask it.
pub(crate) fn coordinator_moved(code: i16) -> bool {
    // COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR.
    matches!(code, 14..=16)
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn names_are_kafkas_own() {
        assert_eq!(name_of(29), "TOPIC_AUTHORIZATION_FAILED");
        assert_eq!(name_of(6), "NOT_LEADER_OR_FOLLOWER");
        assert_eq!(name_of(-1), "UNKNOWN_SERVER_ERROR");
        assert_eq!(name_of(4711), "ERROR_4711");
        assert_eq!(name_of(0), "NONE");
    }
}
