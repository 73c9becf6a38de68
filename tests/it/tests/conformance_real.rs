//! Real brokers and real Connect workers behave as the conformance tests say, which the in-memory doubles pass too:
//! what rules and crash tests prove on the doubles rests on this.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    group::GroupType,
    pair::Side,
    topic::TopicPartition,
};
use muster_it::{CENTRAL, WEST, cluster, pair};
use muster_kafka::{ClientOptions, ClusterAdmin, KafkaAdmin, KafkaMover, RecordMover, double::conformance};
use muster_lab::{Lab, LabDescription, LabOptions};
use muster_replication::{ClusterHands, Mm2OnConnect, double::conformance as flows};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_clusters_and_flows_conform() -> Result<()> {
    let lab = Lab::attach_or_start(LabOptions::default()).await?;
    let real = Arc::new(Real::new(lab.describe())?);
    let mut failed = Vec::new();
    for check in CHECKS {
        // A task of its own: one that panics is told, and the others still run.
        let (name, began) = (check.0, std::time::Instant::now());
        let outcome = tokio::spawn((check.1)(Arc::clone(&real))).await;
        println!("{name}: {} in {:?}", if outcome.is_ok() { "ok" } else { "FAILED" }, began.elapsed());
        if outcome.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
    client_limits(&lab, &real).await
}

/// Muster sets no quota and no password: Kafka's own program does.
async fn client_limits(lab: &Lab, real: &Real) -> Result<()> {
    let user = format!("{}user", real.prefix);
    let properties = lab.admin_properties()?;
    let own = ["--bootstrap-server", &lab.describe().cluster(WEST)?.bootstrap, "--command-config"];
    let own = [&own[..], &[properties.to_str().unwrap(), "--alter", "--entity-type", "users"]].concat();
    let configure =
        async |of: &[&str]| lab.java_tool("kafka.admin.ConfigCommand", &[&own, of].concat()).await;
    let (named, everybody) = (["--entity-name", user.as_str()], ["--entity-default"]);
    configure(&[&named[..], &["--add-config", "SCRAM-SHA-512=[password=never-used]"]].concat()).await?;
    configure(&[&named[..], &["--add-config", "producer_byte_rate=1000000"]].concat()).await?;
    configure(&[&everybody[..], &["--add-config", "request_percentage=150.5"]].concat()).await?;
    conformance::client_limits(&real.admin, &user).await;
    configure(&[&named[..], &["--delete-config", "SCRAM-SHA-512"]].concat()).await?;
    configure(&[&named[..], &["--delete-config", "producer_byte_rate"]].concat()).await?;
    configure(&[&everybody[..], &["--delete-config", "request_percentage"]].concat()).await?;
    Ok(())
}

/// Clients of a real lab.
struct Real {
    lab: LabDescription,
    prefix: String,
    west: ClusterHands,
    central: ClusterHands,
    admin: KafkaAdmin,
    mover: KafkaMover,
}

impl Real {
    fn new(lab: &LabDescription) -> Result<Self> {
        let hands = |name| -> Result<(KafkaAdmin, KafkaMover)> {
            let (cluster, secrets) = cluster(lab, name)?;
            let options = ClientOptions::default();
            Ok((KafkaAdmin::new(&cluster, &secrets, options), KafkaMover::new(&cluster, &secrets, options)))
        };
        let of = |(admin, mover): &(KafkaAdmin, KafkaMover)| ClusterHands {
            admin: Arc::new(admin.clone()),
            mover: Arc::new(mover.clone()),
        };
        let (west, central) = (hands(WEST)?, hands(CENTRAL)?);
        Ok(Self {
            lab: lab.clone(),
            prefix: format!("conformance-{}.", chrono::Utc::now().timestamp_millis()),
            west: of(&west),
            central: of(&central),
            admin: west.0,
            mover: west.1,
        })
    }

    /// librdkafka's settings to sign in on the west as a user of the lab.
    fn client(&self, user: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.lab.cluster(WEST).unwrap().bootstrap)
            .set("security.protocol", &self.lab.security_protocol)
            .set("sasl.mechanisms", &self.lab.sasl_mechanism)
            .set("sasl.username", user)
            .set("sasl.password", self.lab.password(user).unwrap());
        config
    }
}

type Check = fn(Arc<Real>) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

