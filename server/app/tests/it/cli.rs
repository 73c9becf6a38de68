//! The command line against a served Muster: it speaks only the API, and its exit codes are for pipelines.

use std::{path::PathBuf, time::Duration};

use muster_app::serve::serve_http;
use muster_kafka::double::Health;
use muster_store::people;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};
use tokio_util::sync::CancellationToken;

use crate::test_app::{TestApp, id};

/// No command may take longer, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The command line of one person.
pub(crate) struct Shell {
    url: String,
    token: Option<String>,
    home: PathBuf,
}

impl Drop for Shell {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.home).ok();
    }
}

/// What a command printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// The id behind `Plan` or in `Run 1 (…)`.
    #[track_caller]
    pub(crate) fn id(self) -> String {
        let text = self.done();
        let id = regex::Regex::new("[0-9a-f]{8}-[0-9a-f-]{27}").unwrap();
        id.find(&text).unwrap_or_else(|| panic!("no id in {text}")).as_str().to_owned()
    }
}

impl Shell {
    pub(crate) async fn of(app: &TestApp, url: &str, who: &str) -> Self {
        let home = std::env::temp_dir().join(format!("muster-cli-{}", uuid::Uuid::new_v4()));
        let token = if who == "nobody" { None } else { Some(app.token_of(who).await) };
        std::fs::create_dir_all(&home).unwrap();
        Self { url: url.to_owned(), token, home }
    }

    pub(crate) async fn muster(&self, line: &str) -> Said {
        self.run(line.split(' ')).await
    }

