//! Which version of each request to use: the newest that this client and that broker both know (brokers from 2.1).

use std::collections::HashMap;

use kafka_protocol::{
    messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse},
    protocol::{Request, StrBytes},
};

use crate::{
    broker_error::{self, UNSUPPORTED_VERSION},
    connecting::{
        connection::{Connection, decode},
        transport::Deadline,
    },
    error::KafkaErrorKind,
};

/// What one broker speaks: lowest and highest version by API key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions(HashMap<i16, (i16, i16)>);

impl Versions {
    /// The version to use, not above `cap` when one is given.
    pub(crate) fn pick<R: Request>(&self, cap: Option<i16>) -> Result<i16, KafkaErrorKind> {
        let ours = R::VERSIONS;
        let highest = cap.unwrap_or(ours.max).min(ours.max);
        let unsupported =
            |detail: String| KafkaErrorKind::Unsupported(format!("{}{detail}", name_of(R::KEY)));
        let &(low, high) = self.0.get(&R::KEY).ok_or_else(|| unsupported(String::new()))?;
        let version = highest.min(high);
        if version < low.max(ours.min) {
            return Err(unsupported(format!(
                " in the versions {}-{highest} that Muster speaks (it speaks {low}-{high})",
                ours.min
            )));
        }
        Ok(version)
    }

    /// Whether the broker knows this request in at least that version.
    pub(crate) fn reaches<R: Request>(&self, version: i16) -> bool {
        self.0.get(&R::KEY).is_some_and(|(_, high)| *high >= version)
    }
}

/// Asks the broker, falling back to the oldest form when it does not know ours.
pub(crate) async fn negotiate(connection: &Connection, deadline: Deadline) -> Result<(), KafkaErrorKind> {
    const OURS: i16 = 3;
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("muster"))
        .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
    let body = connection.exchange(OURS, &request, deadline).await?;
    // A broker that does not know the version answers in version 0, whatever was asked.
    let answer: ApiVersionsResponse = if body.get(..2) == Some(&UNSUPPORTED_VERSION.to_be_bytes()[..]) {
        let body = connection.exchange(0, &ApiVersionsRequest::default(), deadline).await?;
        decode(body, 0)?
    } else {
        decode(body, OURS)?
    };
    broker_error::check(answer.error_code, None)?;
    let ranges = answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version)));
    connection.set_versions(Versions(ranges.collect()));
    Ok(())
}

fn name_of(key: i16) -> String {
    ApiKey::try_from(key).map_or_else(|()| format!("API {key}"), |key| format!("{key:?}"))
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{ListGroupsRequest, OffsetDeleteRequest, ProduceRequest};

    use super::*;

    #[test]
    fn the_newest_common_version_wins() {
        let broker = Versions(HashMap::from([(16, (0, 2)), (0, (12, 13))]));
        assert_eq!(broker.pick::<ListGroupsRequest>(None).unwrap(), 2);
        assert_eq!(broker.pick::<ProduceRequest>(None).unwrap(), 13);
        assert_eq!(broker.pick::<ProduceRequest>(Some(12)).unwrap(), 12);
        let too_new = broker.pick::<ProduceRequest>(Some(9)).unwrap_err();
        assert!(
            matches!(too_new, KafkaErrorKind::Unsupported(text) if text.starts_with("Produce in the versions 3-9"))
        );
        let unknown = broker.pick::<OffsetDeleteRequest>(None).unwrap_err();
        assert_eq!(unknown, KafkaErrorKind::Unsupported("OffsetDelete".to_owned()));
        assert!(broker.reaches::<ListGroupsRequest>(2) && !broker.reaches::<ListGroupsRequest>(3));
    }
}
