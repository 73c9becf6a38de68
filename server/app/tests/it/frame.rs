//! The numbers of every page's frame count everything there is, however many requests wait.

use std::sync::Arc;

use axum::http::Method;
use muster_app::app::App;
use muster_domain::{
    ids::{PairName, TeamName},
    pair::Pair,
    record::{Person, Vote},
};
use muster_store::{approvals, pairs};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    runs::requested,
    session::Session,
    test_app::{TestApp, id},
};

/// More requests like a run's, which came after it and wait.
async fn more_requests(app: &TestApp, like: Uuid, many: i32) -> Vec<Uuid> {
    let sql = "insert into run (id, plan_id, plan_hash, pair, team, operation, from_side, course, drill, state, requested_by, \
               requested_by_name, reason, decide_by, approvals_needed) \
               select gen_random_uuid(), plan_id, plan_hash, pair, team, operation, from_side, course, drill, \
               'awaiting_approval', requested_by, requested_by_name, reason, decide_by, approvals_needed \
               from run, generate_series(1, $2) where run.id = $1 returning run.id";
    sqlx::query_scalar(sql).bind(like).bind(many).fetch_all(&app.app.pool).await.unwrap()
}

/// The numbers beside "Runs" and "Approvals"; nothing stands for zero.
async fn numbers(browser: &Session<'_>) -> [String; 2] {
    let page = browser.get("/brake").await;
    assert_eq!(page.status, 200, "{}", page.text);
    ["in progress", "waiting for you"].map(|meaning| {
        let number =
            regex::Regex::new(&format!(r#"<span class="n">(\d+)<span class="vh"> {meaning}"#)).unwrap();
        number.captures(&page.text).map(|found| found[1].to_owned()).unwrap_or_default()
    })
}

/// All of their list, in two pages at most.
async fn listed(who: &Session<'_>) -> Vec<Value> {
    let page = async |after: &str| who.get(&format!("/api/v1/approvals?limit=200{after}")).await.done();
    let first = page("").await;
    let mut items = first["items"].as_array().unwrap().clone();
    if let Some(next) = first["next"].as_str() {
        items.extend(page(&format!("&after={next}")).await["items"].as_array().unwrap().iter().cloned());
    }
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_and_braked_behind_more_requests_than_any_list_holds() {
    let app = TestApp::with_pair().await;
    let (_, run) = requested(&app).await;
    let abel = app.as_user("abel").await;
    abel.post(&format!("/api/v1/runs/{run}/approve"), json!({})).await.done();
    let otto = app.as_user("otto").await;
    otto.post(&format!("/api/v1/runs/{run}/start"), json!({})).await.done();
    more_requests(&app, run, 210).await;

    let pulls = app.as_browser_of("otto").await;
    assert_eq!(numbers(&pulls).await, ["1", ""]);
    let brake = pulls.get("/brake").await.text;
    assert!(brake.contains("1 run stops at the next step boundary"), "{brake}");
    let elsewhere = app.as_browser_of("orla").await;
    assert_eq!(numbers(&elsewhere).await, ["", ""]);
    let brake = elsewhere.get("/brake").await.text;
    assert!(brake.contains("No run is under way"), "{brake}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_wait_for_somebody_is_what_their_list_has() {
    let app = TestApp::with_pair().await;
    let (_, run) = requested(&app).await;
    let more = more_requests(&app, run, 210).await;
    let mut conn = app.app.pool.acquire().await.unwrap();
    let abel = Person { id: id("abel"), name: "abel".to_owned() };
    assert!(approvals::insert(&mut conn, more[3], &abel, Vote::Approve, "go", "another plan").await.unwrap());
    drop(conn);
    // Who has voted, on whatever plan, has one less; who asked, or approves nothing here, has none.
    for (who, waiting) in [("abel", 210), ("anna", 211), ("otto", 0), ("vera", 0), ("ada", 0), ("outis", 0)] {
        let said = numbers(&app.as_browser_of(who).await).await[1].clone();
        assert_eq!(said, if waiting == 0 { String::new() } else { waiting.to_string() }, "{who}");
        assert_eq!(listed(&app.as_user(who).await).await.len(), waiting);
    }
    // The votes of others come with the run.
    let anna = listed(&app.as_user("anna").await).await;
    let votes = |item: &Value| item["approvals"].as_array().unwrap().len();
    let voted = more[3].to_string();
    let of = |id: &str| anna.iter().find(|item| item["id"] == id).map(votes);
    let untouched = more[4].to_string();
    assert_eq!((of(&voted), of(&untouched)), (Some(1), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_was_never_observed_is_a_problem_of_the_fleet_and_of_every_page() {
    let app = TestApp::with_pair().await;
    let front = async |path: &str| {
        // What another page had counted is not taken over.
        let process = app.process(App { causes: Arc::default(), ..app.app.clone() });
        app.as_browser_of("outis").await.at(&process).get(path).await.text
    };
    assert!(front("/brake").await.contains("No problems"), "no pair is theirs");
    let theirs = Pair {
        name: PairName::new("theirs").unwrap(),
        team: TeamName::new("elsewhere").unwrap(),
        ..app.small.pair.clone()
    };
    pairs::insert(&mut app.app.pool.acquire().await.unwrap(), &theirs).await.unwrap();
    let page = front("/brake").await;
    assert!(page.contains(">1 problem"), "{page}");
    let fleet = front("/").await;
    assert!(!fleet.contains("every check of every pair holds"), "{fleet}");
    for said in ["Never observed, so nothing is known of it.", "/pairs/theirs#checks", ">never read<"] {
        assert!(fleet.contains(said), "{said}: {fleet}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_takes_forms_only_leads_a_browser_back() {
    let app = TestApp::with_pair().await;
    let otto = app.as_browser_of("otto").await;
    for (path, back) in [
        ("/pairs/orders/canary", "<a href=\"/pairs/orders\">Back to orders</a>"),
        ("/pairs/orders/content/record", "<a href=\"/pairs/orders\">Back to orders</a>"),
        ("/alarms/7/acknowledge?by=itself", "<a href=\"/alarms\">Back to the alarms</a>"),
        ("/account/password", "<a href=\"/account\">Back to your account</a>"),
    ] {
        let page = otto.request(Method::GET, path, None, &[("accept", "text/html")]).await;
        assert_eq!((page.status.as_u16(), page.header("allow")), (405, "POST"), "{path}: {}", page.text);
        assert!(
            page.text.contains(back) && page.text.contains("There is no page at this address"),
            "{}",
            page.text
        );
    }
    // Programs are told as before.
    let program =
        otto.request(Method::GET, "/pairs/orders/canary", None, &[("accept", "application/json")]).await;
    assert_eq!(program.problem(), ("method-not-allowed".to_owned(), 405));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_form_is_read_again_at_the_page_of_the_form() {
    let app = TestApp::with_pair().await;
    // The pair has no canary: its page is shown again with why.
    let refused = app.as_browser_of("otto").await.form("/pairs/orders/canary", &[]).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(refused.text.contains("name=\"next\" value=\"/pairs/orders\""), "{}", refused.text);
}
