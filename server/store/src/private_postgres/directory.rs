//! The data directory: its lock, its version, making it, and what to run on it.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};

use super::{PrivatePostgresError, PrivatePostgresOptions, binaries, binaries::Binaries, owner::Owner};

/// A log larger than this is put aside at the next start.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// How long a server may take to go down whose muster was killed.
const ORPHAN_GONE_WITHIN: Duration = Duration::from_secs(60);

/// Everything that is needed to start the server.
#[derive(Debug)]
pub(super) struct Prepared {
    pub command: Command,
    pub socket_dir: PathBuf,
    pub log: PathBuf,
    pub lock: File,
}

/// Gets the data directory ready. Blocks; the thread it runs on must live until it returns.
pub(super) fn prepare(options: &PrivatePostgresOptions) -> Result<Prepared, PrivatePostgresError> {
    let data_dir = std::path::absolute(&options.data_dir)
        .map_err(PrivatePostgresError::io("find", &options.data_dir))?;
    let socket_dir = data_dir.join("socket");
    check_path(&data_dir, &socket_dir)?;
    let pgdata = data_dir.join("pgdata");
    let owner = Owner::find(options.user.as_deref(), &pgdata)?;
    owner.make_private_dir(&data_dir)?;
    owner.check_reach(&data_dir)?;
    let lock = lock(&data_dir)?;
    owner.make_private_dir(&socket_dir)?;

    let version = read_version(&pgdata)?;
    let data = version.as_deref().map(|version| (version, data_dir.as_path()));
    let binaries = binaries::find(options.bin_dir.as_deref(), data)?;
    if version.is_none() {
        initdb(&owner, &binaries, &data_dir, options.durable)?;
    }
    wait_for_orphan(&data_dir, &pgdata)?;

    let log = data_dir.join("postgres.log");
    if std::fs::metadata(&log).is_ok_and(|meta| meta.len() > LOG_LIMIT) {
        std::fs::rename(&log, data_dir.join("postgres.log.old"))
            .map_err(PrivatePostgresError::io("put aside", &log))?;
    }
    let command = postgres_command(&owner, &binaries, &pgdata, &socket_dir, options.durable);
    Ok(Prepared { command, socket_dir, log, lock })
}

/// A socket's path has room for 107 bytes, and `"` would end PostgreSQL's quoted list of directories.
fn check_path(data_dir: &Path, socket_dir: &Path) -> Result<(), PrivatePostgresError> {
    let refuse =
        |reason: String| Err(PrivatePostgresError::BadPath { data_dir: data_dir.to_owned(), reason });
    let length = socket_dir.join(".s.PGSQL.5432").as_os_str().len();
    if length > 107 {
        return refuse(format!(
            "it is {} characters too long for the Unix socket in it; choose a shorter `--data-dir`",
            length - 107
        ));
    }
    match data_dir.to_str() {
        Some(text) if !text.contains('"') => Ok(()),
        Some(_) | None => refuse("its name contains a quote or is not UTF-8".to_owned()),
    }
}

/// Takes the directory for this process; the lock goes with the process, however it ends.
fn lock(data_dir: &Path) -> Result<File, PrivatePostgresError> {
    let path = data_dir.join("lock");
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(PrivatePostgresError::io("open", &path))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut pid = String::new();
        // Only for the message.
        drop(file.read_to_string(&mut pid));
        let pid = if pid.trim().is_empty() { "unknown".to_owned() } else { pid.trim().to_owned() };
        return Err(PrivatePostgresError::InUse { data_dir: data_dir.to_owned(), pid });
    }
    file.set_len(0)
        .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()))
        .map_err(PrivatePostgresError::io("write", &path))?;
    Ok(file)
}

/// Major version of the cluster; `None` when there is none yet.
fn read_version(pgdata: &Path) -> Result<Option<String>, PrivatePostgresError> {
    let path = pgdata.join("PG_VERSION");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(PrivatePostgresError::io("read", &path)(e)),
    }
}

/// Makes the cluster beside its place and moves it there when it is complete: dying halfway leaves nothing that looks
/// like one.
fn initdb(
    owner: &Owner,
    binaries: &Binaries,
    data_dir: &Path,
    durable: bool,
) -> Result<(), PrivatePostgresError> {
    let unfinished = data_dir.join("pgdata.unfinished");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(PrivatePostgresError::io("remove", &unfinished))?;
    }
    owner.make_private_dir(&unfinished)?;
    let program = binaries.initdb();
    let mut command = owner.command(&program, "KILL");
    command
        .arg("--pgdata")
        .arg(&unfinished)
        .args(["--username", super::NAME, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"])
        .args(["--data-checksums", "--no-instructions"]);
    if !durable {
        command.arg("--no-sync");
    }
    let output = command.output().map_err(PrivatePostgresError::io("run `setpriv` for", &program))?;
    if !output.status.success() {
        let output =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        return Err(PrivatePostgresError::Initdb { data_dir: data_dir.to_owned(), output });
    }
    let pgdata = data_dir.join("pgdata");
    std::fs::rename(&unfinished, &pgdata).map_err(PrivatePostgresError::io("move into place", &pgdata))?;
    File::open(data_dir)
        .and_then(|directory| directory.sync_all())
        .map_err(PrivatePostgresError::io("sync", data_dir))
}

/// We hold the lock, so a server that still runs here lost its muster and is going down; or is not ours at all.
fn wait_for_orphan(data_dir: &Path, pgdata: &Path) -> Result<(), PrivatePostgresError> {
    let deadline = Instant::now() + ORPHAN_GONE_WITHIN;
    while let Some(pid) = running_postmaster(pgdata) {
        if Instant::now() > deadline {
            return Err(PrivatePostgresError::StillRunning { data_dir: data_dir.to_owned(), pid });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The process named in `postmaster.pid`, if it lives and works on this directory: after a crash the file stays, and
/// its number may by now be another process's. One that has ended and nobody has collected yet counts too: the next
/// PostgreSQL takes it for alive.
pub(crate) fn running_postmaster(pgdata: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    if is_uncollected_postgres(pid) {
        return Some(pid);
    }
    let works_on = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    (works_on == pgdata.canonicalize().ok()?).then_some(pid)
}

/// Whether a process is a zombie that was PostgreSQL: `1234 (postgres) Z …` (proc(5)).
fn is_uncollected_postgres(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("(postgres) Z"))
}

/// `postgres` itself, not `pg_ctl`: a child that can be waited for.
fn postgres_command(
    owner: &Owner,
    binaries: &Binaries,
    pgdata: &Path,
    socket_dir: &Path,
    durable: bool,
) -> Command {
    // SIGINT is PostgreSQL's fast stop: clean, without waiting for clients.
    let mut command = owner.command(&binaries.postgres(), "INT");
    command.arg("-D").arg(pgdata);
    let socket = format!("unix_socket_directories=\"{}\"", socket_dir.display());
    let mut settings = vec![
        "listen_addresses=",
        &socket,
        "unix_socket_permissions=0700",
        "port=5432",
        "cluster_name=muster",
        "logging_collector=off",
        "log_destination=stderr",
        "log_checkpoints=off",
    ];
    if durable {
        settings.extend(["fsync=on", "full_page_writes=on", "synchronous_commit=on"]);
    } else {
        settings.extend(["fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off"]);
        settings.extend(["max_connections=400", "min_wal_size=32MB", "max_wal_size=128MB"]);
    }
    for setting in settings {
        command.arg("-c").arg(setting);
    }
    command
}

/// The last lines of a log, from a position on.
pub(super) fn log_tail(log: &Path, from: u64) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
