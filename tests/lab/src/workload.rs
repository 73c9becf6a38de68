//! Applications under load: producers and consumer groups that follow an address book and keep a ledger.

mod address_book;
mod clients;
mod consumers;
mod final_check;
mod plain_stream;
mod transactional_stream;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

pub use address_book::{Address, AddressBook, address_book_path};
pub use final_check::{FinalCheck, TopicCheck};

use crate::description::LabDescription;
use crate::ledger::{Ledger, LedgerSummary, pair_of_topic};
use crate::principals::{APP_BILLING, APP_ORDERS};
use crate::wait::{WaitBound, wait_until};
use address_book::BookWatch;
use clients::Login;
use consumers::{group_plans, run_group_member};
use plain_stream::{plain_streams, run_plain_stream};
use transactional_stream::{TransactionalStream, run_transactional_stream};

/// How much the workload does.
#[derive(Debug, Clone)]
pub struct WorkloadOptions {
    /// Records per second over all topics.
    pub records_per_second: f64,
    /// How long a stopping producer goes on trying to write what it has made.
    pub give_up_after: Duration,
    /// Time that the slow group `fraud` takes for one record.
    pub fraud_work: Duration,
    /// Where the newest figures are written every second; `<lab dir>/ledger.json` when `None`.
    pub ledger_path: Option<PathBuf>,
}

impl Default for WorkloadOptions {
    fn default() -> Self {
        Self {
            records_per_second: 500.0,
            give_up_after: Duration::from_secs(10),
            fraud_work: Duration::from_millis(8),
            ledger_path: None,
        }
    }
}

/// What all client threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Tells the records of this workload from those of an earlier one on the same lab.
    pub(crate) run: String,
    pub(crate) ledger: Ledger,
    orders_book: BookWatch,
    clicks_book: BookWatch,
    pub(crate) producer_login: Login,
    pub(crate) consumer_login: Login,
    stop_producers: AtomicBool,
    stop_consumers: AtomicBool,
    hurry: AtomicBool,
    joined: AtomicUsize,
    dropped: AtomicBool,
}

impl Shared {
    pub(crate) fn producers_stop(&self) -> bool {
        self.stop_producers.load(Ordering::Relaxed)
    }

    pub(crate) fn consumers_stop(&self) -> bool {
        self.stop_consumers.load(Ordering::Relaxed)
    }

    pub(crate) fn hurries(&self) -> bool {
        self.hurry.load(Ordering::Relaxed)
    }

    /// The address book of `clicks`, else of `orders`.
    pub(crate) fn book(&self, pair: &str) -> &BookWatch {
        if pair == "clicks" { &self.clicks_book } else { &self.orders_book }
    }

    /// The address book that the producer of `topic` follows.
    pub(crate) fn book_of_topic(&self, topic: &str) -> &BookWatch {
        self.book(pair_of_topic(topic))
    }

    /// A group member was given partitions for the first time.
    pub(crate) fn note_joined(&self) {
        self.joined.fetch_add(1, Ordering::Relaxed);
    }
}

/// Running applications. Dropping it stops them.
#[derive(Debug)]
pub struct Workload {
    shared: Arc<Shared>,
    lab: LabDescription,
    producers: Vec<JoinHandle<()>>,
    consumers: Vec<JoinHandle<()>>,
    /// Writes the ledger file; ended before the lab's directory goes.
    scribe: Option<JoinHandle<()>>,
}

impl Workload {
    /// Starts consumers, waits until every group has joined, then starts producers.
    ///
    /// The address books `address-book-orders.json` and `address-book-clicks.json` in the directory `address_books`
    /// are created (everyone on `eu-west`) when they do not exist. Fails when a group has not joined within 30 s.
    pub async fn start(lab: &LabDescription, address_books: &Path, options: WorkloadOptions) -> Result<Self> {
        let watch = |pair| {
            let path = address_book_path(address_books, pair);
            if !path.exists() {
                AddressBook::all_on(lab, pair, crate::EU_WEST)?.write(&path)?;
            }
            BookWatch::start(path)
        };
        let login = |user: &str| -> Result<Login> {
            Ok(Login { user: user.to_owned(), password: lab.password(user)?.to_owned() })
        };
        let shared = Arc::new(Shared {
            run: uuid::Uuid::new_v4().simple().to_string()[..8].to_owned(),
            ledger: Ledger::default(),
            orders_book: watch("orders")?,
            clicks_book: watch("clicks")?,
            producer_login: login(APP_ORDERS)?,
            consumer_login: login(APP_BILLING)?,
            stop_producers: AtomicBool::new(false),
            stop_consumers: AtomicBool::new(false),
            hurry: AtomicBool::new(false),
            joined: AtomicUsize::new(0),
            dropped: AtomicBool::new(false),
        });
        let mut workload =
            Self { shared, lab: lab.clone(), producers: Vec::new(), consumers: Vec::new(), scribe: None };
        workload.start_consumers(&options);
        workload.wait_for_groups().await?;
        workload.start_producers(&options);
        let path = options.ledger_path.clone().unwrap_or_else(|| lab.dir.join("ledger.json"));
        workload.keep_ledger_file(path);
        Ok(workload)
    }

