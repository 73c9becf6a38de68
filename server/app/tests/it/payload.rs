//! What is in a record that a content proof cites: shown where the pair's owners allow it, to operators who are there, with an
//! entry before anything is read, and kept nowhere.

use axum::http::header;
use bytes::Bytes;
use chrono::Utc;
use muster_app::{auth::tokens::Audience, loops::proof::carry_out_one};
use muster_domain::{audit::AuditEntry, hash::sha256_hex, topic::TopicPartition};
use muster_kafka::double::{EntryKind, Fault, Health, Log, Payload};
use muster_store::{audit, people, sessions, tokens};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    cli::Shell,
    kept_lines::Lines,
    session::{Reply, Session},
    test_app::{TestApp, id},
};

/// One the flow copies.
const TOPIC: &str = "orders.placed";
const SECRET: &str = "a secret of somebody";
const PASSWORD: &str = "correct horse battery";

fn foreign() -> Payload {
    Payload {
        timestamp: 1_800_000_000_000,
        key: Some(Bytes::from_static(b"whose-key")),
        value: Some(Bytes::from_static(SECRET.as_bytes())),
        headers: vec![("h".to_owned(), Some(Bytes::new())), ("none".to_owned(), None)],
    }
}

/// A record of a foreign writer that a proof cites.
struct Cited {
    proof: Uuid,
    at: TopicPartition,
    offset: i64,
}

impl Cited {
    async fn new(app: &TestApp) -> Self {
        let at = TopicPartition::new(TOPIC, 0);
        app.small.world.lock().cluster_mut("eu-central").log_mut(&at).unwrap().append(foreign(), 0, false);
        let otto = app.as_user("otto").await;
        let asked = otto.post("/api/v1/pairs/orders/proofs", json!({"kind": "content"})).await;
        assert_eq!(asked.status, 202, "{}", asked.text);
        let proof: Uuid = asked.json()["id"].as_str().unwrap().parse().unwrap();
        let clients = &*app.app.hands;
        assert!(carry_out_one(&app.app.pool, clients, "one", &CancellationToken::new()).await.unwrap());
        let evidence = otto.get(&format!("/api/v1/proofs/{proof}")).await.done();
        let partitions = evidence["result"]["partitions"].as_array().unwrap();
        let there = json!({"topic": at.topic, "partition": at.partition});
        let of_it = partitions.iter().find(|one| one["target"] == there).unwrap();
        let example = &of_it["found"]["examples"][0];
        assert_eq!(example["kind"], "extra", "{evidence:#}");
        Self { proof, at, offset: example["target_offset"].as_i64().unwrap() }
    }

    fn ask(&self) -> Value {
        let (topic, partition) = (&self.at.topic, self.at.partition);
        json!({"topic": topic, "partition": partition, "offset": self.offset, "side": "target"})
    }

    fn path(&self) -> String {
        format!("/api/v1/pairs/orders/proofs/{}/record", self.proof)
    }

    async fn shown_to(&self, session: &Session<'_>) -> Reply {
        session.post(&self.path(), self.ask()).await
    }

    fn form(&self) -> Vec<(&'static str, String)> {
        vec![
            ("proof", self.proof.to_string()),
            ("side", "target".to_owned()),
            ("topic", self.at.topic.clone()),
            ("partition", self.at.partition.to_string()),
            ("offset", self.offset.to_string()),
        ]
    }

    async fn form_of(&self, browser: &Session<'_>) -> Reply {
        let form = self.form();
        let fields: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.form("/pairs/orders/content/record", &fields).await
    }
}

async fn allow(app: &TestApp) {
    let pair =
        app.as_user("olga").await.patch("/api/v1/pairs/orders", json!({"show_payload": true})).await.done();
    assert_eq!(pair["show_payload"], true);
}

