//! Pages as browsers get them: each renders, each form does what the API does, each failure has a way onward.

use axum::http::Method;
use muster_app::{http::route::Kind, routes};
use muster_domain::hash::sha256_hex;
use muster_store::{sessions, tokens};
use uuid::Uuid;

use crate::{
    auth_coverage::address,
    test_app::{TestApp, id},
};

const HTML: [(&str, &str); 1] = [("accept", "text/html")];

#[tokio::test(flavor = "multi_thread")]
async fn every_page_renders_for_an_admin_of_everything() {
    let app = TestApp::with_pair().await;
    let (plan, run) = crate::runs::requested(&app).await;
    crate::auth_coverage::finding(&app).await;
    crate::auth_coverage::channel(&app).await;
    crate::auth_coverage::schedule(&app).await;
    crate::losses::loss(&app, "connection refused").await;
    let grants = ["operator", "approver", "owner", "viewer"]
        .map(|role| serde_json::json!({"role": role, "team": null}));
    let mut grants = grants.to_vec();
    grants.push(serde_json::json!({"role": "admin", "team": null}));
    app.as_user("ada").await.patch("/api/v1/users/ada", serde_json::json!({"grants": grants})).await.done();
    let ada = app.as_browser_of("ada").await;
    // Those that addresses name.
    let mut conn = app.app.pool.acquire().await.unwrap();
    sessions::insert(&mut conn, Uuid::nil(), id("ada"), 3600.0, "test", "").await.unwrap();
    let hash = sha256_hex(b"muster_robot");
    tokens::insert(&mut conn, Uuid::nil(), "robot", id("ada"), &hash, &[], 3600.0).await.unwrap();
    drop(conn);
    // A stream that lasts as long as its run, and the way to a provider, of which there is none here.
    let no_pages = ["/runs/{run}/events", "/sign-in/oidc", "/sign-in/oidc/callback", "/reauthenticate/oidc"];
    for route in
        routes::routes().iter().filter(|route| route.rule.kind == Kind::Page && route.method == Method::GET)
    {
        if no_pages.contains(&route.path) {
            continue;
        }
        let reply = ada.request(Method::GET, &address(route.path, run, plan), None, &HTML).await;
        let fine = reply.status == 200 || reply.status == 303;
        assert!(fine, "{route:?}: {} {}", reply.status, reply.text);
        assert!(!reply.text.contains("/assets/missing/"), "{route:?} asks for a file that is not there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_click_from_a_plan_to_a_started_run() {
    let app = TestApp::with_pair().await;
    let (otto, abel) = (app.as_browser_of("otto").await, app.as_browser_of("abel").await);
    let plan = otto
        .form(
            "/pairs/orders/plan",
            &[("operation", "switchover"), ("from", "a"), ("confirm_before_fence", "on")],
        )
        .await;
    let plan_path = plan.header("location").to_owned();
    assert!(plan_path.starts_with("/plans/"), "{} {}", plan.status, plan.text);
    let hash = {
        let id: uuid::Uuid = plan_path.trim_start_matches("/plans/").parse().unwrap();
        let mut conn = app.app.pool.acquire().await.unwrap();
        muster_store::plans::get(&mut conn, id).await.unwrap().unwrap().hash
    };
    let missing = otto.form(&format!("{plan_path}/request"), &[("reason", " "), ("plan_hash", &hash)]).await;
    assert_eq!(missing.status, 422, "{}", missing.text);
    let asked = otto.form(&format!("{plan_path}/request"), &[("reason", "slow"), ("plan_hash", &hash)]).await;
    let run_path = asked.header("location").to_owned();
    let vote = [("plan_hash", hash.as_str()), ("comment", "go"), ("accept", "on")];
    assert_eq!(abel.form(&format!("{run_path}/approve"), &vote).await.header("location"), run_path);
    let untyped = otto.form(&format!("{run_path}/start"), &[("typed", "order")]).await;
    assert_eq!(untyped.status, 422);
    assert_eq!(
        otto.form(&format!("{run_path}/start"), &[("typed", "orders")]).await.header("location"),
        run_path
    );
    let page = otto.request(Method::GET, &run_path, None, &HTML).await;
    assert!(page.text.contains("Running"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_pages_for_browsers_and_problems_for_programs() {
    let app = TestApp::with_pair().await;
    let vera = app.as_browser_of("vera").await;
    for (path, status) in
        [("/people", 403), ("/pairs/none", 404), ("/nothing/here", 404), ("/runs/not-an-id", 404)]
    {
        let reply = vera.request(Method::GET, path, None, &HTML).await;
        assert_eq!(reply.status, status, "{path}");
        assert!(reply.header("content-type").starts_with("text/html"), "{path}");
        assert!(reply.text.contains("href=\"/\""), "{path} has no way onward");
    }
    assert_eq!(vera.get("/api/v1/nothing").await.problem(), ("not-found".to_owned(), 404));
    let nobody = app.as_user("nobody").await;
    let there = nobody.request(Method::GET, "/runs?state=running", None, &HTML).await;
    assert_eq!(there.header("location"), "/sign-in?next=/runs%3Fstate%3Drunning");
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_text_is_never_markup() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let plan = otto.post("/api/v1/pairs/orders/plans", serde_json::json!({"to": "eu-central"})).await.done();
    let reason = "<script>alert(1)</script>";
    let run =
        otto.post("/api/v1/runs", serde_json::json!({"plan": plan["id"], "reason": reason})).await.done();
    let browser = app.as_browser_of("abel").await;
    let id = run["id"].as_str().unwrap();
    for path in ["/".to_owned(), format!("/runs/{id}"), format!("/runs/{id}/approval"), "/runs".to_owned()] {
        let page = browser.request(Method::GET, &path, None, &HTML).await;
        assert!(!page.text.contains(reason), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_kept_for_ever_and_pages_never() {
    let app = TestApp::new().await;
    let nobody = app.as_user("nobody").await;
    let css = muster_web::assets::asset_path("muster.css");
    let reply = nobody.get(&css).await;
    assert_eq!(reply.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(
        nobody.request(Method::GET, "/sign-in", None, &HTML).await.header("cache-control"),
        "no-store"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fleet_and_pair_follow_unless_they_are_held_still_or_answer_a_form() {
    let app = TestApp::with_pair().await;
    let otto = app.as_browser_of("otto").await;
    for (path, asked, held) in [
        ("/", "/", "/?hold=on"),
        ("/pairs/orders?hours=24", "/pairs/orders?hours=24", "/pairs/orders?hours=24&hold=on"),
    ] {
        let page = otto.request(Method::GET, path, None, &HTML).await.text;
        assert!(page.contains(&format!("hx-get=\"{asked}\"")), "{path}: {page}");
        let mark = if path.contains('?') { "&#38;" } else { "?" };
        let again = format!(
            "<noscript><meta http-equiv=\"refresh\" content=\"30; url={path}{mark}by=itself\"></noscript>"
        );
        assert!(page.contains(&again), "{path}: {page}");
        let still = otto.request(Method::GET, held, None, &HTML).await.text;
        assert!(!still.contains("hx-get") && !still.contains("http-equiv"), "{held}: {still}");
    }
    let wrong = [
        ("operation", "switchover"),
        ("from", "a"),
        ("drill", "on"),
        ("if_unproven", "wait"),
        ("max_write_outage_seconds", "soon"),
    ];
    let refused = otto.form("/pairs/orders/plan", &wrong).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(!refused.text.contains("hx-get"), "what is wrong stays to be read: {}", refused.text);
    let said = "The longest time without writes is a whole number of seconds.";
    assert!(refused.text.contains(said), "{}", refused.text);
    for kept in ["name=\"drill\" value=\"on\" checked", "value=\"soon\"", "<option value=\"wait\" selected>"]
    {
        assert!(refused.text.contains(kept), "{kept} is forgotten: {}", refused.text);
    }
}
