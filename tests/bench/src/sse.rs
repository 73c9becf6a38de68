//! Five hundred people watch one run: what that costs the process, and everybody else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt as _;
use muster_operations::decisions;
use muster_store::run_events::{self, NewEvent};
use reqwest::Client;
use serde_json::json;
use sqlx::PgPool;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    figures::{Bench, Figure},
    house::House,
    machine,
    pages::{P99_MS, measure, percentile_ms},
    process::Process,
};

const WATCHERS: usize = 500;
/// A run tells something that often: what a switchover does while its steps follow one another.
const EVENT_EVERY: Duration = Duration::from_millis(200);
/// The goal, in MB.
const LIMIT_MB: f64 = 150.0;
/// The goal: a page takes at most so many times what it takes when nobody watches.
const TIMES: f64 = 2.0;
/// Of each page, a hundred in a row, ten times: what the machine does meanwhile meets all pages alike, and the one in a
/// hundred that is told is the tenth of a thousand.
const REQUESTS: usize = 100;
const ROUNDS: usize = 10;
const SETTLE: Duration = Duration::from_secs(5);

/// Measures pages alone, then while everybody watches.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let house = House::open().await?;
    let (plan, run) = house.request_run().await?;
    let client = Client::builder().default_headers(house.signed_in().await?).build()?;
    let process = Process::serve(&house.database).await?;
    let pages = [
        ("fleet", "/".to_owned()),
        ("pair", "/pairs/orders".to_owned()),
        ("runs", "/runs".to_owned()),
        ("run", format!("/runs/{}", run.id)),
        ("live part of the run", format!("/runs/{}/live", run.id)),
        ("plan", format!("/plans/{}", plan.id)),
        ("audit", "/audit".to_owned()),
        ("API: pairs", "/api/v1/pairs?limit=200".to_owned()),
    ];
    let alone = process.resident_mb(SETTLE).await?;
    let idle = measure_all(&client, &process, &pages).await?;

    let watchers = Watchers::open(&client, &process, run.id).await?;
    let writing = Writing::begin(&house.app.pool, run.id);
    tokio::time::sleep(SETTLE).await;
    let (watched, resident) =
        tokio::join!(measure_all(&client, &process, &pages), process.resident_mb(SETTLE * 2));
    let (watched, resident) = (watched?, resident?);
    let events = writing.end().await?;
    let peak = process.peak_mb()?;
    // In one transaction, as handlers do: who watches must not see the end before its event.
    let mut tx = muster_store::begin(&house.app.pool).await?;
    decisions::reject(&mut tx, run.id, "enough", &house.admin).await?;
    let total = run_events::after(&mut tx, run.id, 0).await?.len();
    tx.commit().await?;
    let missed = watchers.missed(total).await?;

    let mut figures = vec![
        Figure::new("resident, nobody watches", alone, "MB"),
        Figure::new(format!("resident, {WATCHERS} watch"), resident, "MB").under(LIMIT_MB),
        Figure::new("peak", peak, "MB").under(LIMIT_MB),
        Figure::new("events written while they watched", events as f64, "events"),
        Figure::new("events that a watcher missed or got twice", missed as f64, "events").none(),
    ];
    for ((name, _), (alone, now)) in pages.iter().zip(idle.iter().zip(&watched)) {
        let figure = |share| Figure::new(format!("{name}, p{share}"), percentile_ms(now, share), "ms");
        let before = |share| percentile_ms(alone, share);
        figures.push(figure(50).no_more_than_peer(before(50), "when nobody watches", TIMES));
        // One in a hundred meets the moment at which an event goes to everybody.
        figures.push(figure(99).no_more_than_peer(before(99), "when nobody watches", TIMES));
        figures.push(
            Figure::new(format!("{name}, p99 against the aim"), percentile_ms(now, 99), "ms").under(P99_MS),
        );
    }
    Ok(Bench {
        name: "sse",
        how: vec![format!(
            "`muster serve` as a process of its own; {WATCHERS} streams of one run over HTTP, every other one the stream of its \
             page and of the API, while the run tells something every {} ms. Pages are asked for one after the other, {ROUNDS} \
             times {REQUESTS} of each, each time after three that are not counted; \"peer\" is the same of the same process \
             before anybody watched. Watchers, whoever asks for pages and PostgreSQL are on the same machine.",
            EVENT_EVERY.as_millis()
        )],
        load_before,
        versions: vec![("PostgreSQL", house.postgres_version().await?)],
        figures,
    })
}

