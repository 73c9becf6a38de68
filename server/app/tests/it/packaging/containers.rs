//! What is shipped to start Muster with: the deployment, the unit of systemd, the image and the demo start what the binary takes, may do as
//! little as they can, and reach all that it talks to.

use std::collections::BTreeSet;

use muster_app::routes;
use regex::Regex;
use serde::Deserialize as _;
use serde_json::Value;

use super::{COMPOSE, DOCKERFILE, KUBERNETES, NETWORK, UNIT, UNIT_SETTINGS, parse, settings};

const DEV: &str = include_str!("../../../../../dev");

fn documents(text: &str) -> Vec<Value> {
    let all = serde_yaml_ng::Deserializer::from_str(text);
    all.map(|document| Value::deserialize(document).unwrap()).collect()
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
    let version = &rust.captures(include_str!("../../../../../Cargo.toml")).unwrap()[1];
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
