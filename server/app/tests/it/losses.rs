//! The pages of losses: all of a pair, and the statement of one.

use std::collections::BTreeSet;

use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};
use muster_app::loops::memory::Memory;
use muster_domain::{
    ids::{PairName, TeamName},
    loss::{EndRead, Interval, Loss, PartitionLoss, TopicLoss, Truth},
    pair::{Direction, Pair, Side},
};
use muster_kafka::double::Health;
use muster_store::{leases, losses, pairs};
use regex::Regex;

use crate::test_app::TestApp;

/// The loss that addresses name in the coverage tests.
pub(crate) const LOSS: &str = "a-1795057703000000";

const HTML: [(&str, &str); 1] = [("accept", "text/html")];

/// Makes it: eu-west died, and nothing came back but this.
pub(crate) async fn loss(app: &TestApp, reason: &str) {
    let loss = of_orders(app, 0);
    assert_eq!(loss.id().to_string(), LOSS);
    keep(app, "orders", &Loss { reason: reason.to_owned(), ..loss }).await;
}

/// A loss with a topic of two partitions, so many minutes after the first.
fn of_orders(app: &TestApp, minutes: i64) -> Loss {
    let seen_at = DateTime::from_timestamp(1_795_057_703, 0).unwrap() + TimeDelta::minutes(minutes);
    let lost = Interval {
        records_at_least: 3,
        records_at_most: Some(700),
        ms_at_least: 200,
        ms_at_most: Some(5_100),
    };
    Loss {
        direction: Direction { from: Side::A },
        owner: app.team.clone(),
        seen_at,
        noticed_at: seen_at + TimeDelta::seconds(5),
        reason: "connection refused".to_owned(),
        total: lost,
        topics: vec![topic(app, "orders.placed", lost, 2)],
        method: "By the ends that were last read.".to_owned(),
        waits_for_leaders: 0,
        truth: None,
    }
}

/// A topic whose first partitions lost most.
fn topic(app: &TestApp, name: &str, lost: Interval, partitions: i32) -> TopicLoss {
    let partition = |number: i32| PartitionLoss {
        partition: number,
        end: 1_000,
        end_read: EndRead::Then,
        through: Some(300),
        counts_from: Some(0),
        leader_epoch: None,
        lost: Interval { records_at_most: Some(700 - i64::from(number)), ..lost },
        truth: None,
        truth_ms: None,
        read_again: None,
    };
    TopicLoss {
        topic: name.to_owned(),
        topic_id: None,
        owner: app.team.clone(),
        lost,
        partitions: (0..partitions).map(partition).collect(),
        truth: None,
        truth_ms: None,
    }
}

async fn keep(app: &TestApp, pair: &str, loss: &Loss) {
    let mut conn = app.app.pool.acquire().await.unwrap();
    losses::keep(&mut conn, &PairName::new(pair).unwrap(), loss).await.unwrap();
}

/// A page, when all is well.
async fn page(app: &TestApp, path: &str) -> String {
    let reply = app.as_browser_of("vera").await.request(Method::GET, path, None, &HTML).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.text
}

/// What leads somewhere, each once and in the order of the page, without what is behind a mark.
fn hrefs(html: &str, pattern: &str) -> Vec<String> {
    let links = Regex::new(&format!("href=\"({pattern})\"")).unwrap();
    let mut seen = BTreeSet::new();
    let found = links.captures_iter(html).map(|found| found[1].replace("&#38;", "&"));
    found.filter(|href| seen.insert(href.clone())).collect()
}

