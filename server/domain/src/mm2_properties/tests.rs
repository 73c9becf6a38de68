use secrecy::ExposeSecret;

use super::*;
use crate::{
    bent::{Bend, bend},
    cluster::Sasl,
    pair::{Direction, Mechanism, NamingPolicy, Side},
    samples::strings,
};

/// As in the issue.
const SEED: &str = "\
# mm2.properties
clusters = primary, dr
primary.bootstrap.servers = kafka-primary:9092
dr.bootstrap.servers = kafka-dr:9092
primary->dr.enabled = true
primary->dr.topics = orders.*, payments.*
# offset sync
primary->dr.emit.checkpoints.enabled = true
primary->dr.sync.group.offsets.enabled = true
";

fn read(text: &str) -> Imported {
    import(text).expect("good")
}

fn bad(text: &str) -> Vec<(usize, String)> {
    import(text).expect_err("bad").into_iter().map(|bad| (bad.line, bad.reason)).collect()
}

/// The seed with more lines behind it; the first of them is line 10.
fn seed_and(more: &str) -> String {
    format!("{SEED}{more}")
}

#[test]
fn the_seed_becomes_one_pair() {
    let imported = read(SEED);
    let pair = &imported.pairs[0];
    assert_eq!((imported.pairs.len(), pair.name.as_str()), (1, "primary-dr"));
    assert_eq!((pair.clusters.a.as_str(), pair.clusters.b.as_str()), ("primary", "dr"));
    assert_eq!(pair.topics, ["orders.*", "payments.*"]);
    assert_eq!(pair.topics_exclude, [r"mm2.*\.internal", r".*\.replica", "__.*"]);
    assert_eq!((&pair.groups, pair.groups_exclude.len()), (&strings(&[".*"]), 3));
    let flow = Flow {
        direction: Direction { from: Side::A },
        mechanism: Mechanism::Unattached,
        source_alias: "primary".to_owned(),
        target_alias: "dr".to_owned(),
        naming: NamingPolicy::Prefixed { separator: ".".to_owned() },
        enabled: true,
    };
    assert_eq!((&pair.flows, pair.mode), (&vec![flow], PairMode::ActivePassive));
    assert_eq!(pair.kept["primary->dr.sync.group.offsets.enabled"], "true");
    let clusters: Vec<_> =
        imported.clusters.iter().map(|c| (c.name.as_str(), c.bootstrap.join(","))).collect();
    assert_eq!(clusters, [("primary", "kafka-primary:9092".to_owned()), ("dr", "kafka-dr:9092".to_owned())]);
    assert_eq!(imported.clusters[0].security, Security::PLAINTEXT);
    let lines: Vec<usize> = imported.settings_used.iter().map(|used| used.line).collect();
    assert_eq!((lines, imported.not_used.len()), (vec![2, 3, 4, 5, 6, 8, 9], 0));
}

#[test]
fn people_write_properties_in_many_ways() {
    let text = "\u{feff}! old comment with \\u and C:\\users\r\n  clusters:primary , dr\r\n\
        primary.bootstrap.servers=a:9092,\\\r\n    b:9092\r\ndr.bootstrap.servers : c:9092\r\n\
        primary->dr.enabled   true\r\n   # indented \\\r\nprimary->dr.topics = orders\\\\..*\r\n\
        # über\nnote = gr\u{fc}n \u{1f680}\n";
    let refused =
        import(text).expect_err("a rocket needs a surrogate pair, which the format's reader refuses");
    assert_eq!((refused.len(), refused[0].line), (1, 10));
    let imported = read(&text.replace('\u{1f680}', ""));
    assert_eq!(imported.clusters[0].bootstrap, ["a:9092", "b:9092"]);
    assert_eq!(imported.pairs[0].topics, [r"orders\..*"]);
    assert_eq!((imported.not_used[0].line, imported.not_used[0].value.as_str()), (10, "gr\u{fc}n"));
}

#[test]
fn both_directions_of_a_dedicated_file_are_flows_of_one_pair() {
    let back = "dr->primary.enabled = false\ndr->primary.topics = orders.*\n";
    let pair = &read(&seed_and(back)).pairs[0];
    let flows: Vec<_> =
        pair.flows.iter().map(|f| (f.direction.from, f.source_alias.as_str(), f.enabled)).collect();
    assert_eq!(flows, [(Side::A, "primary", true), (Side::B, "dr", false)]);
    assert_eq!((&pair.topics, pair.mode), (&strings(&["orders.*", "payments.*"]), PairMode::ActivePassive));

    let both = back.replace("false", "true").replace("orders.*", "clicks.*");
    let pair = &read(&seed_and(&both)).pairs[0];
    assert_eq!(pair.topics, ["orders.*", "payments.*", "clicks.*"]);
    assert_eq!(pair.mode, PairMode::ActiveActive);
    let identity = "replication.policy.class=org.apache.kafka.connect.mirror.IdentityReplicationPolicy\n";
    assert_eq!(read(&seed_and(&(both + identity))).pairs[0].mode, PairMode::ActivePassive);
}

