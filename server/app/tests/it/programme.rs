//! The page of drills and their calendar say everything there is, however much that is.

use serde_json::json;

use crate::{runs::requested, test_app::TestApp};

/// A weekly schedule of `orders` that is on, with a drill nobody held ten days ago, one they did not hold ten days before that, and
/// one half a year ago; and 250 schedules that are off, with one drill ahead each.
async fn a_long_programme(app: &TestApp) {
    let weekly = json!({"pair": "orders", "cadence": {"every": "cron", "expression": "0 9 * * 4"}});
    app.as_user("olga").await.post("/api/v1/schedules", weekly).await.done();
    let sql = "
        insert into schedule (id, pair, body)
        select made.id, pair, body || jsonb_build_object('id', made.id::text, 'enabled', false)
        from schedule, (select gen_random_uuid() as id from generate_series(1, 250)) as made;
        insert into drill_occurrence (schedule_id, nominal, pair, drill, due, closes, recorded_at)
        select id, times.due, pair, 'switchover', times.due, times.due + interval '1 hour', times.due - interval '2 days'
        from schedule, (
            select date_trunc('minute', now()) - make_interval(days => ago) as due from unnest(array[10, 20, 190]) as ago
        ) as times
        where (body ->> 'enabled')::boolean;
        insert into drill_occurrence (schedule_id, nominal, pair, drill, due, closes)
        select id, times.due, pair, 'switchover', times.due, times.due + interval '1 hour'
        from (select *, row_number() over (order by id) as nth from schedule where not (body ->> 'enabled')::boolean) as off,
            lateral (select date_trunc('minute', now()) + make_interval(hours => nth::int) as due) as times;";
    sqlx::raw_sql(sql).execute(&app.app.pool).await.unwrap();
}

/// The page at an address: what it says in sum, the standing of each drill, and the address of the next page.
async fn read(app: &TestApp, address: &str) -> (String, Vec<String>, Option<String>) {
    let page = app.as_browser_of("vera").await.get(address).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let found = |pattern: &str| -> Vec<String> {
        let pattern = regex::Regex::new(pattern).unwrap();
        pattern.captures_iter(&page.text).map(|found| found[1].to_owned()).collect()
    };
    let said = found("<h1>Drills</h1><p>([^<]*)</p>").remove(0);
    let standings = found(r"<span>(overdue|missed|due now|ahead|satisfied|skipped|late, under way)</span>");
    let next = found(r#"href="(/drills\?due_after=[^"]+)">More drills"#).pop();
    (said, standings, next)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_comes_first_and_is_counted_however_much_is_ahead() {
    let app = TestApp::with_pair().await;
    a_long_programme(&app).await;
    let (said, mut all, mut next) = read(&app, "/drills").await;
    assert_eq!((said.as_str(), all.len()), ("1 overdue, 250 ahead.", 50));
    while let Some(address) = next {
        let page = read(&app, &address).await;
        assert_eq!(page.0, said, "on every page");
        all.extend(page.1);
        next = page.2;
    }
    let expected = [vec!["overdue"], vec!["ahead"; 250], vec!["missed"; 2]].concat();
    assert_eq!(all, expected, "each once");
    // Behind everything, and where nothing leads, the list begins again.
    let behind = "/drills?due_after=due~3~0~ffffffff-ffff-ffff-ffff-ffffffffffff~0";
    for address in [behind, "/drills?due_after=yesterday"] {
        let page = read(&app, address).await;
        assert_eq!((page.0.as_str(), page.1[0].as_str()), ("1 overdue, 250 ahead.", "overdue"), "{address}");
    }
    let elsewhere = app.as_browser_of("outis").await.get("/drills").await.text;
    assert!(elsewhere.contains("Nothing is due."), "{elsewhere}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_passed_since_makes_up_for_the_one_that_is_overdue() {
    let app = TestApp::with_pair().await;
    a_long_programme(&app).await;
    let (_, run) = requested(&app).await;
    let held = "update run
        set state = 'passed', drill = true, created_at = now() - interval '1 day', started_at = now(), ended_at = now()
        where id = $1";
    sqlx::query(held).bind(run).execute(&app.app.pool).await.unwrap();
    let (said, first, _) = read(&app, "/drills").await;
    assert_eq!((said.as_str(), first[0].as_str()), ("250 ahead.", "ahead"));
    // As the list of the API says, whose rule is the same.
    let vera = app.as_user("vera").await;
    let mut standings = Vec::new();
    let mut query = "limit=200".to_owned();
    loop {
        let page = vera.get(&format!("/api/v1/occurrences?{query}")).await.done();
        standings.extend(page["items"].as_array().unwrap().iter().map(|one| one["standing"].clone()));
        match page["next"].as_str() {
            Some(next) => query = format!("limit=200&after={next}"),
            None => break,
        }
    }
    let count = |word: &str| standings.iter().filter(|standing| **standing == word).count();
    assert_eq!([count("ahead"), count("satisfied"), count("overdue")], [250, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_has_everything_of_its_time() {
    let app = TestApp::with_pair().await;
    a_long_programme(&app).await;
    let calendar = app.as_user("vera").await.get("/api/v1/calendar.ics").await.text;
    let recorded = "select schedule_id::text || '-' || extract(epoch from nominal)::bigint || '@muster', due < now() - interval '100 days'
        from drill_occurrence";
    let recorded: Vec<(String, bool)> = sqlx::query_as(recorded).fetch_all(&app.app.pool).await.unwrap();
    assert_eq!(recorded.len(), 253);
    let calendar = calendar.replace("\r\n ", "");
    for (uid, long_ago) in recorded {
        assert_eq!(calendar.contains(&uid), !long_ago, "{uid}");
    }
    assert_eq!(calendar.matches("(overdue)").count(), 2);
}
