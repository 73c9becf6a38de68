//! `muster doctor` as it is run: what it says of database and key, and its exit code.

use muster_store::testing::TestDatabase;
use serde_json::json;

use crate::{
    muster::{Dir, PASSWORD, Running, lives, muster, postgres_of, run},
    sharing::url_of,
};

fn doctor(dir: &Dir, database: Option<&TestDatabase>) -> (i32, String) {
    let mut command = muster(&["doctor", "--data-dir", dir.data().to_str().unwrap()]);
    if let Some(database) = database {
        command.env("DATABASE_URL", url_of(database));
    }
    let (code, out, err) = run(&mut command);
    (code, format!("{out}{err}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_start_it_makes_nothing() {
    let dir = Dir::new();
    let (code, said) = doctor(&dir, None);
    assert_eq!(code, 0, "{said}");
    let expected = format!(
        "warn  database: DATABASE_URL is not set and there is no private PostgreSQL in {} yet: `muster serve` makes one. \
         Nothing else can be looked at before. Where Muster has a database already, run this with the settings it is \
         started with, and as its user (docs/OPERATING.md).\n",
        dir.data().display()
    );
    assert_eq!(said, expected);
    assert!(!dir.data().exists());

    let database = TestDatabase::empty().await;
    // How durable the test server is, and so the exit code, is not this test's matter.
    let (_, said) = doctor(&dir, Some(&database));
    assert!(said.contains("\nok    clock: this host and the database differ by "), "{said}");
    assert!(said.contains("\nwarn  schema: "), "{said}");
    let tables: i64 = sqlx::query_scalar("select count(*) from pg_tables where schemaname = 'public'")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(tables, 0, "it looked and left nothing");
    assert!(!dir.data().exists());

    let migrated = TestDatabase::new().await;
    let (_, said) = doctor(&dir, Some(&migrated));
    assert!(said.contains("\nwarn  secrets key: there is none yet: `muster serve` makes "), "{said}");
}

#[test]
fn a_database_that_does_not_answer_is_said_at_once() {
    let mut command = muster(&["doctor"]);
    command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let (code, out, _) = run(&mut command);
    assert_eq!(code, 1);
    assert!(
        out.starts_with("FAIL  database: ") && out.ends_with("Without it Muster does nothing.\n"),
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_looks_at_a_private_postgres_whether_it_serves_or_rests() {
    let dir = Dir::new();
    let mut command = muster(&["serve", "--data-dir", dir.data().to_str().unwrap()]);
    command.env("MUSTER_ADMIN_PASSWORD", PASSWORD);
    let serving = Running::serve(command);
    let token = serving.sign_in("admin").await;
    let (postgres, _) = postgres_of(&dir.data());
    let (code, serves) = doctor(&dir, None);
    assert_eq!(code, 0, "{serves}");
    assert!(serves.contains("\nok    clusters: none are registered yet\n"), "{serves}");
    assert!(lives(postgres));

    // Nothing listens on port 1.
    let west =
        json!({"name": "west", "bootstrap": ["127.0.0.1:1"], "secrets": {"probe_password": "word-of-it"}});
    serving.ask("POST", "/api/v1/clusters", &token, Some(west)).await;
    serving.stop();
    let (code, rests) = doctor(&dir, None);
    assert_eq!(code, 1, "{rests}");
    assert!(rests.contains("\nFAIL  cluster west: "), "{rests}");
    assert!(rests.contains("Nothing can be observed or done there."), "{rests}");
    assert!(!dir.data().join("pgdata/postmaster.pid").exists(), "what it started it stopped");

    std::fs::rename(dir.data().join("secrets.key"), dir.0.join("elsewhere")).unwrap();
    let (code, lost) = doctor(&dir, None);
    assert_eq!(code, 1, "{lost}");
    assert!(lost.contains("but credentials of 1 clusters are sealed: none of them can be reached"), "{lost}");
    assert!(!dir.data().join("secrets.key").exists(), "it makes no key");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_provider_that_cannot_be_used_is_told_with_what_it_would_break() {
    let (dir, database) = (Dir::new(), TestDatabase::new().await);
    let said = |settings: &[(&str, &str)]| {
        let mut command = muster(&["doctor", "--data-dir", dir.data().to_str().unwrap()]);
        command.env("DATABASE_URL", url_of(&database)).env("MUSTER_OIDC_CLIENT_ID", "muster");
        let (code, out, err) = run(command.envs(settings.iter().copied()));
        assert_eq!(code, 1, "{out}{err}");
        out
    };
    // Nothing listens on port 1.
    let roles = ("MUSTER_OIDC_ROLES", "oncall=operator@nowhere;dr=approver");
    let away = said(&[("MUSTER_OIDC_ISSUER", "http://127.0.0.1:1"), roles]);
    assert!(away.contains("\nFAIL  identity provider: http://127.0.0.1:1: Request failed: "), "{away}");
    assert!(away.contains("Nobody can sign in there; passwords still work.\n"), "{away}");
    assert!(
        away.contains("\nwarn  roles from groups (MUSTER_OIDC_ROLES): there is no team nowhere: "),
        "{away}"
    );
    let clear = said(&[("MUSTER_OIDC_ISSUER", "http://login.example.com")]);
    assert!(
        clear.contains("is not https") && clear.contains("`muster serve` does not start like this."),
        "{clear}"
    );
}
