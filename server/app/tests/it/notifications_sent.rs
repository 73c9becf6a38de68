//! What arrives: every format at a real receiver, retries, processes that die, receivers that must not be reached.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use muster_app::{loops::courier::Courier, process::config::NotifyConfig};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    notifications::{EVERYTHING, SIGNING_KEY, webhook},
    receiver::{Got, Receiver},
    test_app::TestApp,
};

pub(crate) const HOSTILE: &str =
    "<!channel> @here [click](https://evil.example) <script>alert(1)</script>\r\nBcc: victim@evil.example";

/// Delivers everything that is due then.
pub(crate) async fn deliver(courier: &Courier, now: DateTime<Utc>) {
    while courier.deliver_one(now).await.unwrap() {}
}

pub(crate) fn soon() -> DateTime<Utc> {
    Utc::now() + TimeDelta::seconds(1)
}

/// Asks for a run with a reason.
pub(crate) async fn request(app: &TestApp, reason: &str) -> Value {
    let otto = app.as_user("otto").await;
    let plan = otto.post("/api/v1/pairs/orders/plans", crate::runs::quick()).await.done();
    otto.post("/api/v1/runs", json!({"plan": plan["id"], "reason": reason})).await.done()
}

pub(crate) async fn channel(app: &TestApp, mut new: Value) -> Uuid {
    new["team"] = json!(app.team);
    let made = app.as_user("olga").await.post("/api/v1/channels", new).await.done();
    made["id"].as_str().unwrap().parse().unwrap()
}

/// The newest delivery of a channel, as the API says it.
pub(crate) async fn newest(app: &TestApp, channel: Uuid) -> Value {
    let path = format!("/api/v1/channels/{channel}/deliveries");
    app.as_user("vera").await.get(&path).await.done()["items"][0].clone()
}

