//! ACLs: what each broker answers for itself, creating and deleting exact bindings.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use kafka_protocol::messages::{
    CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, DescribeAclsResponse,
    create_acls_request::AclCreation, delete_acls_request::DeleteAclsFilter,
};
use muster_domain::{
    acl::{AclBinding, AclFilter, AclOperation, AclPermission, PatternType, ResourceType},
    survey::AclObservation,
};

use crate::{
    asking::routing::{Call, Router, Target},
    broker_error::SECURITY_DISABLED,
    error::KafkaError,
    verbs::group_members::text,
};

/// Matches anything, in filters.
const ANY: i8 = 1;

const RESOURCES: [(ResourceType, i8); 6] = [
    (ResourceType::Topic, 2),
    (ResourceType::Group, 3),
    (ResourceType::Cluster, 4),
    (ResourceType::TransactionalId, 5),
    (ResourceType::DelegationToken, 6),
    (ResourceType::User, 7),
];
const PATTERNS: [(PatternType, i8); 2] = [(PatternType::Literal, 3), (PatternType::Prefixed, 4)];
const PERMISSIONS: [(AclPermission, i8); 2] = [(AclPermission::Deny, 2), (AclPermission::Allow, 3)];
const OPERATIONS: [(AclOperation, i8); 14] = [
    (AclOperation::All, 2),
    (AclOperation::Read, 3),
    (AclOperation::Write, 4),
    (AclOperation::Create, 5),
    (AclOperation::Delete, 6),
    (AclOperation::Alter, 7),
    (AclOperation::Describe, 8),
    (AclOperation::ClusterAction, 9),
    (AclOperation::DescribeConfigs, 10),
    (AclOperation::AlterConfigs, 11),
    (AclOperation::IdempotentWrite, 12),
    (AclOperation::CreateTokens, 13),
    (AclOperation::DescribeTokens, 14),
    (AclOperation::TwoPhaseCommit, 15),
];

fn code_of<T: PartialEq>(table: &[(T, i8)], value: &T) -> i8 {
    // Every value of the enum stands in its table; 0 is Kafka's UNKNOWN and would be refused.
    table.iter().find(|(known, _)| known == value).map_or(0, |(_, code)| *code)
}

fn value_of<T: Copy>(table: &[(T, i8)], code: i8) -> Option<T> {
    table.iter().find(|(_, known)| *known == code).map(|(value, _)| *value)
}

/// ACLs as each broker answers for itself, folded into agreed and disputed ones.
pub(crate) async fn describe_acls(router: &Router, filter: &AclFilter) -> Result<AclObservation, KafkaError> {
    let call = router.look("DescribeAcls");
    let mut asks = Vec::new();
    for node in call.every_broker().await? {
        asks.push(describe_on(&call, Target::Node(node), filter));
    }
    let answers = try_join_all(asks).await?;
    let brokers = answers.len();
    let mut counts: BTreeMap<AclBinding, usize> = BTreeMap::new();
    let mut authorizer = true;
    for answer in answers {
        let Some(bindings) = answer else {
            authorizer = false;
            continue;
        };
        for binding in bindings {
            *counts.entry(binding).or_default() += 1;
        }
    }
    let (mut bindings, mut disputed) = (BTreeSet::new(), BTreeSet::new());
    for (binding, count) in counts {
        if count == brokers {
            bindings.insert(binding)
        } else {
            disputed.insert(binding)
        };
    }
    Ok(AclObservation { authorizer, bindings, disputed })
}

/// One broker's answer; `None` when it has no authorizer.
pub(crate) async fn describe_on(
    call: &Call<'_>,
    target: Target,
    filter: &AclFilter,
) -> Result<Option<BTreeSet<AclBinding>>, KafkaError> {
    let build = |_| {
        DescribeAclsRequest::default()
            .with_resource_type_filter(filter.resource.map_or(ANY, |value| code_of(&RESOURCES, &value)))
            .with_resource_name_filter(filter.name.as_deref().map(text))
            .with_pattern_type_filter(filter.pattern.map_or(ANY, |value| code_of(&PATTERNS, &value)))
            .with_principal_filter(filter.principal.as_deref().map(text))
            .with_host_filter(None)
            .with_operation(filter.operation.map_or(ANY, |value| code_of(&OPERATIONS, &value)))
            .with_permission_type(filter.permission.map_or(ANY, |value| code_of(&PERMISSIONS, &value)))
    };
    let (answer, _): (DescribeAclsResponse, _) = call.send(target, None, build).await?;
    if answer.error_code == SECURITY_DISABLED {
        return Ok(None);
    }
    call.expect_ok(None, answer.error_code, answer.error_message.as_ref())?;
    Ok(Some(read_bindings(call, &answer)))
}