async fn measure_all(
    client: &Client,
    process: &Process,
    pages: &[(&str, String)],
) -> Result<Vec<Vec<Duration>>> {
    let mut all = vec![Vec::with_capacity(REQUESTS * ROUNDS); pages.len()];
    for _ in 0..ROUNDS {
        for ((_, path), took) in pages.iter().zip(&mut all) {
            took.extend(measure(client, &format!("{}{path}", process.url), REQUESTS).await?);
        }
    }
    all.iter_mut().for_each(|took| took.sort_unstable());
    Ok(all)
}

/// Who watches.
struct Watchers {
    of_api: JoinSet<Result<Vec<u64>>>,
    // Streams of pages say only that there is something to read; they end when these are dropped.
    _of_pages: JoinSet<()>,
}

impl Watchers {
    async fn open(client: &Client, process: &Process, run: Uuid) -> Result<Self> {
        let (mut of_api, mut of_pages) = (JoinSet::new(), JoinSet::new());
        for number in 0..WATCHERS {
            let api = number % 2 == 0;
            let path = if api { format!("/api/v1/runs/{run}/events") } else { format!("/runs/{run}/events") };
            let answer = client
                .get(format!("{}{path}", process.url))
                .header("accept", "text/event-stream")
                .send()
                .await?
                .error_for_status()?;
            let mut stream = answer.bytes_stream();
            if api {
                of_api.spawn(async move {
                    let mut text = String::new();
                    while let Some(piece) = stream.next().await {
                        text.push_str(std::str::from_utf8(&piece?)?);
                    }
                    ensure!(text.ends_with("event: end\ndata: {}\n\n"), "a stream broke off");
                    text.lines()
                        .filter_map(|line| line.strip_prefix("id: "))
                        .map(|id| id.parse().context("an event's number"))
                        .collect()
                });
            } else {
                of_pages.spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
            }
        }
        Ok(Self { of_api, _of_pages: of_pages })
    }

    /// Waits for the end of the run; how many events anybody missed, or got twice.
    async fn missed(mut self, total: usize) -> Result<usize> {
        let expected: Vec<u64> = (1..=u64::try_from(total)?).collect();
        let mut wrong = 0;
        while let Some(got) = self.of_api.join_next().await {
            let got = got??;
            wrong += got.len().abs_diff(expected.len());
            wrong += got.iter().zip(&expected).filter(|(got, expected)| got != expected).count();
        }
        Ok(wrong)
    }
}

/// Writes events as a run does that goes on.
struct Writing {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Writing {
    fn begin(pool: &PgPool, run: Uuid) -> Self {
        let (stop, written) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (pool, stopped, count) = (pool.clone(), Arc::clone(&stop), Arc::clone(&written));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let mut tx = muster_store::begin(&pool).await?;
                let detail = json!({"topics": 3, "records_left": 1234, "waited_ms": 200});
                let message = "1234 records are not on the other side yet";
                let event = NewEvent { epoch: 0, step: Some("drain"), kind: "note", message, detail };
                run_events::append(&mut tx, run, &event).await?;
                tx.commit().await?;
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(EVENT_EVERY).await;
            }
            Ok(())
        });
        Self { stop, written, task }
    }

    async fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await??;
        Ok(self.written.load(Ordering::Relaxed))
    }
}
