//! Client quotas and SCRAM users. Any broker answers for the whole cluster.

use std::collections::BTreeMap;

use kafka_protocol::messages::{
    DescribeClientQuotasRequest, DescribeUserScramCredentialsRequest,
    describe_client_quotas_response::EntryData, describe_user_scram_credentials_response::CredentialInfo,
};
use muster_domain::quota::{ClientQuota, ScramUsers};

use crate::{
    asking::routing::{Router, Target},
    error::KafkaError,
};

/// Every quota that was set, ordered by whom it limits.
pub(crate) async fn client_quotas(router: &Router) -> Result<Vec<ClientQuota>, KafkaError> {
    let call = router.look("DescribeClientQuotas");
    // No component at all, and not strictly: whatever there is.
    let build = |_| DescribeClientQuotasRequest::default();
    let (answer, _) = call.send(Target::Any, None, build).await?;
    call.expect_ok(None, answer.error_code, answer.error_message.as_ref())?;
    let mut quotas: Vec<ClientQuota> =
        answer.entries.unwrap_or_default().into_iter().map(read_quota).collect();
    quotas.sort_by(|one, other| one.entity.cmp(&other.entity));
    Ok(quotas)
}

fn read_quota(entry: EntryData) -> ClientQuota {
    let name = |name: Option<kafka_protocol::protocol::StrBytes>| name.map(|name| name.to_string());
    ClientQuota {
        entity: entry
            .entity
            .into_iter()
            .map(|part| (part.entity_type.to_string(), name(part.entity_name)))
            .collect(),
        limits: entry.values.into_iter().map(|limit| (limit.key.to_string(), limit.value)).collect(),
    }
}

/// `RESOURCE_NOT_FOUND`: the user was deleted while being described.
const GONE: i16 = 91;

/// Every user with a SCRAM password.
pub(crate) async fn scram_users(router: &Router) -> Result<ScramUsers, KafkaError> {
    let call = router.look("DescribeUserScramCredentials");
    let build = |_| DescribeUserScramCredentialsRequest::default().with_users(None);
    let (answer, _) = call.send(Target::Any, None, build).await?;
    call.expect_ok(None, answer.error_code, answer.error_message.as_ref())?;
    let mut users = BTreeMap::new();
    for user in answer.results.into_iter().filter(|user| user.error_code != GONE) {
        call.expect_ok(None, user.error_code, user.error_message.as_ref())?;
        users.insert(user.user.to_string(), user.credential_infos.iter().map(mechanism).collect());
    }
    Ok(users)
}

/// The name SASL knows it by.
fn mechanism(credential: &CredentialInfo) -> String {
    match credential.mechanism {
        1 => "SCRAM-SHA-256".to_owned(),
        2 => "SCRAM-SHA-512".to_owned(),
        newer => format!("mechanism {newer}"),
    }
}
