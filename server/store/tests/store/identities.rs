use muster_domain::people::{Grant, Role};
use muster_store::{
    grants, identities, people,
    secrets::{self, SecretsKey, id_tokens},
    sessions,
    testing::TestDatabase,
};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::sample::{broken, keep_user};

const ISSUER: &str = "https://login.example.com";

#[tokio::test]
async fn a_subject_is_one_user_and_a_user_one_subject() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let mira = keep_user(conn, "mira", &[]).await.unwrap();
    let otto = keep_user(conn, "otto", &[]).await.unwrap();
    identities::put(conn, mira, ISSUER, "1").await.unwrap();
    identities::note_sign_in(conn, mira, &["dr".to_owned()]).await.unwrap();
    let known = identities::get(conn, ISSUER, "1").await.unwrap().unwrap();
    assert_eq!((known.user, known.groups.as_slice()), (mira, ["dr".to_owned()].as_slice()));
    assert!(known.signed_in_at.is_some());
    assert_eq!(identities::get(conn, "https://other.example.com", "1").await.unwrap(), None);

    // Somebody else there from now on: what was known of the one before is gone.
    identities::put(conn, mira, ISSUER, "2").await.unwrap();
    let known = identities::of_user(conn, mira).await.unwrap().unwrap();
    assert_eq!((known.subject.as_str(), known.groups.len(), known.signed_in_at), ("2", 0, None));
    assert_eq!(identities::get(conn, ISSUER, "1").await.unwrap(), None);
    assert_eq!(broken(identities::put(conn, otto, ISSUER, "2").await), "identity_pkey");
    assert!(identities::note_sign_in(conn, otto, &[]).await.is_err());
    assert!(identities::delete(conn, mira).await.unwrap());
    assert!(!identities::delete(conn, mira).await.unwrap());
}

#[tokio::test]
async fn what_groups_give_is_told_apart_from_what_an_admin_gave() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let [viewer, owner] = [Role::Viewer, Role::Owner].map(|role| Grant { role, team: None });
    let mira = keep_user(conn, "mira", std::slice::from_ref(&viewer)).await.unwrap();
    assert!(grants::insert_from_provider(conn, mira, &owner).await.unwrap());
    assert!(!grants::insert_from_provider(conn, mira, &viewer).await.unwrap(), "it stays the admin's");
    let user = people::get(conn, mira).await.unwrap().unwrap();
    assert_eq!((user.grants, user.from_provider), (vec![owner.clone(), viewer], vec![owner]));
}

#[tokio::test]
async fn an_attempt_is_used_once_and_goes_after_a_day() {
    let database = TestDatabase::new().await;
    let (one, other) = (&mut *database.conn().await, &mut *database.conn().await);
    let id = Uuid::now_v7();
    assert!(identities::use_attempt(one, id).await.unwrap());
    assert!(!identities::use_attempt(other, id).await.unwrap());
    assert_eq!(identities::delete_old_attempts(one).await.unwrap(), 0);
    let long_ago = "update used_sign_in_attempt set used_at = now() - interval '25 hours'";
    sqlx::query(long_ago).execute(&mut *other).await.unwrap();
    assert_eq!(identities::delete_old_attempts(one).await.unwrap(), 1);
}

#[tokio::test]
async fn an_id_token_is_sealed_taken_once_and_gone_with_its_key() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let (old, new) = (SecretsKey::from_bytes([1; 32]), SecretsKey::from_bytes([2; 32]));
    let mira = keep_user(conn, "mira", &[]).await.unwrap();
    let session = Uuid::now_v7();
    sessions::insert(conn, session, mira, 3600.0, "", "").await.unwrap();
    let token = SecretString::from("eyJ.the.token");
    id_tokens::put(conn, &old, session, &token).await.unwrap();
    let sealed: Vec<u8> =
        sqlx::query_scalar("select sealed from session_id_token").fetch_one(&mut *conn).await.unwrap();
    assert!(!sealed.windows(3).any(|window| window == b"eyJ"));
    let taken = id_tokens::take(conn, &old, session).await.unwrap().unwrap();
    assert_eq!(taken.expose_secret(), token.expose_secret());
    assert!(id_tokens::take(conn, &old, session).await.unwrap().is_none());

    id_tokens::put(conn, &old, session, &token).await.unwrap();
    secrets::rotate(conn, &old, &new).await.unwrap();
    assert!(id_tokens::take(conn, &new, session).await.unwrap().is_none());
}
