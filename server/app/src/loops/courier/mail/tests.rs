//! A server that takes the connection and says nothing; the others are in the tests through the front.

use std::net::TcpListener;

use chrono::Utc;
use muster_domain::{
    ids::TeamName,
    notification::{Alarm, EventKind, Message},
};
use uuid::Uuid;

use super::*;
use crate::loops::courier::Then;

fn message() -> Message {
    Message {
        id: Uuid::from_u128(1),
        at: Utc::now(),
        team: TeamName::new("core").unwrap(),
        pair: None,
        kind: EventKind::Ended,
        subject: "run/1".to_owned(),
        alarm: Alarm::Resolved,
        title: "It ended".to_owned(),
        text: "It ended.".to_owned(),
        facts: Vec::new(),
        next_step: String::new(),
        link_text: "the run",
        link: "http://muster.test/runs/1".to_owned(),
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_no_longer_than_it_may_take() {
    // The system completes connections to it, and nobody ever takes one.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    for url in [
        format!("smtp://{at}"),
        format!("smtp://u:hunter2@{at}?tls=required"),
        format!("smtps://u:hunter2@{at}"),
    ] {
        let server = Server::read(&SecretString::from(url.as_str()), None).unwrap();
        let from = "muster@muster.test".parse().unwrap();
        let mail = Mail { server, from, within: Duration::from_millis(300) };
        let (message, recipients) = (message(), ["oncall@orders.example".to_owned()]);
        let sent = tokio::time::timeout(Duration::from_secs(60), mail.send(&message, &recipients));
        let not = sent.await.expect("it is not waited for longer").unwrap_err();
        assert!(not.why.starts_with("the mail server did not answer within 0.3 s"), "{}", not.why);
        assert_eq!(not.then, Then::Later);
    }
}
