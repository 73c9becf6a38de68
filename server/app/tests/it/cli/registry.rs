//! What is registered by command: clusters, pairs, channels; and the brake.

use muster_kafka::double::Health;
use serde_json::{Value, json};

use super::Shell;
use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn clusters_pairs_audit_and_brake_by_command() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let (ada, olga) = (Shell::of(&app, &url, "ada").await, Shell::of(&app, &url, "olga").await);
    let west = json!({"name": "west", "bootstrap": ["b1:9092"], "region": "eu"});
    let file = ada.file("west.json", &west.to_string());
    ada.run(["clusters", "create", &file]).await.done();
    let listed = ada.muster("clusters list").await.done();
    assert!(listed.contains("west        PLAINTEXT"), "{listed}");
    let shown: Value = serde_json::from_str(&ada.muster("clusters show west").await.done()).unwrap();
    assert_eq!(shown["region"], "eu");
    let moved = ada.file("moved.json", r#"{"region": "us"}"#);
    let changed: Value =
        serde_json::from_str(&ada.run(["clusters", "edit", "west", &moved]).await.done()).unwrap();
    assert_eq!((&changed["region"], &changed["bootstrap"][0]), (&json!("us"), &json!("b1:9092")));
    assert_eq!(ada.muster("clusters delete west").await.done(), "Cluster west is forgotten.\n");
    let checked = ada.muster("clusters check eu-west").await.done();
    assert!(checked.starts_with("Cluster id id-of-eu-west\n"), "{checked}");
    assert!(checked.contains("ALTER on the cluster"), "{checked}");
    app.small.world.lock().cluster_mut("eu-west").health = Health::Dead;
    let dead = ada.muster("clusters check eu-west").await;
    assert!(dead.code == 1 && dead.err.contains("(cluster-unreachable)"), "{}", dead.err);

    let properties = "clusters = primary, dr\nprimary.bootstrap.servers = a:9092\ndr.bootstrap.servers = b:9092\n\
        primary->dr.enabled = true\nprimary->dr.topics = orders.*\ntasks.max = 4\n";
    let file = ada.file("mm2.properties", properties);
    let imported = ada.run(["pairs", "import", &file, "--team", app.team.as_str(), "--name", "shop"]).await;
    assert_eq!(imported.done(), "Imported pair shop.\nKept, not used by Muster: line 6: tasks.max = 4\n");
    let file = ada.file("bad.properties", &format!("{properties}primary->dr.topics = (\n"));
    let bad = ada.run(["pairs", "import", &file, "--team", app.team.as_str()]).await;
    assert!(bad.code == 1 && bad.err.contains("\n  line 7: "), "{}", bad.err);
    assert!(olga.muster("pairs show shop").await.done().contains("\"name\": \"shop\""));
    let unknown = olga.muster("pairs check shop").await;
    assert!(unknown.code == 1 && unknown.err.contains("(not-surveyed-yet)"), "{}", unknown.err);
    let ready = olga.muster("pairs check orders").await.done();
    assert!(ready.contains("flow-moving"), "{ready}");

    let set = olga.run(["brake", "set", "--reason", "a freeze & more"]).await.done();
    assert!(
        set.starts_with("The brake is on since ") && set.contains(", by olga: a freeze & more\n"),
        "{set}"
    );
    assert_eq!(olga.muster("brake show").await.done(), set);
    let shown: Value = serde_json::from_str(&olga.muster("brake show --json").await.done()).unwrap();
    assert_eq!((&shown["on"], &shown["reason"]), (&json!(true), &json!("a freeze & more")));
    let released = olga.muster("brake release").await.done();
    assert_eq!(released, "The brake is released: runs may start.\n");
    let trail = ada.run(["audit", "list", "--action", "brake.", "--object", "brake"]).await.done();
    let rows: Vec<&str> = trail.lines().collect();
    assert!(rows.len() == 3 && rows[1].contains("brake.release") && rows[2].contains("olga"), "{trail}");
    assert!(ada.muster("audit verify").await.done().contains("\"whole\": true"));
    let refused = ada.muster("audit list --outcome refused --since 2020-01-01T00:00:00Z").await.done();
    assert!(refused.contains("cluster.check") && !refused.contains("brake.put"), "{refused}");
    assert!(!ada.muster("audit list --until 2020-01-01T00:00:00Z").await.done().contains("brake.put"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_is_made_edited_and_removed_by_command() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let olga = Shell::of(&app, &url, "olga").await;
    let team = app.team.as_str();
    let flow = json!({"direction": {"from": "a"}, "mechanism": {"mechanism": "unattached"}, "source_alias": "w",
        "target_alias": "c", "naming": {"policy": "identity"}, "enabled": true});
    let new = json!({"name": "shop", "team": team, "clusters": {"a": "eu-west", "b": "eu-central"},
        "topics": ["shop\\..*"], "groups": ["shop-.*"], "flows": [flow]});
    // Until now it has all groups of its clusters.
    let groups = olga.file("groups.json", r#"{"groups": ["billing"]}"#);
    olga.run(["pairs", "edit", "orders", &groups]).await.done();
    let file = olga.file("shop.json", &new.to_string());
    let made = olga.run(["pairs", "create", &file]).await.done();
    assert!(made.contains("\"name\": \"shop\""), "{made}");
    let edit = olga.file("edit.json", r#"{"topics": ["shop\\..*", "carts\\..*"]}"#);
    let edited: Value =
        serde_json::from_str(&olga.run(["pairs", "edit", "shop", &edit]).await.done()).unwrap();
    assert_eq!(edited["topics"], json!(["shop\\..*", "carts\\..*"]));
    let bad = olga.file("bad.json", "topics: shop");
    let refused = olga.run(["pairs", "edit", "shop", &bad]).await;
    assert!(refused.code == 1 && refused.err.contains("the file is not JSON"), "{}", refused.err);
    let removed = olga.muster("pairs delete shop").await.done();
    assert_eq!(removed, "Pair shop is removed; its runs and audit entries stay.\n");
    assert!(!olga.muster("pairs list").await.done().contains("shop"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_made_tried_and_removed_by_command() {
    let app = TestApp::with_pair().await;
    let olga = Shell::of(&app, &app.serve().await, "olga").await;
    let new = json!({"team": app.team, "name": "room", "kind": "slack", "events": ["ended"],
        "url": "https://hooks.chat.example/T0/verysecret"});
    let id = olga.muster(&format!("channels create {}", olga.file("new.json", &new.to_string()))).await.id();
    let edit = olga.file("edit.json", &json!({"name": "salon"}).to_string());
    olga.muster(&format!("channels edit {id} {edit}")).await.done();
    assert!(olga.muster(&format!("channels test {id}")).await.done().contains("on its way"));
    let sent = olga.muster(&format!("channels deliveries {id}")).await.done();
    assert!(sent.contains("test") && sent.contains("waiting"), "{sent}");
    let list = olga.muster("channels list").await.done();
    assert!(list.contains("salon") && list.contains("hooks.chat.example"), "{list}");
    let shown = olga.muster(&format!("channels show {id}")).await.done();
    assert!(!shown.contains("verysecret"), "{shown}");
    olga.muster(&format!("channels delete {id}")).await.done();
    assert!(!olga.muster("channels list").await.done().contains("salon"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opens_connect_is_entered_by_command_and_is_not_on_the_command_line() {
    let app = TestApp::with_pair().await;
    let olga = Shell::of(&app, &app.serve().await, "olga").await;
    let none = olga.muster("pairs connect orders").await.done();
    assert!(
        none.contains("eu-west → eu-central  http://connect.eu-central.example:8083  without signing in"),
        "{none}"
    );
    let with = async |variable: &str, secret: &str, line: &str| {
        let mut command = olga.command();
        command.env(variable, secret).args(line.split(' '));
        Shell::said(command).await
    };
    let enter = "pairs connect-enter orders --from eu-west";
    let by_user = with("MUSTER_CONNECT_PASSWORD", "topsecret", &format!("{enter} --user robot")).await.done();
    assert_eq!(
        by_user,
        "Muster signs in as robot at http://connect.eu-central.example:8083 from now on, for the flow eu-west → eu-central.\n"
    );
    let shown = olga.muster("pairs connect orders").await.done();
    assert!(shown.contains("  as robot  ") && !shown.contains("topsecret"), "{shown}");
    let by_token =
        with("MUSTER_CONNECT_TOKEN", "eyJtopsecret", &format!("--json {enter} --bearer")).await.done();
    let by_token: Value = serde_json::from_str(&by_token).unwrap();
    assert_eq!((&by_token["kept"]["scheme"], &by_token["kept"]["sent"]), (&json!("bearer"), &json!(true)));

    let nobody = olga.run_alone(format!("{enter} --user robot").split(' ')).await;
    assert_eq!(nobody.code, 1);
    assert!(nobody.err.contains("set MUSTER_CONNECT_PASSWORD"), "{}", nobody.err);
    for wrong in [enter.to_owned(), format!("{enter} --user robot --bearer"), format!("{enter} --bearer eyJ")]
    {
        assert_eq!(olga.muster(&wrong).await.code, 2, "{wrong}");
    }
    let removed = olga.muster("pairs connect-remove orders --from eu-west").await.done();
    assert_eq!(
        removed,
        "Connect is asked without signing in from now on, for the flow of orders from eu-west.\n"
    );
    assert_eq!(olga.muster("pairs connect orders").await.done(), none);
}
