//! The lab's own small admin client: topics, access rules and the cluster id over one SCRAM connection.
//!
//! It is deliberately not `muster-kafka`: the lab must be able to judge that crate. Each call takes milliseconds where
//! Kafka's command-line tools take a second of JVM start.

use std::io::Cursor;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{
    CreateAclsRequest, CreateTopicsRequest, DeleteAclsRequest, MetadataRequest, RequestHeader,
    ResponseHeader, SaslAuthenticateRequest, SaslHandshakeRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use rsasl::prelude::{Mechname, SASLClient, SASLConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::principals::{Acl, AclResource};

const CALL_BOUND: Duration = Duration::from_secs(15);
const MAX_FRAME: usize = 64 << 20;
const TOPIC_ALREADY_EXISTS: i16 = 36;

/// A topic to be made, with replication factor 1.
#[derive(Debug, Clone, Copy)]
pub struct NewTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many partitions.
    pub partitions: i32,
    /// Settings that differ from the broker's defaults.
    pub configs: &'a [(&'a str, &'a str)],
}

/// One authenticated connection to a one-node cluster.
#[derive(Debug)]
pub struct LabAdmin {
    stream: TcpStream,
    correlation: i32,
}

impl LabAdmin {
    /// Connects and authenticates by SCRAM-SHA-512.
    pub async fn connect(bootstrap: &str, user: &str, password: &str) -> Result<Self> {
        let stream =
            TcpStream::connect(bootstrap).await.with_context(|| format!("connect to {bootstrap}"))?;
        stream.set_nodelay(true)?;
        let mut admin = Self { stream, correlation: 0 };
        let authenticated = tokio::time::timeout(CALL_BOUND, admin.authenticate(user, password)).await;
        authenticated
            .context("SASL took too long")?
            .with_context(|| format!("sign in to {bootstrap} as {user}"))?;
        Ok(admin)
    }

    /// The id of the cluster, once its broker serves requests.
    pub async fn cluster_id(&mut self) -> Result<String> {
        let answer = self.call(12, &MetadataRequest::default().with_topics(Some(Vec::new()))).await?;
        ensure!(!answer.brokers.is_empty(), "the broker has not registered yet");
        Ok(answer.cluster_id.context("the broker gave no cluster id")?.to_string())
    }

    /// Creates topics; one that exists already is left as it is.
    pub async fn create_topics(&mut self, topics: &[NewTopic<'_>]) -> Result<()> {
        let creatable = |topic: &NewTopic<'_>| {
            let config = |(key, value): &(&str, &str)| {
                CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
            };
            CreatableTopic::default()
                .with_name(TopicName(text(topic.name)))
                .with_num_partitions(topic.partitions)
                .with_replication_factor(1)
                .with_configs(topic.configs.iter().map(config).collect())
        };
        let request = CreateTopicsRequest::default()
            .with_topics(topics.iter().map(creatable).collect())
            .with_timeout_ms(10_000);
        for topic in self.call(7, &request).await?.topics {
            if topic.error_code != 0 && topic.error_code != TOPIC_ALREADY_EXISTS {
                bail!("create topic {}: error {} {:?}", topic.name.0, topic.error_code, topic.error_message);
            }
        }
        Ok(())
    }

    /// Creates access rules.
    pub async fn create_acls(&mut self, rules: &[Acl]) -> Result<()> {
        let creation = |rule: &Acl| {
            AclCreation::default()
                .with_principal(text(&rule.principal))
                .with_host(text("*"))
                .with_resource_type(resource_code(rule.resource))
                .with_resource_name(text(&rule.name))
                .with_resource_pattern_type(pattern_code(rule))
                .with_operation(rule.operation)
                .with_permission_type(permission_code(rule))
        };
        let request = CreateAclsRequest::default().with_creations(rules.iter().map(creation).collect());
        for (result, rule) in self.call(3, &request).await?.results.iter().zip(rules) {
            ensure!(result.error_code == 0, "create {rule:?}: error {}", result.error_code);
        }
        Ok(())
    }

    /// Deletes access rules that match exactly; answers how many there were.
    pub async fn delete_acls(&mut self, rules: &[Acl]) -> Result<usize> {
        let filter = |rule: &Acl| {
            DeleteAclsFilter::default()
                .with_principal_filter(Some(text(&rule.principal)))
                .with_host_filter(Some(text("*")))
                .with_resource_type_filter(resource_code(rule.resource))
                .with_resource_name_filter(Some(text(&rule.name)))
                .with_pattern_type_filter(pattern_code(rule))
                .with_operation(rule.operation)
                .with_permission_type(permission_code(rule))
        };
        let request = DeleteAclsRequest::default().with_filters(rules.iter().map(filter).collect());
        let mut deleted = 0;
        for (result, rule) in self.call(3, &request).await?.filter_results.iter().zip(rules) {
            ensure!(result.error_code == 0, "delete {rule:?}: error {}", result.error_code);
            deleted += result.matching_acls.len();
        }
        Ok(deleted)
    }

    async fn authenticate(&mut self, user: &str, password: &str) -> Result<()> {
        const MECHANISM: &str = "SCRAM-SHA-512";
        let handshake = SaslHandshakeRequest::default().with_mechanism(text(MECHANISM));
        let offered = self.call(1, &handshake).await?;
        ensure!(offered.error_code == 0, "the broker offers {:?}", offered.mechanisms);
        let config = SASLConfig::with_credentials(None, user.to_owned(), password.to_owned())?;
        let mechanism = Mechname::parse(MECHANISM.as_bytes())?;
        let mut session = SASLClient::new(config).start_suggested(&[mechanism])?;
        let mut from_broker: Option<Vec<u8>> = None;
        loop {
            let mut to_broker = Cursor::new(Vec::new());
            let state = session.step(from_broker.as_deref(), &mut to_broker)?;
            let to_broker = to_broker.into_inner();
            if !state.is_running() && to_broker.is_empty() {
                return Ok(());
            }
            let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(to_broker));
            let answer = self.call(2, &request).await?;
            ensure!(answer.error_code == 0, "error {} {:?}", answer.error_code, answer.error_message);
            if !state.is_running() {
                return Ok(());
            }
            from_broker = Some(answer.auth_bytes.to_vec());
        }
    }

    async fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        tokio::time::timeout(CALL_BOUND, self.exchange(version, request))
            .await
            .with_context(|| format!("the broker did not answer request {} within {CALL_BOUND:?}", R::KEY))?
    }

    async fn exchange<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(text("muster-lab")));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header.encode(&mut frame, R::header_version(version))?;
        request.encode(&mut frame, version)?;
        let length = i32::try_from(frame.len() - 4)?;
        frame[0..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).await?;

        let length = usize::try_from(self.stream.read_i32().await?)?;
        ensure!(length <= MAX_FRAME, "the broker announced a frame of {length} bytes");
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        let mut answer = Bytes::from(answer);
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version))?;
        ensure!(header.correlation_id == self.correlation, "the broker answered another request");
        R::Response::decode(&mut answer, version)
    }
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn resource_code(resource: AclResource) -> i8 {
    match resource {
        AclResource::Topic => 2,
        AclResource::Group => 3,
        AclResource::Cluster => 4,
        AclResource::TransactionalId => 5,
    }
}

fn pattern_code(rule: &Acl) -> i8 {
    if rule.prefixed { 4 } else { 3 }
}

fn permission_code(rule: &Acl) -> i8 {
    if rule.allow { 3 } else { 2 }
}
