use muster_domain::people::{Grant, Role};
use muster_store::{
    login_failures::{self, LockOut},
    people, sessions,
    testing::TestDatabase,
    tokens,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sample::{broken, keep_user};

const DAY: f64 = 86_400.0;

/// The database's clock decides, so tests move what is stored into the past.
async fn age(conn: &mut PgConnection, sql: &'static str) {
    sqlx::query(sql).execute(conn).await.expect("the row should be changed");
}

#[tokio::test]
async fn a_session_counts_until_it_ends_idles_or_is_revoked() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let user = keep_user(conn, "mira.holt", &[Grant { role: Role::Viewer, team: None }]).await.unwrap();
    let open = async |conn: &mut PgConnection| {
        sessions::insert(conn, Uuid::now_v7(), user, DAY, "Firefox", "10.0.0.7").await.unwrap().id
    };
    let id = open(conn).await;
    let live = sessions::get_live(conn, id, 3600.0).await.unwrap().unwrap();
    assert_eq!((live.actor.name.as_str(), live.actor.grants.len()), ("mira.holt", 1));
    assert!((0.0..10.0).contains(&live.stepped_up_seconds_ago));

    age(conn, "update session set last_seen_at = last_seen_at - interval '2 hours'").await;
    assert!(sessions::get_live(conn, id, 3600.0).await.unwrap().is_none(), "idle");
    sessions::touch(conn, id).await.unwrap();
    assert!(sessions::get_live(conn, id, 3600.0).await.unwrap().is_some());
    age(conn, "update session set stepped_up_at = stepped_up_at - interval '1 hour'").await;
    assert!(sessions::get_live(conn, id, 3600.0).await.unwrap().unwrap().stepped_up_seconds_ago > 3500.0);
    sessions::step_up(conn, id).await.unwrap();
    assert!(sessions::get_live(conn, id, 3600.0).await.unwrap().unwrap().stepped_up_seconds_ago < 10.0);

    assert!(sessions::revoke(conn, id).await.unwrap());
    assert!(!sessions::revoke(conn, id).await.unwrap());
    assert!(sessions::get_live(conn, id, 3600.0).await.unwrap().is_none(), "revoked");
    assert!(sessions::step_up(conn, id).await.is_err(), "a revoked session cannot be stepped up");

    let (kept, ended) = (open(conn).await, open(conn).await);
    assert_eq!(sessions::revoke_all(conn, user, Some(kept)).await.unwrap(), 1);
    let left: Vec<Uuid> = sessions::list(conn, user).await.unwrap().into_iter().map(|s| s.id).collect();
    assert_eq!(left, [kept], "{ended} is revoked");
    age(conn, "update session set created_at = created_at - interval '9 days', expires_at = now() - interval '8 days'")
        .await;
    assert!(sessions::get_live(conn, kept, 3600.0).await.unwrap().is_none(), "ended");
    assert_eq!(sessions::delete_ended(conn).await.unwrap(), 3);
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let user = keep_user(conn, "mira.holt", &[]).await.unwrap();
    let id = sessions::insert(conn, Uuid::now_v7(), user, DAY, "", "").await.unwrap().id;
    let hash = "a".repeat(64);
    tokens::insert(conn, Uuid::now_v7(), "ci", user, &hash, &[], DAY).await.unwrap();
    assert!(tokens::get_live(conn, &hash).await.unwrap().is_some());
    people::update(conn, user, 1, "Mira", true).await.unwrap();
    assert!(sessions::get_live(conn, id, 3600.0).await.unwrap().is_none());
    assert!(tokens::get_live(conn, &hash).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_acts_as_its_user_until_it_ends_or_is_revoked() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let user = keep_user(conn, "mira.holt", &[Grant { role: Role::Operator, team: None }]).await.unwrap();
    let hash = "0".repeat(64);
    let scopes = ["runs".to_owned()];
    let kept = tokens::insert(conn, Uuid::now_v7(), "ci", user, &hash, &scopes, DAY).await.unwrap();
    let (token, actor) = tokens::get_live(conn, &hash).await.unwrap().unwrap();
    assert_eq!((actor.id, actor.name.as_str(), actor.grants.len()), (user, "token:ci", 1));
    assert_eq!(token, kept);
    tokens::touch(conn, token.id).await.unwrap();
    assert!(tokens::page(conn, Some(user), None, 10).await.unwrap()[0].last_used_at.is_some());

    let again = tokens::insert(conn, Uuid::now_v7(), "ci", user, &"1".repeat(64), &[], DAY).await;
    assert_eq!(broken(again), "token_name_unique");
    let same = tokens::insert(conn, Uuid::now_v7(), "other", user, &hash, &[], DAY).await;
    assert_eq!(broken(same), "token_hash_unique");
    let plain = tokens::insert(conn, Uuid::now_v7(), "other", user, "the-token-itself", &[], DAY).await;
    assert_eq!(broken(plain), "token_hash_is_one");
    let ended = tokens::insert(conn, Uuid::now_v7(), "other", user, &"2".repeat(64), &[], -1.0).await;
    assert_eq!(broken(ended), "token_ends");

    assert!(tokens::revoke(conn, token.id).await.unwrap());
    assert!(tokens::get_live(conn, &hash).await.unwrap().is_none());
    assert!(tokens::page(conn, None, None, 10).await.unwrap()[0].revoked_at.is_some());
}

#[tokio::test]
async fn enough_failures_lock_and_the_lock_runs_out() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let rule = LockOut { failures: 3, window_seconds: 600.0, lock_seconds: 900.0 };
    let key = "user:mira.holt";
    assert_eq!(login_failures::count(conn, key, rule).await.unwrap(), None);
    // A window that is over starts again at one.
    age(conn, "update login_failure set since = since - interval '11 minutes'").await;
    for _ in 0..2 {
        assert_eq!(login_failures::count(conn, key, rule).await.unwrap(), None);
    }
    let until = login_failures::count(conn, key, rule).await.unwrap();
    assert!(until.is_some());
    assert_eq!(login_failures::locked_until(conn, key).await.unwrap(), until);
    assert_eq!(login_failures::locked_until(conn, "user:other").await.unwrap(), None);

    age(conn, "update login_failure set locked_until = locked_until - interval '16 minutes'").await;
    assert_eq!(login_failures::locked_until(conn, key).await.unwrap(), None, "it ran out");
    assert_eq!(login_failures::count(conn, key, rule).await.unwrap(), None, "and the count starts again");
    login_failures::clear(conn, key).await.unwrap();
    age(conn, "insert into login_failure values ('old', 1, now() - interval '2 days')").await;
    assert_eq!(login_failures::delete_old(conn).await.unwrap(), 1);
}

#[tokio::test]
async fn guessing_in_parallel_is_counted_once_each() {
    let database = TestDatabase::new().await;
    let rule = LockOut { failures: 20, window_seconds: 600.0, lock_seconds: 900.0 };
    let guesses = (0..20).map(|_| async {
        login_failures::count(&mut *database.conn().await, "address:10.0.0.7", rule).await.unwrap()
    });
    let mut locked = Vec::new();
    for task in futures(guesses).await {
        locked.extend(task);
    }
    assert_eq!(locked.len(), 1, "the twentieth locks, whichever it is");
}

/// Runs futures at once on this task.
async fn futures<T>(all: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, result) in all.iter_mut().zip(&mut done) {
            if result.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *result = Some(value),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}
