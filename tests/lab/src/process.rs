//! Child processes that die with their parent, even when the parent is killed with -9.
//!
//! `setpriv --pdeathsig KILL` (util-linux) asks the kernel to kill the child when the *thread* that started it ends, so
//! every child is started from one thread that lives as long as this process.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{WaitBound, wait_until};

/// One running child. Dropping it kills it.
#[derive(Debug)]
pub struct ChildProcess {
    name: String,
    log: PathBuf,
    pid: u32,
    child: Mutex<Child>,
}

impl ChildProcess {
    /// Starts `program` with `args`; output of both kinds is appended to `log`.
    ///
    /// It works in the directory of `log` and gets `environment` on top of ours.
    pub fn spawn(
        name: &str,
        program: &Path,
        args: &[String],
        environment: &[(&str, &str)],
        log: &Path,
    ) -> Result<Self> {
        let dir = log.parent().with_context(|| format!("{} has no directory", log.display()))?;
        let output = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(args)
            .envs(environment.iter().copied())
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Its own group: Ctrl-C reaches us alone, and we decide in which order the children end.
            .process_group(0);
        let child = spawn_from_lasting_thread(command).with_context(|| {
            format!("start {name} ({}; needs setpriv from util-linux)", program.display())
        })?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), pid: child.id(), child: Mutex::new(child) })
    }

    /// The operating system's id of the child.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Fails, with the end of the log, when the child has ended.
    pub fn expect_running(&self) -> Result<()> {
        match self.exit_status()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}; its log ends:\n{}", self.name, self.log_tail()),
        }
    }

    /// The last lines of the child's log.
    pub fn log_tail(&self) -> String {
        log_tail(&self.log, 25)
    }

    /// SIGTERM, then waits; SIGKILL when `within` has passed.
    pub async fn stop(&self, within: Duration) -> Result<()> {
        self.signal(Signal::TERM)?;
        let bound = WaitBound { within, every: Duration::from_millis(20) };
        let ended = wait_until("the process to end", bound, || async { self.exit_status() }).await;
        if ended.is_err() { self.kill() } else { Ok(()) }
    }

    /// SIGKILL, and waits until the child is gone.
    pub fn kill(&self) -> Result<()> {
        let mut child =
            self.child.lock().map_err(|_| anyhow::anyhow!("a thread panicked holding a child"))?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.expect_running()?;
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("process id out of range")?;
        kill_process(pid, signal).with_context(|| format!("send {signal:?} to {}", self.name))
    }

    fn exit_status(&self) -> Result<Option<ExitStatus>> {
        let mut child =
            self.child.lock().map_err(|_| anyhow::anyhow!("a thread panicked holding a child"))?;
        Ok(child.try_wait()?)
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            tracing::warn!(process = %self.name, "could not kill `{}`: {error:#}", self.name);
        }
    }
}

/// The last `lines` lines of a log, or a note that it cannot be read.
pub(crate) fn log_tail(log: &Path, lines: usize) -> String {
    let text = match std::fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("({} cannot be read: {error})", log.display()),
    };
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

struct SpawnRequest {
    command: Command,
    reply: mpsc::Sender<io::Result<Child>>,
}

fn spawn_from_lasting_thread(command: Command) -> Result<Child> {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<SpawnRequest>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<SpawnRequest>();
        std::thread::spawn(move || {
            for mut request in requests {
                // A requester that went away drops the Child, which leaves the process to PDEATHSIG.
                drop(request.reply.send(request.command.spawn()));
            }
        });
        Mutex::new(sender)
    });
    let (reply, answer) = mpsc::channel();
    spawner
        .lock()
        .map_err(|_| anyhow::anyhow!("a thread panicked while starting a process"))?
        .send(SpawnRequest { command, reply })?;
    Ok(answer.recv()??)
}
