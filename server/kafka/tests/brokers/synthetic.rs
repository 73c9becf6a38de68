//! Brokers in this process, on the codec's broker side: they answer like Kafka, late, wrongly or not at all.
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsResponse, BrokerId, FindCoordinatorResponse, ListGroupsResponse,
        ListOffsetsResponse, MetadataResponse, OffsetFetchResponse, RequestHeader, RequestKind,
        ResponseHeader, ResponseKind, TopicName,
        api_versions_response::ApiVersion,
        find_coordinator_response::Coordinator,
        list_groups_response::ListedGroup,
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
        offset_fetch_response::{
            OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
    },
    protocol::{Decodable, Encodable, StrBytes},
};
use muster_domain::{
    cluster::{Cluster, ClusterSecrets, Security},
    ids::ClusterName,
};
use muster_kafka::{ClientOptions, KafkaAdmin};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    task::JoinHandle,
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

/// Id that every synthetic cluster reports unless told otherwise.
pub(crate) const CLUSTER_ID: &str = "synthetic";

/// What to do with one request instead of the usual answer.
pub(crate) enum Reply {
    Usual,
    Answer(Box<ResponseKind>),
    /// These very bytes, frame and all.
    Raw(Bytes),
    Hang,
    Close,
}

impl Reply {
    pub(crate) fn with(response: ResponseKind) -> Self {
        Self::Answer(Box::new(response))
    }
}

pub(crate) type Script = dyn Fn(i32, &RequestKind, i16) -> Reply + Send + Sync;

/// What the brokers know. Groups are coordinated by `number % brokers`.
pub(crate) struct World {
    pub(crate) cluster_id: String,
    /// Leaders by topic and partition; changed while running, brokers answer `NOT_LEADER_OR_FOLLOWER` for the rest.
    pub(crate) topics: Mutex<BTreeMap<String, Vec<i32>>>,
    pub(crate) groups: usize,
    /// Committed partitions per group, all of topic `t0`.
    pub(crate) offsets_per_group: i32,
    /// Highest version by API; others as the codec knows them.
    pub(crate) caps: HashMap<i16, i16>,
    pub(crate) latency: Duration,
    /// TLS on every listener.
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) script: Box<Script>,
    pub(crate) ports: Mutex<Vec<u16>>,
    pub(crate) seen: Mutex<Vec<(i32, ApiKey, i16)>>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            cluster_id: CLUSTER_ID.to_owned(),
            topics: Mutex::default(),
            groups: 0,
            offsets_per_group: 0,
            caps: HashMap::new(),
            latency: Duration::ZERO,
            tls: None,
            script: Box::new(|_, _, _| Reply::Usual),
            ports: Mutex::default(),
            seen: Mutex::default(),
        }
    }
}

impl World {
    pub(crate) fn with_script(
        mut self,
        script: impl Fn(i32, &RequestKind, i16) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.script = Box::new(script);
        self
    }

    pub(crate) fn with_topic(self, name: &str, leaders: &[i32]) -> Self {
        self.topics.lock().unwrap().insert(name.to_owned(), leaders.to_vec());
        self
    }
}

/// Running brokers, numbered from 0; they end with this value.
pub(crate) struct Brokers {
    pub(crate) world: Arc<World>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Brokers {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Brokers {
    pub(crate) async fn start(count: usize, world: World) -> Self {
        let world = Arc::new(world);
        let mut tasks = Vec::new();
        for node in 0..count {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            world.ports.lock().unwrap().push(listener.local_addr().unwrap().port());
            tasks.push(tokio::spawn(accept(listener, i32::try_from(node).unwrap(), Arc::clone(&world))));
        }
        Self { world, tasks }
    }

    pub(crate) fn cluster(&self) -> Cluster {
        cluster_at(self.world.ports.lock().unwrap()[0])
    }

    pub(crate) fn admin(&self) -> KafkaAdmin {
        self.admin_with(ClientOptions::default())
    }

    pub(crate) fn admin_with(&self, options: ClientOptions) -> KafkaAdmin {
        KafkaAdmin::new(&self.cluster(), &ClusterSecrets::default(), options)
    }

    /// Requests of that kind so far: broker and version.
    pub(crate) fn seen(&self, key: ApiKey) -> Vec<(i32, i16)> {
        let seen = self.world.seen.lock().unwrap();
        seen.iter().filter(|(_, k, _)| *k == key).map(|(node, _, version)| (*node, *version)).collect()
    }
}

/// A cluster behind one plaintext port.
pub(crate) fn cluster_at(port: u16) -> Cluster {
    Cluster {
        name: ClusterName::new("synthetic").unwrap(),
        bootstrap: vec![format!("127.0.0.1:{port}")],
        security: Security::PLAINTEXT,
        probe: None,
        expected_cluster_id: Some(CLUSTER_ID.to_owned()),
        region: String::new(),
        version: 1,
        updated_at: chrono::Utc::now(),
    }
}

async fn accept(listener: TcpListener, node: i32, world: Arc<World>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let Some(config) = world.tls.clone() else { return serve(stream, node, world).await };
            // A client that does not trust this certificate ends the handshake.
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                serve(stream, node, world).await;
            }
        });
    }
}

