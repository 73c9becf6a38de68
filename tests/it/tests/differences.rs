//! What differs between two real clusters beyond the records is named with its cause, and the commands it comes with put
//! it right. Of a cluster that was killed it is told as it was when both could be compared last, and of one that comes back without its
//! authorizer that nobody holds a grant there to compare.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use chrono::Utc;
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    difference::{Difference, DifferenceKind as Kind, Differences, LastCompared, Weight, differences},
    group::CommittedOffset,
    pair::Side,
    readiness::{CheckCode, CheckStatus, evaluate},
    survey::Survey,
    topic::TopicPartition,
};
use muster_it::{CENTRAL, LabClients, WEST, pair};
use muster_kafka::{admin::NewTopic, mover::NewRecord};
use muster_lab::{Lab, LabOptions, WaitBound, address_book_path, wait_until};
use muster_operations::{broker_settings::ask_brokers, survey::take_survey};

/// An application that only the west knows.
const NEWCOMER: &str = "newcomer";
const SETTLES: WaitBound = WaitBound { within: Duration::from_secs(180), every: Duration::from_millis(500) };

/// Topics of the pair that no flow copies: name, side, partitions. What differs in them stays.
const LOOSE: [(&str, Side, i32); 4] = [
    ("loose.missing", Side::A, 2),
    ("loose.narrow", Side::A, 3),
    ("loose.narrow", Side::B, 1),
    ("loose.extra", Side::B, 1),
];

struct Scene {
    lab: Lab,
    /// The pair `orders`, one name for a topic on both sides, with the loose topics.
    clients: LabClients,
    /// The pair `clicks`, whose copies have names of their own.
    prefixed: LabClients,
}

impl Scene {
    async fn start() -> Result<Self> {
        let lab = Lab::start(LabOptions::default()).await?;
        let of = |name| pair(lab.describe(), name, &address_book_path(&lab.describe().dir, name));
        let (mut orders, clicks) = (of("orders")?, of("clicks")?);
        orders.topics.push(r"loose\..*".to_owned());
        let clients = LabClients::new(lab.describe(), orders)?;
        let prefixed = LabClients::new(lab.describe(), clicks)?;
        Ok(Self { lab, clients, prefixed })
    }

    async fn differences(&self) -> Differences {
        compare(&self.clients, &survey(&self.clients).await)
    }

    /// Kafka's own program for configs, quotas and users.
    async fn configure(&self, cluster: &str, arguments: &[&str]) -> Result<()> {
        let properties = self.lab.admin_properties()?;
        let bootstrap = &self.lab.describe().cluster(cluster)?.bootstrap;
        let own =
            ["--bootstrap-server", bootstrap, "--command-config", properties.to_str().unwrap(), "--alter"];
        self.lab.java_tool("kafka.admin.ConfigCommand", &[&own, arguments].concat()).await?;
        Ok(())
    }

    /// A command as somebody pastes it, with the file that signs in.
    async fn paste(&self, command: &str) -> Result<()> {
        let (program, arguments) = command.split_once(' ').context("a command has arguments")?;
        let properties = self.lab.admin_properties()?;
        let arguments = arguments.replace("COMMAND_CONFIG", properties.to_str().unwrap());
        let words = Command::new("sh")
            .args(["-c", &format!("for word in {arguments}; do printf '%s\\n' \"$word\"; done")])
            .output()?;
        ensure!(words.status.success(), "a shell does not take {command}");
        let words = String::from_utf8(words.stdout)?;
        let class = match program {
            "kafka-configs.sh" => "kafka.admin.ConfigCommand",
            "kafka-topics.sh" => "org.apache.kafka.tools.TopicCommand",
            "kafka-acls.sh" => "org.apache.kafka.tools.AclCommand",
            other => anyhow::bail!("which program is {other}?"),
        };
        self.lab
            .java_tool(class, &words.lines().collect::<Vec<_>>())
            .await
            .with_context(|| command.to_owned())?;
        Ok(())
    }
}

