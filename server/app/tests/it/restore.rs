//! A backup is restored by the commands of OPERATING.md: what was in it is there, the audit is whole, the secrets key is needed,
//! and nothing that was under way goes on.

mod killed;
mod parked;

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use muster_store::testing::TestDatabase;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

use crate::{muster::is_root, test_app::TestApp};

const OPERATING: &str = include_str!("../../../../docs/OPERATING.md");

/// The commands below a mark in the document.
fn documented(mark: &str) -> String {
    let after =
        OPERATING.split(&format!("<!-- {mark} -->")).nth(1).unwrap_or_else(|| panic!("no mark {mark}"));
    let lines = after.lines().skip_while(|line| line.is_empty());
    lines.map_while(|line| line.strip_prefix("    ")).collect::<Vec<_>>().join("\n")
}

/// A directory of this test's own.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("muster-restore-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    /// Runs documented commands here.
    fn shell(&self, commands: &str, settings: &[(&str, &str)]) {
        self.run(Command::new("sh"), commands, settings);
    }

    /// The same as a user who may run PostgreSQL, which root may not.
    fn shell_of_postgres(&self, commands: &str, settings: &[(&str, &str)]) {
        if !is_root() {
            return self.shell(commands, settings);
        }
        let mut shell = Command::new("setpriv");
        shell.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--", "sh"]);
        self.run(shell, commands, settings);
    }

    fn run(&self, mut shell: Command, commands: &str, settings: &[(&str, &str)]) {
        shell.args(["-euc", commands]).current_dir(&self.0).envs(settings.iter().copied());
        shell.env("PATH", format!("{}:{}", tools().display(), std::env::var("PATH").unwrap()));
        let Output { status, stdout, stderr } = shell.output().unwrap();
        let said = [stdout, stderr].concat();
        assert!(status.success(), "{commands}\n{}", String::from_utf8_lossy(&said));
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// The newest PostgreSQL's programs: an older `pg_dump` refuses a newer server.
fn tools() -> PathBuf {
    let all = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let with_dump = all.map(|version| version.path().join("bin")).filter(|bin| bin.join("pg_dump").exists());
    with_dump.max_by_key(|bin| version_of(bin)).unwrap_or_else(|| PathBuf::from("/usr/bin"))
}

fn version_of(bin: &Path) -> u32 {
    let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// As PostgreSQL's own programs take it: without what only our driver knows.
fn url_of(options: &PgConnectOptions) -> String {
    let mut url = options.to_url_lossy();
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(key, _)| key != "statement-cache-capacity")
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(kept);
    url.to_string()
}

/// Backs up the database of a test here.
fn back_up(app: &TestApp, dir: &Dir) {
    let taken_from = url_of(&app.app.pool.connect_options());
    dir.shell(&documented("backup"), &[("DATABASE_URL", taken_from.as_str())]);
}

/// Restores what was backed up here; its address.
fn restore(dir: &Dir, into: &TestDatabase) -> String {
    let restored_url = url_of(&into.connect_options());
    dir.shell(&documented("restore"), &[("RESTORED_URL", restored_url.as_str())]);
    restored_url
}

/// What a documented command of Muster is given.
fn words(of: &str) -> Vec<&str> {
    of.split(' ').skip(1).collect()
}

fn muster(args: &[&str], database: &str, data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", data);
    command.env("DATABASE_URL", database).env("MUSTER_DATA_DIR", data).env("MUSTER_LISTEN", "127.0.0.1:0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `muster serve` on the restored database.
struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    fn start(database: &str, data: &Path) -> Self {
        let mut child = muster(&["serve"], database, data).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.by_ref().find(|line| line.contains("Muster serves")).expect("it should serve");
        // Whoever writes to a closed pipe ends.
        std::thread::spawn(move || lines.for_each(drop));
        let url = line.rsplit(' ').find(|word| word.starts_with("http")).unwrap().to_owned();
        Self { child, url }
    }

    async fn get(&self, path: &str, token: &str) -> Value {
        let asked = reqwest::Client::new().get(format!("{}{path}", self.url)).bearer_auth(token);
        let reply = asked.send().await.unwrap();
        assert!(reply.status().is_success(), "{path}: {}", reply.status());
        reply.json().await.unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A run that has its final go, and no worker yet that carries it on. Writes may be away for longer than any dump takes.
async fn confirmed(app: &TestApp) -> uuid::Uuid {
    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let mut asked = crate::runs::quick();
    asked["rules"]["max_write_outage_seconds"] = json!(600);
    let plan = otto.post("/api/v1/pairs/orders/plans", asked).await.done();
    let asked = json!({"plan": plan["id"], "reason": "brokers are slow"});
    let run: uuid::Uuid =
        otto.post("/api/v1/runs", asked).await.done()["id"].as_str().unwrap().parse().unwrap();
    let act = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
    abel.post(&act("approve"), json!({"comment": "go"})).await.done();
    otto.post(&act("start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    otto.post(&act("confirm"), json!({})).await.done();
    run
}

/// A run that came to its end, with everything it left; and a sealed credential.
async fn history(app: &TestApp) -> uuid::Uuid {
    let run = confirmed(app).await;
    app.engine.run_pending().await.unwrap();
    let south =
        json!({"name": "south", "bootstrap": ["127.0.0.1:1"], "secrets": {"probe_password": "word-of-it"}});
    app.as_user("ada").await.post("/api/v1/clusters", south).await.done();
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_has_its_runs_and_a_whole_audit_and_needs_the_key() {
    let app = TestApp::with_pair().await;
    let run = history(&app).await;
    let report = app.as_user("ada").await.get(&format!("/api/v1/runs/{run}/report")).await.done();
    let token = app.token_of("ada").await;
    let (dir, restored) = (Dir::new(), TestDatabase::empty().await);
    back_up(&app, &dir);
    let restored_url = restore(&dir, &restored);

    let data = dir.0.join("data");
    let parked = muster(&words(&documented("restored")), &restored_url, &data).output().unwrap();
    assert!(parked.status.success(), "{}", String::from_utf8_lossy(&parked.stderr));

    // Without the key: which one is missing, and none is made in its place.
    let refused = muster(&["serve"], &restored_url, &data).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    let file = data.join("secrets.key");
    let expected = format!(
        "muster: the secrets key does not fit the database: it is sealed with the key {}, {} does not exist and \
         MUSTER_SECRETS_KEY is not set.",
        app.app.secrets_key.id(),
        file.display()
    );
    assert!(said.contains(&expected), "{said}");
    assert!(!file.exists());

    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(&file, BASE64_STANDARD.encode([7; 32])).unwrap();
    set_private(&file);
    let serving = Serving::start(&restored_url, &data);
    assert_eq!(serving.get(&format!("/api/v1/runs/{run}/report"), &token).await, report);
    let verified = serving.get("/api/v1/audit/verify", &token).await;
    assert_eq!(verified["whole"], true, "{verified:#}");
    // As the document says it, on the command line.
    let mut verify = muster(&words(&documented("verify")), &restored_url, &data);
    let done = verify.env("MUSTER_URL", &serving.url).env("MUSTER_TOKEN", &token).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_key_lost_for_good_everything_but_the_credentials_comes_back() {
    let app = TestApp::with_pair().await;
    history(&app).await;
    let (dir, restored) = (Dir::new(), TestDatabase::empty().await);
    back_up(&app, &dir);
    let restored_url = restore(&dir, &restored);
    let forget = "delete from cluster_secret; delete from channel_secret; delete from connect_secret; \
        delete from secrets_key;";
    assert!(OPERATING.split_whitespace().collect::<Vec<_>>().join(" ").contains(forget));
    sqlx::raw_sql(forget).execute(restored.pool()).await.unwrap();
    let data = dir.0.join("data");
    let serving = Serving::start(&restored_url, &data);
    assert!(data.join("secrets.key").exists());
    let runs: i64 = sqlx::query_scalar("select count(*) from run").fetch_one(restored.pool()).await.unwrap();
    assert_eq!(runs, 1);
    let refused = reqwest::Client::new().get(format!("{}/api/v1/session", serving.url));
    let refused = refused.bearer_auth(app.token_of("ada").await).send().await.unwrap();
    assert_eq!(refused.status(), 401, "sessions are signed with the old key");
}

fn set_private(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}
