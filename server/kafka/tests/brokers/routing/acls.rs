//! ACLs as brokers see them, and what the probe of a fence proves.

use std::sync::atomic::AtomicI16;

use kafka_protocol::{
    messages::{
        DescribeAclsResponse, ProduceResponse,
        describe_acls_response::{AclDescription, DescribeAclsResource},
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::StrBytes,
};
use muster_domain::{acl::AclFilter, cluster::ProbePrincipal};
use muster_kafka::FenceVerdict;

use super::*;

#[tokio::test]
async fn brokers_that_disagree_about_acls_are_shown() {
    let world = World::default().with_script(|node, request, _| match request {
        RequestKind::DescribeAcls(_) => {
            let acl = |principal: &'static str| {
                AclDescription::default()
                    .with_principal(StrBytes::from_static_str(principal))
                    .with_host(StrBytes::from_static_str("*"))
                    .with_operation(4)
                    .with_permission_type(2)
            };
            let mut acls = vec![acl("User:agreed")];
            acls.extend((node == 1).then(|| acl("User:spreading")));
            let resource = DescribeAclsResource::default()
                .with_resource_type(2)
                .with_resource_name(StrBytes::from_static_str("orders."))
                .with_pattern_type(4)
                .with_acls(acls);
            let response = DescribeAclsResponse::default().with_resources(vec![resource]);
            Reply::with(ResponseKind::DescribeAcls(response))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(3, world).await;
    let seen = brokers.admin().acls(&AclFilter::default()).await.unwrap();
    assert!(seen.authorizer);
    let principals = |set: std::collections::BTreeSet<AclBinding>| {
        set.into_iter().map(|b| b.principal).collect::<Vec<_>>()
    };
    assert_eq!(principals(seen.bindings), vec!["User:agreed"]);
    assert_eq!(principals(seen.disputed), vec!["User:spreading"]);
}

#[tokio::test]
async fn a_cluster_without_authorizer_says_so() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::DescribeAcls(_) => {
            Reply::with(ResponseKind::DescribeAcls(DescribeAclsResponse::default().with_error_code(54)))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let seen = brokers.admin().acls(&AclFilter::default()).await.unwrap();
    assert!(!seen.authorizer && seen.bindings.is_empty());
}

#[tokio::test]
async fn the_probe_needs_a_principal_of_its_own() {
    let brokers = Brokers::start(1, World::default()).await;
    let topics = ["orders.placed".to_owned()];
    let error = brokers.admin().probe_write_fence(&topics).await.unwrap_err();
    assert_eq!(
        error.kind,
        KafkaErrorKind::Unsupported("the fence probe without a probe principal".to_owned())
    );
    let mut cluster = brokers.cluster();
    cluster.probe = Some(ProbePrincipal { username: "probe".to_owned() });
    let admin = KafkaAdmin::new(&cluster, &ClusterSecrets::default(), ClientOptions::default());
    let error = admin.probe_write_fence(&topics).await.unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Unsupported("the fence probe without SASL".to_owned()));
    assert_eq!(brokers.seen(ApiKey::Produce), vec![]);
}

#[tokio::test]
async fn the_probe_reads_each_brokers_answer_for_what_it_proves() {
    let code = std::sync::Arc::new(AtomicI16::new(29));
    let said = std::sync::Arc::clone(&code);
    let world = World::default().with_script(move |node, request, _| match request {
        RequestKind::SaslHandshake(_) => Reply::with(ResponseKind::SaslHandshake(Default::default())),
        RequestKind::SaslAuthenticate(_) => Reply::with(ResponseKind::SaslAuthenticate(Default::default())),
        RequestKind::Produce(request) => {
            let partition = &request.topic_data[0].partition_data[0];
            assert_eq!((request.acks, partition.index), (-1, i32::MAX));
            let answer = if node == 0 { said.load(Ordering::Relaxed) } else { 7 };
            let partition = PartitionProduceResponse::default().with_error_code(answer);
            let topic = TopicProduceResponse::default().with_name(request.topic_data[0].name.clone());
            let topic = topic.with_partition_responses(vec![partition]);
            Reply::with(ResponseKind::Produce(ProduceResponse::default().with_responses(vec![topic])))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(2, world).await;
    let mut cluster = brokers.cluster();
    cluster.security.sasl = Some(muster_domain::cluster::Sasl::Plain { username: "muster".to_owned() });
    cluster.probe = Some(ProbePrincipal { username: "probe".to_owned() });
    let secrets = ClusterSecrets {
        password: Some("m".to_owned().into()),
        client_key_pem: None,
        probe_password: Some("p".to_owned().into()),
    };
    let admin = KafkaAdmin::new(&cluster, &secrets, ClientOptions::default());
    let topics = ["orders.placed".to_owned()];
    for (answer, verdict) in [(29, FenceVerdict::Fenced), (3, FenceVerdict::Open)] {
        code.store(answer, Ordering::Relaxed);
        let verdicts = admin.probe_write_fence(&topics).await.unwrap();
        assert_eq!(verdicts[&(0, topics[0].clone())], verdict);
        let unclear = FenceVerdict::Unclear { answer: "broker error 7 REQUEST_TIMED_OUT".to_owned() };
        assert_eq!(verdicts[&(1, topics[0].clone())], unclear);
    }
    cluster.expected_cluster_id = Some("another".to_owned());
    let error = KafkaAdmin::new(&cluster, &secrets, ClientOptions::default())
        .probe_write_fence(&topics)
        .await
        .unwrap_err();
    assert!(matches!(error.kind, KafkaErrorKind::WrongCluster { .. }), "{error}");
}
