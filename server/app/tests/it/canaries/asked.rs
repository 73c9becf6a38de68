//! What people ask of canaries and set, through the front and on the command line.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_wants_to_know_now_is_told_and_leaves_an_entry() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let none = otto.post("/api/v1/pairs/orders/canary", json!({})).await;
    assert_eq!(none.problem(), ("canary-not-written".to_owned(), 409));
    app.small.world.lock().cluster_mut("eu-west").create_topic(TOPIC, 1).unwrap();
    app.small.world.ticks(10);
    let edit = json!({"canary_topic": TOPIC});
    app.as_user("olga").await.patch("/api/v1/pairs/orders", edit).await.done();
    app.observe("orders").await;
    let told = otto.post("/api/v1/pairs/orders/canary", json!({})).await.done();
    assert_eq!(told["all_seen"], true, "{told:#}");
    assert_eq!(told["items"].as_array().unwrap().len(), 1, "the way back rests: {told:#}");
    assert!(told["items"][0]["end_to_end_ms"].as_i64().is_some_and(|ms| ms < 10_000), "{told:#}");
    let entry = ("otto".to_owned(), "pair orders".to_owned(), "done".to_owned());
    assert_eq!(app.audited("canary.write").await.last(), Some(&entry));
    assert_eq!(canary(&app).await["items"][0]["state"], "unwatched", "the standing one is another");

    let browser = app.as_browser_of("otto").await;
    let page = browser.form("/pairs/orders/canary", &[]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("Written, and seen on the other side."), "{}", page.text);
    assert!(!page.text.contains("http-equiv=\"refresh\""), "looking again asks for nothing again");
    app.as_user("otto").await.put("/api/v1/brake", json!({"reason": "network works"})).await.done();
    let refused = browser.form("/pairs/orders/canary", &[]).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("The brake is on (network works)"), "{}", refused.text);
    assert_eq!(app.audited("canary.write").await.last().map(|entry| entry.2.as_str()), Some("refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_a_canary_have_bounds() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    for bad in [
        json!({"canary_partitions": 0}),
        json!({"canary_partitions": 33}),
        json!({"canary_seconds": 1}),
        json!({"canary_seconds": 301}),
        json!({"canary_topic": "__consumer_offsets"}),
        json!({"canary_topic": "no/topic"}),
        json!({"canary_topic": ""}),
    ] {
        let refused = olga.patch("/api/v1/pairs/orders", bad.clone()).await;
        assert_eq!(refused.problem(), ("invalid-request".to_owned(), 422), "{bad}");
    }
    let edit = json!({"canary_topic": "muster.canary", "canary_partitions": 2, "canary_seconds": 300});
    let changed = olga.patch("/api/v1/pairs/orders", edit).await.done();
    assert_eq!((&changed["canary_partitions"], &changed["canary_seconds"]), (&json!(2), &json!(300)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_how_canaries_stand() {
    let app = with_canary().await;
    let mut memory = CanaryMemory::default();
    for _ in 0..2 {
        turn(&app, &mut memory).await;
    }
    let url = app.serve().await;
    let token = app.token_of("otto").await;
    let said = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(arguments).env("MUSTER_URL", &url).env("MUSTER_TOKEN", &token).kill_on_drop(true);
        let said = tokio::time::timeout(Duration::from_secs(120), command.output()).await.unwrap().unwrap();
        (said.status.code(), String::from_utf8(said.stdout).unwrap())
    };
    let (code, out) = said(&["pairs", "canary", "orders"]).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("eu-west → eu-central") && out.contains("arrives"), "{out}");
    let (code, out) = said(&["pairs", "canary", "orders", "--now"]).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains(" ms") || out.contains(" s"), "{out}");
}
