//! What is shipped beside the binary says what the binary takes: settings, commands, addresses, rights.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use clap::{CommandFactory as _, Parser as _};
use muster_app::{
    acts::pairs::{default_approval, default_objectives},
    app::Hands,
    cli::{Cli, Command},
    process::doctor::{Verdict, check_hands},
    routes,
};
use muster_domain::{
    access::{consumer_fence_bindings, fence_bindings},
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    ids::{ClusterName, PairName},
    plan::PlanRules,
};
use muster_kafka::ClusterAdmin;
use muster_operations::{ClientSource, OperationError, PairClients};
use regex::Regex;
use serde::Deserialize as _;
use serde_json::Value;

use crate::test_app::TestApp;

const OPERATING: &str = include_str!("../../../../docs/OPERATING.md");
const OBSERVING: &str = include_str!("../../../../docs/observability/README.md");
const RUNBOOKS: &str = include_str!("../../../../docs/RUNBOOKS.md");
const DOCKERFILE: &str = include_str!("../../../../docs/packaging/Dockerfile");
const UNIT: &str = include_str!("../../../../docs/packaging/muster.service");
const UNIT_SETTINGS: &str = include_str!("../../../../docs/packaging/muster.env");
const KUBERNETES: &str = include_str!("../../../../docs/packaging/kubernetes/muster.yaml");
const NETWORK: &str = include_str!("../../../../docs/packaging/kubernetes/network.yaml");
const COMPOSE: &str = include_str!("../../../../docker-compose.yml");
const README: &str = include_str!("../../../../README.md");
const API: &str = include_str!("../../../../docs/API.md");
const TRUTH: &str = include_str!("../../../../docs/TRUTH.md");
const DEV: &str = include_str!("../../../../dev");
const RIGHTS: &str = include_str!("../../../kafka/src/verbs/rights.rs");

fn documents(text: &str) -> Vec<Value> {
    let all = serde_yaml_ng::Deserializer::from_str(text);
    all.map(|document| Value::deserialize(document).unwrap()).collect()
}

/// What a build is told.
const OF_THE_BUILD: &str = "MUSTER_COMMIT";

/// Every setting that has a variable, with what its help says.
fn settings() -> BTreeMap<String, String> {
    fn walk(command: &clap::Command, found: &mut BTreeMap<String, String>) {
        for arg in command.get_arguments() {
            if let Some(name) = arg.get_env().and_then(OsStr::to_str) {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                found.insert(name.to_owned(), help);
            }
        }
        command.get_subcommands().for_each(|command| walk(command, found));
    }
    // Never on a command line, where others could read them.
    let never = [
        "MUSTER_SECRETS_KEY",
        "MUSTER_PASSWORD",
        "MUSTER_NEW_PASSWORD",
        "MUSTER_CONNECT_PASSWORD",
        "MUSTER_CONNECT_TOKEN",
        OF_THE_BUILD,
    ];
    let mut found = BTreeMap::from(never.map(|name| (name.to_owned(), String::new())));
    walk(&Cli::command(), &mut found);
    found
}

#[test]
fn every_setting_that_is_named_exists() {
    let settings = settings();
    let name = Regex::new(r"\b(MUSTER_[A-Z_]+|DATABASE_URL)\b").unwrap();
    let files = [
        ("OPERATING", OPERATING),
        ("observability", OBSERVING),
        ("RUNBOOKS", RUNBOOKS),
        ("Dockerfile", DOCKERFILE),
        ("muster.service", UNIT),
        ("muster.env", UNIT_SETTINGS),
        ("kubernetes", KUBERNETES),
        ("network policy", NETWORK),
        ("docker-compose", COMPOSE),
        ("README", README),
        ("API", API),
        ("TRUTH", TRUTH),
    ];
    for (file, text) in files {
        for found in name.find_iter(text) {
            assert!(settings.contains_key(found.as_str()), "{file} names {}", found.as_str());
        }
    }
}

#[test]
fn surveys_come_before_the_last_one_counts_for_nothing_whatever_is_set() {
    let with = |seconds: &str| Cli::try_parse_from(["muster", "worker", "--survey-seconds", seconds]);
    for (set, seconds) in [("1", 1), ("5", 5), ("20", 20), ("21", 20), ("3600", 20)] {
        let Command::Worker(config) = with(set).unwrap().command else { panic!("another command") };
        assert_eq!(config.survey.period(), Duration::from_secs(seconds), "{set}");
        match config.survey.shortened() {
            None => assert_eq!(set, seconds.to_string(), "it is as set"),
            Some(why) => {
                let both = format!("pairs are surveyed every {seconds} s, not every {set} s");
                assert!(why.starts_with(&both) && set != seconds.to_string(), "{why}");
            }
        }
    }
    for refused in ["0", "often"] {
        assert!(with(refused).is_err(), "{refused}");
    }
}

