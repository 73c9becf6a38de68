//! A JSON file that applications or their side-cars watch: `{"pair": …, "producers": {…}, "consumers": {…}}`.
//!
//! Readers see the old file or the new one, whole; what was acknowledged survives a power cut. A worker that lost its run
//! cannot write over its successor. A file that is not an address book, or another pair's, is never overwritten.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Audience, Destination, Routing, RoutingError};

/// Another process holds the lock for one small write.
const LOCK_WITHIN: Duration = Duration::from_secs(2);

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBookFile {
    /// Pair name.
    pub pair: String,
    /// Where writers go; `None` until they were first sent.
    pub producers: Option<Destination>,
    /// Where readers go; `None` until they were first sent.
    pub consumers: Option<Destination>,
}

impl AddressBookFile {
    pub(crate) fn entry(&self, audience: Audience) -> Option<&Destination> {
        match audience {
            Audience::Producers => self.producers.as_ref(),
            Audience::Consumers => self.consumers.as_ref(),
        }
    }

    fn entry_mut(&mut self, audience: Audience) -> &mut Option<Destination> {
        match audience {
            Audience::Producers => &mut self.producers,
            Audience::Consumers => &mut self.consumers,
        }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct AddressBook {
    path: PathBuf,
}

impl AddressBook {
    /// The address book at an absolute path; its folder must exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// File work blocks, so it gets a thread of its own.
    async fn on_disk<T: Send + 'static>(
        &self,
        call: String,
        work: impl FnOnce(&Path) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, RoutingError> {
        let path = self.path.clone();
        let outcome = tokio::task::spawn_blocking(move || work(&path)).await;
        let outcome =
            outcome.unwrap_or_else(|_| Err(Refusal::for_good("the write was interrupted".to_owned())));
        outcome.map_err(|refusal| RoutingError {
            call,
            target: self.describe(),
            reason: refusal.reason,
            may_pass: refusal.may_pass,
        })
    }
}

#[async_trait]
impl Routing for AddressBook {
    fn describe(&self) -> String {
        format!("address book {}", self.path.display())
    }

    async fn current(&self, audience: Audience) -> Result<Option<Destination>, RoutingError> {
        let book = self.on_disk(format!("read where {audience} go"), read_book).await?;
        Ok(book.and_then(|book| book.entry(audience).cloned()))
    }

    /// Proves, by making and removing a file beside it, that the book could be written, and that it is no other pair's.
    async fn check(&self, pair: &str) -> Result<(), RoutingError> {
        let (call, pair) = (format!("look whether it can be written for pair `{pair}`"), pair.to_owned());
        self.on_disk(call, move |path| try_to_write(path, &pair)).await
    }

    async fn send(&self, audience: Audience, to: &Destination) -> Result<(), RoutingError> {
        let to = to.clone();
        let call = format!("send {audience} to {}", to.cluster);
        self.on_disk(call, move |path| write_entry(path, audience, &to)).await
    }
}

/// Why not, and whether trying again may help.
struct Refusal {
    reason: String,
    may_pass: bool,
}

impl Refusal {
    fn for_good(reason: String) -> Self {
        Self { reason, may_pass: false }
    }

    fn io(what: &str, error: &io::Error) -> Self {
        Self {
            reason: format!("{what}: {error}"),
            may_pass: matches!(
                error.kind(),
                ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
            ),
        }
    }
}

/// What a write needs, short of the write: the lock, a book that may be replaced, a folder that takes a new file.
fn try_to_write(path: &Path, pair: &str) -> Result<(), Refusal> {
    let (_lock, _book) = open_book(path, pair)?;
    let draft = beside(path, ".new");
    File::create(&draft)
        .and_then(|_| fs::remove_file(&draft))
        .map_err(|e| Refusal::io("make and remove a file beside it", &e))
}

fn write_entry(path: &Path, audience: Audience, to: &Destination) -> Result<(), Refusal> {
    let (_lock, mut book) = open_book(path, &to.pair)?;
    let entry = book.entry_mut(audience);
    if let Some(held) = entry.as_ref().filter(|held| held.run == to.run && held.epoch > to.epoch) {
        return Err(Refusal::for_good(format!(
            "run {} was taken over by another worker (epoch {} is written, {} was offered)",
            to.run, held.epoch, to.epoch
        )));
    }
    if entry.as_ref() == Some(to) {
        return Ok(());
    }
    *entry = Some(to.clone());
    replace(path, &book).map_err(|e| Refusal::io("write the file", &e))?;
    match read_book(path)? {
        Some(written) if written == book => Ok(()),
        Some(_) | None => {
            Err(Refusal::for_good("read back differs: something else writes this file too".to_owned()))
        }
    }
}

/// The book of a pair under its lock; an empty one where there is no file yet.
fn open_book(path: &Path, pair: &str) -> Result<(File, AddressBookFile), Refusal> {
    if !path.is_absolute() {
        return Err(Refusal::for_good("the path is not absolute; correct the pair's routing".to_owned()));
    }
    let lock = lock(path)?;
    let empty = || AddressBookFile { pair: pair.to_owned(), producers: None, consumers: None };
    let book = read_book(path)?.unwrap_or_else(empty);
    if book.pair != pair {
        return Err(Refusal::for_good(format!(
            "the file belongs to pair `{}`, not `{pair}`; give each pair a file of its own",
            book.pair
        )));
    }
    Ok((lock, book))
}

fn read_book(path: &Path) -> Result<Option<AddressBookFile>, Refusal> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Refusal::io("read the file", &error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|e| {
        Refusal::for_good(format!("the file is not an address book ({e}); it was left alone, move it away"))
    })
}

/// The new content under the old name, durable: written beside, synced, renamed, folder synced.
fn replace(path: &Path, book: &AddressBookFile) -> io::Result<()> {
    let draft = beside(path, ".new");
    let mut file = File::create(&draft)?;
    let mut text = serde_json::to_vec_pretty(book).map_err(io::Error::other)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&draft, path)?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Read, change and replace must not interleave with another Muster process on this machine.
fn lock(path: &Path) -> Result<File, Refusal> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(beside(path, ".lock"))
        .map_err(|e| Refusal::io("open the lock beside the file", &e))?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if began.elapsed() < LOCK_WITHIN => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(fs::TryLockError::WouldBlock) => {
                let reason = "another process has had the file locked for 2 s".to_owned();
                return Err(Refusal { reason, may_pass: true });
            }
            Err(fs::TryLockError::Error(error)) => return Err(Refusal::io("lock the file", &error)),
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(suffix);
    path.with_file_name(name)
}
