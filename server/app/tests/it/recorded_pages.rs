//! The page of what the flight recorder kept: where a group stood, and what changed of ACLs, configs and topic ids.

use axum::http::Method;
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    ids::PairName,
    pair::Side,
    recorder::FactKind,
};
use muster_kafka::ClusterAdmin as _;
use muster_store::recorder;
use serde_json::json;

use crate::test_app::TestApp;

const HTML: [(&str, &str); 1] = [("accept", "text/html")];

/// A page of vera's, and its status.
async fn page(app: &TestApp, query: &str) -> (u16, String) {
    let path = format!("/pairs/orders/recorded{query}");
    let reply = app.as_browser_of("vera").await.request(Method::GET, &path, None, &HTML).await;
    (reply.status.as_u16(), reply.text)
}

async fn fine(app: &TestApp, query: &str) -> String {
    let (status, html) = page(app, query).await;
    assert_eq!(status, 200, "{query}: {html}");
    html
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_group_stood_is_shown_as_a_survey_saw_it_and_what_is_not_known_is_said() {
    let app = TestApp::with_pair().await;
    let group: String = sqlx::query_scalar(
        "select group_id
        from recorder_track
        join recorder_stream on recorder_stream.id = stream
        where group_id <> '' and from_side = 'a'
        order by number
        limit 1",
    )
    .fetch_one(&app.app.pool)
    .await
    .unwrap();
    let nothing = fine(&app, "").await;
    assert!(nothing.contains("Choose a group and a time"), "{nothing}");
    assert!(nothing.contains(&format!("<option value=\"{group}\">")), "it is offered: {nothing}");

    let api = format!("/api/v1/pairs/orders/positions?group={group}");
    let then = app.as_user("vera").await.get(&api).await.done();
    let first = &then["items"][0];
    let html = fine(&app, &format!("?group={group}&source=eu-west")).await;
    assert!(html.contains(&format!("{group} on eu-west, as a survey saw it on ")), "{html}");
    let row =
        format!("{}-{}</a></th><td class=\"num\">", first["topic"].as_str().unwrap(), first["partition"]);
    assert!(html.contains(&row), "{row}: {html}");
    assert!(html.contains(first["topic_id"].as_str().unwrap()), "{html}");
    assert!(!html.contains("Lowest to highest of the hour"), "a survey has one position: {html}");
    // What the other question asks for stays asked.
    let both = fine(&app, &format!("?group={group}&kind=acls&name=orders")).await;
    for kept in ["name=\"kind\" value=\"acls\"", "name=\"name\" value=\"orders\"", "name=\"group\" value=\""]
    {
        assert!(both.contains(&format!("<input type=\"hidden\" {kept}")), "{kept}: {both}");
    }

    for (query, who) in [
        (format!("?group={group}&at=2020-01-01T00:00"), group.as_str()),
        ("?group=nobody".to_owned(), "nobody"),
        (format!("?group={group}&source=eu-central&at=2020-01-01T00:00"), group.as_str()),
    ] {
        let html = fine(&app, &query).await;
        let said = format!("Nothing is kept of where <code>{who}</code> stood");
        assert!(html.contains(&said), "{query}: {html}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_shown_by_kind_cluster_and_name() {
    let app = TestApp::with_pair().await;
    let first = fine(&app, "").await;
    assert_eq!(
        first.matches("The first that are kept").count(),
        4,
        "ACLs and configs of both sides: {first}"
    );
    let resource = (ResourceType::Topic, PatternType::Literal, "orders.placed");
    let deny = AclBinding::new(AclPermission::Deny, AclOperation::Write, resource, "User:somebody");
    app.small.world.admin("eu-central").create_acls(&[deny]).await.unwrap();
    app.observe("orders").await;

    let denied = "DENY Write on Topic <code>orders.placed</code> to User:somebody from *.";
    let html = fine(&app, "").await;
    assert!(html.contains("ACLs of eu-central, seen ") && html.contains(denied), "{html}");
    let (newest, oldest) = (html.find(denied).unwrap(), html.find("The first that are kept").unwrap());
    assert!(newest < oldest, "newest first");
    for (query, shown) in [
        ("?kind=acls", true),
        ("?cluster=eu-central", true),
        ("?name=somebody", true),
        ("?name=orders.placed&kind=acls&cluster=eu-central", true),
        ("?kind=configs", false),
        ("?cluster=eu-west", false),
        ("?name=nobody", false),
        ("?to=2020-01-01T00:00", false),
        ("?kind=topics", false),
    ] {
        assert_eq!(fine(&app, query).await.contains(denied), shown, "{query}");
    }
    let json = html.split("<a href=\"").filter_map(|rest| rest.split('"').next());
    let json: Vec<String> = json
        .filter(|href| href.starts_with("/api/v1/pairs/orders/facts?kind=acls&#38;cluster=eu-central"))
        .map(|href| href.replace("&#38;", "&"))
        .collect();
    let body = app.as_user("vera").await.get(&json[0]).await.done();
    assert!(body["body"].to_string().contains("User:somebody"), "{body:#}");
    let pair = app.as_browser_of("vera").await.get("/pairs/orders").await.text;
    assert!(pair.contains("/pairs/orders/recorded#changes") && pair.contains("/pairs/orders/recorded#group"));
}

#[tokio::test(flavor = "multi_thread")]
async fn that_changes_were_left_out_is_said_wherever_nothing_changed_could_be_read_into_it() {
    let app = TestApp::with_pair().await;
    let name = PairName::new("orders").unwrap();
    let mut conn = app.app.pool.acquire().await.unwrap();
    let of = (&name, Side::A, FactKind::Acls);
    // After what the pair's own surveys kept, and before anything that is asked about.
    let since = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    recorder::keep_fact_change(&mut conn, of, since, None).await.unwrap();
    let time =
        |minutes: i64| (since + chrono::TimeDelta::minutes(minutes)).format("%Y-%m-%dT%H:%M:%S").to_string();
    let within = format!("?from={}&to={}", time(60), time(120));
    let said = "ACLs of eu-west from ";
    let html = fine(&app, &within).await;
    assert!(html.contains(said) && html.contains("until they are kept whole again"), "{html}");
    assert!(fine(&app, &format!("{within}&kind=acls&cluster=eu-west")).await.contains(said));
    for query in ["&kind=configs", "&cluster=eu-central", "&kind=topics"] {
        assert!(!fine(&app, &format!("{within}{query}")).await.contains(said), "{query}");
    }
    let of_then =
        |minutes: i64| format!("/api/v1/pairs/orders/facts?kind=acls&cluster=eu-west&at={}Z", time(minutes));
    let vera = app.as_user("vera").await;
    let unknown = vera.get(&of_then(60)).await.done();
    assert_eq!((&unknown["left_out"], &unknown["body"]), (&json!(true), &json!(null)), "{unknown:#}");
    let before = vera.get(&of_then(-30)).await.done();
    assert_eq!(before["left_out"], false, "{before:#}");
    assert!(before["until"].is_string() && before["body"].is_object(), "{before:#}");

    let whole = json!({"authorizer": true, "bindings": [], "disputed": []});
    recorder::keep_fact(&mut conn, of, since + chrono::TimeDelta::minutes(90), &whole).await.unwrap();
    let html = fine(&app, &within).await;
    assert!(html.contains(said) && html.contains("They are kept whole again"), "{html}");
    assert!(!fine(&app, &format!("?from={}&to={}", time(120), time(180))).await.contains(said), "it is over");
    assert_eq!(vera.get(&of_then(120)).await.done()["body"], whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_are_read_page_by_page_also_when_few_are_about_the_name() {
    let app = TestApp::with_pair().await;
    let name = PairName::new("orders").unwrap();
    let mut conn = app.app.pool.acquire().await.unwrap();
    let began = chrono::Utc::now() - chrono::TimeDelta::hours(3);
    for number in 0..65_i64 {
        // One in thirty is about a topic of its own.
        let topic = if number % 30 == 5 { format!("rare-{number}") } else { "often".to_owned() };
        let configs = json!([{"retention.ms": {"value": number.to_string(), "source": "topic"}}]);
        let before = json!({"configs": configs, "topics": {(topic): 0}});
        let at = began + chrono::TimeDelta::minutes(number);
        recorder::keep_fact(&mut conn, (&name, Side::A, FactKind::Configs), at, &before).await.unwrap();
    }
    drop(conn);
    let read = async |query: &str, listed: &str| {
        let (mut found, mut pages, mut next) = (0, 0, Some(query.to_owned()));
        while let Some(query) = next {
            let html = fine(&app, &query).await;
            found += html.matches(listed).count();
            pages += 1;
            let older = html.split("\">Older changes").next().filter(|_| html.contains("\">Older changes"));
            next = older.map(|rest| {
                let href = rest.rsplit("href=\"").next().unwrap().replace("&#38;", "&");
                let query = href.strip_prefix("/pairs/orders/recorded").unwrap();
                query.split('#').next().unwrap().to_owned()
            });
        }
        (found, pages)
    };
    let all = "id=\"change-eu-west-configs-";
    // What was kept of the pair itself is older or newer than these, and among them.
    assert_eq!(read("?kind=configs&cluster=eu-west", all).await, (66, 7));
    // It came and went, and of the first nobody knows what was before.
    assert_eq!(read("?kind=configs&cluster=eu-west&name=rare-5", all).await, (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_recreated_is_listed_with_each_of_its_ids() {
    let app = TestApp::with_pair().await;
    let html = fine(&app, "").await;
    assert!(html.contains("No topic in scope changed its id while it was recorded."), "{html}");
    sqlx::query(
        "insert into recorder_track (stream, number, group_id, topic, topic_id, partition, seen_at)
        select stream, (select max(number) + 1 from recorder_track), group_id, topic,
            '00000000-0000-0000-0000-00000000beef'::uuid, partition, seen_at
        from recorder_track
        where topic = 'orders.placed' and group_id = '' and partition = 0
        limit 1",
    )
    .execute(&app.app.pool)
    .await
    .unwrap();
    let html = fine(&app, "?kind=topics").await;
    assert_eq!(html.matches("<th scope=\"row\">orders.placed</th>").count(), 2, "{html}");
    assert!(
        html.contains("00000000-0000-0000-0000-00000000beef") && html.contains("since then; seen on "),
        "{html}"
    );
    assert!(!fine(&app, "?kind=topics&name=another").await.contains("beef"));
    assert!(!fine(&app, "?kind=acls").await.contains("beef"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_said_beside_the_form_and_nobody_reads_the_records_of_others() {
    let app = TestApp::with_pair().await;
    for (query, sentence) in [
        ("?at=yesterday&group=x", "Write a time in UTC"),
        ("?from=soon", "Write a time in UTC"),
        ("?from=2026-11-19T03:00&to=2026-11-19T02:00", "It must not be after the end."),
        ("?source=mars", "`mars` is not a cluster of pair `orders`."),
        ("?cluster=mars", "`mars` is not a cluster of pair `orders`."),
    ] {
        let (status, html) = page(&app, query).await;
        assert_eq!(status, 422, "{query}: {html}");
        assert!(html.contains(sentence) && html.contains("Filter changes</button>"), "{query}: {html}");
    }
    fine(&app, "?after=yesterday&kind=nonsense").await;
    for (who, status) in [("outis", 403), ("orla", 403), ("ada", 200)] {
        let reply =
            app.as_browser_of(who).await.request(Method::GET, "/pairs/orders/recorded", None, &HTML).await;
        assert_eq!(reply.status.as_u16(), status, "{who}");
    }
}