/// Requests are read at once and answered in order, each at least `latency` after it came.
async fn serve(stream: impl AsyncRead + AsyncWrite + Send + 'static, node: i32, world: Arc<World>) {
    let (mut read, mut write) = tokio::io::split(stream);
    let (out, mut due) = mpsc::unbounded_channel::<(Instant, Option<Bytes>)>();
    let writer = tokio::spawn(async move {
        while let Some((at, frame)) = due.recv().await {
            tokio::time::sleep_until(at).await;
            let Some(frame) = frame else { return drop(write.shutdown().await) };
            if write.write_all(&frame).await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
    });
    while let Ok(size) = read.read_u32().await {
        let mut frame = vec![0; usize::try_from(size).unwrap()];
        if read.read_exact(&mut frame).await.is_err() {
            break;
        }
        let at = Instant::now() + world.latency;
        match answer(node, Bytes::from(frame), &world) {
            Some(frame) => drop(out.send((at, frame))),
            None => std::future::pending().await,
        }
    }
    drop(out);
    drop(writer.await);
}

/// `None` hangs, `Some(None)` closes.
fn answer(node: i32, mut frame: Bytes, world: &World) -> Option<Option<Bytes>> {
    let key = ApiKey::try_from(i16::from_be_bytes([frame[0], frame[1]])).unwrap();
    let version = i16::from_be_bytes([frame[2], frame[3]]);
    let correlation_id = i32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
    world.seen.lock().unwrap().push((node, key, version));
    if version > highest(key, world) {
        assert_eq!(
            key,
            ApiKey::ApiVersions,
            "only ApiVersions may be asked in a version that is not offered"
        );
        let refused = ApiVersionsResponse::default().with_error_code(35).with_api_keys(versions(world));
        return Some(Some(encode(correlation_id, key, 0, &ResponseKind::ApiVersions(refused))));
    }
    RequestHeader::decode(&mut frame, key.request_header_version(version)).unwrap();
    let request = RequestKind::decode(key, &mut frame, version).unwrap();
    let response = match (world.script)(node, &request, version) {
        Reply::Usual => usual(node, &request, version, world),
        Reply::Answer(response) => *response,
        Reply::Raw(bytes) => return Some(Some(bytes)),
        Reply::Hang => return None,
        Reply::Close => return Some(None),
    };
    Some(Some(encode(correlation_id, key, version, &response)))
}

fn encode(correlation_id: i32, key: ApiKey, version: i16, response: &ResponseKind) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i32(0);
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    header.encode(&mut out, key.response_header_version(version)).unwrap();
    response.encode(&mut out, version).unwrap();
    let size = u32::try_from(out.len() - 4).unwrap();
    out[..4].copy_from_slice(&size.to_be_bytes());
    out.freeze()
}

/// A frame that holds a response, for scripts that bend it.
pub(crate) fn frame(correlation_id: i32, key: ApiKey, version: i16, response: &ResponseKind) -> Bytes {
    encode(correlation_id, key, version, response)
}

fn highest(key: ApiKey, world: &World) -> i16 {
    let ours = key.valid_versions().max;
    world.caps.get(&(key as i16)).copied().unwrap_or(ours).min(ours)
}

fn versions(world: &World) -> Vec<ApiVersion> {
    let known = (0..=100).filter_map(|key| ApiKey::try_from(key).ok());
    let offered = known.filter(|key| highest(*key, world) >= 0).map(|key| {
        let range = ApiVersion::default().with_api_key(key as i16).with_min_version(key.valid_versions().min);
        range.with_max_version(highest(key, world))
    });
    offered.collect()
}