#[test]
fn side_a_is_the_source_of_the_enabled_flow() {
    let text = SEED.replace("primary->dr", "dr->primary");
    let pair = &read(&text).pairs[0];
    assert_eq!((pair.clusters.a.as_str(), pair.flows[0].source_alias.as_str()), ("dr", "dr"));
}

#[test]
fn every_flow_pair_of_three_clusters_is_a_pair_of_its_own() {
    let text = seed_and("").replace("clusters = primary, dr", "clusters = primary, dr, EU Lab, idle")
        + "EU\\ Lab.bootstrap.servers = lab:9092\nidle.bootstrap.servers = idle:9092\n\
           dr->EU\\ Lab.enabled = true\ndr->EU\\ Lab.consumer.fetch.min.bytes = 1\nidle.retries = 3\n";
    let imported = read(&text);
    let names: Vec<&str> = imported.pairs.iter().map(|pair| pair.name.as_str()).collect();
    assert_eq!(names, ["primary-dr", "dr-eu-lab"]);
    assert_eq!(imported.pairs[1].flows[0].target_alias, "EU Lab");
    assert_eq!(imported.pairs[1].topics, [".*"]);
    assert_eq!(
        imported.clusters.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(),
        ["primary", "dr", "eu-lab"]
    );
    assert!(imported.pairs[1].kept.contains_key("dr->EU Lab.consumer.fetch.min.bytes"));
    assert!(!imported.pairs[0].kept.contains_key("dr->EU Lab.consumer.fetch.min.bytes"));
    assert!(imported.pairs.iter().all(|pair| !pair.kept.contains_key("idle.retries")));
}

#[test]
fn naming_is_global_or_of_a_flow() {
    let naming = |more: &str| read(&seed_and(more)).pairs[0].flows[0].naming.clone();
    let prefixed = |separator: &str| NamingPolicy::Prefixed { separator: separator.to_owned() };
    assert_eq!(naming("replication.policy.separator = _\n"), prefixed("_"));
    assert_eq!(
        naming("replication.policy.separator = _\nprimary->dr.replication.policy.separator = -\n"),
        prefixed("-")
    );
    let identity =
        "primary->dr.replication.policy.class = org.apache.kafka.connect.mirror.IdentityReplicationPolicy\n";
    assert_eq!(naming(identity), NamingPolicy::Identity);
    let other = bad(&seed_and("replication.policy.class = com.example.Ours\n"));
    assert!(other[0].0 == 10 && other[0].1.contains("cannot be told"), "{other:?}");
}

#[test]
fn excludes_have_an_old_and_a_new_name() {
    let pair =
        &read(&seed_and("primary->dr.topics.blacklist = .*\\\\.tmp\ngroups.exclude = test-.*\n")).pairs[0];
    assert_eq!(
        (&pair.topics_exclude, &pair.groups_exclude),
        (&strings(&[r".*\.tmp"]), &strings(&["test-.*"]))
    );
}