const CHECKS: [(&str, Check); 14] = [
    ("topics", |r| Box::pin(async move { conformance::topics(&r.admin, &r.prefix).await })),
    ("configs", |r| Box::pin(async move { conformance::configs(&r.admin, &r.prefix).await })),
    ("offsets", |r| Box::pin(async move { conformance::offsets(&r.admin, &r.mover, &r.prefix).await })),
    ("epochs", |r| Box::pin(async move { conformance::epochs(&r.admin, &r.mover, &r.prefix).await })),
    ("identity", |r| Box::pin(async move { identity(&r).await })),
    ("groups", |r| Box::pin(async move { conformance::groups(&r.admin, &r.prefix).await })),
    ("live classic group", |r| Box::pin(async move { live_group(&r, GroupType::Classic).await })),
    ("live consumer group", |r| Box::pin(async move { live_group(&r, GroupType::Consumer).await })),
    ("acls", |r| Box::pin(async move { conformance::acls(&r.admin, &r.prefix).await })),
    ("fence probe", |r| {
        Box::pin(async move { conformance::fence_probe(&r.admin, "User:muster-probe", &r.prefix).await })
    }),
    ("shared work", |r| Box::pin(async move { conformance::share(&r.admin, &r.mover, &r.prefix).await })),
    ("own time", |r| Box::pin(async move { conformance::own_time(&r.admin, &r.mover, &r.prefix).await })),
    ("transactions and mover", |r| Box::pin(async move { transactions(&r).await })),
    ("flow", |r| Box::pin(async move { flow(&r).await })),
];

async fn identity(real: &Real) {
    let expecting = |id: Option<&str>| {
        let (mut cluster, secrets) = cluster(&real.lab, WEST).unwrap();
        cluster.expected_cluster_id = id.map(str::to_owned);
        KafkaAdmin::new(&cluster, &secrets, ClientOptions::default())
    };
    let found = &real.lab.cluster(WEST).unwrap().cluster_id;
    conformance::identity(&expecting(Some("another")), &expecting(None), found).await;
}

/// An ordinary consumer joins, then group READ is denied so that it cannot come back.
async fn live_group(real: &Real, kind: GroupType) {
    let name = format!("{}live-{kind:?}", real.prefix);
    conformance::fresh_topic(&real.admin, &name, 2).await;
    let read = |permission, resource, principal: &str| {
        AclBinding::new(permission, AclOperation::Read, (resource, PatternType::Literal, &name), principal)
    };
    let user = "User:app-billing";
    let allow = [ResourceType::Topic, ResourceType::Group].map(|it| read(AclPermission::Allow, it, user));
    real.admin.create_acls(&allow).await.unwrap();
    let mut config = real.client("app-billing");
    config.set("group.id", &name).set("enable.auto.commit", "false").set(
        "group.protocol",
        match kind {
            GroupType::Consumer => "consumer",
            GroupType::Classic | GroupType::Share | GroupType::Streams => "classic",
        },
    );
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, topic) = (Arc::clone(&stop), name.clone());
    let client = std::thread::spawn(move || {
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&[&topic]).unwrap();
        while !stopped.load(Ordering::Relaxed) {
            drop(consumer.poll(Duration::from_millis(50)));
        }
    });
    let group = [(name.clone(), kind)];
    conformance::eventually("the consumer joined", async || {
        let described = real.admin.describe_groups(&group).await.unwrap();
        described[0].members.first().is_some_and(|member| !member.assignment.is_empty())
    })
    .await;
    let deny = [read(AclPermission::Deny, ResourceType::Group, "User:*")];
    real.admin.create_acls(&deny).await.unwrap();
    conformance::live_group(&real.admin, &name, kind, &TopicPartition::new(&name, 1)).await;
    stop.store(true, Ordering::Relaxed);
    client.join().unwrap();
    real.admin.delete_acls(&deny).await.unwrap();
    real.admin.delete_acls(&allow).await.unwrap();
    real.admin.delete_topic(&name).await.unwrap();
}

async fn transactions(real: &Real) {
    conformance::mover(&real.admin, &real.mover, &real.prefix).await;
    let name = format!("{}transactions", real.prefix);
    conformance::fresh_topic(&real.admin, &name, 1).await;
    let at = TopicPartition::new(&name, 0);
    let plain = conformance::records(1_700_000_000_000, 1);
    real.mover.write(&at, plain, 10_000).await.unwrap();
    let mut config = real.client("muster");
    config.set("transactional.id", &name);
    let (topic, within) = (name.clone(), Duration::from_secs(20));
    let hung = tokio::task::spawn_blocking(move || {
        let producer: BaseProducer = config.create().unwrap();
        producer.init_transactions(within).unwrap();
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::<str, str>::to(&topic).partition(0).payload("open")).unwrap();
        producer.flush(within).unwrap();
        producer
    });
    let hung = hung.await.unwrap();
    conformance::transactions(&real.admin, &real.mover, &at, &name).await;
    drop(hung);
    real.admin.delete_topic(&name).await.unwrap();
}

async fn flow(real: &Real) {
    let pair = pair(&real.lab, "orders", std::path::Path::new("/unused")).unwrap();
    let described = pair.flow(muster_domain::pair::Direction { from: Side::A }).unwrap();
    let worker_cluster = Some(real.lab.cluster(CENTRAL).unwrap().cluster_id.clone());
    let flow = Mm2OnConnect::new(described, real.west.clone(), real.central.clone(), worker_cluster).unwrap();
    let west = flows::End { admin: &*real.west.admin, mover: &*real.west.mover };
    let central = flows::End { admin: &*real.central.admin, mover: &*real.central.mover };
    let topic = format!("orders.{}", real.prefix.trim_end_matches('.'));
    flows::flow(&flow, west, central, &topic).await;
}
