//! What differs between two real clusters beyond the records is named with its cause, and the commands it comes with put
//! it right.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    difference::{Difference, DifferenceKind as Kind, Differences, Weight, differences},
};
use muster_it::{CENTRAL, LabClients, WEST, pair};
use muster_lab::{Lab, LabOptions, WaitBound, address_book_path, wait_until};
use muster_operations::survey::take_survey;

/// An application that only the west knows.
const NEWCOMER: &str = "newcomer";
const SETTLES: WaitBound = WaitBound { within: Duration::from_secs(60), every: Duration::from_millis(500) };

struct Scene {
    lab: Lab,
    clients: LabClients,
}

impl Scene {
    async fn differences(&self) -> Differences {
        let survey = take_survey(&self.clients.0, 1, Utc::now()).await;
        differences(&self.clients.0.pair, &self.clients.0.clusters, &survey)
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

fn allow(resource: ResourceType, pattern: PatternType, name: &str) -> AclBinding {
    let who = format!("User:{NEWCOMER}");
    AclBinding::new(AclPermission::Allow, AclOperation::Read, (resource, pattern, name), &who)
}

fn find<'a>(found: &'a Differences, kind: Kind, part: &str) -> Option<&'a Difference> {
    found.differences.iter().find(|one| one.kind == kind && one.says.contains(part))
}

/// What is expected: kind, part of its sentence, weight.
const EXPECTED: [(Kind, &str, Weight); 6] = [
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
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_difference_of_two_real_clusters_is_named_and_put_right_by_its_commands() -> Result<()> {
    let lab = Lab::attach_or_start(LabOptions::default()).await?;
    let pair = pair(lab.describe(), "orders", &address_book_path(&lab.describe().dir, "orders"))?;
    let clients = LabClients::new(lab.describe(), pair)?;
    let scene = Scene { lab, clients };
    wait_until("the active side is known", SETTLES, || async {
        Ok(scene.differences().await.active.is_some().then_some(()))
    })
    .await?;

    make_them_differ(&scene).await?;
    let found = wait_until("all differences are named", SETTLES, || async {
        let found = scene.differences().await;
        let missing: Vec<_> =
            EXPECTED.iter().filter(|(kind, part, _)| find(&found, *kind, part).is_none()).collect();
        ensure!(missing.is_empty(), "not named: {missing:?} in {found:#?}");
        Ok(Some(found))
    })
    .await?;
    assert_eq!(found.not_compared, [], "everything is read by a super user");
    for (kind, part, weight) in EXPECTED {
        assert_eq!(find(&found, kind, part).unwrap().weight, weight, "{part}");
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
    clean_up(&scene).await
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
    Ok(())
}

fn grants() -> [AclBinding; 2] {
    [
        allow(ResourceType::Topic, PatternType::Prefixed, "orders."),
        allow(ResourceType::Group, PatternType::Literal, "billing"),
    ]
}

/// The lab may be somebody else's, too.
async fn clean_up(scene: &Scene) -> Result<()> {
    for cluster in [WEST, CENTRAL] {
        let user = ["--entity-type", "users", "--entity-name", NEWCOMER, "--delete-config"];
        scene.configure(cluster, &[&user[..], &["SCRAM-SHA-512"]].concat()).await?;
        scene.configure(cluster, &[&user[..], &["producer_byte_rate"]].concat()).await?;
    }
    let topic = ["--entity-type", "topics", "--entity-name", "orders.placed", "--delete-config"];
    scene.configure(CENTRAL, &[&topic[..], &["unclean.leader.election.enable"]].concat()).await?;
    for admin in [&scene.clients.0.admin.a, &scene.clients.0.admin.b] {
        admin.delete_acls(&grants()).await?;
    }
    Ok(())
}