fn usual(node: i32, request: &RequestKind, version: i16, world: &World) -> ResponseKind {
    match request {
        RequestKind::ApiVersions(_) => {
            ResponseKind::ApiVersions(ApiVersionsResponse::default().with_api_keys(versions(world)))
        }
        RequestKind::Metadata(request) => {
            let names =
                request.topics.as_ref().map(|topics| topics.iter().filter_map(|t| t.name.clone()).collect());
            ResponseKind::Metadata(metadata(names, world))
        }
        RequestKind::FindCoordinator(request) => {
            let node = |key: &StrBytes| BrokerId(coordinator(key, world));
            let response = FindCoordinatorResponse::default();
            ResponseKind::FindCoordinator(if version >= 4 {
                let found = request.coordinator_keys.iter();
                let found =
                    found.map(|key| Coordinator::default().with_key(key.clone()).with_node_id(node(key)));
                response.with_coordinators(found.collect())
            } else {
                response.with_node_id(node(&request.key))
            })
        }
        RequestKind::ListOffsets(request) => ResponseKind::ListOffsets(list_offsets(node, request, world)),
        RequestKind::ListGroups(_) => {
            let groups = (0..world.groups).map(|n| format!("group-{n}"));
            let mine = groups.filter(|group| coordinator(group, world) == node).map(|group| {
                ListedGroup::default()
                    .with_group_id(StrBytes::from_string(group).into())
                    .with_protocol_type(StrBytes::from_static_str("consumer"))
                    .with_group_state(if version >= 4 {
                        StrBytes::from_static_str("Stable")
                    } else {
                        StrBytes::new()
                    })
                    .with_group_type(if version >= 5 {
                        StrBytes::from_static_str("Classic")
                    } else {
                        StrBytes::new()
                    })
            });
            ResponseKind::ListGroups(ListGroupsResponse::default().with_groups(mine.collect()))
        }
        RequestKind::OffsetFetch(request) => ResponseKind::OffsetFetch(offset_fetch(request, version, world)),
        other => panic!("no usual answer to {other:?}"),
    }
}

fn metadata(names: Option<Vec<TopicName>>, world: &World) -> MetadataResponse {
    let ports = world.ports.lock().unwrap().clone();
    let brokers = ports.iter().enumerate().map(|(node, port)| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(i32::try_from(node).unwrap()))
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(i32::from(*port))
    });
    let topics = world.topics.lock().unwrap();
    let describe = |name: &str, leaders: &Vec<i32>| {
        let partitions = leaders.iter().zip(0..).map(|(leader, index)| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(*leader))
                .with_error_code(if *leader < 0 { 5 } else { 0 })
        });
        MetadataResponseTopic::default()
            .with_name(Some(StrBytes::from_string(name.to_owned()).into()))
            .with_partitions(partitions.collect())
    };
    let shown = match names {
        None => topics.iter().map(|(name, leaders)| describe(name, leaders)).collect(),
        Some(names) => names
            .into_iter()
            .map(|name| match topics.get(name.as_str()) {
                Some(leaders) => describe(&name, leaders),
                None => MetadataResponseTopic::default().with_error_code(3).with_name(Some(name)),
            })
            .collect(),
    };
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(StrBytes::from_string(world.cluster_id.clone())))
        .with_controller_id(BrokerId(0))
        .with_topics(shown)
}

fn coordinator(group: &str, world: &World) -> i32 {
    let number: usize = group.trim_start_matches("group-").parse().unwrap_or_default();
    i32::try_from(number % world.ports.lock().unwrap().len()).unwrap()
}

/// The offset asked for is the partition's number plus 100.
fn list_offsets(
    node: i32,
    request: &kafka_protocol::messages::ListOffsetsRequest,
    world: &World,
) -> ListOffsetsResponse {
    let known = world.topics.lock().unwrap();
    let topics = request.topics.iter().map(|topic| {
        let leaders = known.get(topic.name.as_str());
        let partitions = topic.partitions.iter().map(|asked| {
            let index = usize::try_from(asked.partition_index).unwrap();
            let leader = leaders.and_then(|leaders| leaders.get(index));
            let code = if leader == Some(&node) { 0 } else { 6 };
            ListOffsetsPartitionResponse::default()
                .with_partition_index(asked.partition_index)
                .with_error_code(code)
                .with_offset(i64::from(asked.partition_index) + 100)
        });
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn offset_fetch(
    request: &kafka_protocol::messages::OffsetFetchRequest,
    version: i16,
    world: &World,
) -> OffsetFetchResponse {
    let name: TopicName = StrBytes::from_static_str("t0").into();
    if version < 8 {
        let partitions = (0..world.offsets_per_group).map(|index| {
            OffsetFetchResponsePartition::default().with_partition_index(index).with_committed_offset(7)
        });
        let topic = OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect());
        return OffsetFetchResponse::default().with_topics(vec![topic]);
    }
    let groups = request.groups.iter().map(|group| {
        let partitions = (0..world.offsets_per_group).map(|index| {
            OffsetFetchResponsePartitions::default().with_partition_index(index).with_committed_offset(7)
        });
        let topic = OffsetFetchResponseTopics::default()
            .with_name(name.clone())
            .with_partitions(partitions.collect());
        OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone()).with_topics(vec![topic])
    });
    OffsetFetchResponse::default().with_groups(groups.collect())
}
