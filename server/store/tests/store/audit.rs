use muster_domain::audit::{BrokenChain, GENESIS, verify_chain};
use muster_store::{
    audit::{self, AuditFilter},
    testing::TestDatabase,
};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::sample::broken;

async fn append(conn: &mut PgConnection, actor: &str, action: &str, object: &str) -> i64 {
    audit::append(conn, actor, action, object, "done", json!({})).await.expect("an entry").content.number
}

#[tokio::test]
async fn entries_form_a_chain_that_verifies() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    assert_eq!(audit::verify(conn).await.unwrap(), Ok((0, GENESIS.to_owned())));
    // Numbers jsonb would rewrite, keys it would reorder, text it would refuse.
    let detail =
        json!({"z": -0.0, "a": 1e21, "b": 0.1, "n": 1.0, "text": "ü \u{0} \"quoted\"", "big": u64::MAX});
    let first = audit::append(conn, "mira.holt", "run.approve", "run 1", "done", detail).await.unwrap();
    let second = audit::append(conn, "muster", "run.start", "run 1", "refused", json!({"reason": "brake"}))
        .await
        .unwrap();
    assert_eq!((first.content.number, second.content.number), (1, 2));
    assert_eq!(audit::after(conn, 0).await.unwrap(), [first, second.clone()]);
    assert_eq!(audit::verify(conn).await.unwrap(), Ok((2, second.hash.clone())));
    assert_eq!(audit::head(conn).await.unwrap(), (2, second.hash));
    let nul = audit::append(conn, "a\0b", "session.refuse", "user a\0b", "refused", json!({})).await.unwrap();
    assert_eq!(nul.content.actor, "a\u{fffd}b");
    assert!(audit::verify(conn).await.unwrap().is_ok());
    let odd = audit::append(conn, "x", "y", "z", "perhaps", json!({})).await;
    assert_eq!(broken(odd), "audit_outcome_known");
}

#[tokio::test]
async fn a_change_that_is_rolled_back_leaves_no_entry_and_no_gap() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let mut tx = conn.begin().await.unwrap();
    append(&mut tx, "mira.holt", "pair.create", "pair payments").await;
    tx.rollback().await.unwrap();
    assert_eq!(append(conn, "mira.holt", "pair.create", "pair payments").await, 1);
    assert!(audit::verify(conn).await.unwrap().is_ok());
}

#[tokio::test]
async fn writers_at_once_take_turns() {
    let database = TestDatabase::new().await;
    let writers: Vec<_> = (0..6)
        .map(|n| {
            let pool = database.pool().clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    let mut tx = muster_store::begin(&pool).await.unwrap();
                    append(&mut tx, &format!("writer-{n}"), "run.note", "run 1").await;
                    tx.commit().await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let conn = &mut *database.conn().await;
    assert_eq!(audit::verify(conn).await.unwrap().unwrap().0, 60);
    let entries = audit::after(conn, 0).await.unwrap();
    assert!(entries.is_sorted_by_key(|entry| entry.content.at), "time does not go back");
    verify_chain((0, GENESIS), &entries).unwrap();
}

#[tokio::test]
async fn entries_cannot_be_changed_or_removed() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    append(conn, "mira.holt", "run.approve", "run 1").await;
    for attack in ["update audit_entry set actor = 'x'", "delete from audit_entry", "truncate audit_entry"] {
        let refused = sqlx::query(attack).execute(&mut *conn).await.unwrap_err();
        let refused = refused.as_database_error().unwrap();
        assert_eq!(refused.constraint(), Some("audit_is_append_only"), "{attack}: {refused}");
    }
}

/// An attacker with the rights of a superuser can get past the trigger, but not past the chain.
#[tokio::test]
async fn what_gets_past_the_trigger_is_found_by_the_verifier() {
    for (attack, found) in [
        ("update audit_entry set actor = 'x' where number = 2", BrokenChain::Changed { number: 2 }),
        ("delete from audit_entry where number = 2", BrokenChain::Gap { expected: 2, found: 3 }),
        ("delete from audit_entry where number = 3", BrokenChain::Gap { expected: 3, found: 0 }),
    ] {
        let database = TestDatabase::new().await;
        let conn = &mut *database.conn().await;
        for _ in 0..3 {
            append(conn, "mira.holt", "run.note", "run 1").await;
        }
        sqlx::query("alter table audit_entry disable trigger user").execute(&mut *conn).await.unwrap();
        sqlx::query(attack).execute(&mut *conn).await.unwrap();
        assert_eq!(audit::verify(conn).await.unwrap(), Err(found), "{attack}");
    }
}

#[tokio::test]
async fn entries_are_listed_by_filter_newest_first() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    append(conn, "mira.holt", "run.approve", "run 1").await;
    append(conn, "mira.holt", "runbook.read", "run 1").await;
    append(conn, "joe.park", "run.start", "run 1").await;
    append(conn, "joe.park", "pair.update", "pair payments").await;
    let numbers = async |conn: &mut PgConnection, filter: AuditFilter, limit| -> Vec<i64> {
        let entries = audit::list(conn, &filter, limit).await.unwrap();
        entries.into_iter().map(|entry| entry.content.number).collect()
    };
    let all = AuditFilter::default();
    assert_eq!(numbers(conn, all.clone(), 3).await, [4, 3, 2]);
    assert_eq!(numbers(conn, AuditFilter { before: Some(2), ..all.clone() }, 3).await, [1]);
    let actor = AuditFilter { actor: Some("joe.park".to_owned()), ..all.clone() };
    assert_eq!(numbers(conn, actor, 10).await, [4, 3]);
    let prefix = AuditFilter { action: Some("run.".to_owned()), ..all.clone() };
    assert_eq!(numbers(conn, prefix, 10).await, [3, 1]);
    let exact = AuditFilter { action: Some("run.start".to_owned()), ..all.clone() };
    assert_eq!(numbers(conn, exact, 10).await, [3]);
    let object = AuditFilter { object: Some("pair payments".to_owned()), ..all.clone() };
    assert_eq!(numbers(conn, object, 10).await, [4]);
    let injected = AuditFilter { actor: Some("' or true --".to_owned()), ..all.clone() };
    assert!(numbers(conn, injected, 10).await.is_empty());
    let refused = AuditFilter { outcome: Some("refused".to_owned()), ..all.clone() };
    assert!(numbers(conn, refused, 10).await.is_empty());
    let at = audit::after(conn, 1).await.unwrap()[0].content.at;
    assert_eq!(numbers(conn, AuditFilter { from: Some(at), ..all.clone() }, 10).await, [4, 3, 2]);
    assert_eq!(numbers(conn, AuditFilter { to: Some(at), ..all }, 10).await, [1]);
}

#[tokio::test]
async fn a_long_chain_is_verified_in_stretches() {
    let database = TestDatabase::new().await;
    let mut conn = database.conn().await;
    let mut tx = conn.begin().await.unwrap();
    for _ in 0..2100 {
        append(&mut tx, "muster", "run.note", "run 1").await;
    }
    tx.commit().await.unwrap();
    assert_eq!(audit::verify(&mut conn).await.unwrap().unwrap().0, 2100);
}