    /// The figures of this moment.
    pub fn ledger(&self) -> LedgerSummary {
        self.shared.ledger.summary()
    }

    /// Reads the cluster named `cluster` and says what of the acknowledged records is (not) there, while producers go on.
    pub async fn check_cluster(&self, cluster: &str) -> Result<FinalCheck> {
        final_check::check_cluster(&self.lab, Arc::clone(&self.shared), cluster).await
    }

    /// Stops producers, lets every group process what is left (the slow one at full speed), stops consumers.
    ///
    /// Answers the final figures: a record that is still `pending` in them was not handed to that group within
    /// `within`.
    pub async fn finish(&mut self, within: Duration) -> Result<LedgerSummary> {
        self.shared.stop_producers.store(true, Ordering::Relaxed);
        join_all(std::mem::take(&mut self.producers)).await?;
        self.shared.hurry.store(true, Ordering::Relaxed);
        let bound = WaitBound { within, every: Duration::from_millis(200) };
        let drained = wait_until("groups to process everything", bound, || async {
            Ok(self.ledger().groups.values().all(|group| group.pending == 0).then_some(()))
        });
        if let Err(error) = drained.await {
            tracing::warn!("records are left unprocessed: {error:#}");
        }
        self.shared.stop_consumers.store(true, Ordering::Relaxed);
        join_all(std::mem::take(&mut self.consumers)).await?;
        Ok(self.ledger())
    }

    fn start_consumers(&mut self, options: &WorkloadOptions) {
        for plan in group_plans(options.fraud_work) {
            for _ in 0..plan.members {
                let (plan, shared) = (plan.clone(), Arc::clone(&self.shared));
                self.consumers.push(std::thread::spawn(move || run_group_member(&plan, &shared)));
            }
        }
    }

    fn start_producers(&mut self, options: &WorkloadOptions) {
        let give_up_after = options.give_up_after;
        for stream in plain_streams(options.records_per_second) {
            let shared = Arc::clone(&self.shared);
            self.producers
                .push(std::thread::spawn(move || run_plain_stream(&stream, &shared, give_up_after)));
        }
        let payments = TransactionalStream {
            topic: "payments.captured",
            transactional_id: "payments-capture",
            records_per_second: options.records_per_second * 0.1,
        };
        let shared = Arc::clone(&self.shared);
        self.producers
            .push(std::thread::spawn(move || run_transactional_stream(&payments, &shared, give_up_after)));
    }

    async fn wait_for_groups(&self) -> Result<()> {
        let bound = WaitBound { within: Duration::from_secs(30), every: Duration::from_millis(50) };
        wait_until("every consumer group to be given its partitions", bound, || async {
            Ok((self.shared.joined.load(Ordering::Relaxed) == self.consumers.len()).then_some(()))
        })
        .await
    }

    fn keep_ledger_file(&mut self, path: PathBuf) {
        let shared = Arc::clone(&self.shared);
        self.scribe = Some(std::thread::spawn(move || {
            while !shared.dropped.load(Ordering::Relaxed) {
                if let Err(error) = write_ledger(&shared.ledger.summary(), &path) {
                    tracing::debug!("{} was not written: {error:#}", path.display());
                }
                std::thread::park_timeout(Duration::from_secs(1));
            }
        }));
    }
}

fn write_ledger(summary: &LedgerSummary, path: &Path) -> Result<()> {
    let draft = path.with_extension("new");
    std::fs::write(&draft, serde_json::to_vec_pretty(summary)?)?;
    Ok(std::fs::rename(&draft, path)?)
}

async fn join_all(threads: Vec<JoinHandle<()>>) -> Result<()> {
    tokio::task::spawn_blocking(move || {
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a client thread of the workload panicked"))?;
        }
        Ok(())
    })
    .await?
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.shared.stop_producers.store(true, Ordering::Relaxed);
        self.shared.stop_consumers.store(true, Ordering::Relaxed);
        self.shared.dropped.store(true, Ordering::Relaxed);
        if let Some(scribe) = self.scribe.take() {
            scribe.thread().unpark();
            drop(scribe.join());
        }
    }
}
