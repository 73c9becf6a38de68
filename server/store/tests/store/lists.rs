//! Lists in pages: each row once, in one order, also of what was made at the same moment.

use muster_domain::{
    ids::{ChannelName, TeamName},
    notification::{Channel, ChannelKind, EventKind},
};
use muster_store::{
    channels, clusters, pairs, people, sessions, teams, teams::Team, testing::TestDatabase, tokens,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sample::{cluster, keep_pair, keep_user, pair, team};

const DAY: f64 = 86_400.0;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

#[tokio::test]
async fn what_has_a_name_is_read_on_behind_a_name() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "a").await.unwrap();
    for name in NAMES {
        teams::insert(conn, &Team { name: team(name), description: String::new() }).await.unwrap();
        clusters::insert(conn, &cluster(name)).await.unwrap();
        keep_user(conn, name, &[]).await.unwrap();
    }
    for name in &NAMES[1..] {
        pairs::insert(conn, &pair(name)).await.unwrap();
    }
    let found = teams::page(conn, Some("b"), 2).await.unwrap();
    assert_eq!(found.iter().map(|team| team.name.as_str()).collect::<Vec<_>>(), ["c", "d"]);
    let found = clusters::page(conn, Some("b"), 2).await.unwrap();
    assert_eq!(found.iter().map(|cluster| cluster.name.as_str()).collect::<Vec<_>>(), ["c", "d"]);
    let found = people::page(conn, Some("b"), 2).await.unwrap();
    assert_eq!(found.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["c", "d"]);
    let found = pairs::page(conn, None, Some("b"), 2).await.unwrap();
    assert_eq!(found.iter().map(|pair| pair.name.as_str()).collect::<Vec<_>>(), ["c", "d"]);

    // The one the page before ended with may be gone.
    assert_eq!(people::page(conn, Some("bb"), 10).await.unwrap().len(), 3);
    assert_eq!(people::page(conn, None, 10).await.unwrap(), people::list(conn).await.unwrap());
    assert!(people::page(conn, Some("e"), 10).await.unwrap().is_empty());
    let others = ["search".to_owned()];
    assert!(pairs::page(conn, Some(&others), None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn channels_are_read_on_behind_a_team_and_a_name() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    for of in ["payments", "search"] {
        teams::insert(conn, &Team { name: team(of), description: String::new() }).await.unwrap();
        for name in ["a", "b"] {
            channels::insert(conn, &channel(team(of), name)).await.unwrap();
        }
    }
    let all = channels::list(conn, None).await.unwrap();
    let mut walked = Vec::new();
    let mut after: Option<(String, String)> = None;
    loop {
        let place = after.as_ref().map(|(team, name)| (team.as_str(), name.as_str()));
        let Some(one) = channels::page(conn, None, place, 1).await.unwrap().pop() else { break };
        after = Some((one.team.to_string(), one.name.to_string()));
        walked.push(one);
    }
    assert_eq!((walked.len(), &walked), (4, &all));
    let mine = ["search".to_owned()];
    let rest = channels::page(conn, Some(&mine), Some(("payments", "a")), 10).await.unwrap();
    assert_eq!(rest, all[2..]);
    assert!(channels::any_enabled(conn, Some(&mine)).await.unwrap());
    assert!(!channels::any_enabled(conn, Some(&["nobody".to_owned()])).await.unwrap());
}

fn channel(team: TeamName, name: &str) -> Channel {
    Channel {
        id: Uuid::now_v7(),
        team,
        name: ChannelName::new(name).expect("a usable name"),
        kind: ChannelKind::Slack,
        events: [EventKind::Ended, EventKind::BreakGlass].into(),
        enabled: true,
        recipients: Vec::new(),
        host: "hooks.example.com".to_owned(),
        version: 1,
    }
}

/// The database's clock decides, so tests move what is stored.
async fn set(conn: &mut PgConnection, sql: &'static str) {
    sqlx::query(sql).execute(conn).await.expect("the rows should be changed");
}

#[tokio::test]
async fn what_was_made_at_the_same_moment_is_read_once_each() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let (mira, otto) =
        (keep_user(conn, "mira", &[]).await.unwrap(), keep_user(conn, "otto", &[]).await.unwrap());
    for (at, name) in NAMES.iter().enumerate() {
        let hash = format!("{at}").repeat(64);
        tokens::insert(conn, Uuid::now_v7(), name, mira, &hash, &[], DAY).await.unwrap();
        sessions::insert(conn, Uuid::now_v7(), mira, DAY, "", "").await.unwrap();
    }
    let of_otto =
        tokens::insert(conn, Uuid::now_v7(), "otto", otto, &"f".repeat(64), &[], DAY).await.unwrap();
    let idle = sessions::insert(conn, Uuid::now_v7(), mira, DAY, "idle", "").await.unwrap();
    set(conn, "update session set last_seen_at = now() - interval '3 hours' where user_agent = 'idle'").await;
    set(conn, "update api_token set created_at = date_trunc('day', now())").await;
    set(conn, "update session set created_at = date_trunc('day', now())").await;

    let mut found = Vec::new();
    let mut before = None;
    loop {
        let page = tokens::page(conn, Some(mira), before, 2).await.unwrap();
        before = page.last().map(|token| (token.created_at, token.id));
        found.extend(page.iter().map(|token| token.id));
        if page.len() < 2 {
            break;
        }
    }
    let whole = tokens::page(conn, Some(mira), None, 100).await.unwrap();
    assert_eq!(found, whole.iter().map(|token| token.id).collect::<Vec<_>>());
    assert_eq!((found.len(), found.contains(&of_otto.id)), (5, false));
    assert_eq!(tokens::page(conn, None, None, 100).await.unwrap().len(), 6);
    assert_eq!(tokens::get(conn, of_otto.id).await.unwrap().map(|token| token.user), Some(otto));

    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = sessions::page(conn, mira, 7200.0, before, 2).await.unwrap();
        before = page.last().map(|session| (session.created_at, session.id));
        found.extend(page.iter().map(|session| session.id));
        if page.len() < 2 {
            break;
        }
    }
    let whole = sessions::page(conn, mira, 7200.0, None, 100).await.unwrap();
    assert_eq!(found, whole.iter().map(|session| session.id).collect::<Vec<_>>());
    assert_eq!((found.len(), found.contains(&idle.id)), (5, false), "one that idled is not among them");
    assert_eq!(sessions::list(conn, mira).await.unwrap().len(), 6);
}