#[test]
fn every_setting_that_exists_is_told() {
    let name = Regex::new(r"\b(MUSTER_[A-Z_]+|DATABASE_URL)\b").unwrap();
    let told: BTreeSet<&str> = name.find_iter(OPERATING).map(|found| found.as_str()).collect();
    for setting in settings().keys().filter(|setting| *setting != OF_THE_BUILD) {
        assert!(told.contains(setting.as_str()), "docs/OPERATING.md says nothing of {setting}");
    }
}

/// Parses a command line as the binary does.
#[track_caller]
fn parse(command: &str) -> Cli {
    let words = command.split_whitespace().map(|word| word.trim_matches('\''));
    Cli::try_parse_from(words).unwrap_or_else(|e| panic!("`{command}`: {e}"))
}

#[test]
fn every_command_of_the_documents_is_one() {
    // In a block of commands, at its beginning, behind a pipe or as the service's user; or between backquotes with everything
    // it needs.
    let block = Regex::new(r"(?m)^    (?:.*\| |as_muster )?(muster [^#|\n]+)").unwrap();
    let quoted =
        Regex::new(r"`(muster (?:doctor|restored|migrate|worker|serve --help|brake [^`]+|audit verify))`")
            .unwrap();
    let mut seen = 0;
    for text in [OPERATING, OBSERVING, RUNBOOKS, API] {
        for found in block.captures_iter(text).chain(quoted.captures_iter(text)) {
            let command = found[1].trim();
            seen += 1;
            if !command.ends_with("--help") {
                parse(command);
            }
        }
    }
    assert!(seen >= 8, "{seen}");
}

