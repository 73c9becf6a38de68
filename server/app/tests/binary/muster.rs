//! Starting the binary, reading its log, stopping it.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Password of everybody here.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// Longest wait for anything, on however busy a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A directory of one test's own; removed at its end.
pub(crate) struct Dir(pub(crate) PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("muster-bin-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&dir).unwrap();
        // The user PostgreSQL runs as has to get through.
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(dir)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// The binary with nothing of this process's environment but what it needs.
pub(crate) fn muster(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command that ends by itself.
pub(crate) fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A process of Muster that stays.
pub(crate) struct Running {
    child: Child,
    log: Receiver<String>,
    seen: Vec<String>,
    /// Where it serves; empty for a worker.
    pub(crate) url: String,
}

impl Running {
    /// `muster serve` on a port of its own, until it serves.
    pub(crate) fn serve(mut command: Command) -> Self {
        let mut this = Self::start(command.args(["--listen", "127.0.0.1:0"]));
        let line = this.wait_for("Muster serves http");
        this.url = line.rsplit(' ').find(|word| word.starts_with("http")).unwrap().to_owned();
        this
    }

    /// Any command that stays.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, log, seen: Vec::new(), url: String::new() }
    }

    /// The first line of its log with these words.
    pub(crate) fn wait_for(&mut self, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.seen.iter().find(|line| line.contains(words)) {
                return line.clone();
            }
            match self.log.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(e) => panic!("no line `{words}` ({e}) after:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end; everything it logged, and its exit code (none when it was killed).
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        // The log ends with the process.
        let until = Instant::now() + PATIENCE;
        while let Ok(line) = self.log.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
        }
        assert!(Instant::now() < until, "it did not end:\n{}", self.seen.join("\n"));
        (self.child.wait().unwrap().code(), self.seen.join("\n"))
    }

    /// `SIGTERM`, and a clean end.
    pub(crate) fn stop(self) -> String {
        self.signal("TERM");
        let (code, log) = self.ended();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.lines().last().unwrap().ends_with("stopped"), "{log}");
        log
    }

    /// Signs in; a bearer token.
    pub(crate) async fn sign_in(&self, name: &str) -> String {
        let asked = reqwest::Client::new().post(format!("{}/api/v1/session", self.url));
        let reply = asked.json(&json!({"name": name, "password": PASSWORD})).send().await.unwrap();
        assert_eq!(reply.status(), 201);
        reply.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
    }

    /// A request to the API by somebody.
    pub(crate) async fn ask(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Value {
        let url = format!("{}{path}", self.url);
        let mut asked = reqwest::Client::new().request(method.parse().unwrap(), url).bearer_auth(token);
        if let Some(body) = body {
            asked = asked.json(&body);
        }
        let reply = asked.send().await.unwrap();
        let (status, text) = (reply.status(), reply.text().await.unwrap());
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only a test that failed leaves it running.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The private PostgreSQL of a data directory: its process and the user it runs as.
pub(crate) fn postgres_of(data: &Path) -> (i32, u32) {
    let pid = std::fs::read_to_string(data.join("pgdata/postmaster.pid")).unwrap();
    let pid: i32 = pid.lines().next().unwrap().trim().parse().unwrap();
    (pid, std::fs::metadata(format!("/proc/{pid}")).unwrap().uid())
}

/// Whether a process lives; a zombie has no command line.
pub(crate) fn lives(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// Whether this process is root's.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}
