//! Starting a run nobody approved: by an owner who is there, with words, told to everybody, and reviewed by another.

use axum::http::{Method, header};
use chrono::Utc;
use muster_app::{auth::tokens::Audience, loops::housekeeping};
use muster_domain::{hash::sha256_hex, people::Role};
use muster_store::{
    audit::{self, AuditFilter},
    people, sessions, tokens,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    session::Session,
    test_app::{TestApp, id},
};

const PASSWORD: &str = "correct horse battery";

/// A request of otto's that waits for approval, and the hash of its plan.
async fn waiting(app: &TestApp) -> (Uuid, String) {
    let (_, run) = crate::runs::requested(app).await;
    let shown = app.as_user("vera").await.get(&format!("/api/v1/runs/{run}")).await.done();
    (run, shown["plan_hash"].as_str().unwrap().to_owned())
}

fn asking(hash: &str) -> Value {
    json!({"reason": "eu-west burns and nobody else answers", "plan_hash": hash})
}

async fn second_approver(app: &TestApp) {
    let mut conn = app.app.pool.acquire().await.unwrap();
    let grants = [Role::Approver, Role::Owner]
        .map(|role| muster_domain::people::Grant { role, team: Some(app.team.clone()) });
    people::insert(&mut conn, id("boss"), "boss", "boss", None, &grants).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_starts_it_everybody_is_told_and_an_approver_reviews_it() {
    let app = TestApp::with_pair().await;
    second_approver(&app).await;
    let sql = "insert into channel (id, team, name, kind, events, host)
        values ($1, $2, 'room', 'slack', '{break_glass,run_started}', 'a')";
    sqlx::query(sql).bind(Uuid::from_u128(1)).bind(app.team.as_str()).execute(&app.app.pool).await.unwrap();
    let (run, hash) = waiting(&app).await;
    let path = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
    let boss = app.as_user("boss").await;

    let refused = app.as_user("otto").await.post(&path("break_glass"), asking(&hash)).await;
    assert_eq!(refused.problem(), ("forbidden".to_owned(), 403));
    let silent = boss.post(&path("break_glass"), json!({"reason": " ", "plan_hash": hash})).await;
    assert_eq!(silent.problem(), ("reason-missing".to_owned(), 422));
    let unseen = boss.post(&path("break_glass"), asking("another")).await;
    assert_eq!(unseen.problem(), ("plan-changed".to_owned(), 409));

    let started = boss.post(&path("break_glass"), asking(&hash)).await.done();
    assert_eq!((&started["state"], &started["driver"]["name"]), (&json!("running"), &json!("boss")));
    assert_eq!(app.audited("run.break_glass").await.last().unwrap(), &done("boss", run));
    let told: Vec<String> = sqlx::query_scalar("select kind from notification order by kind")
        .fetch_all(&app.app.pool)
        .await
        .unwrap();
    assert_eq!(told, ["break_glass", "run_started"]);
    app.engine.run_pending().await.unwrap();

    let own = boss.post(&path("review"), json!({"verdict": "justified", "comment": "I say so"})).await;
    assert_eq!(own.problem(), ("own-run".to_owned(), 403));
    let abel = app.as_user("abel").await;
    let silent = abel.post(&path("review"), json!({"verdict": "justified", "comment": ""})).await;
    assert_eq!(silent.problem(), ("reason-missing".to_owned(), 422));
    abel.post(&path("review"), json!({"verdict": "not_justified", "comment": "I was awake"})).await.done();
    assert_eq!(app.audited("run.review").await.last().unwrap(), &done("abel", run));
    let again =
        abel.post(&path("review"), json!({"verdict": "justified", "comment": "second thoughts"})).await;
    assert_eq!(again.problem(), ("nothing-to-review".to_owned(), 409));

    let report = abel.get(&path("report")).await.done();
    assert_eq!(report["break_glass"]["by"]["name"], "boss");
    assert_eq!(report["break_glass"]["review"]["verdict"], "not_justified");
    let found = &report["findings"][0];
    assert_eq!((&found["severity"], &found["run"]), (&json!("high"), &json!(run)));
    assert!(found["text"].as_str().unwrap().contains("I was awake"), "{found}");
    let page = app.as_browser_of("vera").await.get(&format!("/runs/{run}")).await;
    assert!(page.text.contains("boss started it without approval"), "{}", page.text);
}

fn done(who: &str, run: Uuid) -> (String, String, String) {
    (who.to_owned(), format!("run {run}"), "done".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_needs_a_person_who_has_just_shown_that_they_are_there() {
    let app = TestApp::with_pair().await;
    let (run, hash) = waiting(&app).await;
    let path = format!("/api/v1/runs/{run}/break_glass");
    let mut conn = app.app.pool.acquire().await.unwrap();
    let secret = sha256_hex(b"muster_machine");
    tokens::insert(&mut conn, Uuid::now_v7(), "machine", id("olga"), &secret, &[], 3600.0).await.unwrap();
    let machine = Session::new(&app, Some(("authorization", "Bearer muster_machine".to_owned())));
    let refused = machine.post(&path, asking(&hash)).await;
    assert_eq!(refused.problem(), ("reauthentication-needed".to_owned(), 403));

    let password = app.app.hashing.hash_password(PASSWORD.to_owned()).await.unwrap();
    people::set_password_hash(&mut conn, id("olga"), &password.into()).await.unwrap();
    let sid = Uuid::now_v7();
    sessions::insert(&mut conn, sid, id("olga"), 3600.0, "test", "").await.unwrap();
    sqlx::query("update session set stepped_up_at = stepped_up_at - interval '16 minutes' where id = $1")
        .bind(sid)
        .execute(&mut *conn)
        .await
        .unwrap();
    let sign = |audience| app.app.tokens.sign(audience, sid, Utc::now().timestamp(), 3600).unwrap();
    let bearer = format!("Bearer {}", sign(Audience::Machine));
    let olga = Session::new(&app, Some((header::AUTHORIZATION.as_str(), bearer)));
    let late = olga.post(&path, asking(&hash)).await;
    assert_eq!(late.problem(), ("reauthentication-needed".to_owned(), 403));
    // Not everybody has a password here.
    let next = late.json()["next_step"].as_str().unwrap().to_owned();
    assert!(next.contains("/api/v1/session/reauthenticate") && next.contains("identity provider"), "{next}");
    assert_eq!(app.audited("run.break_glass").await.len(), 2, "refusals are entries");
    let cookie = format!("muster={}", sign(Audience::Browser));
    let browser = Session::new(&app, Some(("cookie", cookie)));
    let page = format!("/runs/{run}/break-glass");
    let sent = browser.request(Method::GET, &page, None, &[("accept", "text/html")]).await;
    assert_eq!(sent.header("location"), format!("/reauthenticate?next={page}"));

    let guess = olga.post("/api/v1/session/reauthenticate", json!({"password": "a guess a guess"})).await;
    assert_eq!(guess.problem(), ("sign-in-refused".to_owned(), 401));
    assert_eq!(olga.post(&path, asking(&hash)).await.problem().0, "reauthentication-needed");
    let wrong = browser.form("/reauthenticate", &[("password", "a guess a guess"), ("next", &page)]).await;
    assert_eq!(wrong.status, 401);
    let right = browser.form("/reauthenticate", &[("password", PASSWORD), ("next", &page)]).await;
    assert_eq!((right.status.as_u16(), right.header("location")), (303, page.as_str()));
    assert_eq!(
        app.audited("session.reauthenticate").await.last().unwrap(),
        &("olga".to_owned(), format!("session {sid}"), "done".to_owned())
    );
    let form = [("reason", "nobody else answers"), ("typed", "order")];
    let mistyped = browser.form(&page, &form).await;
    assert_eq!(mistyped.status, 422, "{}", mistyped.text);
    let form = [("reason", "nobody else answers"), ("typed", "orders")];
    assert_eq!(browser.form(&page, &form).await.header("location"), format!("/runs/{run}"));
    assert_eq!(olga.get(&format!("/api/v1/runs/{run}")).await.done()["state"], "running");
}

/// As if the plan had been made with these blockers.
async fn block(app: &TestApp, run: Uuid, hash: &str, codes: &[&str]) {
    let blockers: Vec<Value> =
        codes.iter().map(|code| json!({"code": code, "reason": "r", "next_step": "n"})).collect();
    sqlx::query("update plan set body = jsonb_set(body, '{blockers}', $2) where hash = $1")
        .bind(hash)
        .bind(json!(blockers))
        .execute(&app.app.pool)
        .await
        .unwrap();
    sqlx::query("update run set state = 'blocked' where id = $1")
        .bind(run)
        .execute(&app.app.pool)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_stays_when_a_blocker_was_not_named() {
    let app = TestApp::with_pair().await;
    let (run, hash) = waiting(&app).await;
    block(&app, run, &hash, &["canary", "standby-configs"]).await;
    let olga = app.as_browser_of("olga").await;
    let page = format!("/runs/{run}/break-glass");
    let typed = [("reason", "eu-west burns"), ("typed", "orders"), ("overridden", "canary")];
    let again = olga.form(&page, &typed).await;
    assert_eq!(again.status, 422, "{}", again.text);
    for kept in
        ["`standby-configs` as well", "eu-west burns</textarea>", "value=\"orders\"", "value=\"canary\""]
    {
        assert!(again.text.contains(kept), "{kept} in {}", again.text);
    }
    assert_eq!(
        app.audited("run.break_glass").await,
        [("olga".to_owned(), page.clone(), "refused".to_owned())]
    );
    let whole = [("reason", "eu-west burns"), ("typed", "orders"), ("overridden", "canary, standby-configs")];
    assert_eq!(olga.form(&page, &whole).await.header("location"), format!("/runs/{run}"));

    // A verdict that was chosen stays chosen.
    let abel = app.as_browser_of("abel").await;
    let review = [("verdict", "not_justified"), ("reason", " ")];
    let again = abel.form(&format!("/runs/{run}/review"), &review).await;
    assert_eq!(again.status, 422, "{}", again.text);
    assert!(again.text.contains("value=\"not_justified\" selected"), "{}", again.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_channel_is_told_whatever_it_asks_for() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let channel = |name: &str, enabled: bool| {
        json!({"team": app.team, "name": name, "kind": "slack", "events": ["drill_due"], "enabled": enabled,
            "url": "https://a.example"})
    };
    let asks_for_drills = olga.post("/api/v1/channels", channel("drills", true)).await.done();
    assert_eq!(asks_for_drills["events"], json!(["drill_due", "break_glass"]));
    olga.post("/api/v1/channels", channel("off", false)).await.done();
    // One that was made before every channel was told.
    let old = "update channel set events = '{drill_due}' where name = 'drills'";
    sqlx::query(old).execute(&app.app.pool).await.unwrap();
    let path = format!("/api/v1/channels/{}", asks_for_drills["id"].as_str().unwrap());
    assert_eq!(olga.get(&path).await.done()["events"], json!(["drill_due", "break_glass"]));
    let browser = app.as_browser_of("olga").await;
    let form = format!("/notifications/{}/edit", asks_for_drills["id"].as_str().unwrap());
    let ticks = browser.get(&form).await.text;
    assert!(ticks.contains("name=\"break_glass\" value=\"on\" checked disabled"), "{ticks}");

    let (run, hash) = waiting(&app).await;
    for page in [format!("/runs/{run}"), format!("/runs/{run}/break-glass")] {
        let text = browser.get(&page).await.text;
        assert!(
            text.contains(&format!("The one channel of {} is told at once.", app.team)),
            "{page}: {text}"
        );
    }
    olga.post(&format!("/api/v1/runs/{run}/break_glass"), asking(&hash)).await.done();
    let sql = "select channel.name from delivery join channel on channel.id = channel_id
        join notification on notification.id = notification_id where notification.kind = 'break_glass'";
    let told: Vec<String> = sqlx::query_scalar(sql).fetch_all(&app.app.pool).await.unwrap();
    assert_eq!(told, ["drills"]);
    assert!(said(&app).await.contains("(told to 1 channel)"));
}

/// What the newest entry of a start without approval says.
async fn said(app: &TestApp) -> String {
    let mut conn = app.app.pool.acquire().await.unwrap();
    let filter = AuditFilter { action: Some("run.break_glass".to_owned()), ..AuditFilter::default() };
    let entries = audit::list(&mut conn, &filter, 1).await.unwrap();
    entries[0].content.detail["message"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_channel_nobody_is_said_to_be_told() {
    let app = TestApp::with_pair().await;
    let (run, hash) = waiting(&app).await;
    let browser = app.as_browser_of("olga").await;
    for page in [format!("/runs/{run}"), format!("/runs/{run}/break-glass")] {
        let text = browser.get(&page).await.text;
        assert!(text.contains("Muster can tell nobody"), "{page}: {text}");
        assert!(!text.contains("told at once"), "{page}: {text}");
    }
    app.as_user("olga").await.post(&format!("/api/v1/runs/{run}/break_glass"), asking(&hash)).await.done();
    assert!(said(&app).await.contains("told to nobody"));
}

#[tokio::test(flavor = "multi_thread")]
async fn blockers_are_named_one_by_one_and_those_of_safety_stay() {
    let app = TestApp::with_pair().await;
    let (run, hash) = waiting(&app).await;
    let olga = app.as_user("olga").await;
    let path = format!("/api/v1/runs/{run}/break_glass");
    let block = async |codes: &[&str]| block(&app, run, &hash, codes).await;
    let naming = |codes: &[&str]| {
        let mut body = asking(&hash);
        body["overridden"] = json!(codes);
        body
    };
    block(&["canary", "direction-interlock"]).await;
    let stays = olga.post(&path, naming(&["canary", "direction-interlock"])).await;
    assert_eq!(stays.problem(), ("blocker-stays".to_owned(), 409));
    block(&["canary"]).await;
    assert_eq!(olga.post(&path, asking(&hash)).await.problem(), ("override-missing".to_owned(), 422));
    olga.put("/api/v1/brake", json!({"reason": "everything stops"})).await.done();
    assert_eq!(olga.post(&path, naming(&["canary"])).await.problem(), ("brake-is-on".to_owned(), 409));
    olga.delete("/api/v1/brake").await;
    let started = olga.post(&path, naming(&["canary"])).await.done();
    assert_eq!(started["state"], "running");
    let shown = olga.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(shown["break_glass"]["overridden"], json!(["canary"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_does_not_come_is_one_finding_whoever_looks() {
    let app = TestApp::with_pair().await;
    let (run, hash) = waiting(&app).await;
    let olga = app.as_user("olga").await;
    olga.post(&format!("/api/v1/runs/{run}/break_glass"), asking(&hash)).await.done();
    housekeeping::expire(&app.app.pool).await.unwrap();
    let findings = async || olga.get("/api/v1/findings").await.done()["items"].as_array().unwrap().clone();
    assert!(findings().await.is_empty(), "it is not due yet");
    sqlx::query("update break_glass set review_due = clock_timestamp() - interval '1 second'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    let processes = (0..3).map(|_| housekeeping::expire(&app.app.pool));
    for done in futures_util::future::join_all(processes).await {
        done.unwrap();
    }
    housekeeping::expire(&app.app.pool).await.unwrap();
    let found = findings().await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["run"], &found[0]["severity"]), (&json!(run), &json!("high")));
    let late = json!({"verdict": "justified", "comment": "late, but it was"});
    app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/review"), late).await.done();
}