async fn survey(clients: &LabClients) -> Survey {
    let mut survey = take_survey(&clients.0, 1, Utc::now()).await;
    ask_brokers(&clients.0, &survey, None).await.add_to(&mut survey);
    survey
}

fn compare(clients: &LabClients, survey: &Survey) -> Differences {
    differences(&clients.0.pair, &clients.0.clusters, survey)
}

fn allow(resource: ResourceType, pattern: PatternType, name: &str) -> AclBinding {
    let who = format!("User:{NEWCOMER}");
    AclBinding::new(AclPermission::Allow, AclOperation::Read, (resource, pattern, name), &who)
}

fn find<'a>(found: &'a Differences, kind: Kind, part: &str) -> Option<&'a Difference> {
    found.differences.iter().find(|one| one.kind == kind && one.says.contains(part))
}

/// What is expected: kind, part of its sentence, weight.
static EXPECTED: [(Kind, &str, Weight); 9] = [
    (Kind::Config, "`retention.ms`", Weight::Costs),
    (Kind::Config, "`unclean.leader.election.enable` of topic `orders.placed`", Weight::Differs),
    (Kind::Grant, "`User:newcomer`", Weight::Costs),
    (Kind::Deny, "1 DENY for `User:*` only on eu-central: Write on Topic `orders.placed`", Weight::Breaks),
    (Kind::ScramUser, "user `newcomer` has no SCRAM-SHA-512 password on eu-central", Weight::Breaks),
    (
        Kind::Quota,
        "`producer_byte_rate` is higher, or missing, on eu-central for quota `user newcomer`",
        Weight::Differs,
    ),
    (Kind::TopicMissing, "topic `loose.missing` is missing on eu-central", Weight::Breaks),
    (Kind::Partitions, "topic `loose.narrow` has fewer partitions on eu-central", Weight::Breaks),
    (Kind::Broker, "`message.max.bytes` of the brokers is 900000", Weight::Costs),
];