#[test]
fn security_of_each_cluster_is_read_and_secrets_are_never_shown() {
    let imported = read(&seed_and(
        "primary.security.protocol = SASL_SSL\nprimary.sasl.mechanism = SCRAM-SHA-512\n\
         primary.sasl.jaas.config = org.apache.kafka.common.security.scram.ScramLoginModule required \\\n  \
         username=\"mm2\" password=\"s3=c\\\\\"ret;\";\n\
         primary.ssl.truststore.certificates = -----BEGIN CERTIFICATE-----\\nMII\\n-----END CERTIFICATE-----\n\
         dr.security.protocol = SSL\ndr.ssl.keystore.key = -----BEGIN PRIVATE KEY-----\\nAAA\\n-----END PRIVATE KEY-----\n\
         dr.ssl.truststore.location = /etc/ts.jks\ndr.ssl.truststore.password = changeit\n\
         primary.producer.some.api.key = hunter2\nprimary.producer.other.apikey = hunter3\n",
    ));
    let [primary, dr] = &imported.clusters[..] else { panic!("two clusters") };
    assert_eq!(primary.security.sasl, Some(Sasl::ScramSha512 { username: "mm2".to_owned() }));
    assert_eq!(primary.secrets.password.as_ref().expect("there").expose_secret(), "s3=c\"ret;");
    assert!(
        primary.security.tls.as_ref().expect("there").ca_pem.as_ref().expect("there").contains("\nMII\n")
    );
    assert!(dr.secrets.client_key_pem.is_some() && dr.security.sasl.is_none());
    let shown = format!("{imported:?}");
    for secret in ["s3=c", "ret;", "AAA", "changeit", "hunter2", "hunter3"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let keystore = imported.not_used.iter().find(|s| s.key == "dr.ssl.truststore.location").expect("listed");
    assert!(keystore.becomes.contains("PEM"), "{keystore:?}");
}

#[test]
fn the_other_mechanisms_are_read_too() {
    let sasl = |more: &str| {
        read(&seed_and(&format!("security.protocol=SASL_PLAINTEXT\n{more}"))).clusters[1]
            .security
            .sasl
            .clone()
    };
    let plain =
        "sasl.mechanism=PLAIN\nsasl.jaas.config=org.x.PlainLoginModule required username=u password=p;\n";
    assert_eq!(sasl(plain), Some(Sasl::Plain { username: "u".to_owned() }));
    let oauth = "sasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.token.endpoint.url=https://idp/token\n\
        sasl.jaas.config=org.x.OAuthBearerLoginModule required clientId=\"c\" clientSecret=\"s\" extension_logicalCluster=\"lkc\";\n";
    let Some(Sasl::OauthBearer { client_id, token_url, extensions, .. }) = sasl(oauth) else {
        panic!("OAUTHBEARER")
    };
    assert_eq!((client_id.as_str(), token_url.as_str()), ("c", "https://idp/token"));
    assert_eq!(extensions["logicalCluster"], "lkc");
}

#[test]
fn unknown_keys_are_kept_and_listed() {
    let imported = read(&seed_and("tasks.max = 10\nprimary.consumer.client.rack = a\ntasks.max = 12\n"));
    let listed: Vec<_> =
        imported.not_used.iter().map(|s| (s.line, s.key.as_str(), s.becomes.as_str())).collect();
    let not_used = "not used by Muster";
    assert_eq!(
        listed,
        [
            (10, "tasks.max", "nothing: line 12 sets it again"),
            (11, "primary.consumer.client.rack", not_used),
            (12, "tasks.max", not_used)
        ]
    );
    assert_eq!(imported.pairs[0].kept["tasks.max"], "12");
}

#[test]
fn all_bad_lines_are_named_with_what_would_be_right() {
    let found = bad(&seed_and(
        "this is no setting\nprimary->dr.sync.group.offsets.enabled = yes\nprimary->west.topics = a\n\
         primary->dr.groups = (a\ndr.security.protocol = TLS\nkey = \\u12\n",
    )
    .replace("kafka-dr:9092", "kafka-dr"));
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [4, 10, 11, 12, 13, 14, 15], "{found:#?}");
    assert!(found[3].1.contains("primary, dr"), "{found:?}");
}

#[test]
fn a_file_without_clusters_or_flows_says_what_is_missing() {
    for (text, missing) in [
        ("", "clusters = A, B"),
        ("clusters = a\na.bootstrap.servers = a:1\n", "two clusters"),
        ("clusters = a, b\na.bootstrap.servers = a:1\nb.bootstrap.servers = b:1\n", "a->b.enabled = true"),
        ("clusters = a, b\na.bootstrap.servers = a:1\na->b.enabled = true\n", "b.bootstrap.servers"),
        ("clusters = a, A\na.bootstrap.servers = a:1\na->A.enabled = true\n", "case only"),
        (&seed_and("dr.security.protocol = SASL_SSL\n"), "dr.sasl.mechanism"),
        (&seed_and("dr.security.protocol = SASL_SSL\ndr.sasl.mechanism = GSSAPI\n"), "by hand"),
        (&seed_and("primary->dr.topics.exclude = ${file:/x:y}\n"), "placeholder"),
    ] {
        let found = bad(text);
        assert!(found.iter().any(|(_, reason)| reason.contains(missing)), "{missing}: {found:?}");
    }
}

#[test]
fn a_switch_that_cannot_be_read_does_not_hide_what_else_is_bad() {
    assert_eq!(
        bad(&seed_and("primary->dr.enabled = perhaps\nprimary->dr.topics = (\n"))
            .iter()
            .map(|(line, _)| *line)
            .collect::<Vec<_>>(),
        [10, 11]
    );
}

#[test]
fn bad_lines_do_not_show_credentials() {
    let refused = import(&seed_and(
        "dr.security.protocol = SASL_SSL\ndr.sasl.mechanism = PLAIN\ndr.sasl.jaas.config = hunter2\nsasl.password \\u12hunter2\n",
    ))
    .expect_err("bad");
    assert!(refused.len() >= 2 && !format!("{refused:?}").contains("hunter2"), "{refused:?}");
}

proptest::proptest! {
    /// Files of people, from anywhere: one that is refused is refused with a reason.
    #[test]
    fn fuzz_no_file_makes_it_panic(text: String, bends: [Bend; 3]) {
        let bent = bend(seed_and("dr->primary.enabled = true\nsasl.jaas.config = \\u0041\n").as_bytes(), &bends);
        for text in [text, String::from_utf8_lossy(&bent).into_owned()] {
            if let Err(lines) = import(&text) {
                assert!(!lines.is_empty(), "refused without a reason");
            }
        }
    }
}
