//! The pages before something is removed, ended, stopped or taken away: each says what comes of it, does nothing by being looked at,
//! and a name that is typed wrongly removes nothing.

use serde_json::{Value, json};

use crate::{
    accounts::id_after,
    auth_coverage::{CHANNEL, SCHEDULE, channel, schedule},
    payload::edited,
    people_pages::read,
    test_app::TestApp,
};

/// The row version of something, as a form sends it.
async fn version(app: &TestApp, path: &str) -> String {
    app.as_user("ada").await.get(path).await.done()["version"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_before_an_act_says_what_comes_of_it_and_does_nothing() {
    let app = TestApp::with_pair().await;
    schedule(&app).await;
    channel(&app).await;
    let (ada, olga) = (app.as_browser_of("ada").await, app.as_browser_of("olga").await);
    let program = app.as_user("olga").await;
    program.patch("/api/v1/pairs/orders", json!({"canary_topic": "muster.canary"})).await.done();
    program.post("/api/v1/tokens", json!({"name": "robot", "days": 1})).await.done();
    let account = read(&olga, "/account").await;
    let session = id_after(&account, "/account/sessions/");
    let token = id_after(&account, "/account/tokens/");
    let team = format!("/teams/{}/remove", app.team);
    let pages: [(_, String, &[&str]); 10] = [
        (
            &olga,
            format!("/drills/{SCHEDULE}/remove"),
            &["Remove the schedule: switchover of orders</button>", "no drill of orders comes due any more"],
        ),
        (
            &olga,
            format!("/notifications/{CHANNEL}/remove"),
            &[
                "Remove channel room of core-platform</button>",
                "not even that somebody starts a run without approval",
            ],
        ),
        (&ada, team, &["Remove team core-platform</h1>", "It can be removed once no pair", "orders"]),
        (
            &olga,
            "/pairs/orders/remove".to_owned(),
            &[
                "Remove pair orders, eu-west ⇄ eu-central</h1>",
                "Drills of orders are scheduled",
                "audit entries",
            ],
        ),
        (
            &olga,
            "/pairs/orders/canary/remove".to_owned(),
            &["Stop the canary of orders</button>", "<dd>muster.canary</dd>", "whether they arrive"],
        ),
        (
            &ada,
            "/clusters/eu-west/remove".to_owned(),
            &["Remove cluster eu-west</h1>", "It is still in orders", "its sealed secrets"],
        ),
        (
            &olga,
            format!("/account/sessions/{session}/revoke"),
            &["End your session of", "Whoever uses it has to sign in again"],
        ),
        (&olga, "/account/sessions/revoke".to_owned(), &["other sessions</button>", "this session, and"]),
        (
            &ada,
            "/people/olga/sessions/revoke".to_owned(),
            &["End all sessions of olga</button>", "stops their API tokens, too"],
        ),
        (
            &olga,
            format!("/account/tokens/{token}/revoke"),
            &["Revoke API token robot</button>", "It cannot be brought back"],
        ),
    ];
    for (who, path, words) in &pages {
        let page = read(who, path).await;
        for said in *words {
            assert!(page.contains(said), "{path} does not say “{said}”: {page}");
        }
    }
    for action in [
        "schedule.delete",
        "channel.delete",
        "team.delete",
        "pair.delete",
        "cluster.delete",
        "session.revoke",
        "session.revoke_all",
        "token.revoke",
    ] {
        assert_eq!(app.audited(action).await, [], "{action}");
    }
    let pair = program.get("/api/v1/pairs/orders").await.done();
    assert_eq!(pair["canary_topic"], "muster.canary");
    // What is somebody else's is not shown, either.
    let otto = app.as_browser_of("otto").await;
    for path in [format!("/account/sessions/{session}/revoke"), format!("/account/tokens/{token}/revoke")] {
        assert_eq!(otto.get(&path).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_is_removed_by_who_types_its_name_once_nothing_of_it_goes_on() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    schedule(&app).await;
    let olga = app.as_browser_of("olga").await;
    let present = version(&app, "/api/v1/pairs/orders").await;
    let remove = async |version: &str, typed: &str| {
        olga.form("/pairs/orders/remove", &[("version", version), ("typed", typed)]).await
    };
    let page = read(&olga, "/pairs/orders/remove").await;
    assert!(page.contains("of orders is not over: waits for approval"), "{page}");
    assert!(!page.contains("name=\"typed\""), "what is refused has no form: {page}");
    let held = remove(&present, "orders").await;
    assert_eq!(held.status, 409);
    assert!(
        held.text.contains("runs that are not over: ") && held.text.contains("drill schedules"),
        "{}",
        held.text
    );
    let same = app.as_user("olga").await.delete("/api/v1/pairs/orders").await;
    assert_eq!(same.problem(), ("pair-in-use".to_owned(), 409));

    let schedule = olga.form(&format!("/drills/{SCHEDULE}/remove"), &[("version", "1")]).await;
    assert_eq!(schedule.header("location"), "/drills?done=removed", "{}", schedule.text);
    let reject = format!("/api/v1/runs/{run}/reject");
    app.as_user("abel").await.post(&reject, json!({"comment": "the pair goes"})).await.done();
    let wrong = remove(&present, "order").await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.text.contains("The name typed must be") && wrong.text.contains("value=\"order\""),
        "{}",
        wrong.text
    );
    let stale = remove("0", "orders").await;
    assert_eq!(stale.status, 412);
    assert!(stale.text.contains("name=\"typed\""), "{}", stale.text);
    assert!(app.audited("pair.delete").await.iter().all(|entry| entry.2 == "refused"));

    let removed = remove(&present, "orders").await;
    assert_eq!((removed.status.as_u16(), removed.header("location")), (303, "/"), "{}", removed.text);
    let done = ("olga".to_owned(), "pair orders".to_owned(), "done".to_owned());
    assert_eq!(app.audited("pair.delete").await.last(), Some(&done));
    assert_eq!(app.as_user("vera").await.get("/api/v1/pairs/orders").await.status, 404);
    let kept = read(&app.as_browser_of("vera").await, &format!("/runs/{run}")).await;
    assert!(kept.contains("brokers are slow"), "its runs stay: {kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_removed_by_who_types_its_name_once_no_pair_is_made_of_it() {
    let app = TestApp::with_pair().await;
    let ada = app.as_browser_of("ada").await;
    let present = version(&app, "/api/v1/clusters/eu-west").await;
    let remove = async |typed: &str| {
        ada.form("/clusters/eu-west/remove", &[("version", &present), ("typed", typed)]).await
    };
    let held = remove("eu-west").await;
    assert_eq!(held.status, 409, "{}", held.text);
    assert!(held.text.contains("still part of a pair"), "{}", held.text);
    app.as_user("olga").await.delete("/api/v1/pairs/orders").await;
    let page = read(&ada, "/clusters/eu-west/remove").await;
    assert!(page.contains("Remove cluster eu-west</button>") && page.contains("name=\"typed\""), "{page}");
    let wrong = remove("eu-central").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("value=\"eu-central\""), "what was typed stays: {}", wrong.text);
    assert_eq!(app.as_user("ada").await.get("/api/v1/clusters/eu-west").await.status, 200);
    assert_eq!(remove("eu-west").await.header("location"), "/clusters");
    assert_eq!(app.as_user("ada").await.get("/api/v1/clusters/eu-west").await.status, 404);
    let done = ("ada".to_owned(), "cluster eu-west".to_owned(), "done".to_owned());
    assert_eq!(app.audited("cluster.delete").await.last(), Some(&done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_stopped_on_its_own_page_and_not_by_an_emptied_field() {
    let app = TestApp::with_pair().await;
    let program = app.as_user("olga").await;
    program.patch("/api/v1/pairs/orders", json!({"canary_topic": "muster.canary"})).await.done();
    let pair = program.get("/api/v1/pairs/orders").await.done();
    let olga = app.as_browser_of("olga").await;
    let fields = edited(&pair);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let emptied = olga.form("/pairs/orders/edit", &fields).await;
    assert_eq!(emptied.status, 422);
    assert!(emptied.text.contains("/pairs/orders/canary/remove"), "{}", emptied.text);
    assert!(read(&olga, "/pairs/orders").await.contains("Stop the canary of orders"));

    let present = pair["version"].to_string();
    let stop = async || olga.form("/pairs/orders/canary/remove", &[("version", &present)]).await;
    let stopped = stop().await;
    assert_eq!(stopped.header("location"), "/pairs/orders", "{}", stopped.text);
    assert_eq!(program.get("/api/v1/pairs/orders").await.done()["canary_topic"], Value::Null);
    let done = ("olga".to_owned(), "pair orders".to_owned(), "done".to_owned());
    assert_eq!(app.audited("pair.change").await.last(), Some(&done));
    let again = stop().await;
    assert_eq!(again.status, 422);
    assert!(again.text.contains("has no canary"), "{}", again.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_from_a_person_is_said_and_their_name_typed_first() {
    let app = TestApp::new().await;
    let ada = app.as_browser_of("ada").await;
    let leave = async |typed: &str| {
        let form = [("version", "1"), ("display_name", "otto"), ("password", ""), ("typed", typed)];
        ada.form("/people/otto/edit", &form).await
    };
    let asked = leave("").await;
    assert_eq!(asked.status, 200);
    for said in [
        "Nothing is saved yet.",
        "the role operator of core-platform",
        "signing in: their sessions end and their API tokens open nothing",
        "name=\"typed\"",
    ] {
        assert!(asked.text.contains(said), "{said}: {}", asked.text);
    }
    assert_eq!(app.audited("user.change").await, [], "it only asked");
    let wrong = leave("oto").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("value=\"oto\""), "{}", wrong.text);
    let otto = async || app.as_user("ada").await.get("/api/v1/users/otto").await.done();
    assert_eq!(otto().await["disabled_at"], Value::Null);
    assert_eq!(leave("otto").await.header("location"), "/people/otto?done=changed");
    let left = otto().await;
    assert_eq!((&left["grants"], left["disabled_at"].is_string()), (&json!([]), true), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_the_glass_reads_who_is_told_and_who_reviews_it() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    let olga = app.as_browser_of("olga").await;
    let page = read(&olga, &format!("/runs/{run}/break-glass")).await;
    assert!(page.contains("nobody: core-platform has no channel that is switched on"), "{page}");
    channel(&app).await;
    let page = read(&olga, &format!("/runs/{run}/break-glass")).await;
    assert!(page.contains("room (Slack, or compatible): your name and your reason"), "{page}");
    let reviewed =
        "within 24 hours by an approver of core-platform who neither asked for the run nor started it";
    assert!(page.contains(reviewed), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brake_says_what_its_release_does_and_who_may() {
    let app = TestApp::with_pair().await;
    let (otto, olga) = (app.as_browser_of("otto").await, app.as_browser_of("olga").await);
    otto.form("/brake", &[("act", "set"), ("reason", "works on the network")]).await;
    let page = read(&otto, "/brake").await;
    assert!(page.contains("Only owners and admins release the brake"), "{page}");
    let page = read(&olga, "/brake").await;
    for said in ["otto pulled the brake", "Release the brake on all runs", "canaries are written again"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("name=\"reason\""), "nobody asks why it is released: {page}");
    let put = ("otto".to_owned(), "brake".to_owned(), "done".to_owned());
    assert_eq!(app.audited("brake.put").await, [put]);
    assert_eq!(app.audited("brake.release").await, [], "it was only looked at");
    assert_eq!(olga.form("/brake", &[("act", "release")]).await.header("location"), "/brake");
    assert!(read(&olga, "/brake").await.contains("The brake is released."));
}
