//! The webhook, against receivers of several kinds.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use muster_domain::pair::RoutingTarget;
use muster_routing::{Audience::*, Destination, Routing, RoutingOptions, Webhook, build};
use serde_json::{Value, json};

use crate::{RUN, to};

/// A receiver and what it got.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Got>>);

#[derive(Default)]
struct Got {
    messages: Vec<(HeaderMap, Bytes)>,
    /// Answers to the next messages; 200 after that.
    answers: Vec<u16>,
    /// Tells where applications go, and believes what it is told.
    tells: bool,
    /// Tells this whatever it was told.
    stubborn: Option<Value>,
    hangs: bool,
    /// How many messages came while it hung.
    unanswered: usize,
}

impl Receiver {
    fn lock(&self) -> MutexGuard<'_, Got> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hooks/move", listener.local_addr().expect("bound"));
        let app = Router::new()
            .route("/hooks/move", get(tell).post(receive))
            .route("/away", get(|| async { Redirect::temporary("http://169.254.169.254/") }))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let hangs = {
        let mut got = receiver.lock();
        got.unanswered += usize::from(got.hangs);
        got.hangs
    };
    if hangs {
        std::future::pending::<()>().await;
    }
    let mut got = receiver.lock();
    got.messages.push((headers, body));
    let status = if got.answers.is_empty() { 200 } else { got.answers.remove(0) };
    (StatusCode::from_u16(status).expect("a status"), "said the receiver").into_response()
}

async fn tell(State(receiver): State<Receiver>) -> Response {
    let got = receiver.lock();
    if let Some(answer) = &got.stubborn {
        return axum::Json(answer.clone()).into_response();
    }
    if !got.tells {
        return "only listening".into_response();
    }
    let mut book = json!({"pair": "orders", "producers": null, "consumers": null});
    for (_, body) in &got.messages {
        let message: Value = serde_json::from_slice(body).expect("JSON");
        book[message["audience"].as_str().expect("an audience")] = message["destination"].clone();
    }
    axum::Json(book).into_response()
}

fn options() -> RoutingOptions {
    RoutingOptions { webhook_secret: Some("s3cret".into()), allow_private_webhooks: true }
}

#[tokio::test]
async fn messages_are_signed_and_name_their_run() {
    let receiver = Receiver::default();
    let webhook = Webhook::new(&receiver.start().await, &options());
    webhook.send(Producers, &to("central", 3)).await.expect("taken");
    let (headers, body) = receiver.lock().messages.remove(0);
    let text: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&text["audience"], &text["destination"]["epoch"]), (&json!("producers"), &json!(3)));
    assert_eq!(headers["idempotency-key"], format!("{RUN}-producers-central"));
    assert_eq!(headers["content-type"], "application/json");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"s3cret");
    let signature = headers["x-muster-signature"].to_str().expect("text");
    let hex = signature.strip_prefix("sha256=").expect("the scheme");
    aws_lc_rs::hmac::verify(&key, &body, &hex::decode(hex).expect("hex"))
        .expect("the signature fits the body");
    assert_eq!(webhook.current(Producers).await.expect("asked"), None, "it only listens");
}

