//! How long every page and list of the table of routes takes when years of runs are kept: the real router over HTTP, on a real
//! PostgreSQL.

mod followers;
mod history;
mod table;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::{
    Client, StatusCode,
    header::{self, HeaderMap, HeaderValue},
    redirect,
};

use crate::{
    figures::{Bench, Figure, plain},
    house::House,
    machine,
    pages::{
        followers::PEOPLE,
        history::Kept,
        table::{LEFT_OUT, Row},
    },
};

/// Requests of each address with a name that are measured, after three that are not.
const REQUESTS: usize = 200;
/// Of every other one: more than a hundred, so that the slowest alone says nothing.
const REQUESTS_OF_OTHERS: usize = 101;
/// What browsers accept.
const AS_BROWSERS: &str = "gzip, deflate, br, zstd";
/// The goal for the slowest one in a hundred, in milliseconds.
pub(crate) const P99_MS: f64 = 50.0;
/// The goal for the first page with its stylesheets, compressed, in kB.
const FIRST_PAGE_KB: f64 = 100.0;

/// Measures every page and list there is.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let house = House::open().await?;
    let kept = history::keep(&house).await?;
    let url = house.serve().await?;
    let signed_in = house.signed_in().await?;
    let client = client_with(as_browsers(signed_in.clone()))?;
    let named = addresses(&kept);
    let mut figures = Vec::new();
    for (name, path) in &named {
        let took = measure(&client, &format!("{url}{path}"), REQUESTS).await?;
        figures.push(Figure::new(format!("{name}, p50"), percentile_ms(&took, 50), "ms"));
        figures.push(Figure::new(format!("{name}, p99"), percentile_ms(&took, 99), "ms").under(P99_MS));
    }
    // Opened now: some forms are opened only to who has shown a few minutes ago that they are there, and to no API token.
    let (session, in_session) = house.session().await?;
    let mut others = table::rows(&house, &kept, session).await?;
    others.retain(|row| !named.iter().any(|(_, path)| path.split('?').next() == Some(row.address.as_str())));
    figures.extend(measure_others(in_session, &url, &others).await?);
    // Asked for by itself, because the client does not open what it is sent.
    let plain_client = client_with(signed_in.clone())?;
    figures.push(
        Figure::new("first page with its styles, gzip", first_page_kb(&plain_client, &url).await?, "kB")
            .under(FIRST_PAGE_KB),
    );
    figures.extend(followers::figures(&house, as_browsers(signed_in)).await?);
    Ok(Bench {
        name: "pages",
        how: how(&kept, others.len()),
        load_before,
        versions: vec![("PostgreSQL", house.postgres_version().await?)],
        figures,
    })
}

/// One line each: those that nobody has given a name in words.
async fn measure_others(in_session: HeaderMap, url: &str, others: &[Row]) -> Result<Vec<Figure>> {
    let client = client_with(as_browsers(in_session))?;
    let stranger = client_with(as_browsers(HeaderMap::new()))?;
    let mut figures = Vec::with_capacity(others.len());
    for row in others {
        let asking = if row.by_anyone { &stranger } else { &client };
        let took = measure(asking, &format!("{url}{}", row.address), REQUESTS_OF_OTHERS).await?;
        let name = format!("`{}`, p99 (p50 {} ms)", row.path, plain(percentile_ms(&took, 50)));
        figures.push(Figure::new(name, percentile_ms(&took, 99), "ms").under(P99_MS));
    }
    Ok(figures)
}

fn how(kept: &Kept, others: usize) -> Vec<String> {
    let Kept { pairs, runs, steps, audit, findings, schedules, occurrences, .. } = kept;
    let left_out: Vec<String> = LEFT_OUT.iter().map(|(path, why)| format!("`{path}` ({why})")).collect();
    let left_out = left_out.join(", ");
    vec![
        format!(
            "Every page and list of an installation that has kept {pairs} pairs, {runs} runs with {steps} steps, {audit} audit \
             entries, {findings} findings and {schedules} drill schedules with {occurrences} drills that came due: the router of \
             `muster serve` over HTTP, one request after the other by an admin of everything who accepts what browsers do \
             ({AS_BROWSERS}). PostgreSQL is on the same machine, its tables vacuumed, otherwise as installed. Muster \
             remembers minutes of lag that are over, and nothing else."
        ),
        String::new(),
        format!(
            "Those with a name in words are asked for {REQUESTS} times, the {others} other addresses of the table of routes, in a \
             session, {REQUESTS_OF_OTHERS} times, each after three times that are not counted. Any answer but 200 ends the benchmark. Left \
             out: {left_out}."
        ),
        String::new(),
        format!(
            "Then {PEOPLE} people leave the fleet open: each reads the whole page again every 5 s, as pages that follow do, of a \
             `muster serve` that is a process of its own and has no pair to observe. \"Peer\" is the same of that process when \
             nobody does."
        ),
    ]
}