fn read_bindings(call: &Call<'_>, answer: &DescribeAclsResponse) -> BTreeSet<AclBinding> {
    let mut bindings = BTreeSet::new();
    for resource in &answer.resources {
        let about =
            value_of(&RESOURCES, resource.resource_type).zip(value_of(&PATTERNS, resource.pattern_type));
        for acl in &resource.acls {
            let right = value_of(&OPERATIONS, acl.operation).zip(value_of(&PERMISSIONS, acl.permission_type));
            let (Some((resource_type, pattern)), Some((operation, permission))) = (about, right) else {
                // Newer than this client, so about nothing that this client fences or grants.
                let (cluster, name) = (&call.router.name, &*resource.resource_name);
                tracing::warn!(
                    cluster,
                    name,
                    "an ACL on `{name}` of cluster `{cluster}` has unknown codes: left out"
                );
                continue;
            };
            bindings.insert(AclBinding {
                resource: resource_type,
                name: resource.resource_name.to_string(),
                pattern,
                principal: acl.principal.to_string(),
                host: acl.host.to_string(),
                operation,
                permission,
            });
        }
    }
    bindings
}

/// Creates bindings; existing ones stay.
pub(crate) async fn create_acls(router: &Router, bindings: &[AclBinding]) -> Result<(), KafkaError> {
    if bindings.is_empty() {
        return Ok(());
    }
    let what = format!("CreateAcls for {} bindings", bindings.len());
    let call = router.change(&what);
    until_controller_answers(&call, |target| send_create(&call, target, bindings)).await
}

async fn send_create(call: &Call<'_>, target: Target, bindings: &[AclBinding]) -> Result<(), KafkaError> {
    let build = |_| {
        let creations = bindings.iter().map(|binding| {
            AclCreation::default()
                .with_resource_type(code_of(&RESOURCES, &binding.resource))
                .with_resource_name(text(&binding.name))
                .with_resource_pattern_type(code_of(&PATTERNS, &binding.pattern))
                .with_principal(text(&binding.principal))
                .with_host(text(&binding.host))
                .with_operation(code_of(&OPERATIONS, &binding.operation))
                .with_permission_type(code_of(&PERMISSIONS, &binding.permission))
        });
        CreateAclsRequest::default().with_creations(creations.collect())
    };
    let (answer, _) = call.send(target, None, build).await?;
    answer.results.iter().try_for_each(|one| call.expect_ok(None, one.error_code, one.error_message.as_ref()))
}

/// Deletes exactly these bindings; missing ones are fine.
pub(crate) async fn delete_acls(router: &Router, bindings: &[AclBinding]) -> Result<(), KafkaError> {
    if bindings.is_empty() {
        return Ok(());
    }
    let what = format!("DeleteAcls for {} bindings", bindings.len());
    let call = router.change(&what);
    until_controller_answers(&call, |target| send_delete(&call, target, bindings)).await
}

async fn send_delete(call: &Call<'_>, target: Target, bindings: &[AclBinding]) -> Result<(), KafkaError> {
    let build = |_| {
        // Every field is set: a filter that leaves one open would delete more than asked.
        let filters = bindings.iter().map(|binding| {
            DeleteAclsFilter::default()
                .with_resource_type_filter(code_of(&RESOURCES, &binding.resource))
                .with_resource_name_filter(Some(text(&binding.name)))
                .with_pattern_type_filter(code_of(&PATTERNS, &binding.pattern))
                .with_principal_filter(Some(text(&binding.principal)))
                .with_host_filter(Some(text(&binding.host)))
                .with_operation(code_of(&OPERATIONS, &binding.operation))
                .with_permission_type(code_of(&PERMISSIONS, &binding.permission))
        });
        DeleteAclsRequest::default().with_filters(filters.collect())
    };
    let (answer, _) = call.send(target, None, build).await?;
    for filter in &answer.filter_results {
        call.expect_ok(None, filter.error_code, filter.error_message.as_ref())?;
        filter
            .matching_acls
            .iter()
            .try_for_each(|one| call.expect_ok(None, one.error_code, one.error_message.as_ref()))?;
    }
    Ok(())
}

/// Sends to the controller, looked up again while brokers say that it moved.
pub(crate) async fn until_controller_answers<T, F>(
    call: &Call<'_>,
    ask: impl Fn(Target) -> F,
) -> Result<T, KafkaError>
where
    F: Future<Output = Result<T, KafkaError>>,
{
    let mut patience = call.patience();
    loop {
        match ask(call.controller().await?).await {
            Err(error) if patience.after(&error).await => drop(call.refresh_view().await?),
            result => return result.map_err(|error| patience.verdict(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_one_code_and_comes_back() {
        for (value, code) in OPERATIONS {
            assert_eq!(code_of(&OPERATIONS, &value), code);
            assert_eq!(value_of(&OPERATIONS, code), Some(value));
        }
        assert_eq!(value_of(&RESOURCES, 1), None, "ANY is no resource");
        assert_eq!(value_of(&PATTERNS, 2), None, "MATCH is no pattern of a binding");
    }
}