/// Entries of showing payload, oldest first.
async fn entries(app: &TestApp) -> Vec<AuditEntry> {
    let mut conn = app.app.pool.acquire().await.unwrap();
    let filter = audit::AuditFilter { action: Some("payload.show".to_owned()), ..Default::default() };
    let mut entries = audit::list(&mut conn, &filter, 1000).await.unwrap();
    entries.reverse();
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cited_record_is_shown_to_operators_where_owners_allow_it() {
    let app = TestApp::with_pair().await;
    let cited = Cited::new(&app).await;
    let otto = app.as_user("otto").await;
    let refused = cited.shown_to(&otto).await;
    assert_eq!(refused.problem(), ("payload-not-allowed".to_owned(), 409));
    let content = |who: &'static str| {
        let app = &app;
        async move { app.as_browser_of(who).await.get("/pairs/orders/content").await.text }
    };
    assert!(content("otto").await.contains("may not be shown; an owner of"), "he may not allow it");
    let (link, button) =
        ("href=\"/pairs/orders/edit\">Allow it in the settings of orders</a>", "Show record ");
    assert!(content("olga").await.contains(link), "she may");

    allow(&app).await;
    for who in ["vera", "abel", "olga", "ada", "outis"] {
        let refused = cited.shown_to(&app.as_user(who).await).await;
        assert_eq!(refused.problem(), ("forbidden".to_owned(), 403), "{who}");
    }
    assert!(!content("vera").await.contains(button));
    let before = app.small.world.calls();
    let told = cited.shown_to(&otto).await;
    assert_eq!(told.header("cache-control"), "no-store");
    let told = told.done();
    assert_eq!(app.small.world.calls(), before, "looking changes nothing");
    let excerpt = |shown: &str| json!({"written": "text", "shown": shown, "bytes": shown.len(), "cut": 0});
    let place = json!({"side": "target", "cluster": "eu-central", "topic": cited.at.topic, "partition": 0, "offset": cited.offset});
    let mut item = place.clone();
    item.as_object_mut().unwrap().extend(json!({
        "state": "shown", "reason": "", "committed": true,
        "record": {
            "timestamp": "2027-01-15T08:00:00Z", "timestamp_type": "create_time",
            "key": excerpt("whose-key"), "value": excerpt(SECRET), "headers_cut": 0,
            "headers": [{"name": excerpt("h"), "value": excerpt("")}, {"name": excerpt("none"), "value": null}],
        },
    }).as_object().unwrap().clone());
    assert_eq!(told, json!({"proof": cited.proof, "pair": "orders", "items": [item]}));
    let entry = entries(&app).await.pop().unwrap().content;
    assert_eq!(
        (entry.actor.as_str(), entry.object, entry.outcome.as_str()),
        ("otto", format!("proof {}", cited.proof), "done")
    );
    assert_eq!(entry.detail, json!({"pair": "orders", "proof": 1, "records": [place]}));

    let browser = app.as_browser_of("otto").await;
    assert!(content("otto").await.contains(&format!("{button}{}-0 @ ", cited.at.topic)));
    let page = cited.form_of(&browser).await;
    assert_eq!((page.status.as_u16(), page.header("cache-control")), (200, "no-store"), "{}", page.text);
    assert!(page.text.contains(SECRET) && page.text.contains("empty: 0 bytes"), "{}", page.text);
    assert_eq!(app.audited("payload.show").await.last().unwrap().2, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_no_way_to_look_at_other_records() {
    let app = TestApp::with_pair().await;
    let cited = Cited::new(&app).await;
    allow(&app).await;
    let otto = app.as_user("otto").await;
    for (member, value) in [
        ("offset", json!(cited.offset - 1)),
        ("side", json!("source")),
        ("partition", json!(1)),
        ("topic", json!("payments")),
        ("offset", json!(i64::MAX)),
        ("partition", json!(-1)),
    ] {
        let mut ask = cited.ask();
        ask[member] = value.clone();
        let refused = otto.post(&cited.path(), ask).await;
        assert_eq!(refused.problem(), ("record-not-cited".to_owned(), 404), "{member} {value}");
    }
    let other = cited.path().replace(&cited.proof.to_string(), &Uuid::nil().to_string());
    assert_eq!(otto.post(&other, cited.ask()).await.problem(), ("not-found".to_owned(), 404));
    assert_eq!(
        otto.post(&cited.path(), json!({"topic": "orders"})).await.problem(),
        ("invalid-request".to_owned(), 422)
    );
    let done = entries(&app).await.into_iter().filter(|entry| entry.content.outcome == "done").count();
    assert_eq!(done, 0, "nothing was read");

    // What owners allow holds for what is theirs now.
    let narrowed = json!({"topics": ["payments.*"]});
    app.as_user("olga").await.patch("/api/v1/pairs/orders", narrowed).await.done();
    let refused = cited.shown_to(&otto).await;
    assert_eq!(refused.problem(), ("payload-not-allowed".to_owned(), 409));
    assert!(refused.text.contains("is no topic of pair `orders` now"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_says_why_and_its_entry_is_there() {
    let app = TestApp::with_pair().await;
    let cited = Cited::new(&app).await;
    allow(&app).await;
    let otto = app.as_user("otto").await;
    let browser = app.as_browser_of("otto").await;
    let world = app.small.world.clone();
    let log = |change: &dyn Fn(&mut Log)| {
        change(world.lock().cluster_mut("eu-central").log_mut(&cited.at).unwrap());
    };
    let says = async |state: &str, why: &str| {
        let before = entries(&app).await.len();
        let refused = cited.shown_to(&otto).await;
        assert_eq!(refused.problem(), ("record-not-readable".to_owned(), 409), "{}", refused.text);
        assert_eq!(refused.json()["items"][0]["state"], state, "{}", refused.text);
        assert!(refused.text.contains(why) && !refused.text.contains(SECRET), "{why}: {}", refused.text);
        let new = entries(&app).await.split_off(before);
        let outcomes: Vec<String> = new.into_iter().map(|entry| entry.content.outcome).collect();
        assert_eq!(outcomes, ["done", "refused"], "who asked is kept before anything is read");
        let page = cited.form_of(&browser).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains(why) && !page.text.contains(SECRET), "{why}: {}", page.text);
    };
    world.lock().faults.always("read", Fault::Timeout);
    says("unreadable", "no answer within").await;
    world.lock().faults.clear();
    world.lock().cluster_mut("eu-central").health = Health::Dead;
    says("unreadable", "eu-central").await;
    world.lock().cluster_mut("eu-central").health = Health::Up;
    assert_eq!(cited.shown_to(&otto).await.status, 200, "it can be read again");

    // Aborted, as a flow may copy it: shown, and said.
    log(&|log| {
        *log = again(log, cited.offset, |log| {
            log.append(foreign(), 77, true);
        })
    });
    log(&|log| log.end_transaction(77, false));
    let aborted = cited.shown_to(&otto).await.done();
    assert_eq!(aborted["items"][0]["committed"], false, "{aborted:#}");
    assert_eq!(aborted["items"][0]["record"]["value"]["shown"], SECRET);
    // Another record stands there.
    log(&|log| {
        *log = again(log, cited.offset, |log| {
            log.append(Payload { key: Some(Bytes::from_static(b"other-key")), ..foreign() }, 0, false);
        })
    });
    says("another", "it has another key").await;
    // Nothing but the end of a transaction does.
    log(&|log| *log = again(log, cited.offset, |log| log.end_transaction(0, true)));
    says("gone", "compaction removed it, or the topic was made anew").await;
    log(&|log| log.delete_below(cited.offset + 1));
    says("gone", "retention removed it, or somebody deleted records").await;
    log(&|log| *log = Log::default());
    says("gone", "the topic was made anew, or the end of its log was lost").await;
}

/// A log as it was, with something else at an offset.
fn again(log: &Log, at: i64, put: impl Fn(&mut Log)) -> Log {
    let mut new = Log::default();
    for entry in log.entries() {
        match &entry.kind {
            _ if entry.offset == at => put(&mut new),
            EntryKind::Data { record, .. } => {
                let payload = Payload {
                    timestamp: record.timestamp,
                    key: record.key.clone(),
                    value: record.value.clone(),
                    headers: record.headers.clone(),
                };
                new.append(payload, 0, false);
            }
            EntryKind::Marker { .. } => new.end_transaction(0, true),
        }
    }
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn allowing_it_and_looking_need_somebody_who_is_there() {
    let app = TestApp::with_pair().await;
    let cited = Cited::new(&app).await;
    let mut conn = app.app.pool.acquire().await.unwrap();
    let password = app.app.hashing.hash_password(PASSWORD.to_owned()).await.unwrap();
    let mut late = Vec::new();
    for who in ["olga", "otto"] {
        people::set_password_hash(&mut conn, id(who), &password.clone().into()).await.unwrap();
        let sid = Uuid::now_v7();
        sessions::insert(&mut conn, sid, id(who), 3600.0, "test", "").await.unwrap();
        late.push(sid);
    }
    sqlx::query(
        "update session set stepped_up_at = stepped_up_at - interval '16 minutes' where id = any($1)",
    )
    .bind(&late)
    .execute(&mut *conn)
    .await
    .unwrap();
    let sign = |audience, sid| app.app.tokens.sign(audience, sid, Utc::now().timestamp(), 3600).unwrap();
    let browser =
        |sid| Session::new(&app, Some(("cookie", format!("muster={}", sign(Audience::Browser, sid)))));
    let bearer =
        |token: String| Session::new(&app, Some((header::AUTHORIZATION.as_str(), format!("Bearer {token}"))));
    let needed = ("reauthentication-needed".to_owned(), 403);
    let (olga, otto) = (browser(late[0]), browser(late[1]));
    let on = json!({"show_payload": true});
    let refused = bearer(sign(Audience::Machine, late[0])).patch("/api/v1/pairs/orders", on).await;
    assert_eq!(refused.problem(), needed);
    // What was filled in is not lost.
    let fields = edited(&olga.get("/api/v1/pairs/orders").await.done());
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let shown = olga.form("/pairs/orders/edit", &fields).await;
    assert_eq!(shown.status, 403);
    assert!(shown.text.contains("name=\"show_payload\" value=\"on\" checked"), "{}", shown.text);
    assert_eq!(olga.get("/api/v1/pairs/orders").await.done()["show_payload"], false);
    let again = [("password", PASSWORD), ("next", "/pairs/orders/edit")];
    assert_eq!(olga.form("/reauthenticate", &again).await.header("location"), "/pairs/orders/edit");
    let saved = olga.form("/pairs/orders/edit", &fields).await;
    assert_eq!(saved.header("location"), "/pairs/orders", "{}", saved.text);
    assert_eq!(olga.get("/api/v1/pairs/orders").await.done()["show_payload"], true);
    assert_eq!(app.audited("pair.change").await.last().unwrap().2, "done");

    let program = bearer(sign(Audience::Machine, late[1]));
    assert_eq!(cited.shown_to(&program).await.problem(), needed);
    let page = otto.get("/pairs/orders/content").await.text;
    assert!(page.contains("Confirm that it is you</a>") && !page.contains("Show record "), "{page}");
    otto.form("/reauthenticate", &again).await;
    assert_eq!(cited.shown_to(&program).await.status, 200);

    let secret = sha256_hex(b"muster_machine");
    tokens::insert(&mut conn, Uuid::now_v7(), "machine", id("otto"), &secret, &[], 3600.0).await.unwrap();
    assert_eq!(cited.shown_to(&bearer("muster_machine".to_owned())).await.problem(), needed);
    let off = json!({"show_payload": false});
    bearer(sign(Audience::Machine, late[0])).patch("/api/v1/pairs/orders", off).await.done();
    assert_eq!(cited.shown_to(&program).await.problem().0, "payload-not-allowed");
}

/// The form of a pair with the tick set, as a browser sends it.
pub(crate) fn edited(pair: &Value) -> Vec<(&'static str, String)> {
    let of = |part: &str, name: &str| pair[part][name].to_string();
    let patterns = pair["topics"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
    vec![
        ("team", pair["team"].as_str().unwrap().to_owned()),
        ("topics", patterns.collect::<Vec<_>>().join("\n")),
        ("groups", ".*".to_owned()),
        ("a_to_b", "on".to_owned()),
        ("b_to_a", "on".to_owned()),
        ("rpo_seconds", of("objectives", "rpo_seconds")),
        ("rto_seconds", of("objectives", "rto_seconds")),
        ("verify_within_days", of("objectives", "verify_within_days")),
        ("approvals_needed", of("approval", "needed")),
        ("decide_within_minutes", of("approval", "decide_within_minutes")),
        ("use_within_minutes", of("approval", "use_within_minutes")),
        ("show_payload", "on".to_owned()),
        ("version", pair["version"].to_string()),
    ]
}

/// On one thread: what it logs is kept.
#[tokio::test]
async fn nothing_of_it_is_kept_or_logged() {
    let lines = Lines::default();
    let guard = lines.keep();
    let app = TestApp::with_pair().await;
    let cited = Cited::new(&app).await;
    allow(&app).await;
    assert!(cited.shown_to(&app.as_user("otto").await).await.text.contains(SECRET));
    assert!(cited.form_of(&app.as_browser_of("otto").await).await.text.contains(SECRET));
    tracing::info!("that lines are kept");
    drop(guard);
    assert!(!lines.text().contains(SECRET), "it was logged");
    assert!(lines.text().contains("that lines are kept"), "{}", lines.text());
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables where table_schema = 'public'",
    )
    .fetch_all(&app.app.pool)
    .await
    .unwrap();
    assert!(tables.iter().any(|table| table == "proof"), "{tables:?}");
    let forms = [SECRET.to_owned(), hex::encode(SECRET), "whose-key".to_owned(), hex::encode("whose-key")];
    for table in tables {
        let rows: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select t::text from \"{table}\" t")))
                .fetch_all(&app.app.pool)
                .await
                .unwrap();
        for row in rows {
            assert!(!forms.iter().any(|form| row.contains(form)), "{table}: {row}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_it_too() {
    let app = TestApp::with_pair().await;
    let cited = Cited::new(&app).await;
    let url = app.serve().await;
    let otto = Shell::of(&app, &url, "otto").await;
    let (offset, proof) = (cited.offset, cited.proof);
    let line = format!(
        "proofs record orders {proof} --topic {} --partition 0 --offset {offset} --side target",
        cited.at.topic
    );
    let refused = otto.muster(&line).await;
    assert!(format!("{refused:?}").contains("payload-not-allowed"), "{refused:?}");
    allow(&app).await;
    let said = otto.muster(&line).await.done();
    for words in [
        &format!("{} @ {offset} on eu-central: shown", cited.at),
        "key: whose-key (9 bytes, text)",
        "value: a secret of somebody (20 bytes, text)",
        "header h (1 bytes, text): empty",
        "header none (4 bytes, text): null",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
