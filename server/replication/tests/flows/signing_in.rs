//! Signing in at Connect: on every request, at one address only, and what it is not to be let in.

use axum::{Router, response::Redirect};
use chrono::DateTime;
use muster_domain::{
    connect_credentials::{ConnectCredentials, ConnectSignIn},
    survey::{ConnectorRole::*, FlowObservation},
};
use muster_replication::{
    Mm2OnConnect, Replication, ReplicationErrorKind,
    connect::{ConnectClient, origin},
};

use crate::{
    fake_connect::{FakeConnect, SOURCE},
    mirror, world,
};

/// base64 of `muster:hünter2:x`
const HEADER: &str = "Basic bXVzdGVyOmjDvG50ZXIyOng=";
const PASSWORD: &str = "hünter2:x";

fn by_user(address: &str) -> ConnectCredentials {
    let sign_in = ConnectSignIn::Basic { username: "muster".to_owned(), password: PASSWORD.into() };
    ConnectCredentials { address: address.to_owned(), sign_in }
}

fn by_token(address: &str) -> ConnectCredentials {
    let sign_in = ConnectSignIn::Bearer { token: "eyJhunter3".into() };
    ConnectCredentials { address: address.to_owned(), sign_in }
}

/// A worker that asks who one is, and takes this.
async fn asking_for(header: &str) -> FakeConnect {
    let connect = FakeConnect::start().await;
    connect.lock().day.authorization = Some(header.to_owned());
    connect
}

fn signing_in(connect: &FakeConnect, credentials: ConnectCredentials) -> Mm2OnConnect {
    mirror(connect, &world()).signing_in(credentials)
}

async fn observe(flow: &Mm2OnConnect) -> FlowObservation {
    flow.observe(DateTime::UNIX_EPOCH).await
}

#[tokio::test]
async fn what_is_kept_is_sent_on_every_request_and_never_shown() {
    type Credentials = fn(&str) -> ConnectCredentials;
    let ways: [(&str, Credentials); 2] = [(HEADER, by_user), ("Bearer eyJhunter3", by_token)];
    for (header, credentials) in ways {
        let connect = asking_for(header).await;
        let flow = signing_in(&connect, credentials(&connect.url));
        let seen = observe(&flow).await;
        assert!(seen.worker.value().is_some() && seen.connectors[&Source].value().is_some(), "{seen:?}");
        flow.stop(Source, 60_000).await.expect("it stops");
        flow.resume(Source, 60_000).await.expect("it runs again");
        let worker = connect.lock();
        assert!(worker.log.iter().any(|line| line.starts_with("PUT")), "{:?}", worker.log);
        assert!(worker.signed.iter().all(|signed| signed.as_deref() == Some(header)), "{:?}", worker.signed);
        let said = format!("{flow:?} {}", serde_json::to_string(&seen).expect("serialisable"));
        assert!(!said.contains("nter2") && !said.contains("hunter3") && !said.contains("bXVz"), "{said}");
    }
}

#[tokio::test]
async fn it_goes_before_what_stands_in_the_address() {
    let connect = asking_for(HEADER).await;
    let url = connect.url.replace("http://", "http://other:word@");
    let client = ConnectClient::new(&url).expect("an address").signing_in(by_user(&connect.url));
    client.root().await.expect("let in");
    assert_eq!(connect.lock().signed, [Some(HEADER.to_owned())], "once, not twice");
    // What was entered for another address leaves alone what stands in this one.
    let client = ConnectClient::new(&url).expect("an address").signing_in(by_user("http://other:1"));
    client.root().await.expect_err("not let in");
    // base64 of `other:word`
    assert_eq!(connect.lock().signed[1].as_deref(), Some("Basic b3RoZXI6d29yZA=="));
}

#[tokio::test]
async fn it_is_sent_to_no_other_address() {
    let connect = asking_for(HEADER).await;
    let port = connect.url.rsplit(':').next().expect("a port");
    for entered_for in [
        format!("http://localhost:{port}"),
        "http://127.0.0.1:1".to_owned(),
        format!("https://127.0.0.1:{port}"),
    ] {
        let seen = observe(&signing_in(&connect, by_user(&entered_for))).await;
        let said = seen.worker.as_result().expect_err("not let in").to_owned();
        assert_eq!(
            said,
            format!(
                "ask the worker who it is ({}): Connect answered 401 (User cannot access the resource.) and did nothing: it asks who \
                 Muster is, and what is kept to sign in with was entered for {entered_for} and is sent nowhere else; an owner of the \
                 pair enters it for this address under “Sign in at Connect”",
                connect.url
            )
        );
    }
    assert!(connect.lock().signed.iter().all(Option::is_none), "{:?}", connect.lock().signed);
}

