//! The command line against a served Muster: it speaks only the API, and its exit codes are for pipelines.

mod asking_again;
mod evidence;
mod reading;
mod registry;
mod runs;
mod sessions;
mod watching;

use std::{path::PathBuf, time::Duration};

use muster_store::people;
use tokio::process::Command;

use crate::test_app::{TestApp, id};

/// No command may take longer, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);
const PASSWORD: &str = "correct horse battery";
const NEW_PASSWORD: &str = "another horse battery";

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
        let mut command = self.command();
        command.env("MUSTER_PASSWORD", PASSWORD).env("MUSTER_NEW_PASSWORD", NEW_PASSWORD).args(args);
        Self::said(command).await
    }

    /// The same where nobody is there to be asked for a password.
    async fn run_alone(&self, args: impl IntoIterator<Item = &str>) -> Said {
        let mut command = self.command();
        command.args(args);
        Self::said(command).await
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.env_clear().env("MUSTER_URL", &self.url).env("HOME", &self.home);
        if let Some(token) = &self.token {
            command.env("MUSTER_TOKEN", token);
        }
        command
    }

    async fn said(mut command: Command) -> Said {
        let done = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output());
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

/// Gives somebody a password, and lets their session grow too old to show that they are there.
async fn grow_late(app: &TestApp, who: &str) {
    let mut conn = app.app.pool.acquire().await.unwrap();
    let password = app.app.hashing.hash_password(PASSWORD.to_owned()).await.unwrap();
    people::set_password_hash(&mut conn, id(who), &password.into()).await.unwrap();
    sqlx::query("update session set stepped_up_at = clock_timestamp() - interval '16 minutes'")
        .execute(&mut *conn)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn runbooks_are_printed_where_no_server_answers() {
    let app = TestApp::new().await;
    let shell = Shell::of(&app, "http://127.0.0.1:9", "nobody").await;
    assert_eq!(shell.muster("runbooks").await.done(), include_str!("../../../../docs/RUNBOOKS.md"));
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_are_told_by_help_as_the_document_tells_them() {
    let app = TestApp::new().await;
    let help = Shell::of(&app, "http://127.0.0.1:9", "nobody").await.muster("--help").await.done();
    let (_, listed) = help.split_once("\nExit codes:\n").unwrap();
    let (_, table) =
        include_str!("../../../../docs/API.md").split_once("| exit code | means |\n|---|---|\n").unwrap();
    let rows = table.lines().map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let told: Vec<String> =
        rows.map(|row| format!("  {}", row.replace(" | ", "  ").replace('`', ""))).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), told);
    assert_eq!(told.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_completes_every_word() {
    let app = TestApp::new().await;
    let shell = Shell::of(&app, "http://127.0.0.1:9", "nobody").await;
    for kind in ["bash", "zsh", "fish"] {
        let script = shell.muster(&format!("completion {kind}")).await.done();
        for word in [
            "pairs",
            "plan",
            "run",
            "approvals",
            "schedules",
            "findings",
            "audit",
            "brake",
            "channels",
            "whoami",
            "reopen",
        ] {
            assert!(script.contains(word), "{kind} does not complete {word}");
        }
    }
}
