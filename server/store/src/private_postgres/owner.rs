//! Who PostgreSQL runs as: never root.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use super::PrivatePostgresError;

/// The system user that owns the data and runs the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// Muster's own user.
    Myself,
    /// Another, switched to by root.
    Other { name: String, uid: u32, gid: u32 },
}

impl Owner {
    /// Whom `user` names. Nobody named, it is Muster's own user or, since root runs no PostgreSQL, whoever owns the data that is
    /// there: a command that root gives beside a service must not take the data from the service's user.
    pub(super) fn find(user: Option<&str>, pgdata: &Path) -> Result<Self, PrivatePostgresError> {
        let myself = rustix::process::geteuid().as_raw();
        match (myself, user) {
            (0, Some(name)) => Self::other(name),
            (0, None) => Self::owning(pgdata).map_or_else(|| Self::other("postgres"), Ok),
            (_, None) => Ok(Self::Myself),
            (_, Some(name)) => match Self::other(name)? {
                Self::Other { uid, .. } if uid == myself => Ok(Self::Myself),
                Self::Other { .. } | Self::Myself => Err(PrivatePostgresError::User(format!(
                    "only root can run PostgreSQL as `{name}`: leave `--pg-user` out or start muster as root"
                ))),
            },
        }
    }

    /// Who owns the data, if there is any and it is not root's.
    fn owning(pgdata: &Path) -> Option<Self> {
        let meta = std::fs::metadata(pgdata).ok().filter(|meta| meta.uid() != 0)?;
        Some(Self::Other { name: name_of(meta.uid()), uid: meta.uid(), gid: meta.gid() })
    }

    fn other(name: &str) -> Result<Self, PrivatePostgresError> {
        let missing = || {
            PrivatePostgresError::User(format!(
                "PostgreSQL never runs as root and there is no user `{name}` to run it as: name one with `--pg-user` \
                or make one (`useradd --system {name}`)"
            ))
        };
        let number = |flag: &str| -> Option<u32> {
            let output = Command::new("id").arg(flag).arg("--").arg(name).output().ok()?;
            String::from_utf8_lossy(&output.stdout).trim().parse().ok()
        };
        let uid = number("-u").ok_or_else(missing)?;
        let gid = number("-g").ok_or_else(missing)?;
        if uid == 0 {
            return Err(PrivatePostgresError::User(format!(
                "`{name}` is root, and PostgreSQL never runs as root: name another user with `--pg-user`"
            )));
        }
        Ok(Self::Other { name: name.to_owned(), uid, gid })
    }

    /// A command that runs as this user and gets `signal` when the *thread* that started it ends, and so in any case
    /// when Muster does, `kill -9` included. `setpriv` sets both, so that no unsafe code is needed here.
    pub(super) fn command(&self, program: &Path, signal: &str) -> Command {
        let mut command = Command::new("setpriv");
        if let Self::Other { uid, gid, .. } = self {
            command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--init-groups");
        }
        command.arg(format!("--pdeathsig={signal}")).arg("--").arg(program);
        // Not in a directory the user may not enter, nor with any PG* variable of ours.
        command.current_dir("/").env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("LC_ALL", "C");
        command
    }

    /// Makes a directory of this user that nobody else can enter.
    pub(super) fn make_private_dir(&self, path: &Path) -> Result<(), PrivatePostgresError> {
        std::fs::create_dir_all(path).map_err(PrivatePostgresError::io("make directory", path))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
            .map_err(PrivatePostgresError::io("set the mode of", path))?;
        if let Self::Other { uid, gid, .. } = self {
            std::os::unix::fs::chown(path, Some(*uid), Some(*gid))
                .map_err(PrivatePostgresError::io("set the owner of", path))?;
        }
        Ok(())
    }

    /// Checks that this user can get to a path, which root itself would not notice (a home directory of mode 0700).
    pub(super) fn check_reach(&self, path: &Path) -> Result<(), PrivatePostgresError> {
        let Self::Other { name, uid, gid } = self else { return Ok(()) };
        for directory in path.ancestors().skip(1) {
            let Ok(meta) = directory.metadata() else { continue };
            let needed = if meta.uid() == *uid {
                0o100
            } else if meta.gid() == *gid {
                0o010
            } else {
                0o001
            };
            if meta.mode() & needed == 0 {
                let (user, directory) = (name.clone(), directory.to_owned());
                return Err(PrivatePostgresError::Unreachable { user, directory });
            }
        }
        Ok(())
    }
}

/// A user's name, for messages; the number where the system knows none.
fn name_of(uid: u32) -> String {
    let asked = Command::new("id").args(["-u", "-n", "--"]).arg(uid.to_string()).output().ok();
    let name = asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| uid.to_string())
}
