//! People who leave the fleet open. Its page reads itself again every few seconds and takes out of the answer what changes
//! (`web/src/following.rs`): what that costs the process, and everybody else.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use muster_store::{leases, pairs};
use reqwest::{Client, header::HeaderMap};
use tokio::{task::JoinSet, time::MissedTickBehavior};

use super::{P99_MS, measure, percentile_ms};
use crate::{figures::Figure, house::House, process::Process};

pub(super) const PEOPLE: u32 = 50;
/// As often as a page that follows asks.
const EVERY: Duration = Duration::from_secs(5);
/// What a process does once when it starts is over by then.
const SETTLE: Duration = Duration::from_secs(10);
/// How long its time is looked at.
const LOOK: Duration = Duration::from_secs(20);
/// Of the page somebody else asks for meanwhile: for longer than everybody's turn takes.
const REQUESTS: usize = 600;

/// Measures a process that nobody asks, then one that fifty people follow; `headers` are those of somebody signed in.
pub(super) async fn figures(house: &House, headers: HeaderMap) -> Result<Vec<Figure>> {
    leave_surveys_to_another(house).await?;
    let client = Client::builder().default_headers(headers.clone()).build()?;
    let process = Process::serve(&house.database).await?;
    let (fleet, page) = (format!("{}/", process.url), format!("{}/pairs/pair-007", process.url));
    tokio::time::sleep(SETTLE).await;
    let idle = share_of_a_core(&process).await?;
    let alone = measure(&client, &page, REQUESTS).await?;

    let followers = Followers::begin(&fleet, &headers)?;
    tokio::time::sleep(EVERY).await;
    let busy = share_of_a_core(&process).await?;
    let meanwhile = measure(&client, &page, REQUESTS).await?;
    let followed = followers.end()?;

    let who = format!("{PEOPLE} follow the fleet");
    let of = |share| percentile_ms(&meanwhile, share);
    Ok(vec![
        Figure::new(format!("{who}: CPU of the process, of one core"), busy, "%").beside(idle),
        Figure::new(format!("{who}: their own readings, p99"), percentile_ms(&followed, 99), "ms"),
        Figure::new(format!("{who}: pair, p50"), of(50), "ms").beside(percentile_ms(&alone, 50)),
        Figure::new(format!("{who}: pair, p99"), of(99), "ms")
            .beside(percentile_ms(&alone, 99))
            .under(P99_MS),
    ])
}

/// Only pages are measured: another process has all pairs.
async fn leave_surveys_to_another(house: &House) -> Result<()> {
    let mut conn = house.app.pool.acquire().await?;
    for pair in pairs::list(&mut conn, None, None).await? {
        let had = leases::claim(&mut conn, &leases::survey_lease(&pair.name), "bench", 900.0).await?;
        ensure!(had.is_some(), "somebody else observes {}", pair.name);
    }
    Ok(())
}

/// CPU time of a process over a while, in hundredths of one core.
async fn share_of_a_core(process: &Process) -> Result<f64> {
    let (before, began) = (process.cpu()?, Instant::now());
    tokio::time::sleep(LOOK).await;
    let used = process.cpu()?.saturating_sub(before);
    Ok(used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0)
}

/// Who follows; they stop when this is dropped.
struct Followers {
    people: JoinSet<Result<()>>,
    took: Arc<Mutex<Vec<Duration>>>,
}

impl Followers {
    /// Each with a connection of their own, one after the other over the time between two readings.
    fn begin(url: &str, headers: &HeaderMap) -> Result<Self> {
        let (mut people, took) = (JoinSet::new(), Arc::<Mutex<Vec<Duration>>>::default());
        for number in 0..PEOPLE {
            let client = Client::builder().default_headers(headers.clone()).build()?;
            people.spawn(follow(client, url.to_owned(), EVERY * number / PEOPLE, Arc::clone(&took)));
        }
        Ok(Self { people, took })
    }

    /// How long their readings took, in order of time.
    fn end(mut self) -> Result<Vec<Duration>> {
        while let Some(ended) = self.people.try_join_next() {
            ended??;
        }
        let mut took = std::mem::take(&mut *self.took.lock().unwrap_or_else(PoisonError::into_inner));
        took.sort_unstable();
        Ok(took)
    }
}

/// Reads the page again and again; ends only when that does not work.
async fn follow(client: Client, url: String, first: Duration, took: Arc<Mutex<Vec<Duration>>>) -> Result<()> {
    tokio::time::sleep(first).await;
    let mut turns = tokio::time::interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let began = Instant::now();
        let answer = client.get(&url).send().await?;
        let status = answer.status();
        answer.bytes().await?;
        ensure!(status.is_success(), "{url} answered {status} to somebody who follows it");
        took.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
    }
}
