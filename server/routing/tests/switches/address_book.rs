//! The address book file.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use muster_routing::{AddressBook, Audience::*, Destination, Routing};
use uuid::Uuid;

use crate::to;

/// A folder of its own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("muster-address-book-{}", Uuid::new_v4()));
        fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("orders.json")
    }

    fn text(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.file()).expect("the file")).expect("JSON")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[tokio::test]
async fn audiences_are_sent_one_by_one_and_read_back() {
    let folder = Folder::new();
    let book = AddressBook::new(folder.file());
    assert_eq!(book.current(Producers).await.expect("no file yet"), None);
    book.send(Producers, &to("west", 1)).await.expect("written");
    book.send(Consumers, &to("central", 1)).await.expect("written");
    book.send(Consumers, &to("central", 1)).await.expect("twice is once");
    assert_eq!(book.current(Producers).await.expect("read"), Some(to("west", 1)));
    assert_eq!(book.current(Consumers).await.expect("read"), Some(to("central", 1)));
    let text = folder.text();
    assert_eq!(
        (text["pair"].as_str(), text["producers"]["cluster"].as_str()),
        (Some("orders"), Some("west"))
    );
    let drafts = fs::read_dir(&folder.0)
        .expect("folder")
        .filter(|entry| entry.as_ref().expect("entry").file_name().to_string_lossy().ends_with(".new"));
    assert_eq!(drafts.count(), 0, "nothing half-written is left");
}

#[tokio::test]
async fn consumers_are_asked_to_wait_and_let_go_again() {
    let folder = Folder::new();
    let book = AddressBook::new(folder.file());
    let wait = Destination { hold: true, ..to("west", 1) };
    book.send(Consumers, &wait).await.expect("written");
    assert_eq!(book.current(Consumers).await.expect("read"), Some(wait));
    assert_eq!(folder.text()["consumers"]["hold"], true);
    book.send(Consumers, &to("west", 1)).await.expect("written");
    assert_eq!(folder.text()["consumers"].get("hold"), None, "absent where nobody waits");
}

#[tokio::test]
async fn a_worker_that_lost_its_run_cannot_write_over_its_successor() {
    let folder = Folder::new();
    let book = AddressBook::new(folder.file());
    book.send(Producers, &to("central", 5)).await.expect("written");
    let stale = book.send(Producers, &to("west", 4)).await.expect_err("a lower epoch");
    assert!(!stale.may_pass && stale.reason.contains("taken over by another worker"), "{stale}");
    assert_eq!(folder.text()["producers"]["cluster"], "central");
    let mut other_run = to("west", 1);
    other_run.run = Uuid::from_u128(215);
    book.send(Producers, &other_run).await.expect("another run counts its own epochs");
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    let folder = Folder::new();
    let book = AddressBook::new(folder.file());
    fs::write(folder.file(), "precious notes").expect("written");
    let error = book.send(Producers, &to("west", 1)).await.expect_err("not an address book");
    assert!(!error.may_pass && error.reason.contains("it was left alone"), "{error}");
    assert!(book.current(Producers).await.is_err());
    assert_eq!(fs::read_to_string(folder.file()).expect("there"), "precious notes");
    fs::remove_file(folder.file()).expect("removed");
    book.send(Producers, &to("west", 1)).await.expect("written");
    let mut other = to("west", 1);
    other.pair = "clicks".to_owned();
    let error = book.send(Producers, &other).await.expect_err("another pair's file");
    assert!(error.reason.contains("belongs to pair `orders`, not `clicks`"), "{error}");
    let nowhere = AddressBook::new("/no/such/folder/book.json");
    assert!(nowhere.send(Producers, &to("west", 1)).await.is_err());
    assert!(AddressBook::new("relative.json").send(Producers, &to("west", 1)).await.is_err());
}

#[tokio::test]
async fn a_book_that_could_not_be_written_is_found_before_anybody_is_sent() {
    let folder = Folder::new();
    let book = AddressBook::new(folder.file());
    book.check("orders").await.expect("a folder that takes files, and no book yet");
    assert!(!folder.file().exists(), "looking makes no book");
    book.send(Producers, &to("west", 1)).await.expect("written");
    let before = folder.text();
    book.check("orders").await.expect("its own book");
    assert_eq!(folder.text(), before);
    let names = fs::read_dir(&folder.0).expect("folder").map(|entry| entry.expect("entry").file_name());
    let left: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    let known = [".orders.json.lock", "orders.json"].map(str::to_owned);
    assert_eq!(left, BTreeSet::from(known), "nothing but the lock is left beside it");

    let error = book.check("clicks").await.expect_err("another pair's book");
    assert!(!error.may_pass && error.reason.contains("belongs to pair `orders`, not `clicks`"), "{error}");
    // What stands in the way of a new file, whoever runs the tests.
    fs::create_dir(folder.0.join(".orders.json.new")).expect("a folder");
    let error = book.check("orders").await.expect_err("no file can be made beside it");
    assert!(error.reason.contains("make and remove a file beside it"), "{error}");
    fs::write(folder.file(), "precious notes").expect("written");
    let error = book.check("orders").await.expect_err("not an address book");
    assert!(error.reason.contains("it was left alone"), "{error}");
    let nowhere = AddressBook::new("/no/such/folder/book.json").check("orders").await;
    let error = nowhere.expect_err("no folder");
    assert!(!error.may_pass && error.reason.contains("open the lock beside the file"), "{error}");
    let relative = AddressBook::new("relative.json").check("orders").await.expect_err("a relative path");
    assert!(relative.reason.contains("the path is not absolute"), "{relative}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_always_see_a_whole_file_and_writers_lose_nothing() {
    let folder = Folder::new();
    let book = AddressBook::new(folder.file());
    book.send(Producers, &to("west", 0)).await.expect("written");
    let done = Arc::new(AtomicBool::new(false));
    let (path, stop) = (folder.file(), Arc::clone(&done));
    let reader = std::thread::spawn(move || {
        let mut reads = 0;
        while !stop.load(Ordering::Relaxed) {
            let text = fs::read(&path).expect("there is always a file");
            serde_json::from_slice::<serde_json::Value>(&text).expect("it is always whole");
            reads += 1;
        }
        reads
    });
    let write = async |audience, book: AddressBook| {
        for epoch in 1..40 {
            book.send(audience, &to("central", epoch)).await.expect("written");
        }
    };
    tokio::join!(write(Producers, book.clone()), write(Consumers, book.clone()));
    done.store(true, Ordering::Relaxed);
    assert!(reader.join().expect("no torn read") > 0);
    let (producers, consumers) = (book.current(Producers).await, book.current(Consumers).await);
    assert_eq!(producers.expect("read"), Some(to("central", 39)));
    assert_eq!(consumers.expect("read"), Some(to("central", 39)), "neither writer undid the other");
}
