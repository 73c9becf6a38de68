//! The cluster itself: brokers, grants, transactions.

use kafka_protocol::{
    messages::{
        BrokerId, DescribeAclsResponse, DescribeClusterResponse, ListTransactionsResponse,
        describe_acls_response::{AclDescription, DescribeAclsResource},
        describe_cluster_response::DescribeClusterBroker,
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
