//! The address book: the file by which applications of a pair learn which cluster to use, and how they notice a change.
//!
//! `{"pair": "orders", "producers": {"pair": …, "cluster": "eu-west", "bootstrap": ["127.0.0.1:1"], "run": …, "epoch": 0},
//! "consumers": {…}, "groups": {"billing": {…}}}`; `groups` is optional and redirects single groups. Muster's
//! address-book routing writes this file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::LabDescription;
use crate::wait::now_ms;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Where producers and consumer groups of one pair are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBook {
    /// The pair whose applications follow this book.
    pub pair: String,
    /// Where every producer writes.
    pub producers: Address,
    /// Where consumer groups read, unless named in `groups`.
    pub consumers: Address,
    /// Groups that are sent elsewhere than `consumers`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Address>,
}

/// One cluster as an application sees it; the rest says who sent the application there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The pair.
    pub pair: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Bootstrap servers.
    pub bootstrap: Vec<String>,
    /// Run that redirected; all zeros at first.
    pub run: uuid::Uuid,
    /// Epoch of the worker that redirected.
    pub epoch: i64,
    /// Whether consumers commit, leave their groups and wait.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
}

impl Address {
    /// Whether both name the same place, whoever sent the application there.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        self.cluster == other.cluster && self.bootstrap == other.bootstrap
    }
}

/// The address book of `pair` in the directory `dir`.
pub fn address_book_path(dir: &Path, pair: &str) -> PathBuf {
    dir.join(format!("address-book-{pair}.json"))
}

impl AddressBook {
    /// Everyone of `pair` on `cluster`.
    pub fn all_on(lab: &LabDescription, pair: &str, cluster: &str) -> Result<Self> {
        let cluster = lab.cluster(cluster)?;
        let address = Address {
            pair: pair.to_owned(),
            cluster: cluster.name.clone(),
            bootstrap: vec![cluster.bootstrap.clone()],
            run: uuid::Uuid::nil(),
            epoch: 0,
            hold: false,
        };
        Ok(Self {
            pair: pair.to_owned(),
            producers: address.clone(),
            consumers: address,
            groups: BTreeMap::new(),
        })
    }

    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("understand {}", path.display()))
    }

    /// Replaces the file at `path`; a reader sees the old or the new book, whole.
    pub fn write(&self, path: &Path) -> Result<()> {
        let draft = path.with_extension("new");
        std::fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&draft, path).with_context(|| format!("write {}", path.display()))
    }

    /// Where `group` reads.
    pub(crate) fn of_group(&self, group: &str) -> &Address {
        self.groups.get(group).unwrap_or(&self.consumers)
    }
}

/// The newest readable address book, looked at ten times a second by its own thread until dropped.
#[derive(Debug, Clone)]
pub(crate) struct BookWatch {
    newest: Arc<Mutex<(AddressBook, i64)>>,
}

impl BookWatch {
    /// Reads `path` now and keeps looking. A file that cannot be understood leaves the last good book in force.
    pub(crate) fn start(path: PathBuf) -> Result<Self> {
        let newest = Arc::new(Mutex::new((AddressBook::read(&path)?, now_ms())));
        let watched = Arc::downgrade(&newest);
        std::thread::spawn(move || {
            while let Some(newest) = watched.upgrade() {
                let read = AddressBook::read(&path);
                if let (Ok(book), Ok(mut newest)) = (read, newest.lock())
                    && newest.0 != book
                {
                    *newest = (book, now_ms());
                }
                drop(newest);
                std::thread::sleep(LOOK_EVERY);
            }
        });
        Ok(Self { newest })
    }

    /// The newest book and when it was noticed (ms since the epoch).
    pub(crate) fn newest(&self) -> (AddressBook, i64) {
        match self.newest.lock() {
            Ok(newest) => newest.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }
}