/// Headers of somebody who accepts what browsers do.
fn as_browsers(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(AS_BROWSERS));
    headers
}

/// A client that goes nowhere it was not sent to.
fn client_with(headers: HeaderMap) -> Result<Client> {
    Ok(Client::builder().default_headers(headers).redirect(redirect::Policy::none()).build()?)
}

fn addresses(kept: &Kept) -> Vec<(&'static str, String)> {
    let (run, asked, plan) = (kept.run, kept.asked, kept.plan);
    vec![
        ("fleet", "/".to_owned()),
        ("pair", "/pairs/pair-007".to_owned()),
        ("runs", "/runs".to_owned()),
        ("runs, words in one of a thousand", "/runs?text=inc+500".to_owned()),
        ("runs, words in all", "/runs?text=brokers+slow".to_owned()),
        ("runs, words in none", "/runs?text=nowhere".to_owned()),
        (
            "runs, all filters",
            "/runs?pair=pair-007&state=succeeded&kind=real&since=2026-01-01&text=slow".to_owned(),
        ),
        ("runs, deep in the past", "/runs?after=500".to_owned()),
        ("run", format!("/runs/{run}")),
        ("report", format!("/runs/{run}/report")),
        ("comparison", format!("/runs/{run}/compare")),
        ("plan", format!("/plans/{plan}")),
        ("approval", format!("/runs/{asked}/approval")),
        ("lag explorer", "/pairs/pair-007/lag".to_owned()),
        ("differences", "/pairs/pair-007/differences".to_owned()),
        ("translation", "/pairs/pair-007/translation".to_owned()),
        ("content", "/pairs/pair-007/content".to_owned()),
        ("alarms", "/alarms".to_owned()),
        ("notifications", "/notifications".to_owned()),
        ("teams", "/teams".to_owned()),
        ("account", "/account".to_owned()),
        ("settings", "/settings".to_owned()),
        ("reference of the API", "/api".to_owned()),
        ("runbooks", "/runbooks".to_owned()),
        ("drills", "/drills".to_owned()),
        ("findings", "/findings".to_owned()),
        ("findings, words", "/findings?text=dns&state=open".to_owned()),
        ("audit", "/audit".to_owned()),
        ("audit, one actor and action", "/audit?actor=otto&action=run.".to_owned()),
        // The entries are no real chain: it is read until it breaks, which is at its beginning.
        ("audit, a chain that breaks", "/audit?verify=on".to_owned()),
        ("clusters", "/clusters".to_owned()),
        ("people", "/people".to_owned()),
        ("API: pairs", "/api/v1/pairs?limit=200".to_owned()),
        ("API: runs, words", "/api/v1/runs?text=slow&limit=200".to_owned()),
        ("API: readiness", "/api/v1/pairs/pair-007/readiness".to_owned()),
        ("API: lag history", "/api/v1/pairs/pair-007/lag/history".to_owned()),
        ("API: audit", "/api/v1/audit?limit=200".to_owned()),
        ("API: plan difference", format!("/api/v1/plans/{plan}/difference")),
        ("API: schedules", "/api/v1/schedules?limit=200".to_owned()),
        ("API: occurrences", "/api/v1/occurrences?limit=200".to_owned()),
        ("API: calendar", "/api/v1/calendar.ics".to_owned()),
    ]
}

/// How long each of so many requests took until its whole answer was there, in order of time.
pub(crate) async fn measure(client: &Client, url: &str, requests: usize) -> Result<Vec<Duration>> {
    let mut took = Vec::with_capacity(requests);
    for nth in 0..requests + 3 {
        let began = Instant::now();
        let answer = client.get(url).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        ensure!(status == StatusCode::OK, "{url} answered {status}: {}", String::from_utf8_lossy(&body));
        if nth >= 3 {
            took.push(began.elapsed());
        }
    }
    took.sort_unstable();
    Ok(took)
}

/// What so many of a hundred took at most, in milliseconds; they are in order.
pub(crate) fn percentile_ms(took: &[Duration], share: usize) -> f64 {
    took.get((took.len() * share / 100).min(took.len().saturating_sub(1)))
        .map_or(f64::NAN, |took| took.as_secs_f64() * 1000.0)
}

/// The fleet and every stylesheet it names, as they travel.
async fn first_page_kb(client: &Client, url: &str) -> Result<f64> {
    let packed = async |path: &str| -> Result<Vec<u8>> {
        let asked = client.get(format!("{url}{path}")).header(header::ACCEPT_ENCODING, "gzip");
        Ok(asked.send().await?.error_for_status()?.bytes().await?.to_vec())
    };
    let page = client.get(format!("{url}/")).send().await?.text().await?;
    let mut bytes = packed("/").await?.len();
    let sheets = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    for sheet in sheets.filter(|href| href.ends_with(".css")) {
        bytes += packed(sheet).await?.len();
    }
    let bytes = u32::try_from(bytes).context("a page of gigabytes")?;
    Ok(f64::from(bytes) / 1000.0)
}
