//! Mail on the wire: what reaches a mail server, by which way, and what is told when it does not.

use std::{path::PathBuf, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use muster_app::{loops::courier::Courier, process::config::NotifyConfig};
use serde_json::{Value, json};
use tracing::Level;
use uuid::Uuid;

use crate::{
    log_lines::Lines,
    mail_sink::{Authority, MailSink, Manners},
    muster::Dir,
    notifications_sent::{HOSTILE, channel, deliver, newest, request, soon},
    test_app::TestApp,
};

/// User and password of Muster at the server, with what an address has to encode; and as the address has them.
const KNOWN: (&str, &str) = ("muster", "p@ss:w/rd%41");
const IN_ADDRESS: &str = "muster:p%40ss%3Aw%2Frd%2541";
const TO: [&str; 2] = ["oncall@orders.example", "boss@orders.example"];

fn config(url: String, authority: Option<PathBuf>) -> NotifyConfig {
    NotifyConfig {
        smtp_url: Some(url),
        smtp_from: Some("Muster <muster@muster.test>".to_owned()),
        smtp_ca_file: authority,
    }
}

/// A channel of both recipients, and news for it.
async fn news(app: &TestApp, reason: &str) -> Uuid {
    let new = json!({"name": "mail", "kind": "email", "events": ["approval_needed"], "recipients": TO});
    let id = channel(app, new).await;
    request(app, reason).await;
    id
}

/// What became of the news after one attempt by this way.
async fn attempt(app: &TestApp, channel: Uuid, config: &NotifyConfig) -> Value {
    // Earlier attempts of the test rest no longer.
    sqlx::query("update delivery set next_at = now() where next_at is not null")
        .execute(&app.app.pool)
        .await
        .unwrap();
    deliver(&app.courier(true, config), soon()).await;
    newest(app, channel).await
}

#[track_caller]
fn assert_waits(seen: &Value, words: &str) {
    assert_eq!(seen["state"], "waiting", "{seen}");
    assert!(seen["last_error"].as_str().unwrap().contains(words), "{words}: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_reaches_its_recipients_after_a_busy_server() {
    let app = TestApp::with_pair().await;
    let sink = MailSink::start(Manners { busy: 1, ..Manners::default() }).await;
    let courier = app.courier(true, &config(format!("smtp://{}", sink.place), None));
    let id = news(&app, HOSTILE).await;
    let now = soon();
    deliver(&courier, now).await;
    let late = newest(&app, id).await;
    assert_eq!((&late["state"], sink.mails().len()), (&json!("waiting"), 0), "{late}");
    assert_eq!(late["last_error"], "the mail server did not take it: 451 busy, come again", "{late}");
    deliver(&courier, now + TimeDelta::seconds(5)).await;
    let done = newest(&app, id).await;
    assert_eq!((&done["state"], &done["attempts"]), (&json!("delivered"), &json!(2)), "{done}");
    let mails = sink.mails();
    assert_eq!((mails.len(), mails[0].recipients.len()), (1, 2));
    let (head, _) = mails[0].data.split_once("\n\n").unwrap();
    for line in [
        "From: Muster <muster@muster.test>",
        "To: oncall@orders.example, boss@orders.example",
        "Subject: [muster] Approval needed: switchover of orders (run 1)",
        &format!("Message-ID: <{}@muster.test>", done["id"].as_str().unwrap()),
        "Auto-Submitted: auto-generated",
    ] {
        assert!(head.lines().any(|found| found == line), "{line} is not in\n{head}");
    }
    assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_without_a_server_waits_and_says_so() {
    let app = TestApp::with_pair().await;
    let id = news(&app, "slow").await;
    deliver(&app.app.courier, soon()).await;
    assert_eq!(newest(&app, id).await["last_error"], "Muster has no mail server (MUSTER_SMTP_URL)");
    let page = app.as_browser_of("olga").await.get("/notifications").await.text;
    assert!(page.contains("Muster has no mail server") && page.contains("tried again"), "{page}");
    let missing = config("smtps://mail.example".to_owned(), Some(PathBuf::from("/no/such/file")));
    let dir = Dir::new();
    let empty = dir.0.join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let settings = [
        (config("smtp://user:hunter2@mail.example:25".to_owned(), None), "MUSTER_SMTP_URL"),
        (config("nonsense".to_owned(), None), "MUSTER_SMTP_URL"),
        (config("http://mail.example".to_owned(), None), "MUSTER_SMTP_URL"),
        (missing, "could not read MUSTER_SMTP_CA_FILE"),
        (config("smtps://mail.example".to_owned(), Some(empty)), "holds no certificate"),
    ];
    for (config, words) in settings {
        let (pool, key) = (app.app.pool.clone(), Arc::clone(&app.app.secrets_key));
        let refused = Courier::new(pool, key, "http://muster.test".into(), false, &config).unwrap_err();
        let refused = format!("{refused:#}");
        assert!(refused.contains(words) && !refused.contains("hunter2"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_and_password_cross_the_network_encrypted_by_either_way() {
    let (authority, dir) = (Authority::new(), Dir::new());
    let trusted = dir.0.join("authority.pem");
    std::fs::write(&trusted, &authority.pem).unwrap();
    for from_the_start in [false, true] {
        let app = TestApp::with_pair().await;
        let tls = Some(authority.sign("127.0.0.1", false));
        let sink =
            MailSink::start(Manners { tls, from_the_start, known: Some(KNOWN), ..Manners::default() }).await;
        let url = if from_the_start {
            format!("smtps://{IN_ADDRESS}@{}", sink.place)
        } else {
            format!("smtp://{IN_ADDRESS}@{}?tls=required", sink.place)
        };
        let id = news(&app, "slow").await;
        let done = attempt(&app, id, &config(url, Some(trusted.clone()))).await;
        assert_eq!((&done["state"], &done["attempts"]), (&json!("delivered"), &json!(1)), "{done}");
        assert_eq!((sink.mails().len(), sink.mails()[0].recipients.len()), (1, 2));
        let clear: &[&str] = if from_the_start { &[] } else { &["EHLO", "STARTTLS"] };
        assert_eq!(sink.heard_in_the_clear(), clear);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_certificate_is_not_to_be_trusted_hears_neither_mail_nor_password() {
    let app = TestApp::with_pair().await;
    let (authority, dir) = (Authority::new(), Dir::new());
    let trusted = dir.0.join("authority.pem");
    std::fs::write(&trusted, &authority.pem).unwrap();
    let id = news(&app, "slow").await;
    let cases = [
        ("127.0.0.1", false, None, "MUSTER_SMTP_CA_FILE"),
        ("127.0.0.1", true, Some(&trusted), "has expired"),
        ("mail.example", false, Some(&trusted), "is for another host name"),
    ];
    for (name, expired, authority_file, words) in cases {
        for from_the_start in [false, true] {
            let tls = Some(authority.sign(name, expired));
            let manners = Manners { tls, from_the_start, known: Some(KNOWN), ..Manners::default() };
            let sink = MailSink::start(manners).await;
            let url = if from_the_start {
                format!("smtps://{IN_ADDRESS}@{}", sink.place)
            } else {
                format!("smtp://{IN_ADDRESS}@{}?tls=required", sink.place)
            };
            let late = attempt(&app, id, &config(url, authority_file.cloned())).await;
            assert_waits(&late, "nothing was sent to the mail server: its certificate");
            assert_waits(&late, words);
            let heard = sink.heard();
            assert!(heard.iter().all(|one| ["EHLO", "STAR"].contains(&&one.line[..4])), "{heard:?}");
        }
    }
    let page = app.as_browser_of("olga").await.get("/notifications").await.text;
    assert!(page.contains("is for another host name"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_offers_no_starttls_hears_nothing_but_a_greeting() {
    let app = TestApp::with_pair().await;
    let id = news(&app, "slow").await;
    let sink = MailSink::start(Manners { known: Some(KNOWN), ..Manners::default() }).await;
    let required = format!("smtp://{IN_ADDRESS}@{}?tls=required", sink.place);
    assert_waits(&attempt(&app, id, &config(required, None)).await, "does not offer STARTTLS");
    assert_eq!(sink.heard_in_the_clear(), ["EHLO"]);

    // It offers it and then does not do it.
    let manners = Manners {
        tls: Some(Authority::new().sign("127.0.0.1", false)),
        answers: vec![("STARTTLS", "454 not now")],
        ..Manners::default()
    };
    let sink = MailSink::start(manners).await;
    let required = format!("smtp://{IN_ADDRESS}@{}?tls=required", sink.place);
    assert_waits(&attempt(&app, id, &config(required, None)).await, "454 not now");
    assert!(!sink.heard().iter().any(|heard| heard.line.starts_with("AUTH")), "{:?}", sink.heard());

    // TLS asked of a port that speaks none.
    let sink = MailSink::start(Manners::default()).await;
    let wrapped = format!("smtps://{IN_ADDRESS}@{}", sink.place);
    assert_waits(&attempt(&app, id, &config(wrapped, None)).await, "its port does not begin with TLS");
    assert_eq!(sink.mails().len(), 0);
}

// One thread: what is logged is this thread's.
#[tokio::test]
async fn a_password_that_is_refused_is_neither_shown_nor_logged_and_no_news_is_lost_by_it() {
    let app = TestApp::with_pair().await;
    let (authority, dir) = (Authority::new(), Dir::new());
    let trusted = dir.0.join("authority.pem");
    std::fs::write(&trusted, &authority.pem).unwrap();
    let tls = Some(authority.sign("127.0.0.1", false));
    let sink =
        MailSink::start(Manners { tls, known: Some(("muster", "another")), ..Manners::default() }).await;
    let config = config(format!("smtp://{IN_ADDRESS}@{}?tls=required", sink.place), Some(trusted));
    let id = news(&app, "slow").await;
    let lines = Lines::default();
    let guard = lines.capture(Level::TRACE);
    let mut seen = Value::Null;
    for _ in 0..8 {
        seen = attempt(&app, id, &config).await;
    }
    drop(guard);
    assert_waits(
        &seen,
        "does not take the user and password of MUSTER_SMTP_URL: 535 5.7.8 not by AUTH PLAIN [hidden]",
    );
    let said = format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{}\0{}", KNOWN.0, KNOWN.1)));
    assert!(sink.heard().iter().any(|heard| heard.encrypted && heard.line == said), "it was told");
    let page = app.as_browser_of("olga").await.get("/notifications").await.text;
    let logged = lines.text();
    assert!(logged.contains("does not take the user and password"), "{logged}");
    let plain = said.strip_prefix("AUTH PLAIN ").unwrap();
    for secret in [KNOWN.1, plain, &STANDARD.encode(KNOWN.1), "p%40ss"] {
        for text in [&logged, &page, &seen.to_string()] {
            assert!(!text.contains(secret), "{secret} is in\n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_for_good_is_given_up_and_the_page_says_so() {
    let app = TestApp::with_pair().await;
    let id = news(&app, "slow").await;
    let manners = Manners { answers: vec![("RCPT", "550 5.1.1 nobody here")], ..Manners::default() };
    let sink = MailSink::start(manners).await;
    let config = config(format!("smtp://{}", sink.place), None);
    let mut seen = Value::Null;
    for _ in 0..6 {
        seen = attempt(&app, id, &config).await;
    }
    assert_eq!((&seen["state"], &seen["attempts"]), (&json!("gave_up"), &json!(6)), "{seen}");
    let words = "the mail server did not take it for oncall@orders.example (550 5.1.1 nobody here), \
                 boss@orders.example (550 5.1.1 nobody here)";
    assert_eq!(seen["last_error"], words);
    let page = app.as_browser_of("olga").await.get("/notifications").await.text;
    assert!(page.contains("given up") && page.contains("550 5.1.1 nobody here"), "{page}");
    assert_eq!(sink.mails().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_no_more_does_not_keep_news_from_the_others() {
    let app = TestApp::with_pair().await;
    let id = news(&app, "slow").await;
    let manners = Manners { answers: vec![("RCPT TO:<boss@", "550 5.1.1 gone")], ..Manners::default() };
    let sink = MailSink::start(manners).await;
    let seen = attempt(&app, id, &config(format!("smtp://{}", sink.place), None)).await;
    assert_eq!((&seen["state"], &seen["attempts"]), (&json!("gave_up"), &json!(1)), "{seen}");
    let words = "it went to oncall@orders.example only; the mail server did not take it for boss@orders.example (550 5.1.1 gone). \
                 Correct the recipients of this channel";
    assert_eq!(seen["last_error"], words);
    let mails = sink.mails();
    assert_eq!(
        (mails.len(), mails[0].recipients.len()),
        (1, 1),
        "once, and not to whom it was not taken for"
    );
    assert!(mails[0].recipients[0].starts_with("RCPT TO:<oncall@orders.example>"), "{mails:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_slow_to_say_good_bye_has_the_mail_once() {
    let app = TestApp::with_pair().await;
    let id = news(&app, "slow").await;
    let sink = MailSink::start(Manners { answers: vec![("QUIT", "")], ..Manners::default() }).await;
    let done = attempt(&app, id, &config(format!("smtp://{}", sink.place), None)).await;
    assert_eq!((&done["state"], sink.mails().len()), (&json!("delivered"), 1), "{done}");
}
