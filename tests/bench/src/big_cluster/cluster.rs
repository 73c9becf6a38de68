//! The cluster itself: brokers, grants, transactions, and what it knows of its clients.

use kafka_protocol::{
    messages::{
        BrokerId, DescribeAclsResponse, DescribeClientQuotasResponse, DescribeClusterResponse,
        DescribeUserScramCredentialsResponse, ListTransactionsResponse,
        describe_acls_response::{AclDescription, DescribeAclsResource},
        describe_client_quotas_response::{EntityData, EntryData, ValueData},
        describe_cluster_response::DescribeClusterBroker,
        describe_user_scram_credentials_response::{CredentialInfo, DescribeUserScramCredentialsResult},
    },
    protocol::StrBytes,
};
use muster_kafka::synthetic::CLUSTER_ID;

use super::{
    Size,
    topics::{self, text},
};

/// Codes of the protocol.
const TOPIC: i8 = 2;
const LITERAL: i8 = 3;
const READ: i8 = 3;
const WRITE: i8 = 4;
const ALLOW: i8 = 3;

pub(super) fn describe(ports: &[u16]) -> DescribeClusterResponse {
    let brokers = ports.iter().zip(0..).map(|(port, node)| {
        let broker = DescribeClusterBroker::default().with_broker_id(BrokerId(node));
        broker.with_host(StrBytes::from_static_str("127.0.0.1")).with_port(i32::from(*port))
    });
    DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_static_str(CLUSTER_ID))
        .with_controller_id(BrokerId(0))
        .with_brokers(brokers.collect())
        .with_cluster_authorized_operations(0x0F_F8)
}

/// One topic of ten has a writer and a reader of its own; the others are written and read by patterns, say.
pub(super) fn acls(size: Size) -> DescribeAclsResponse {
    let acl = |who: String, operation: i8| {
        AclDescription::default()
            .with_principal(text(who))
            .with_host(StrBytes::from_static_str("*"))
            .with_operation(operation)
            .with_permission_type(ALLOW)
    };
    let resources = (0..size.topics).step_by(10).map(|number| {
        DescribeAclsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(topics::name(number)))
            .with_pattern_type(LITERAL)
            .with_acls(vec![
                acl(format!("User:writer-{number}"), WRITE),
                acl(format!("User:reader-{number}"), READ),
            ])
    });
    DescribeAclsResponse::default().with_resources(resources.collect())
}

/// None is open.
pub(super) fn transactions() -> ListTransactionsResponse {
    ListTransactionsResponse::default()
}

/// Every writer has a limit of their own.
pub(super) fn quotas(size: Size) -> DescribeClientQuotasResponse {
    let entries = (0..size.topics).step_by(10).map(|number| {
        let entity = EntityData::default()
            .with_entity_type(StrBytes::from_static_str("user"))
            .with_entity_name(Some(text(format!("writer-{number}"))));
        let limit = ValueData::default()
            .with_key(StrBytes::from_static_str("producer_byte_rate"))
            .with_value(10_000_000.0);
        EntryData::default().with_entity(vec![entity]).with_values(vec![limit])
    });
    DescribeClientQuotasResponse::default().with_entries(Some(entries.collect()))
}

/// Writers and readers sign in by SCRAM-SHA-512.
pub(super) fn users(size: Size) -> DescribeUserScramCredentialsResponse {
    let names = (0..size.topics).step_by(10).flat_map(|n| [format!("writer-{n}"), format!("reader-{n}")]);
    let users = names.map(|name| {
        let credential = CredentialInfo::default().with_mechanism(2).with_iterations(4096);
        DescribeUserScramCredentialsResult::default()
            .with_user(text(name))
            .with_credential_infos(vec![credential])
    });
    DescribeUserScramCredentialsResponse::default().with_results(users.collect())
}