    pub(crate) async fn run(&self, args: impl IntoIterator<Item = &str>) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.env_clear().env("MUSTER_URL", &self.url).env("HOME", &self.home);
        command.env("MUSTER_PASSWORD", "correct horse battery");
        if let Some(token) = &self.token {
            command.env("MUSTER_TOKEN", token);
        }
        let done = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).args(args).output());
        let done = done.await.expect("the command should come to an end").unwrap();
        Said {
            code: done.status.code().unwrap(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let file = self.home.join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_kept_by_login_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let app = TestApp::with_pair().await;
    let grants = json!([{"role": "viewer", "team": null}]);
    let nora = json!({"name": "nora", "password": "correct horse battery", "grants": grants});
    app.as_user("ada").await.post("/api/v1/users", nora).await.done();
    let url = app.serve().await;
    let shell = Shell::of(&app, &url, "nobody").await;
    let before = shell.muster("pairs list").await;
    assert_eq!((before.code, before.out.as_str()), (1, ""));
    assert!(before.err.contains("(sign-in-required)"), "{}", before.err);
    let said = shell.muster("login --name nora").await.done();
    assert!(said.starts_with("Signed in as nora until "), "{said}");
    let file = shell.home.join(".config/muster/sessions.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let pairs = shell.muster("pairs list").await.done();
    assert!(pairs.contains("orders"), "{pairs}");
    let refused = shell.muster("brake set --reason mine").await;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("(forbidden)"), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_breaks_the_glass_by_command_and_an_approver_reviews_it() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let (olga, abel) = (Shell::of(&app, &url, "olga").await, Shell::of(&app, &url, "abel").await);
    let (_, run) = crate::runs::requested(&app).await;
    let run = run.to_string();
    let asked =
        |pair: &'static str| ["run", "break-glass", &run, "--pair", pair, "--reason", "nobody answers"];
    let other = olga.run(asked("invoices")).await;
    assert_eq!((other.code, other.out.as_str()), (1, ""));
    assert!(other.err.contains("is of the pair `orders`, not `invoices`"), "{}", other.err);
    assert!(app.audited("run.break_glass").await.is_empty());

    // She signed in a while ago, so she is asked for her password.
    let mut conn = app.app.pool.acquire().await.unwrap();
    let password = app.app.hashing.hash_password("correct horse battery".to_owned()).await.unwrap();
    people::set_password_hash(&mut conn, id("olga"), &password.into()).await.unwrap();
    let ago = "update session set stepped_up_at = stepped_up_at - interval '16 minutes'";
    sqlx::query(ago).execute(&mut *conn).await.unwrap();
    let started = olga.run(asked("orders")).await.done();
    assert!(started.contains("running"), "{started}");
    assert_eq!(app.audited("session.reauthenticate").await.len(), 1);
    app.engine.run_pending().await.unwrap();
    let reviewed =
        abel.run(["run", "review", &run, "--verdict", "justified", "--comment", "I was asleep"]).await.done();
    assert!(reviewed.contains(&run), "{reviewed}");
    assert_eq!(app.audited("run.review").await.last().unwrap().0, "abel");
}

/// Works as soon as somebody has asked for it.
async fn work_once_asked(app: &TestApp, action: &str) {
    while app.audited(action).await.is_empty() {
        tokio::task::yield_now().await;
    }
    app.engine.run_pending().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_carry_a_switchover_through_by_command() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let (otto, abel) = (Shell::of(&app, &url, "otto").await, Shell::of(&app, &url, "abel").await);
    let plan = otto.muster("plan orders --to eu-central").await;
    assert!(plan.out.contains("Survey eu-west and eu-central again"), "{}", plan.out);
    let plan = plan.id();
    let run = otto.run(["run", "request", &plan, "--reason", "brokers are slow"]).await.id();
    let asked = otto.muster("run list --pair orders --state awaiting_approval").await.done();
    assert!(asked.contains(&run), "{asked}");
    let approved = abel.run(["run", "approve", &run, "--comment", "go"]).await.done();
    assert!(approved.contains("approved"), "{approved}");

    let (started, ()) =
        tokio::join!(otto.run(["run", "start", &run, "--wait"]), work_once_asked(&app, "run.start"),);
    // It stopped following where somebody has to answer.
    assert_eq!((started.code, started.err.as_str()), (4, ""), "{}", started.out);
    assert!(started.out.contains("waiting for input"), "{}", started.out);
    assert!(started.out.contains(&format!("Next: muster run confirm {run}")), "{}", started.out);
    let shown = otto.run(["run", "show", &run]).await.done();
    assert!(shown.contains("waiting_for_input"), "{shown}");
    let (confirmed, ()) =
        tokio::join!(otto.run(["run", "confirm", &run, "--wait"]), work_once_asked(&app, "run.confirm"),);
    let told = confirmed.done();
    assert!(told.contains("point of no return"), "{told}");
    let report: Value = serde_json::from_str(&otto.run(["run", "report", &run]).await.done()).unwrap();
    assert_eq!(report["hash"].as_str().unwrap().len(), 64);
    assert_eq!(otto.run(["run", "watch", &run]).await.code, 0);
    let listed: Value = serde_json::from_str(&otto.muster("run list --json").await.done()).unwrap();
    assert_eq!(listed["items"][0]["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_does_not_succeed_is_exit_code_three() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let (otto, abel) = (Shell::of(&app, &url, "otto").await, Shell::of(&app, &url, "abel").await);
    let plan = otto.muster("plan orders --to eu-central --unattended").await.id();
    let first = otto.run(["run", "request", &plan, "--reason", "try"]).await.id();
    abel.run(["run", "reject", &first, "--comment", "not tonight"]).await.done();
    let watched = otto.run(["run", "watch", &first]).await;
    assert_eq!((watched.code, watched.err.as_str()), (3, ""), "{}", watched.out);

    let second = otto.run(["run", "request", &plan, "--reason", "try again"]).await.id();
    abel.run(["run", "approve", &second]).await.done();
    otto.run(["run", "start", &second]).await.done();
    otto.run(["run", "pause", &second]).await.done();
    app.engine.run_pending().await.unwrap();
    let skipped = otto.run(["run", "skip", &second, "--step", "fence_source", "--reason", "no"]).await;
    assert!(skipped.err.contains("(step-cannot-be-skipped)"), "{}", skipped.err);
    for (verb, code) in [("retry", "act-does-not-fit-state"), ("close", "forbidden")] {
        let refused = otto.run(["run", verb, &second, "--reason", "no"]).await;
        assert!(refused.code == 1 && refused.err.contains(code), "{verb}: {}", refused.err);
    }
    let refused = abel.run(["run", "attest", &second, "--verdict", "passed"]).await;
    assert!(refused.err.contains("(act-does-not-fit-state)"), "{}", refused.err);
    otto.run(["run", "resume", &second]).await.done();
    otto.run(["run", "abort", &second, "--reason", "wrong night"]).await.done();
    app.engine.run_pending().await.unwrap();
    let watched = otto.run(["run", "watch", &second]).await;
    assert_eq!(watched.code, 3, "{watched:?}");
    assert!(watched.out.contains("rolled back"), "{}", watched.out);
}

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
    assert!(set.contains("\"on\": true"), "{set}");
    assert!(olga.muster("brake show").await.done().contains("a freeze & more"));
    assert!(olga.muster("brake release").await.done().contains("\"on\": false"));
    let trail = ada.run(["audit", "list", "--action", "brake.", "--object", "brake"]).await.done();
    let rows: Vec<&str> = trail.lines().collect();
    assert!(rows.len() == 3 && rows[1].contains("brake.release") && rows[2].contains("olga"), "{trail}");
    assert!(ada.muster("audit verify").await.done().contains("\"whole\": true"));
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
async fn people_teams_and_tokens_by_command() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let ada = Shell::of(&app, &url, "ada").await;
    ada.run(["teams", "create", "payments", "--description", "cards & cash"]).await.done();
    assert!(ada.muster("teams list").await.done().contains("cards & cash"));
    let nora = json!({"name": "nora", "password": "correct horse battery",
        "grants": [{"role": "viewer", "team": "payments"}]});
    let file = ada.file("nora.json", &nora.to_string());
    let made = ada.run(["people", "create", &file]).await.done();
    assert!(!made.contains("correct horse"), "{made}");
    let disable = ada.file("disable.json", r#"{"disabled": true}"#);
    ada.run(["people", "edit", "nora", &disable]).await.done();
    let listed = ada.muster("people list").await.done();
    assert!(
        listed.contains("nora") && listed.contains("viewer of payments") && listed.contains("disabled"),
        "{listed}"
    );
    let made: Value =
        serde_json::from_str(&ada.muster("tokens create pipeline --days 7").await.done()).unwrap();
    let (id, secret) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let listed = ada.muster("tokens list").await.done();
    assert!(listed.contains(id) && !listed.contains(secret), "{listed}");
    let pipeline =
        Shell { url: url.clone(), token: Some(secret.to_owned()), home: ada.home.join("pipeline") };
    pipeline.muster("teams list").await.done();
    ada.run(["tokens", "revoke", id]).await.done();
    assert_eq!(pipeline.muster("teams list").await.code, 1);
    let completion = ada.muster("completion bash").await.done();
    assert!(completion.contains("complete -F _muster"), "{completion}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_teams_by_command() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let ada = Shell::of(&app, &url, "ada").await;
    let lost = Shell::of(&app, &url, "otto").await;
    let listed = ada.muster("sessions list").await.done();
    assert!(listed.contains("this one"), "{listed}");
    let others: Value =
        serde_json::from_str(&ada.muster("sessions list --user otto --json").await.done()).unwrap();
    let id = others["items"][0]["id"].as_str().unwrap();
    assert_eq!(ada.run(["sessions", "end", id]).await.done(), format!("Session {id} has ended.\n"));
    assert_eq!(lost.muster("teams list").await.code, 1);
    let again = Shell::of(&app, &url, "otto").await;
    ada.muster("sessions end-all --user otto").await.done();
    assert_eq!(again.muster("teams list").await.code, 1);
    ada.muster("sessions end-all").await.done();

    ada.muster("teams create ledger").await.done();
    ada.run(["teams", "edit", "ledger", "--description", "Books"]).await.done();
    assert!(ada.muster("teams show ledger").await.done().contains("\"description\": \"Books\""));
    let held = ada.run(["teams", "delete", app.team.as_str()]).await;
    assert!(held.code == 1 && held.err.contains("pairs: orders"), "{}", held.err);
    assert_eq!(ada.muster("teams delete ledger").await.done(), "Team ledger is removed.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_by_command_and_evidence_checked_without_a_server() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let otto = Shell::of(&app, &url, "otto").await;
    let text = "--text=DNS cached in clients";
    let made = otto.run(["findings", "raise", "orders", text, "--severity", "high"]).await;
    let id = made.id();
    let listed = otto.muster("findings list --open").await.done();
    assert!(listed.contains("DNS cached in clients") && listed.contains("high"), "{listed}");
    otto.run(["findings", "close", &id, "--resolution", "TTL lowered"]).await.done();
    assert!(!otto.muster("findings list --open").await.done().contains("DNS"));

    let (_, run) = crate::runs::requested(&app).await;
    let report = otto.muster(&format!("run report {run}")).await.done();
    let audit = app.as_user("ada").await.get("/api/v1/audit/export").await.text;
    // Nobody answers at this address: what verifies a file needs nobody.
    let alone = Shell::of(&app, "http://127.0.0.1:9", "nobody").await;
    let good = alone.file("run.report.json", &report);
    let said = alone.muster(&format!("verify {good}")).await.done();
    assert_eq!(said.lines().filter(|line| line.starts_with("ok  ")).count(), 4, "{said}");
    let touched = alone.file("touched.json", &report.replace("brokers are slow", "all is well"));
    let said = alone.muster(&format!("verify {touched}")).await;
    assert_eq!(said.code, 1, "{}", said.out);
    assert!(said.out.starts_with("FAIL  the file is whole"), "{}", said.out);
    let chain = alone.file("audit.ndjson", &audit);
    assert!(alone.muster(&format!("verify {chain}")).await.done().starts_with("ok    the chain is whole"));
    let without = audit.split_once('\n').map_or("", |(_, rest)| rest);
    let cut = alone.muster(&format!("verify {}", alone.file("cut.ndjson", without))).await;
    assert!(cut.code == 1 && cut.out.contains("entry 1 is missing"), "{}", cut.out);
    let other = alone.muster(&format!("verify {}", alone.file("notes.txt", "hello"))).await;
    assert!(other.code == 1 && other.err.contains("no entry of an audit"), "{}", other.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_decision_is_listed_read_and_decided_by_command() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let (otto, abel) = (Shell::of(&app, &url, "otto").await, Shell::of(&app, &url, "abel").await);
    let (_, run) = crate::runs::requested(&app).await;
    let id = run.to_string();
    let waits = abel.muster("approvals list").await.done();
    assert!(waits.contains(&id) && waits.contains("brokers are slow"), "{waits}");
    // Not for whoever asked.
    assert!(!otto.muster("approvals list").await.done().contains(&id));
    let shown = abel.run(["approvals", "show", &id]).await.done();
    assert!(shown.starts_with("otto asks: brokers are slow\n"), "{shown}");
    assert!(shown.contains("Survey eu-west and eu-central again"), "{shown}");
    let own = otto.run(["approvals", "approve", &id]).await;
    assert!(own.code == 1 && own.err.contains("(forbidden)"), "{own:?}");
    let approved = abel.run(["approvals", "approve", &id, "--comment", "go"]).await.done();
    assert!(approved.contains("approved"), "{approved}");
    assert!(!abel.muster("approvals list").await.done().contains(&id));
    let nothing = abel.muster(&format!("approvals approve {}", uuid::Uuid::nil())).await;
    assert!(nothing.code == 1 && nothing.err.contains("(not-found)"), "{nothing:?}");
    let wrong = abel.muster("approvals nothing").await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_completes_every_word() {
    let app = TestApp::new().await;
    let shell = Shell::of(&app, "http://127.0.0.1:9", "nobody").await;
    for kind in ["bash", "zsh", "fish"] {
        let script = shell.muster(&format!("completion {kind}")).await.done();
        for word in
            ["pairs", "plan", "run", "approvals", "schedules", "findings", "audit", "brake", "channels"]
        {
            assert!(script.contains(word), "{kind} does not complete {word}");
        }
    }
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

/// A server that is away at first: connections break, a proxy answers for it, its database is away. Then it serves.
async fn away_at_first(app: &TestApp) -> String {
    const BARE: &str = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 7\r\nconnection: close\r\n\r\n<html/>";
    const PROBLEM: &str =
        r#"{"code": "database-unavailable", "detail": "d", "next_step": "n", "status": 503}"#;
    let problem = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{PROBLEM}",
        PROBLEM.len()
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = app.router().clone();
    tokio::spawn(async move {
        for answer in ["", BARE, &problem] {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (mut head, mut part) = (Vec::new(), [0; 1024]);
            while !head.ends_with(b"\r\n\r\n") {
                let read = socket.read(&mut part).await.unwrap();
                head.extend_from_slice(&part[..read]);
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
        }
        serve_http(listener, router, PATIENCE, CancellationToken::new()).await
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_watched_on_while_the_server_is_away() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    let otto = Shell::of(&app, &away_at_first(&app).await, "otto").await;
    let watched = otto.run(["run", "watch", &run.to_string()]).await;
    assert_eq!(watched.code, 4, "{watched:?}");
    assert!(watched.out.contains("awaiting approval"), "{}", watched.out);
    assert!(watched.err.contains("no answer from"), "{}", watched.err);
    assert!(watched.err.contains("Asking again for 120 s"), "{}", watched.err);
    assert!(watched.err.contains("Muster answers again"), "{}", watched.err);
    // What does not pass by itself ends it.
    let gone = otto.run(["run", "watch", &uuid::Uuid::now_v7().to_string()]).await;
    assert_eq!(gone.code, 1);
    assert!(gone.err.contains("(not-found)"), "{}", gone.err);
}
