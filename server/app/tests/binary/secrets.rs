//! `muster secrets rotate`: afterwards the new key opens everything and the old one nothing.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use muster_domain::{
    cluster::Cluster,
    connect_credentials::{ConnectCredentials, ConnectSignIn},
    pair::{Mechanism, Pair, Side},
};
use muster_replication::double::small_world;
use muster_store::{
    clusters, pairs,
    secrets::{self, SecretsKey},
    teams::{self, Team},
    testing::TestDatabase,
};
use serde_json::json;

use crate::{
    muster::{Dir, PASSWORD, Running, muster, run},
    sharing::url_of,
};

/// Muster's command line with a data directory and a key file.
fn with_key(database: &TestDatabase, dir: &Dir, command: &[&str], key: &Path) -> std::process::Command {
    let mut command = muster(command);
    command.args(["--data-dir", dir.data().to_str().unwrap()]);
    command.env("DATABASE_URL", url_of(database)).env("MUSTER_SECRETS_KEY_FILE", key);
    command.env("MUSTER_ADMIN_PASSWORD", PASSWORD);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_the_new_key_opens_everything_and_the_old_one_nothing() {
    let database = TestDatabase::empty().await;
    let dir = Dir::new();
    let (old, new) = (dir.0.join("old.key"), dir.0.join("new.key"));
    let serving = Running::serve(with_key(&database, &dir, &["serve"], &old));
    let token = serving.sign_in("admin").await;
    let west = json!({"name": "west", "bootstrap": ["127.0.0.1:1"],
        "security": {"sasl": {"mechanism": "scram_sha512", "username": "muster"}},
        "secrets": {"password": "s3cret-word"}});
    serving.ask("POST", "/api/v1/clusters", &token, Some(west)).await;
    serving.stop();

    let rotate = || {
        let words = ["secrets", "rotate", "--new-key-file", new.to_str().unwrap()];
        run(&mut with_key(&database, &dir, &words, &old))
    };
    for _ in 0..2 {
        // A second time finds nothing left to do.
        let (code, out, err) = rotate();
        assert_eq!(code, 0, "{err}");
        assert!(
            out.starts_with(&format!("1 secrets are sealed with the key in {} now.", new.display())),
            "{out}"
        );
    }
    let (code, _, err) = run(with_key(&database, &dir, &["serve"], &old).args(["--listen", "127.0.0.1:0"]));
    assert!(code == 1 && err.contains("the secrets key does not fit the database"), "{err}");
    let (_, out, _) = run(&mut with_key(&database, &dir, &["doctor"], &old));
    assert!(out.contains("\nFAIL  secrets key: "), "{out}");
    let (_, out, _) = run(&mut with_key(&database, &dir, &["doctor"], &new));
    assert!(out.contains("opens the credentials of all 1 clusters"), "{out}");

    let serving = Running::serve(with_key(&database, &dir, &["serve"], &new));
    // Sessions are signed with the old key and over.
    let token = serving.sign_in("admin").await;
    let entries = serving.ask("GET", "/api/v1/audit?action=secrets.rotate", &token, None).await;
    let done = &entries["items"][1]["content"];
    assert_eq!((&done["actor"], &done["detail"]["secrets"]), (&json!("muster"), &json!(1)), "{entries:#}");
    assert_eq!(serving.ask("GET", "/api/v1/audit/verify", &token, None).await["whole"], true);
    serving.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_present_key_nothing_is_rotated_and_none_is_made() {
    let database = TestDatabase::empty().await;
    let dir = Dir::new();
    let (old, new) = (dir.0.join("old.key"), dir.0.join("new.key"));
    let words = ["secrets", "rotate", "--new-key-file", new.to_str().unwrap()];
    let (code, _, err) = run(&mut with_key(&database, &dir, &words, &old));
    assert_eq!(code, 1);
    assert_eq!(
        err,
        format!("muster: there is no present key to rotate from: {} does not exist\n", old.display())
    );
    assert!(!old.exists() && !new.exists());
}

/// A pair of two clusters, whose flows have a Connect each; nothing listens on port 1.
async fn keep_pair(database: &TestDatabase) -> Pair {
    let small = small_world();
    let conn = &mut *database.conn().await;
    let team = Team { name: small.pair.team.clone(), description: String::new() };
    teams::insert(conn, &team).await.unwrap();
    for cluster in [small.clusters.a, small.clusters.b] {
        let away = Cluster { bootstrap: vec!["127.0.0.1:1".to_owned()], ..cluster };
        clusters::insert(conn, &away).await.unwrap();
    }
    let mut pair = small.pair;
    for flow in &mut pair.flows {
        if let Mechanism::Mm2OnConnect { connect_url, .. } = &mut flow.mechanism {
            "http://127.0.0.1:1".clone_into(connect_url);
        }
    }
    pairs::insert(conn, &pair).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opens_connect_is_rotated_too_and_what_does_not_open_is_told() {
    let database = TestDatabase::new().await;
    let dir = Dir::new();
    let (old, new) = (dir.0.join("old.key"), dir.0.join("new.key"));
    let pair = keep_pair(&database).await;
    let sign_in = ConnectSignIn::Basic { username: "muster".to_owned(), password: "s3cret-word".into() };
    let credentials = ConnectCredentials { address: "http://127.0.0.1:1".to_owned(), sign_in };
    let key = SecretsKey::generate_file(&old).unwrap();
    let conn = &mut *database.conn().await;
    secrets::connect::put(conn, &key, &pair.name, Side::A, &credentials).await.unwrap();

    let doctor = |key: &Path| run(&mut with_key(&database, &dir, &["doctor"], key)).1;
    let lost = doctor(&dir.0.join("none.key"));
    assert!(lost.contains("but credentials of 0 clusters and 1 Connect addresses are sealed"), "{lost}");
    let words = ["secrets", "rotate", "--new-key-file", new.to_str().unwrap()];
    let (code, out, err) = run(&mut with_key(&database, &dir, &words, &old));
    assert!(code == 0 && out.starts_with("1 secrets are sealed with the key in "), "{out}{err}");
    let opened = doctor(&new);
    assert!(opened.contains("opens the credentials of all 2 clusters"), "{opened}");
    assert!(!opened.contains("what opens Connect for") && !opened.contains("s3cret-word"), "{opened}");

    let moved = "update connect_secret set address = 'http://elsewhere:8083'";
    sqlx::query(moved).execute(&mut *conn).await.unwrap();
    let told = doctor(&new);
    let line = "\nFAIL  what opens Connect for orders: could not open secret of Connect: the sealed secret of \
        connect_secret|orders/a http://elsewhere:8083|password was changed or moved from another place. Pair orders can be neither \
        observed nor switched over: enter it again, or remove it.\n";
    assert!(told.contains(line), "{told}");
}

/// As somebody finds out who runs it without the settings of the service: the database is elsewhere.
#[test]
fn without_a_database_nothing_is_rotated_and_none_is_made() {
    let dir = Dir::new();
    std::fs::create_dir(dir.data()).unwrap();
    std::fs::write(dir.data().join("secrets.key"), STANDARD.encode([7; 32])).unwrap();
    let new = dir.0.join("new.key");
    let data = dir.data();
    let words = ["--data-dir", data.to_str().unwrap(), "--new-key-file", new.to_str().unwrap()];
    let (code, _, err) = run(muster(&["secrets", "rotate"]).args(words));
    assert_eq!(code, 1);
    let expected = format!(
        "muster: DATABASE_URL is not set and there is no private PostgreSQL in {}, so nothing was done. Run this with the \
         settings that Muster is started with, and as its user; docs/OPERATING.md says how beside a service\n",
        dir.data().display()
    );
    assert!(err.ends_with(&expected), "{err}");
    assert!(!new.exists() && !dir.data().join("pgdata").exists());
}
