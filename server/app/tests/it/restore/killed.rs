//! `muster restored` is killed in the middle: nothing was done, and who runs it again does all of it.

use muster_store::testing::TestDatabase;

use super::{
    Dir, back_up, documented, muster,
    parked::{DRAINING, left, said},
    restore, words,
};
use crate::{processes::until, test_app::TestApp};

/// Everything it changes.
async fn picture(database: &TestDatabase) -> String {
    let sql = "select jsonb_build_object(
            'brake', (select to_jsonb(brake) from brake),
            'runs', (select jsonb_agg(to_jsonb(run) order by id) from run),
            'events', (select count(*) from run_event),
            'audit', (select count(*) from audit_entry)
        )::text";
    sqlx::query_scalar(sql).fetch_one(database.pool()).await.unwrap()
}

/// The session that has written and waits for somebody's row.
async fn in_the_middle(database: &TestDatabase) -> Option<i32> {
    let sql = "select pid
        from pg_stat_activity
        where datname = current_database()
            and wait_event_type = 'Lock'
            and backend_xid is not null";
    sqlx::query_scalar(sql).fetch_optional(database.pool()).await.unwrap()
}

async fn is_there(database: &TestDatabase, session: i32) -> bool {
    let sql = "select exists (select from pg_stat_activity where pid = $1)";
    sqlx::query_scalar(sql).bind(session).fetch_one(database.pool()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_has_done_nothing_and_once_more_does_it_all() {
    let app = TestApp::with_pair().await;
    let run = left(&app, DRAINING).await;
    let (dir, restored) = (Dir::new(), TestDatabase::empty().await);
    back_up(&app, &dir);
    let url = restore(&dir, &restored);
    let before = picture(&restored).await;

    // It puts the brake on, and then comes to the run, which somebody holds.
    let mut held = muster_store::begin(restored.pool()).await.unwrap();
    sqlx::query("select from run where id = $1 for update").bind(run).execute(&mut *held).await.unwrap();
    let mut process = muster(&words(&documented("restored")), &url, &dir.0).spawn().unwrap();
    let mut session = None;
    until("it to wait for the run", async || {
        session = in_the_middle(&restored).await;
        session.is_some()
    })
    .await;
    process.kill().unwrap();
    assert_eq!(process.wait().unwrap().code(), None, "it did not end by itself");
    held.rollback().await.unwrap();
    let session = session.unwrap();
    until("its session to end", async || !is_there(&restored, session).await).await;
    assert_eq!(picture(&restored).await, before, "neither the brake nor the run, and nothing is told");

    let once_more = said(muster(&words(&documented("restored")), &url, &dir.0));
    let parked = format!("The brake is on now: nothing starts before somebody releases it.\nRun 1 ({run})");
    assert!(once_more.starts_with(&parked), "{once_more}");
    assert!(once_more.contains("\n1 run is parked. "), "{once_more}");
    let done = picture(&restored).await;
    assert_ne!(done, before);
    let twice = said(muster(&words(&documented("restored")), &url, &dir.0));
    assert!(twice.contains("\nNo run had to be parked. "), "{twice}");
    assert_eq!(picture(&restored).await, done, "twice is once");
}
