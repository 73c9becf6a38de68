//! The server as a child process, and the thread that keeps it.
//!
//! The kernel tells a child of its parent's death when the *thread* that started it ends. So one thread starts the
//! server, waits for it, starts it again when it dies, and ends only after it.

use std::{
    fs::File,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::watch;

use super::PrivatePostgresError;

const STOPPED_WITHIN: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChildState {
    /// The process runs.
    Runs,
    /// It ended by itself and will be started again.
    Exited { times: u32, status: String },
    /// It ended because it was told to.
    Stopped,
}

/// What the thread and the others share.
#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// Wakes the thread from the pause before a new start.
    stop: Condvar,
}

#[derive(Debug)]
struct Inner {
    stopping: bool,
    /// The process and a handle to it: a pidfd never means another process that got the same number.
    process: Option<(Pid, OwnedFd)>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server, kept running.
#[derive(Debug)]
pub(super) struct Child {
    shared: Arc<Shared>,
    state: watch::Receiver<ChildState>,
}

impl Child {
    pub(super) fn start(command: Command, log: PathBuf) -> Result<Self, PrivatePostgresError> {
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner { stopping: false, process: None }),
            stop: Condvar::new(),
        });
        let (sender, state) = watch::channel(ChildState::Runs);
        let keeper = Keeper { command, log: log.clone(), shared: Arc::clone(&shared), state: sender };
        std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || keeper.keep())
            .map_err(PrivatePostgresError::io("start a thread for", &log))?;
        Ok(Self { shared, state })
    }

    pub(super) fn state(&self) -> ChildState {
        self.state.borrow().clone()
    }

    pub(super) fn pid(&self) -> Option<i32> {
        self.shared.lock().process.as_ref().map(|(pid, _)| pid.as_raw_nonzero().get())
    }

    fn signal(&self, signal: Signal) {
        let mut inner = self.shared.lock();
        inner.stopping = true;
        if let Some((_, process)) = &inner.process {
            // It fails only when the process has ended, which is what is wanted.
            let _ended = pidfd_send_signal(process, signal);
        }
        drop(inner);
        self.shared.stop.notify_all();
    }

    pub(super) async fn stop(mut self) -> Result<(), PrivatePostgresError> {
        let pid = self.pid();
        // Fast; then at once, to be recovered at the next start; then by force.
        for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
            self.signal(signal);
            let stopped = self.state.wait_for(|state| *state == ChildState::Stopped);
            match tokio::time::timeout(STOPPED_WITHIN, stopped).await {
                // An error means that the thread is gone, and with it the server.
                Ok(Ok(_) | Err(_)) => return Ok(()),
                Err(_) => tracing::warn!("the private PostgreSQL did not stop by signal {}", signal.as_raw()),
            }
        }
        Err(PrivatePostgresError::NotStopped { pid: pid.unwrap_or_default() })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::INT);
    }
}

/// The thread.
struct Keeper {
    command: Command,
    log: PathBuf,
    shared: Arc<Shared>,
    state: watch::Sender<ChildState>,
}

impl Keeper {
    fn keep(mut self) {
        let mut exits: u32 = 0;
        while let Some(ended) = self.run_once() {
            if self.shared.lock().stopping {
                break;
            }
            exits += 1;
            let status = ended.map_or_else(|e| e.to_string(), |status| status.to_string());
            tracing::warn!("the private PostgreSQL ended by itself ({status}); starting it again");
            self.state.send_replace(ChildState::Exited { times: exits, status });
            if self.pause(exits) {
                break;
            }
        }
        self.state.send_replace(ChildState::Stopped);
    }

    /// Starts the server and waits until it ends; `None` when it must not be started any more.
    fn run_once(&mut self) -> Option<std::io::Result<ExitStatus>> {
        let mut inner = self.shared.lock();
        if inner.stopping {
            return None;
        }
        let spawned = append_to(&self.log).and_then(|(out, err)| {
            // A group of its own: Ctrl-C in the terminal is for Muster, which then stops the server last.
            self.command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0).spawn()
        });
        let mut child = match spawned {
            Ok(child) => child,
            Err(e) => return Some(Err(e)),
        };
        let pid = Pid::from_child(&child);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => inner.process = Some((pid, handle)),
            Err(e) => {
                // Without a handle it could not be stopped.
                drop(child.kill());
                drop(child.wait());
                return Some(Err(e.into()));
            }
        }
        drop(inner);
        self.state.send_replace(ChildState::Runs);
        let ended = child.wait();
        self.shared.lock().process = None;
        Some(ended)
    }

    /// Waits before a new start, longer each time; true when told to stop meanwhile.
    fn pause(&self, exits: u32) -> bool {
        let pause = Duration::from_millis(50).saturating_mul(1 << exits.min(10)).min(LONGEST_PAUSE);
        let inner = self.shared.lock();
        let (inner, _) = self
            .shared
            .stop
            .wait_timeout_while(inner, pause, |inner| !inner.stopping)
            .unwrap_or_else(PoisonError::into_inner);
        inner.stopping
    }
}

fn append_to(log: &Path) -> std::io::Result<(File, File)> {
    let file = File::options().append(true).create(true).open(log)?;
    Ok((file.try_clone()?, file))
}