#[tokio::test]
async fn it_is_tried_without_sending_anybody_anywhere() {
    let receiver = Receiver::default();
    let webhook = Webhook::new(&receiver.start().await, &options());
    webhook.check("orders").await.expect("it answers");
    assert_eq!(receiver.lock().messages.len(), 0, "nobody was sent");
    let nobody = Webhook::new("http://127.0.0.1:1/hooks/move", &options());
    nobody.check("orders").await.expect_err("nobody listens there");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_may_not_is_not() {
    let receiver = Receiver::default();
    let webhook = Webhook::new(&receiver.start().await, &options());
    receiver.lock().answers = vec![503, 429];
    webhook.send(Consumers, &to("central", 1)).await.expect("the third is taken");
    let keys: Vec<_> =
        receiver.lock().messages.iter().map(|(headers, _)| headers["idempotency-key"].clone()).collect();
    assert!(
        keys.len() == 3 && keys.windows(2).all(|two| two[0] == two[1]),
        "a retry is the same wish: {keys:?}"
    );
    receiver.lock().answers = vec![422];
    let refused = webhook.send(Consumers, &to("central", 1)).await.expect_err("refused");
    assert!(!refused.may_pass, "{refused}");
    assert_eq!(refused.reason, "the endpoint answered 422 Unprocessable Entity: said the receiver");
    assert_eq!(receiver.lock().messages.len(), 4);
    receiver.lock().answers = vec![500; 9];
    let broken = webhook.send(Consumers, &to("central", 1)).await.expect_err("broken");
    assert!(broken.may_pass, "{broken}");
    assert_eq!(receiver.lock().messages.len(), 7);
}

#[tokio::test]
async fn a_receiver_that_tells_is_believed_only_when_it_tells_the_new_place() {
    let receiver = Receiver::default();
    receiver.lock().tells = true;
    let webhook = Webhook::new(&receiver.start().await, &options());
    webhook.send(Producers, &to("central", 1)).await.expect("told");
    assert_eq!(webhook.current(Producers).await.expect("asked"), Some(to("central", 1)));
    assert_eq!(webhook.current(Consumers).await.expect("asked"), None);
    receiver.lock().stubborn = Some(json!({"pair": "orders", "producers": to("west", 1), "consumers": null}));
    let error = webhook.send(Producers, &to("central", 1)).await.expect_err("it stays");
    assert_eq!(error.reason, "it took producers' new place, but still sends them to `west`");
}

#[tokio::test]
async fn consumers_are_asked_to_wait_and_let_go_again() {
    let receiver = Receiver::default();
    let webhook = Webhook::new(&receiver.start().await, &options());
    let wait = Destination { hold: true, ..to("west", 1) };
    webhook.send(Consumers, &wait).await.expect("taken");
    webhook.send(Consumers, &to("west", 1)).await.expect("taken");
    let messages: Vec<(String, Value)> = receiver
        .lock()
        .messages
        .iter()
        .map(|(headers, body)| {
            let text: Value = serde_json::from_slice(body).expect("JSON");
            (
                headers["idempotency-key"].to_str().expect("text").to_owned(),
                text["destination"]["hold"].clone(),
            )
        })
        .collect();
    assert_eq!(
        messages,
        [(format!("{RUN}-consumers-west-hold"), json!(true)), (format!("{RUN}-consumers-west"), Value::Null)],
        "two wishes, and nothing about waiting where nobody waits"
    );
    let tells = |told: &Destination| json!({"pair": "orders", "producers": null, "consumers": told});
    receiver.lock().stubborn = Some(tells(&wait));
    let error = webhook.send(Consumers, &to("west", 1)).await.expect_err("they still wait");
    assert_eq!(error.reason, "it took consumers' new place, but still lets them wait on `west`");
    receiver.lock().stubborn = Some(tells(&to("west", 1)));
    webhook.send(Consumers, &wait).await.expect("it knows nothing of waiting");
}

#[tokio::test]
async fn private_addresses_are_refused_unless_allowed() {
    let receiver = Receiver::default();
    let url = receiver.start().await;
    let strict = RoutingOptions { allow_private_webhooks: false, ..options() };
    let port = url.split(':').nth(2).expect("a port").to_owned();
    for address in [
        url.clone(),
        format!("http://localhost:{port}"),
        format!("http://[::1]:{port}"),
        format!("http://2130706433:{port}"),
    ] {
        let error =
            Webhook::new(&address, &strict).send(Producers, &to("west", 1)).await.expect_err(&address);
        assert!(!error.may_pass, "{address}: {error}");
        assert!(error.reason.contains("not a public address"), "{address}: {error}");
    }
    assert_eq!(receiver.lock().messages.len(), 0);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let receiver = Receiver::default();
    let url = receiver.start().await.replace("/hooks/move", "/away");
    let webhook = Webhook::new(&url, &options());
    assert_eq!(webhook.current(Producers).await.expect("a redirect tells nothing"), None);
    assert!(webhook.send(Producers, &to("west", 1)).await.is_err());
}

#[tokio::test]
async fn credentials_of_the_url_are_never_shown() {
    let webhook = Webhook::new("https://bot:s3cret@hooks.example:8443/a/b?token=s3cret", &options());
    assert_eq!(webhook.describe(), "webhook https://hooks.example:8443/a/b");
    let dead = Webhook::new("http://bot:s3cret@127.0.0.1:9/x?token=s3cret", &options());
    let error = dead.send(Producers, &to("west", 1)).await.expect_err("nobody listens");
    assert!(error.may_pass && !error.to_string().contains("s3cret"), "{error}");
    assert!(!format!("{dead:?}").contains("s3cret"), "{dead:?}");
}

#[tokio::test]
async fn a_pair_gets_its_switches_in_order_and_a_bad_url_says_so_when_used() {
    let targets = [
        RoutingTarget::Webhook { url: "not a url".to_owned() },
        RoutingTarget::AddressBook { path: "/var/lib/x.json".to_owned() },
    ];
    let switches = build(&targets, &options());
    let shown: Vec<_> = switches.iter().map(|switch| switch.describe()).collect();
    assert_eq!(shown, ["webhook (unreadable URL)", "address book /var/lib/x.json"]);
    let error = switches[0].send(Producers, &to("west", 1)).await.expect_err("unusable");
    assert!(!error.may_pass && error.reason.starts_with("the URL cannot be read"), "{error}");
}

#[tokio::test]
async fn a_receiver_that_hangs_does_not_hold_the_run() {
    let receiver = Receiver::default();
    receiver.lock().hangs = true;
    let webhook = Webhook::new(&receiver.start().await, &options());
    let to = to("west", 1);
    let sent = tokio::time::timeout(Duration::from_secs(120), webhook.send(Producers, &to));
    let error = sent.await.expect("it is given up").expect_err("no answer");
    assert_eq!((error.reason.as_str(), error.may_pass), ("no answer within 5 s", true));
    assert_eq!(receiver.lock().unanswered, 3, "it is tried three times, each for 5 s");
}
