//! Finding the system's PostgreSQL.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::PrivatePostgresError;

const OLDEST: u32 = 14;

/// A directory with `postgres` and `initdb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub dir: PathBuf,
    pub major: u32,
}

impl Binaries {
    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }
}

/// The binaries to use: those of `data_version` when there is a cluster already, else the newest.
pub(super) fn find(
    bin_dir: Option<&Path>,
    data: Option<(&str, &Path)>,
) -> Result<Binaries, PrivatePostgresError> {
    let looked = match bin_dir {
        Some(dir) => vec![dir.to_owned()],
        None => usual_places(),
    };
    let mut found: Vec<Binaries> = looked.iter().filter_map(|dir| inspect(dir)).collect();
    found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
    if found.is_empty() {
        let looked = looked.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ");
        let looked =
            if looked.is_empty() { "not in /usr/lib/postgresql, not in PATH".to_owned() } else { looked };
        return Err(PrivatePostgresError::NoBinaries { looked });
    }
    choose(found, data)
}

fn choose(found: Vec<Binaries>, data: Option<(&str, &Path)>) -> Result<Binaries, PrivatePostgresError> {
    let versions = found.iter().map(|binaries| binaries.major.to_string()).collect::<Vec<_>>().join(", ");
    let fits = |binaries: &Binaries| match data {
        Some((version, _)) => binaries.major.to_string() == version,
        None => binaries.major >= OLDEST,
    };
    found.into_iter().find(fits).ok_or_else(|| match data {
        Some((version, data_dir)) => PrivatePostgresError::OtherVersion {
            data_dir: data_dir.to_owned(),
            data: version.to_owned(),
            found: versions,
        },
        None => PrivatePostgresError::NoBinaries { looked: format!("found only {versions}") },
    })
}

/// Debian's, Red Hat's, then whatever `pg_config` of the PATH names.
fn usual_places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    for version in subdirectories(Path::new("/usr/lib/postgresql")) {
        places.push(version.join("bin"));
    }
    for directory in subdirectories(Path::new("/usr")) {
        if directory.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgsql-")) {
            places.push(directory.join("bin"));
        }
    }
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output()
        && output.status.success()
    {
        places.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    places
}

fn subdirectories(of: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(of).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The version of what is in a directory; `None` when it is not PostgreSQL with `initdb`.
fn inspect(dir: &Path) -> Option<Binaries> {
    if !dir.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
    let major = parse_version(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { dir: dir.to_owned(), major })
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `16beta1` included.
fn parse_version(text: &str) -> Option<u32> {
    let version = text.split_whitespace().nth(2)?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(majors: &[u32]) -> Vec<Binaries> {
        majors
            .iter()
            .map(|major| Binaries { dir: PathBuf::from(format!("/pg/{major}")), major: *major })
            .collect()
    }

    #[test]
    fn versions_are_read_as_postgres_prints_them() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_version("bash: no such file"), None);
    }

    #[test]
    fn an_existing_cluster_decides_the_version_and_otherwise_the_newest_wins() {
        let dir = Path::new("/var/lib/muster");
        assert_eq!(choose(of(&[17, 15]), None).unwrap().major, 17);
        assert_eq!(choose(of(&[17, 15]), Some(("15", dir))).unwrap().major, 15);
        let refused = choose(of(&[17, 16]), Some(("15", dir))).unwrap_err().to_string();
        assert!(refused.contains("made by PostgreSQL 15, but only PostgreSQL 17, 16 was found"), "{refused}");
        let old = choose(of(&[13]), None).unwrap_err().to_string();
        assert!(old.contains("no PostgreSQL 14 or later was found (found only 13)"), "{old}");
    }
}