fn only<'a>(all: &'a [Value], kind: &str) -> &'a Value {
    let mut found = all.iter().filter(|document| document["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    one
}

#[test]
fn the_deployment_starts_what_the_binary_takes_and_asks_what_it_serves() {
    let all = documents(KUBERNETES);
    let deployment = only(&all, "Deployment");
    assert_eq!(deployment["spec"]["replicas"], 2);
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let args: Vec<&str> = container["args"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
    parse(&format!("muster {}", args.join(" ")));
    let image = container["image"].as_str().unwrap();
    assert_eq!(image, format!("muster:{}", env!("CARGO_PKG_VERSION")));

    let setting = |name: &str| {
        let all = container["env"].as_array().unwrap();
        all.iter().find(|setting| setting["name"] == name).unwrap_or_else(|| panic!("no {name}"))
    };
    for (port, name) in [("http", "MUSTER_LISTEN"), ("metrics", "MUSTER_METRICS_LISTEN")] {
        let listens = setting(name)["value"].as_str().unwrap().parse::<std::net::SocketAddr>().unwrap();
        let ports = container["ports"].as_array().unwrap();
        let opened = ports.iter().find(|opened| opened["name"] == port).unwrap();
        assert_eq!(opened["containerPort"], listens.port());
        assert!(listens.ip().is_unspecified());
    }
    // What would be in everybody's process list or repository comes from the secret.
    assert_eq!(setting("DATABASE_URL")["valueFrom"]["secretKeyRef"]["name"], "muster");
    let key = setting("MUSTER_SECRETS_KEY_FILE")["value"].as_str().unwrap();
    let mount = &container["volumeMounts"][0];
    let file = &pod["volumes"][0]["secret"]["items"][0]["path"];
    assert_eq!(key, format!("{}/{}", mount["mountPath"].as_str().unwrap(), file.as_str().unwrap()));

    let paths: BTreeSet<&str> = routes::routes().iter().map(|route| route.path).collect();
    for (probe, path) in
        [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]
    {
        assert_eq!(container[probe]["httpGet"]["path"], path, "{probe}");
        assert!(paths.contains(path));
    }
    assert!(pod["terminationGracePeriodSeconds"].as_i64().unwrap() > 30);
}

#[test]
fn the_deployment_may_do_as_little_as_it_can() {
    let all: Vec<Value> = documents(KUBERNETES).into_iter().chain(documents(NETWORK)).collect();
    let pod = &only(&all, "Deployment")["spec"]["template"]["spec"];
    let of_pod = &pod["securityContext"];
    assert_eq!((&of_pod["runAsNonRoot"], &of_pod["runAsUser"]), (&Value::from(true), &Value::from(10001)));
    assert_eq!(of_pod["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["automountServiceAccountToken"], false);
    let of_container = &pod["containers"][0]["securityContext"];
    assert_eq!(of_container["readOnlyRootFilesystem"], true);
    assert_eq!(of_container["allowPrivilegeEscalation"], false);
    assert_eq!(of_container["capabilities"]["drop"][0], "ALL");

    let labels = &only(&all, "Deployment")["spec"]["template"]["metadata"]["labels"];
    let budget = &only(&all, "PodDisruptionBudget")["spec"];
    assert_eq!((&budget["minAvailable"], &budget["selector"]["matchLabels"]), (&Value::from(1), labels));
    let policy = &only(&all, "NetworkPolicy")["spec"];
    assert_eq!(&policy["podSelector"]["matchLabels"], labels);
    assert_eq!(policy["policyTypes"].as_array().unwrap().len(), 2);
    let ports: BTreeSet<i64> = policy["ingress"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|rule| assert!(rule["from"].is_array(), "open to all: {rule}"))
        .flat_map(|rule| rule["ports"].as_array().unwrap().iter().map(|port| port["port"].as_i64().unwrap()))
        .collect();
    assert_eq!(ports, BTreeSet::from([8080, 9464]));
    for service in all.iter().filter(|document| document["kind"] == "Service") {
        assert_eq!(&service["spec"]["selector"], labels);
        // Prometheus has to find processes that are not ready: without their database none is.
        if service["spec"]["clusterIP"] == "None" {
            assert_eq!(service["spec"]["publishNotReadyAddresses"], true);
        }
        let target = &service["spec"]["ports"][0]["targetPort"];
        let opened = pod["containers"][0]["ports"].as_array().unwrap();
        assert!(opened.iter().any(|port| port["name"] == *target), "{service:#}");
    }
}

#[test]
fn the_deployment_may_reach_all_that_muster_talks_to() {
    let all = documents(NETWORK);
    let rules = only(&all, "NetworkPolicy")["spec"]["egress"].as_array().unwrap();
    let opened: Vec<&Value> = rules.iter().flat_map(|rule| rule["ports"].as_array().unwrap()).collect();
    let reaches = |protocol: &str, port: i64| {
        opened.iter().any(|rule| {
            let first = rule["port"].as_i64().unwrap();
            let last = rule["endPort"].as_i64().unwrap_or(first);
            rule["protocol"] == protocol && (first..=last).contains(&port)
        })
    };
    // DNS, PostgreSQL, brokers and Connect of the demo, and whatever is https: webhooks, the identity provider, token endpoints.
    assert!(reaches("UDP", 53) && reaches("TCP", 53));
    assert!(COMPOSE.contains("localhost:9092") && COMPOSE.contains("localhost:8083"));
    for port in [5432, 9092, 8083, 443] {
        assert!(reaches("TCP", port), "{port}");
    }
    // Ports that a setting names by itself.
    let port = Regex::new(r":([0-9]{2,5})\b").unwrap();
    let settings = settings();
    for (setting, expected) in [("MUSTER_SMTP_URL", 3), ("MUSTER_OTLP_ENDPOINT", 1)] {
        let ports: Vec<i64> =
            port.captures_iter(&settings[setting]).map(|found| found[1].parse().unwrap()).collect();
        assert_eq!(ports.len(), expected, "{setting}: {ports:?}");
        for port in ports {
            assert!(reaches("TCP", port), "{setting}: {port}");
        }
    }
    // And not the address machines of a cloud ask about themselves, which is plain http.
    assert!(!reaches("TCP", 80));
}

#[test]
fn the_service_unit_starts_what_the_binary_takes() {
    let value = |key: &str| {
        let line = UNIT.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
        line.unwrap_or_else(|| panic!("no {key}"))
    };
    let start = value("ExecStart").strip_prefix("/usr/local/bin/").unwrap();
    parse(start);
    let state = start.split(' ').next_back().unwrap();
    assert_eq!(state, format!("/var/lib/{}", value("StateDirectory")));
    assert_eq!(value("EnvironmentFile"), "-/etc/muster/muster.env");
    assert!(value("TimeoutStopSec").parse::<u32>().unwrap() > 30);
    for (key, safe) in
        [("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("CapabilityBoundingSet", "")]
    {
        assert_eq!(value(key), safe);
    }
    let example = Regex::new("(?m)^#?([A-Z_]+)=").unwrap();
    let settings = settings();
    for found in example.captures_iter(UNIT_SETTINGS) {
        assert!(settings.contains_key(&found[1]), "{}", &found[1]);
    }
}

#[test]
fn the_image_is_built_as_a_release_is_and_runs_as_nobody_special() {
    let build = "cargo build --release --locked -p muster-app --bin muster";
    for flag in [build, "--cfg muster_static"] {
        assert!(DEV.contains(flag) && DOCKERFILE.contains(flag), "{flag}");
    }
    let rust = Regex::new(r#"rust-version = "([0-9.]+)""#).unwrap();
    let version = &rust.captures(include_str!("../../../../Cargo.toml")).unwrap()[1];
    assert!(DOCKERFILE.contains(&format!("FROM rust:{version}-bookworm")));
    assert!(DOCKERFILE.contains("\nUSER 10001:10001\n"));
    let command = Regex::new(r#"CMD \["(.+)"\]"#).unwrap();
    parse(&format!("muster {}", &command.captures(DOCKERFILE).unwrap()[1]));
}

#[test]
fn the_demo_of_containers_has_everything_and_publishes_it_here_only() {
    let services = &documents(COMPOSE)[0]["services"];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for name in
        ["postgres", "eu-west", "eu-central", "connect-eu-west", "connect-eu-central", "muster", "workload"]
    {
        let service = &services[name];
        assert!(service.is_object(), "no {name}");
        if let Some(file) = service["build"]["dockerfile"].as_str() {
            assert!(root.join(file).exists(), "{name}: {file}");
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name} publishes {port}");
        }
    }
    let command = services["muster"]["command"].as_array().unwrap();
    let words: Vec<&str> = command.iter().map(|word| word.as_str().unwrap()).collect();
    parse(&format!("muster {}", words.join(" ")));
}

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

/// At night, without Muster: it has to take away a fence of Muster's and nothing else.
#[test]
fn the_command_that_opens_writes_by_hand_takes_away_what_a_fence_is_made_of() {
    let fence = fence_bindings(&["orders".to_owned()]);
    let literal = (ResourceType::Topic, PatternType::Literal, "orders");
    assert_eq!(fence, [AclBinding::new(AclPermission::Deny, AclOperation::Write, literal, "User:*")]);
    let reads = consumer_fence_bindings(&["orders".to_owned()], &["billing".to_owned()]);
    let of_group = (ResourceType::Group, PatternType::Literal, "billing");
    let denied = [literal, of_group]
        .map(|about| AclBinding::new(AclPermission::Deny, AclOperation::Read, about, "User:*"));
    assert_eq!(reads, denied);
    let lines: Vec<&str> =
        RUNBOOKS.lines().filter_map(|line| line.strip_prefix("    kafka-acls.sh ")).collect();
    let taken_away = [r#"Write --topic "$TOPIC""#, r#"Read --topic "$TOPIC""#, r#"Read --group "$GROUP""#];
    let expected = taken_away.map(|what| {
        format!(
            "--bootstrap-server \"$BROKER\" --command-config admin.properties --remove --force --deny-principal 'User:*' \
             --operation {what}"
        )
    });
    assert_eq!(lines, expected);
}

/// Numbers people count on at night.
#[test]
fn the_clocks_of_the_runbooks_are_those_of_requests_plans_and_pairs() {
    let (rules, approval, objectives) = (PlanRules::default(), default_approval(), default_objectives());
    let (_, clocks) = RUNBOOKS.split_once("\n**Clocks**").unwrap();
    let clocks = clocks.split("\n\n").next().unwrap().replace('\n', " ");
    for said in [
        format!("a request waits {} minutes for its approvals", approval.decide_within_minutes),
        format!("an approval counts for {} (`use_within_minutes`)", approval.use_within_minutes),
        format!("Replication may take {} s to catch up", rules.catch_up_seconds),
        format!("writes may be away for {} s", rules.max_write_outage_seconds),
        format!("groups get {} s to read to the end", rules.group_drain_seconds),
        format!("{} s to hold and {} s to be seen", rules.hold_seconds, rules.resume_watch_seconds),
        format!("open transactions get {} ms", rules.transaction_grace_ms),
        format!("an RPO of {} s and an RTO of {} s", objectives.rpo_seconds, objectives.rto_seconds),
        format!("is to be moved every {} days", objectives.verify_within_days),
    ] {
        assert!(clocks.contains(&said), "{said}: {clocks}");
    }
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