async fn observe(app: &TestApp, memory: &mut Memory) {
    let pair = PairName::new("orders").unwrap();
    let mut conn = app.app.pool.acquire().await.unwrap();
    let name = leases::survey_lease(&pair);
    let lease = leases::claim(&mut conn, &name, "test", 60.0).await.unwrap().unwrap();
    drop(conn);
    app.surveys.observe(&pair, lease.epoch, memory).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_is_one_page_with_what_now_and_the_true_figure_comes_beside_it() {
    let app = TestApp::with_pair().await;
    let none = page(&app, "/pairs/orders/losses").await;
    assert!(none.contains("No source of orders was found dead"), "{none}");
    assert!(!page(&app, "/").await.contains("/pairs/orders/losses"), "nothing is open");
    let mut memory = Memory::default();
    for _ in 0..3 {
        app.small.world.ticks(3);
        observe(&app, &mut memory).await;
    }
    app.small.world.set_health("eu-west", Health::Dead);
    observe(&app, &mut memory).await;

    let list = page(&app, "/pairs/orders/losses").await;
    let [statement]: [String; 1] = hrefs(&list, "/pairs/orders/losses/a-[0-9]+").try_into().unwrap();
    assert!(list.contains("eu-west → eu-central") && list.contains("source not back yet"), "{list}");
    let pair = page(&app, "/pairs/orders").await;
    assert!(hrefs(&pair, "/pairs/orders/losses/a-[0-9]+") == [statement.clone()], "{pair}");
    let fleet = page(&app, "/").await;
    assert!(fleet.contains("<code>eu-west</code> did not answer; what had not reached"), "{fleet}");
    assert!(hrefs(&fleet, "/pairs/orders/losses[^\"]*") == [statement.clone()], "{fleet}");
    assert!(fleet.contains(">noticed "), "{fleet}");
    let lag = page(&app, "/pairs/orders/lag?source=eu-west").await;
    assert!(lag.contains(&format!("<a href=\"{statement}\">eu-west did not answer</a>")), "{lag}");

    let stated = page(&app, &statement).await;
    for words in
        ["of orders are missing on eu-central", "What now", "Of whom", "not known yet", "orders.placed-0"]
    {
        assert!(stated.contains(words), "{words}: {stated}");
    }
    for leads in [
        "/pairs/orders/translation\\?from=eu-west",
        "/runbooks#the-active-side-is-dead",
        "/pairs/orders#plan",
        "/clusters/eu-west",
        "/findings\\?pair=orders#raise",
    ] {
        assert_eq!(hrefs(&stated, leads).len(), 1, "{leads}: {stated}");
    }

    // Applications went to the other side meanwhile, so nobody adds to what died.
    app.small.world.point_producers("eu-central");
    app.small.world.set_health("eu-west", Health::Up);
    observe(&app, &mut memory).await;
    observe(&app, &mut memory).await;
    let settled = page(&app, &statement).await;
    assert!(settled.contains("Once it was back") && !settled.contains("not known yet"), "{settled}");
    assert!(settled.contains("Said: nothing is looked at again."), "{settled}");
    assert!(!settled.contains("http-equiv=\"refresh\"") && stated.contains("http-equiv=\"refresh\""));
    assert!(!page(&app, "/").await.contains("/pairs/orders/losses"), "it is open no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_problems_on_every_page_counts_an_open_loss_for_who_reads_its_pair() {
    let app = TestApp::with_pair().await;
    let number = async |who: &str| -> i64 {
        let brake = app.as_browser_of(who).await.get("/brake").await.text;
        let counted = Regex::new(r"/#problems.>(\d+) problem").unwrap();
        counted.captures(&brake).map_or(0, |found| found[1].parse().unwrap())
    };
    let before = (number("vera").await, number("outis").await);
    loss(&app, "connection refused").await;
    let process = app.process(muster_app::app::App { causes: std::sync::Arc::default(), ..app.app.clone() });
    let told = app.as_browser_of("vera").await.at(&process).get("/brake").await.text;
    assert!(told.contains(&format!(">{} problem", before.0 + 1)), "{before:?}: {told}");
    let others = app.as_browser_of("outis").await.at(&process).get("/brake").await.text;
    assert!(others.contains("No problems") && before.1 == 0, "{before:?}: {others}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_read_by_who_reads_its_pair_and_under_its_pair_only() {
    let app = TestApp::with_pair().await;
    loss(&app, "connection refused").await;
    let theirs = Pair {
        name: PairName::new("theirs").unwrap(),
        team: TeamName::new("elsewhere").unwrap(),
        ..app.small.pair.clone()
    };
    pairs::insert(&mut app.app.pool.acquire().await.unwrap(), &theirs).await.unwrap();
    let of_theirs = of_orders(&app, 1);
    keep(&app, "theirs", &of_theirs).await;
    let status = async |who: &str, path: &str| {
        app.as_browser_of(who).await.request(Method::GET, path, None, &HTML).await.status.as_u16()
    };
    let (mine, other) =
        (format!("/pairs/orders/losses/{LOSS}"), format!("/pairs/theirs/losses/{}", of_theirs.id()));
    for (path, vera, outis) in
        [("/pairs/orders/losses", 200, 403), (mine.as_str(), 200, 403), (other.as_str(), 403, 200)]
    {
        assert_eq!((status("vera", path).await, status("outis", path).await), (vera, outis), "{path}");
    }
    let nobody = app.as_user("nobody").await.request(Method::GET, &mine, None, &HTML).await;
    assert_eq!(nobody.header("location"), format!("/sign-in?next={mine}"));
    for unknown in [
        "a-1795057703000001",
        "b-1795057703000000",
        "A-1795057703000000",
        "a-",
        "x",
        &of_theirs.id().to_string(),
    ] {
        assert_eq!(status("vera", &format!("/pairs/orders/losses/{unknown}")).await, 404, "{unknown}");
    }
    assert_eq!(status("vera", "/pairs/none/losses").await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_are_listed_newest_first_each_on_one_page() {
    let app = TestApp::with_pair().await;
    for minutes in 0..60 {
        keep(&app, "orders", &of_orders(&app, minutes)).await;
    }
    let first = page(&app, "/pairs/orders/losses").await;
    let [more]: [String; 1] = hrefs(&first, "/pairs/orders/losses\\?after=[^\"]+").try_into().unwrap();
    let second = page(&app, &more).await;
    assert!(!first.contains("First losses") && second.contains("First losses"), "{second}");
    let of = |html: &str| hrefs(html, "/pairs/orders/losses/a-[0-9]+");
    let (first, second) = (of(&first), of(&second));
    assert_eq!((first.len(), second.len()), (50, 10));
    let newest_first: Vec<String> = (0..60)
        .rev()
        .map(|minutes| format!("/pairs/orders/losses/{}", of_orders(&app, minutes).id()))
        .collect();
    assert_eq!([first, second].concat(), newest_first);
    let lost = page(&app, "/pairs/orders/losses?after=yesterday").await;
    assert!(!lost.contains("First losses"), "what is no place leads to the beginning: {lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_partition_of_a_statement_is_on_some_page_and_on_one_only() {
    let app = TestApp::with_pair().await;
    let mut wide = of_orders(&app, 0);
    let of_topic = wide.topics[0].lost;
    wide.topics.push(topic(&app, "orders.paid", of_topic, 118));
    keep(&app, "orders", &wide).await;
    let here = format!("/pairs/orders/losses/{LOSS}");
    let partitions = Regex::new(r">(orders\.[a-z]+-\d+)</a></th>").unwrap();
    let listed = |html: &str| -> Vec<String> {
        partitions.captures_iter(html).map(|found| found[1].to_owned()).collect()
    };
    let worse = Regex::new("href=\"([^\"]+)\">Those that lost less").unwrap();
    let (mut all, mut next) = (Vec::new(), Some(here.clone()));
    while let Some(path) = next {
        let html = page(&app, &path).await;
        let on_page = listed(&html);
        assert!(on_page.len() <= 50, "{path}: {}", on_page.len());
        all.extend(on_page);
        next = worse.captures(&html).map(|found| found[1].split('#').next().unwrap().replace("&#38;", "&"));
    }
    let once: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), once.len()), (120, 120), "{all:?}");
    assert_eq!(all[..2], ["orders.paid-0", "orders.placed-0"], "those that lost most come first");
    let one = page(&app, &format!("{here}?topic=placed")).await;
    assert_eq!(listed(&one), ["orders.placed-0", "orders.placed-1"]);
    let none = page(&app, &format!("{here}?topic=nothing&skip=7")).await;
    assert!(none.contains("No topic matches.") && listed(&none).is_empty(), "{none}");
    let beyond = page(&app, &format!("{here}?skip=100000")).await;
    assert!(
        beyond.contains("none on this page of 120 partitions") && beyond.contains("Those that lost more"),
        "{beyond}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_of_a_statement_are_of_that_loss_whatever_died_since() {
    let app = TestApp::with_pair().await;
    loss(&app, "connection refused").await;
    keep(&app, "orders", &of_orders(&app, 90)).await;
    let stated = page(&app, &format!("/pairs/orders/losses/{LOSS}")).await;
    let exports = hrefs(&stated, "/api/v1/pairs/orders/loss\\?[^\"]+");
    let vera = app.as_user("vera").await;
    let [csv, json]: [String; 2] = exports.try_into().unwrap();
    let seen_at: DateTime<Utc> =
        vera.get(&json).await.done()["loss"]["seen_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(seen_at, of_orders(&app, 0).seen_at);
    let csv = vera.get(&csv).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(
        csv.text.lines().nth(1).is_some_and(|line| line.ends_with("2026-11-19T03:08:28Z")),
        "{}",
        csv.text
    );
    // A program finds the page of each by its id.
    let listed =
        vera.get("/api/v1/losses?from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z&pair=orders").await.done();
    let ids: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|loss| loss["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [of_orders(&app, 90).id().to_string().as_str(), LOSS]);
    let none = vera
        .get("/api/v1/losses?from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z&pair=another")
        .await
        .done();
    assert_eq!(none["items"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_loss_that_was_none_page_and_api_say_that_its_topics_are_not_kept() {
    let app = TestApp::with_pair().await;
    let kept = of_orders(&app, 0);
    let nothing = Truth {
        at: kept.noticed_at + TimeDelta::minutes(1),
        records: Some(0),
        ms: Some(0),
        by_logs: true,
        exact: true,
        settled: true,
        method: "By its logs.".to_owned(),
    };
    let mut read = Vec::new();
    for topics in [kept.topics.clone(), Vec::new()] {
        keep(&app, "orders", &Loss { topics, truth: Some(nothing.clone()), ..kept.clone() }).await;
        let told = app.as_user("vera").await.get("/api/v1/pairs/orders/loss").await.done();
        assert_eq!(told["loss"]["truth"]["records"], 0);
        let html = page(&app, &format!("/pairs/orders/losses/{LOSS}")).await;
        assert!(html.contains("Nothing was lost"), "{html}");
        let said = html.contains("What was said of each is removed");
        read.push((told["topics_removed"].as_bool(), said, html.contains("Of whom")));
    }
    assert_eq!(read, [(Some(false), false, true), (Some(true), true, false)]);
}