/// What no command puts right, and which is there to the end.
static LEFT: [(Kind, &str, Weight); 2] = [
    (Kind::TopicExtra, "topic `loose.extra` is only on eu-central", Weight::Differs),
    (
        Kind::GroupPositions,
        "group `billing` has positions of topic `loose.narrow` on eu-west that are not all",
        Weight::Costs,
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_difference_of_two_real_clusters_is_named_and_put_right_by_its_commands() -> Result<()> {
    let scene = Scene::start().await?;
    wait_until("the active side is known", SETTLES, || async {
        Ok(scene.differences().await.active.is_some().then_some(()))
    })
    .await?;

    make_them_differ(&scene).await?;
    let all = || EXPECTED.iter().chain(&LEFT);
    let found = wait_until("all differences are named", SETTLES, || async {
        let found = scene.differences().await;
        let missing: Vec<_> = all().filter(|(kind, part, _)| find(&found, *kind, part).is_none()).collect();
        ensure!(missing.is_empty(), "not named: {missing:?} in {found:#?}");
        Ok(Some(found))
    })
    .await?;
    assert_eq!(found.not_compared, [], "everything is read by a super user");
    for (kind, part, weight) in all() {
        assert_eq!(find(&found, *kind, part).unwrap().weight, *weight, "{part}");
    }
    // One cause for all topics, with where the value comes from on each side.
    let retention = find(&found, Kind::Config, "`retention.ms`").unwrap();
    assert_eq!(retention.actual, "1 h (set on the brokers while they run)");
    // The lab keeps everything.
    assert_eq!(retention.expected, "no limit (from the brokers' file)");
    assert!(retention.affected.topics.count > 1, "{retention:#?}");
    assert!(retention.affected.principals.names.contains(&format!("User:{NEWCOMER}")), "{retention:#?}");

    // All but the default of the brokers, which is put right where it was set.
    for (kind, part, _) in &EXPECTED[1..] {
        for command in &find(&found, *kind, part).unwrap().commands {
            scene.paste(command).await?;
        }
    }
    scene
        .configure(
            CENTRAL,
            &["--entity-type", "brokers", "--entity-default", "--delete-config", "log.retention.ms"],
        )
        .await?;
    wait_until("no difference is left", SETTLES, || async {
        let found = scene.differences().await;
        let left: Vec<_> = EXPECTED
            .iter()
            .filter_map(|(kind, part, _)| find(&found, *kind, part))
            .map(|one| &one.says)
            .collect();
        ensure!(left.is_empty(), "left: {left:?}");
        Ok(Some(()))
    })
    .await?;

    own_topics_are_compared_beside_their_copies(&scene).await?;
    a_killed_side_is_told_of_as_it_was(&scene).await?;
    an_active_side_without_authorizer_has_no_grants_to_compare(&scene).await
}

/// Under prefixed names, where applications write a topic that no flow knows.
async fn own_topics_are_compared_beside_their_copies(scene: &Scene) -> Result<()> {
    let config =
        ["--entity-type", "topics", "--entity-name", "clicks.page", "--add-config", "max.message.bytes=1000"];
    scene.configure(CENTRAL, &config).await?;
    let said = "`max.message.bytes` of topic `clicks.page` that applications write on eu-central is 1000";
    let of_page = || async { compare(&scene.prefixed, &survey(&scene.prefixed).await) };
    let cause = wait_until("the own topic is told", SETTLES, || async {
        Ok(find(&of_page().await, Kind::Config, said).cloned())
    })
    .await?;
    assert_eq!((cause.weight, cause.commands.len()), (Weight::Breaks, 1));
    scene.paste(&cause.commands[0]).await?;
    wait_until("the own topic is put right", SETTLES, || async {
        Ok(find(&of_page().await, Kind::Config, said).is_none().then_some(()))
    })
    .await
}

async fn a_killed_side_is_told_of_as_it_was(scene: &Scene) -> Result<()> {
    let (pair, clusters) = (&scene.clients.0.pair, &scene.clients.0.clusters);
    let before = survey(&scene.clients).await;
    scene.lab.kill(WEST).await?;
    let dead = survey(&scene.clients).await;
    ensure!(dead.sides.a.cluster.value().is_none(), "eu-west still answers");
    let now = compare(&scene.clients, &dead);
    for (kind, part, _) in LEFT {
        ensure!(find(&now, kind, part).is_none(), "{part}: nobody can tell it now");
    }
    let last = LastCompared::after(pair, clusters, &dead, Some(&before), None).context("remembered")?;
    let told = now.with_earlier(pair, &last);
    for (kind, part, _) in LEFT {
        let earlier = told.earlier.iter().find(|earlier| {
            earlier.differences.iter().any(|one| one.kind == kind && one.says.contains(part))
        });
        let earlier = earlier.with_context(|| format!("{part}: {:#?}", told.earlier))?;
        assert_eq!(earlier.at, before.began_at);
    }
    for what in ["topics and partitions", "configs", "grants", "SCRAM users", "positions of groups"] {
        assert!(told.earlier.iter().any(|earlier| earlier.what == what), "{what}: {:#?}", told.earlier);
    }
    Ok(())
}

/// That it has no grants is not said, nor that the standby has all it needs.
async fn an_active_side_without_authorizer_has_no_grants_to_compare(scene: &Scene) -> Result<()> {
    scene.lab.restart_without_authorizer(WEST).await?;
    let (pair, clusters) = (&scene.clients.0.pair, &scene.clients.0.clusters);
    let survey = wait_until("records to flow from there again", SETTLES, || async {
        let survey = survey(&scene.clients).await;
        let active = compare(&scene.clients, &survey).active;
        let side = &survey.sides.a;
        let read = side.groups.value().is_some() && side.rights.value().is_some();
        Ok((read && active.as_ref() == Some(&clusters.a.name)).then_some(survey))
    })
    .await?;
    let acls = survey.sides.a.acls.value().context("that there are none to ask for is known")?;
    assert!(!acls.authorizer && acls.bindings.is_empty(), "{acls:#?}");

    let found = compare(&scene.clients, &survey);
    let grants: Vec<_> = found.differences.iter().filter(|one| one.kind == Kind::Grant).collect();
    let told: Vec<_> = grants.iter().map(|one| (one.says.as_str(), one.weight)).collect();
    let said = "eu-central asks for grants and eu-west has none to compare: it has no authorizer";
    assert_eq!(told, [(said, Weight::Breaks)], "{found:#?}");
    assert!(
        grants.iter().all(|one| one.affected.topics.names.contains(&"orders.placed".to_owned())),
        "{grants:#?}"
    );

    let checks = evaluate(pair, clusters, &survey, None, Utc::now());
    for (code, status, reason) in [
        (
            CheckCode::Authorizer,
            CheckStatus::Critical,
            "`eu-west` has no authorizer, so nothing can be fenced there",
        ),
        (
            CheckCode::StandbyGrants,
            CheckStatus::Unknown,
            "`eu-west` has no authorizer, so nobody holds a grant there",
        ),
    ] {
        let check = checks.iter().find(|check| check.code == code).context("every check is answered")?;
        assert_eq!(check.status, status, "{check:#?}");
        assert!(check.reason.contains(reason), "{check:#?}");
    }
    let rights =
        checks.iter().find(|check| check.code == CheckCode::Rights).context("every check is answered")?;
    assert!(rights.reason.contains("the cluster has no authorizer"), "{rights:#?}");
    Ok(())
}

async fn make_them_differ(scene: &Scene) -> Result<()> {
    let brokers =
        ["--entity-type", "brokers", "--entity-default", "--add-config", "log.retention.ms=3600000"];
    scene.configure(CENTRAL, &brokers).await?;
    // MirrorMaker 2 leaves this one alone.
    let topic = ["--entity-type", "topics", "--entity-name", "orders.placed", "--add-config"];
    scene.configure(CENTRAL, &[&topic[..], &["unclean.leader.election.enable=true"]].concat()).await?;
    let user = ["--entity-type", "users", "--entity-name", NEWCOMER, "--add-config"];
    scene.configure(WEST, &[&user[..], &["SCRAM-SHA-512=[password=never-used]"]].concat()).await?;
    scene.configure(WEST, &[&user[..], &["producer_byte_rate=1000000"]].concat()).await?;
    let everybody = (ResourceType::Topic, PatternType::Literal, "orders.placed");
    let deny = AclBinding::new(AclPermission::Deny, AclOperation::Write, everybody, "User:*");
    let admin = &scene.clients.0.admin;
    admin.a.create_acls(&grants()).await?;
    admin.b.create_acls(&[deny]).await?;
    let bytes = ["--entity-type", "brokers", "--entity-default", "--add-config", "message.max.bytes=900000"];
    scene.configure(CENTRAL, &bytes).await?;
    topics_and_positions(scene).await
}

/// Topics that no flow copies, and a group whose position in one of them stays behind.
async fn topics_and_positions(scene: &Scene) -> Result<()> {
    let (admin, mover) = (&scene.clients.0.admin, &scene.clients.0.mover);
    for (name, side, partitions) in LOOSE {
        let topic = NewTopic { name: name.to_owned(), partitions, replication: 1, configs: BTreeMap::new() };
        admin.get(side).create_topic(&topic).await?;
    }
    let (narrow, placed) = (TopicPartition::new("loose.narrow", 0), TopicPartition::new("orders.placed", 0));
    let value = Some(Bytes::from_static(b"read"));
    let record = NewRecord { key: None, value, timestamp: Utc::now().timestamp_millis() };
    mover.a.write(&narrow, vec![record], 30_000).await?;
    let at = |offset| CommittedOffset { offset, metadata: String::new(), leader_epoch: None };
    let here = BTreeMap::from([(narrow, at(1)), (placed.clone(), at(0))]);
    admin.a.alter_group_offsets("billing", &here).await?;
    admin.b.alter_group_offsets("billing", &BTreeMap::from([(placed, at(0))])).await?;
    Ok(())
}

fn grants() -> [AclBinding; 2] {
    [
        allow(ResourceType::Topic, PatternType::Prefixed, "orders."),
        allow(ResourceType::Group, PatternType::Literal, "billing"),
    ]
}