#[tokio::test]
async fn it_follows_nobody_who_leads_elsewhere() {
    let elsewhere = FakeConnect::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let leads = elsewhere.url.clone();
    let app = Router::new().fallback(move || async move { Redirect::temporary(&format!("{leads}/")) });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = ConnectClient::new(&url).expect("an address").signing_in(by_user(&url));
    let led = client.root().await.expect_err("nobody answered");
    assert!(matches!(led.kind, ReplicationErrorKind::Status { status: 307, .. }), "{led}");
    assert_eq!(elsewhere.lock().log, Vec::<String>::new());
}

#[tokio::test]
async fn a_refused_password_is_tried_once_and_a_survey_says_what_to_do() {
    let connect = asking_for("Basic other").await;
    let flow = signing_in(&connect, by_user(&connect.url));
    let meaning = "it does not take the user `muster` with the password that is kept; an owner of the pair enters it anew under \
        “Sign in at Connect”. Until then it is asked once in 30 s, so that the user is not locked out there";
    for _ in 0..3 {
        let seen = observe(&flow).await;
        let told = [
            seen.worker.as_result().expect_err("not let in"),
            seen.connectors[&Source].as_result().expect_err("not let in"),
            seen.committed.as_result().expect_err("not let in"),
            seen.newest_pairs.as_result().expect_err("not let in"),
        ];
        assert!(seen.shut_out, "it is there");
        for said in told {
            assert!(said.ends_with(&format!("and did nothing: {meaning}")), "{said}");
        }
    }
    let refused = flow.stop(Source, 60_000).await.expect_err("not let in");
    assert!(!refused.may_pass() && refused.to_string().ends_with(meaning), "{refused}");
    assert_eq!(connect.lock().log.len(), 1, "{:?}", connect.lock().log);
    // What is entered anew is tried at once.
    connect.lock().day.authorization = Some("Bearer eyJhunter3".to_owned());
    let flow = flow.signing_in(by_token(&connect.url));
    assert!(observe(&flow).await.worker.value().is_some());
}

#[tokio::test]
async fn each_way_not_to_be_let_in_says_what_it_means() {
    let connect = asking_for("Basic other").await;
    let client = || ConnectClient::new(&connect.url).expect("an address");
    let told = async |client: ConnectClient| client.root().await.expect_err("not let in").to_string();
    let nothing = told(client()).await;
    assert!(
        nothing.contains("nothing is kept for this address; an owner of the pair enters it under"),
        "{nothing}"
    );
    let token = told(client().signing_in(by_token(&connect.url))).await;
    assert!(token.contains("it does not take the token that is kept, which may have run out"), "{token}");

    connect.lock().day.authorization = None;
    for (client, meaning) in [
        (client(), "it does not do this for everybody, and nothing is kept for this address"),
        (
            client().signing_in(by_user("http://other:1")),
            "was entered for http://other:1 and is sent nowhere else",
        ),
        (
            client().signing_in(by_user(&connect.url)),
            "it does not let the user `muster` do this; give them the right",
        ),
        (
            client().signing_in(by_token(&connect.url)),
            "it does not let who has the token that is kept do this",
        ),
    ] {
        connect.lock().day.refuse = vec![(403, "no")];
        let refused = client.stop(SOURCE).await.expect_err("not allowed");
        assert!(refused.to_string().contains("Connect answered 403 (no) and did nothing: "), "{refused}");
        assert!(refused.to_string().contains(meaning) && !refused.may_pass(), "{refused}");
        // Who is known and may not do one thing goes on with others.
        client.status(SOURCE).await.expect("let in");
    }
}

#[tokio::test]
async fn whoever_cites_what_was_sent_is_not_cited() {
    let connect = FakeConnect::start().await;
    let client = ConnectClient::new(&connect.url).expect("an address").signing_in(by_user(&connect.url));
    connect.lock().day.refuse = vec![(400, "no `Basic bXVzdGVyOmjDvG50ZXIyOng=` with hünter2:x here")];
    let cited = client.stop(SOURCE).await.expect_err("refused");
    let said = "Connect answered 400: no `Basic [redacted]` with [redacted] here";
    assert!(cited.to_string().ends_with(said), "{cited}");
    let client = client.signing_in(by_token(&connect.url));
    connect.lock().day.refuse = vec![(403, "eyJhunter3 may not")];
    let cited = client.stop(SOURCE).await.expect_err("refused");
    assert!(
        cited.to_string().contains("Connect answered 403 ([redacted] may not) and did nothing"),
        "{cited}"
    );
}

#[test]
fn an_address_is_scheme_host_and_port() {
    for (url, is) in [
        ("http://connect:8083", Some("http://connect:8083")),
        (" https://me:word@Connect.example/rest/?x=1#y ", Some("https://connect.example")),
        ("http://connect:80/a", Some("http://connect")),
        ("http://[fd00::1]:8083", Some("http://[fd00::1]:8083")),
        ("ftp://connect", None),
        ("connect:8083", None),
        ("", None),
    ] {
        assert_eq!(origin(url).as_deref(), is, "{url}");
    }
}
