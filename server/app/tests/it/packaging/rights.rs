//! The rights of the documents are those that brokers know, that Muster looks for, and that are enough for it.

use std::sync::Arc;

use async_trait::async_trait;
use muster_app::{
    app::Hands,
    process::doctor::{Verdict, check_hands},
};
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    ids::{ClusterName, PairName},
};
use muster_kafka::ClusterAdmin;
use muster_operations::{ClientSource, OperationError, PairClients};
use regex::Regex;

use super::OPERATING;
use crate::test_app::TestApp;

const RIGHTS: &str = include_str!("../../../../kafka/src/verbs/rights.rs");

/// A rule as `kafka-acls` would make it.
struct Rule {
    principal: String,
    operation: String,
    resource: ResourceType,
    name: String,
    pattern: PatternType,
}

/// The rules of the commands under a heading.
fn rules_under(heading: &str) -> Vec<Rule> {
    let section = OPERATING.split(&format!("\n{heading}\n")).nth(1).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n##").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix("    acl --")).flat_map(rules_of).collect()
}

fn rules_of(arguments: &str) -> Vec<Rule> {
    let line = format!("--{arguments}");
    let mut words = line.split_whitespace().map(|word| word.trim_matches('\'').to_owned());
    let (mut principal, mut operations, mut resource) = (None, Vec::new(), None);
    let mut pattern = PatternType::Literal;
    while let Some(word) = words.next() {
        let mut next = || words.next().unwrap_or_else(|| panic!("`{line}` breaks off"));
        match word.as_str() {
            "--allow-principal" => principal = Some(next()),
            "--operation" => operations.push(next()),
            "--cluster" => resource = Some((ResourceType::Cluster, "kafka-cluster".to_owned())),
            "--topic" => resource = Some((ResourceType::Topic, next())),
            "--group" => resource = Some((ResourceType::Group, next())),
            "--transactional-id" => resource = Some((ResourceType::TransactionalId, next())),
            "--resource-pattern-type" => {
                assert_eq!(next(), "prefixed", "{line}");
                pattern = PatternType::Prefixed;
            }
            other => panic!("`{line}`: {other}"),
        }
    }
    let (resource, name) = resource.unwrap_or_else(|| panic!("`{line}` is about nothing"));
    let principal = principal.unwrap_or_else(|| panic!("`{line}` is for nobody"));
    assert!(!operations.is_empty() && !name.is_empty(), "{line}");
    operations
        .into_iter()
        .map(|operation| Rule {
            principal: principal.clone(),
            operation,
            resource,
            name: name.clone(),
            pattern,
        })
        .collect()
}

fn operation(word: &str) -> AclOperation {
    match word {
        "All" => AclOperation::All,
        "Read" => AclOperation::Read,
        "Write" => AclOperation::Write,
        "Create" => AclOperation::Create,
        "Delete" => AclOperation::Delete,
        "Alter" => AclOperation::Alter,
        "Describe" => AclOperation::Describe,
        "DescribeConfigs" => AclOperation::DescribeConfigs,
        "AlterConfigs" => AclOperation::AlterConfigs,
        other => panic!("{other} is no operation"),
    }
}

const HEADINGS: [&str; 5] = [
    "### Muster, on both clusters",
    "### The probe principal, on both clusters",
    "### MirrorMaker 2, from west to central",
    "### The Connect worker, on the cluster it is attached to",
    "### Applications",
];

#[test]
fn every_right_of_the_documents_is_one_brokers_know() {
    // What `kafka-acls` takes for each kind of resource; it refuses the whole command otherwise.
    let taken = |resource| match resource {
        ResourceType::Cluster => "All Create Describe DescribeConfigs Alter AlterConfigs",
        ResourceType::Topic => "All Read Write Create Delete Alter Describe DescribeConfigs AlterConfigs",
        ResourceType::Group => "All Read Describe Delete",
        ResourceType::TransactionalId => "All Describe Write",
        ResourceType::DelegationToken | ResourceType::User => "",
    };
    for heading in HEADINGS {
        let rules = rules_under(heading);
        assert!(!rules.is_empty(), "{heading}");
        for rule in rules {
            let known = taken(rule.resource).split(' ').any(|operation| operation == rule.operation);
            assert!(known, "{heading}: {} on {:?} of {}", rule.operation, rule.resource, rule.principal);
        }
    }
    let commands = OPERATING.matches("\n    acl --").count();
    let under: usize = HEADINGS
        .iter()
        .map(|heading| {
            OPERATING.split(&format!("\n{heading}\n")).nth(1).unwrap().split("\n##").next().unwrap()
        })
        .map(|section| section.matches("\n    acl --").count())
        .sum();
    assert_eq!(commands, under, "a command is under another heading");
}

#[test]
fn every_right_muster_looks_for_is_in_the_documents() {
    let looked_for = Regex::new(r#""([A-Z_]+) on (the cluster|topics|groups|transactional ids)""#).unwrap();
    let rules = rules_under(HEADINGS[0]);
    let mut seen = 0;
    for found in looked_for.captures_iter(RIGHTS) {
        let resource = match &found[2] {
            "the cluster" => ResourceType::Cluster,
            "topics" => ResourceType::Topic,
            "groups" => ResourceType::Group,
            _ => ResourceType::TransactionalId,
        };
        let granted = |rule: &&Rule| {
            rule.resource == resource
                && rule.operation.eq_ignore_ascii_case(&found[1].replace('_', ""))
                && (resource == ResourceType::Cluster || rule.name == "*")
        };
        assert!(rules.iter().any(|rule| granted(&rule)), "{}", &found[0]);
        seen += 1;
    }
    assert!(seen >= 11, "{seen}");
}

/// Hands whose principal on both clusters is an ordinary one.
struct Ordinary<'a>(&'a TestApp);

#[async_trait]
impl ClientSource for Ordinary<'_> {
    async fn pair_clients(&self, name: &PairName) -> Result<PairClients, OperationError> {
        self.0.app.hands.pair_clients(name).await
    }
}

#[async_trait]
impl Hands for Ordinary<'_> {
    async fn cluster_admin(&self, name: &ClusterName) -> Result<Arc<dyn ClusterAdmin>, OperationError> {
        Ok(Arc::new(self.0.small.world.admin(name.as_str()).acting_as("User:ordinary")))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_principal_with_the_documented_rights_lacks_none() {
    let app = TestApp::with_pair().await;
    let troubles = async || {
        let lines = check_hands(&app.app.pool, &Ordinary(&app)).await;
        lines.iter().filter(|line| line.verdict != Verdict::Ok).map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(!troubles().await.is_empty(), "without rights it lacks them");
    let rules = rules_under(HEADINGS[0]);
    let bindings: Vec<AclBinding> = rules
        .iter()
        .filter(|rule| rule.principal == "User:muster")
        .map(|rule| {
            let about = (rule.resource, rule.pattern, rule.name.as_str());
            AclBinding::new(AclPermission::Allow, operation(&rule.operation), about, "User:ordinary")
        })
        .collect();
    for cluster in ["eu-west", "eu-central"] {
        app.small.world.admin(cluster).create_acls(&bindings).await.unwrap();
    }
    for _ in 0..20 {
        // Rights spread to the brokers with every call.
        app.observe("orders").await;
    }
    assert_eq!(troubles().await, Vec::<String>::new());
}