fn at<'a>(got: &'a [Got], path: &str) -> &'a Got {
    let found: Vec<&Got> = got.iter().filter(|one| one.path == path).collect();
    assert_eq!(found.len(), 1, "{path}");
    found[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_format_reaches_its_receiver_with_hostile_text_as_text() {
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    for (kind, more) in [
        ("slack", json!({})),
        ("teams", json!({})),
        ("webhook", json!({"signing_key": SIGNING_KEY})),
        ("pagerduty", json!({"routing_key": "R0UT1NGKEY"})),
    ] {
        let mut new = json!({"name": kind, "kind": kind, "events": EVERYTHING, "url": format!("{}/{kind}", receiver.url)});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        channel(&app, new).await;
    }
    let run = request(&app, HOSTILE).await;
    deliver(&app.app.courier, soon()).await;
    let got = receiver.got();
    assert_eq!(got.len(), 4);
    let ids: BTreeSet<&str> = got.iter().map(Got::id).collect();
    assert_eq!(ids.len(), 1, "one event has one id everywhere");
    let link = format!("http://muster.test/runs/{}/approval", run["id"].as_str().unwrap());

    let slack = at(&got, "/slack").json();
    let text = slack["text"].as_str().unwrap();
    assert!(text.contains("&lt;!channel&gt;") && text.contains(&format!("<{link}|")), "{text}");
    assert!(!text.contains("<!channel>") && !text.contains("@here") && !text.contains("]("), "{text}");
    assert_eq!(slack["blocks"][0]["text"]["text"], "Approval needed: switchover of orders (run 1)");

    let card = at(&got, "/teams").json()["attachments"][0]["content"].clone();
    assert_eq!((&card["type"], &card["actions"][0]["url"]), (&json!("AdaptiveCard"), &json!(link)));
    let body = card["body"].to_string();
    assert!(body.contains("<script>") && !body.contains("\"TextBlock\""), "{body}");

    let paged = at(&got, "/pagerduty").json();
    assert_eq!((&paged["event_action"], &paged["routing_key"]), (&json!("trigger"), &json!("R0UT1NGKEY")));
    assert_eq!(paged["dedup_key"], format!("muster/run/{}", run["id"].as_str().unwrap()));

    let signed = at(&got, "/webhook");
    let key = secrecy::SecretString::from(SIGNING_KEY);
    assert_eq!(signed.header("x-muster-signature"), muster_routing::outbound::sign(&key, &signed.raw));
    let body = signed.json();
    assert_eq!((&body["id"], &body["event"]), (&json!(signed.id()), &json!("approval_needed")));
    assert_eq!(
        (&body["team"], &body["pair"], &body["url"]),
        (&json!(app.team), &json!("orders"), &json!(link))
    );
    assert_eq!(body["details"]["by"], "otto");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_with_the_same_id_and_in_order() {
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    let id = webhook(&app, "bot", &receiver.url).await;
    let run = request(&app, "slow").await;
    let reject = format!("/api/v1/runs/{}/reject", run["id"].as_str().unwrap());
    app.as_user("abel").await.post(&reject, json!({"comment": "no"})).await.done();
    receiver.answer(500);
    let now = soon();
    deliver(&app.app.courier, now).await;
    assert_eq!(receiver.got().len(), 1, "what comes later waits for what came before");
    let path = format!("/api/v1/channels/{id}/deliveries");
    let late = app.as_user("vera").await.get(&path).await.done()["items"][1].clone();
    assert_eq!(late["last_error"], "the endpoint answered 500 Internal Server Error", "{late}");
    receiver.answer(204);
    deliver(&app.app.courier, now + TimeDelta::seconds(4)).await;
    assert_eq!(receiver.got().len(), 1, "it rests");
    deliver(&app.app.courier, now + TimeDelta::seconds(5)).await;
    let got = receiver.got();
    let events: Vec<Value> = got.iter().map(|one| one.json()["event"].clone()).collect();
    assert_eq!(events, ["approval_needed", "approval_needed", "ended"]);
    assert_eq!((got[0].id(), &got[0].raw), (got[1].id(), &got[1].raw), "the same message");
    assert_ne!(got[1].id(), got[2].id());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_day_it_is_given_up_and_the_page_says_so() {
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    let id = webhook(&app, "bot", &receiver.url).await;
    request(&app, "slow").await;
    receiver.answer(503);
    let begin = soon();
    let mut now = begin;
    let given_up = loop {
        deliver(&app.app.courier, now).await;
        let seen = newest(&app, id).await;
        match seen["next_at"].as_str() {
            Some(next) => now = next.parse().unwrap(),
            None => break seen,
        }
    };
    assert_eq!(given_up["state"], "gave_up", "{given_up}");
    let hours = (now - begin).num_hours();
    assert!((23..=24).contains(&hours), "{hours}");
    assert_eq!(given_up["attempts"], json!(receiver.got().len()));
    let page = app.as_browser_of("vera").await.get("/notifications").await.text;
    assert!(page.contains("given up") && page.contains("answered 503 Service Unavailable"), "{page}");
    assert!(!app.app.courier.deliver_one(now + TimeDelta::days(2)).await.unwrap(), "for good");
}

/// Rejects a run: its end is told.
async fn reject(app: &TestApp, run: &Value) {
    let reject = format!("/api/v1/runs/{}/reject", run["id"].as_str().unwrap());
    app.as_user("abel").await.post(&reject, json!({"comment": "no"})).await.done();
}

fn events(receiver: &Receiver) -> Vec<Value> {
    receiver.got().iter().map(|one| one.json()["event"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn news_does_not_wait_for_the_pause_of_what_failed_before_it() {
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    let id = webhook(&app, "bot", &receiver.url).await;
    let run = request(&app, "slow").await;
    receiver.answer(503);
    let mut now = soon();
    for _ in 0..8 {
        deliver(&app.app.courier, now).await;
        now = newest(&app, id).await["next_at"].as_str().unwrap().parse().unwrap();
    }
    assert!(now > Utc::now() + TimeDelta::minutes(4), "it rests for long: {now}");
    let tried = receiver.got().len();
    // The receiver is back, nobody knows, and something happens.
    receiver.answer(204);
    assert!(!app.app.courier.deliver_one(soon()).await.unwrap(), "it rests");
    reject(&app, &run).await;
    deliver(&app.app.courier, soon()).await;
    assert_eq!(events(&receiver)[tried..], ["approval_needed", "ended"], "at once, and in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn news_takes_nothing_out_of_the_hands_of_who_is_sending_it() {
    use muster_store::outbox::{HELD_AT_MOST, take};
    let app = TestApp::with_pair().await;
    webhook(&app, "bot", "https://a.example").await;
    let run = request(&app, "slow").await;
    let mut conn = app.app.pool.acquire().await.unwrap();
    let now = muster_store::clock::now(&mut conn).await.unwrap();
    let until = now + HELD_AT_MOST;
    assert!(take(&mut conn, now, until).await.unwrap().is_some());
    reject(&app, &run).await;
    let meanwhile = until - TimeDelta::seconds(1);
    assert_eq!(take(&mut conn, meanwhile, until + HELD_AT_MOST).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_as_wrong_is_given_up_and_holds_up_nothing_for_long() {
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    let id = webhook(&app, "bot", &receiver.url).await;
    let run = request(&app, "slow").await;
    let begin = soon();
    let mut now = begin;
    // Failures of another kind do not count.
    for status in [500, 429, 503, 400, 500, 413, 413, 413, 413, 413, 413] {
        receiver.answer(status);
        deliver(&app.app.courier, now).await;
        let seen = newest(&app, id).await;
        if let Some(next) = seen["next_at"].as_str() {
            now = next.parse().unwrap();
        }
    }
    let seen = newest(&app, id).await;
    assert_eq!((&seen["state"], &seen["attempts"]), (&json!("gave_up"), &json!(11)), "{seen}");
    assert_eq!(seen["last_error"], "the endpoint answered 413 Payload Too Large");
    receiver.answer(204);
    reject(&app, &run).await;
    deliver(&app.app.courier, soon()).await;
    assert_eq!(events(&receiver).last().unwrap(), "ended");
    assert!(now - begin < TimeDelta::hours(1), "{now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_after_sending_means_the_same_id_again() {
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    let id = webhook(&app, "bot", &receiver.url).await;
    request(&app, "slow").await;
    receiver.take_ms(600_000);
    let now = soon();
    let courier = Arc::clone(&app.app.courier);
    let dies = tokio::spawn(async move { courier.deliver_one(now).await });
    receiver.wait_for(1).await;
    dies.abort();
    assert!(dies.await.unwrap_err().is_cancelled());
    receiver.take_ms(0);
    assert!(!app.app.courier.deliver_one(now + TimeDelta::seconds(59)).await.unwrap(), "others wait");
    deliver(&app.app.courier, now + TimeDelta::seconds(60)).await;
    let got = receiver.got();
    assert_eq!((got.len(), got[0].id()), (2, got[1].id()));
    let done = newest(&app, id).await;
    assert_eq!((&done["state"], &done["attempts"]), (&json!("delivered"), &json!(2)));
}

/// The outcome of an attempt counts only while nobody else has begun another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_taken_for_dead_changes_nothing_any_more() {
    use muster_store::outbox::{Ended, end, take};
    let app = TestApp::with_pair().await;
    webhook(&app, "bot", "https://a.example").await;
    request(&app, "slow").await;
    let mut conn = app.app.pool.acquire().await.unwrap();
    let now = soon();
    let until = now + TimeDelta::seconds(60);
    let slow = take(&mut conn, now, until).await.unwrap().unwrap();
    assert_eq!(take(&mut conn, now, until).await.unwrap(), None);
    let fast = take(&mut conn, until, until + TimeDelta::seconds(60)).await.unwrap().unwrap();
    assert_eq!((slow.notification, fast.attempts), (fast.notification, 2));
    let failed = Ended::Again { at: until, why: "too slow".to_owned(), refusals: 0 };
    assert!(!end(&mut conn, &slow, until, &failed).await.unwrap());
    assert!(end(&mut conn, &fast, until, &Ended::Delivered).await.unwrap());
    assert!(!end(&mut conn, &fast, until, &failed).await.unwrap(), "delivered is delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_deliver_each_message_once() {
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    receiver.take_ms(3);
    let mut expected = 0;
    for number in 0..6 {
        let id = webhook(&app, &format!("bot-{number}"), &receiver.url).await;
        for _ in 0..4 {
            app.as_user("olga").await.post(&format!("/api/v1/channels/{id}/test"), json!({})).await;
            expected += 1;
        }
    }
    let now = soon();
    let processes = (0..8).map(|_| {
        let courier = app.courier(true, &NotifyConfig::default());
        tokio::spawn(async move {
            for _ in 0..200 {
                if !courier.deliver_one(now).await.unwrap() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        })
    });
    for process in processes.collect::<Vec<_>>() {
        process.await.unwrap();
    }
    let got = receiver.got();
    let ids: BTreeSet<&str> = got.iter().map(Got::id).collect();
    assert_eq!((got.len(), ids.len()), (expected, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_inside_the_network_and_redirects_lead_nowhere() {
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    let inside = receiver.url.replace("127.0.0.1", "localhost");
    let id = webhook(&app, "inside", &inside).await;
    request(&app, "slow").await;
    let now = soon();
    let guarded = app.courier(false, &NotifyConfig::default());
    deliver(&guarded, now).await;
    let refused = newest(&app, id).await["last_error"].as_str().unwrap().to_owned();
    assert!(refused.contains("not a public address"), "{refused}");
    assert_eq!(receiver.got().len(), 0);
    // The same without the guard arrives, and is not led on.
    receiver.answer(302);
    deliver(&app.app.courier, now + TimeDelta::seconds(5)).await;
    assert_eq!(newest(&app, id).await["last_error"], "the endpoint answered 302 Found");
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pagerduty_opens_and_resolves_one_incident() {
    let app = TestApp::with_pair().await;
    let receiver = Receiver::start().await;
    let new = json!({"name": "pager", "kind": "pagerduty", "events": ["approval_needed"], "url": receiver.url,
        "routing_key": "R0UT1NGKEY"});
    channel(&app, new).await;
    let run = request(&app, "slow").await;
    let reject = format!("/api/v1/runs/{}/reject", run["id"].as_str().unwrap());
    app.as_user("abel").await.post(&reject, json!({"comment": "no"})).await.done();
    deliver(&app.app.courier, soon()).await;
    let sent: Vec<(Value, Value)> = receiver
        .got()
        .iter()
        .map(|one| (one.json()["event_action"].clone(), one.json()["dedup_key"].clone()))
        .collect();
    let key = json!(format!("muster/run/{}", run["id"].as_str().unwrap()));
    assert_eq!(sent, [(json!("trigger"), key.clone()), (json!("resolve"), key)]);
}
