//! A process that is told to stop: what was begun ends, watchers are sent elsewhere, nothing is kept from the others.

use futures_util::StreamExt as _;
use muster_kafka::synthetic::Brokers;
use reqwest::{Client, Response, StatusCode};
use serde_json::json;

use super::{House, brokers, until};
use crate::muster::Running;

/// What a stream says from now to its end, and whether it ended as streams should.
async fn rest_of(stream: Response) -> Result<String, reqwest::Error> {
    stream.text().await
}

async fn watch(client: &Client, process: &Running, path: &str, token: &str, seen: &str) -> Response {
    let asked = client.get(format!("{}{path}", process.url)).bearer_auth(token);
    let answer =
        asked.header("last-event-id", seen).header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}

fn last_id(text: &str) -> &str {
    text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_goes_on_at_another_process_where_it_was() {
    let house = House::new().await;
    let (_, run) = crate::runs::requested(&house.app).await;
    let (token, client) = (house.app.token_of("abel").await, Client::new());
    let path = format!("/api/v1/runs/{run}/events");
    let first = house.serve();
    let watched = watch(&client, &first, &path, &token, "0").await;
    let page = watch(&client, &first, &format!("/runs/{run}/events"), &token, "0").await;
    let log = first.stop();
    assert!(!log.contains(" ERROR "), "{log}");
    let told = rest_of(watched).await.expect("the stream ended whole");
    assert!(told.contains("event: run") && !told.contains("event: end"), "{told}");
    let told_page = rest_of(page).await.expect("the page's stream ended whole");
    assert!(!told_page.contains("event: end"), "{told_page}");

    let second = house.serve();
    let mut goes_on = watch(&client, &second, &path, &token, last_id(&told)).await.bytes_stream();
    second.ask("POST", &format!("/api/v1/runs/{run}/reject"), &token, Some(json!({"comment": "no"}))).await;
    let mut more = String::new();
    while let Some(piece) = goes_on.next().await {
        more.push_str(&String::from_utf8_lossy(&piece.unwrap()));
    }
    let expected: Vec<String> =
        sqlx::query_scalar("select number::text from run_event where run_id = $1 order by number")
            .bind(run)
            .fetch_all(house.pool())
            .await
            .unwrap();
    let both = format!("{told}{more}");
    let ids: Vec<&str> = both.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert_eq!(ids, expected, "each event once, in order");
    assert!(more.ends_with("event: end\ndata: {}\n\n"), "{more}");
    second.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered_and_no_new_one_is_taken() {
    let house = House::new().await;
    // Its check asks several times, one after the other: longer than the process would need to stop without it.
    let sides = brokers(1_500).await;
    house.add_pairs(&sides, 0).await;
    let process = house.serve();
    let token = house.app.token_of("ada").await;
    let asked = Client::new().post(format!("{}/api/v1/clusters/north/check", process.url));
    let check = tokio::spawn(asked.bearer_auth(token).json(&json!({})).send());
    until("the broker to be asked", async || asked_of(&sides) > 0).await;
    process.signal("TERM");
    let answer = check.await.unwrap().expect("the answer came");
    assert!(answer.status().is_success(), "{}", answer.status());
    let (url, (code, log)) = (process.url.clone(), process.ended());
    assert_eq!(code, Some(0), "{log}");
    assert!(reqwest::get(format!("{url}/healthz")).await.is_err());
}

fn asked_of(sides: &[Brokers; 2]) -> usize {
    sides.iter().map(|side| side.world.seen.lock().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn its_pairs_are_free_at_once_even_in_the_middle_of_a_first_survey() {
    let house = House::new().await;
    house.keep_the_simulated_pair().await;
    let sides = brokers(2_000).await;
    house.add_pairs(&sides, 3).await;
    let process = house.serve();
    until("a survey to begin", async || asked_of(&sides) > 0).await;
    let leases = "select count(*) from lease where name like 'survey:pair-%' and owner <> ''";
    until("all pairs to be taken", async || house.count(leases).await == 3).await;
    assert_eq!(
        house.count("select count(*) from survey where pair like 'pair-%'").await,
        0,
        "it was quicker"
    );
    let log = process.stop();
    assert_eq!(house.count(leases).await, 0, "{log}");
}
