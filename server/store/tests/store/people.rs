use muster_domain::people::{Grant, Role};
use muster_store::{StoreError, grants, people, teams, teams::Team, testing::TestDatabase};
use secrecy::ExposeSecret;
use sqlx::Connection;
use uuid::Uuid;

use crate::sample::{broken, keep_user, team};

fn grant(role: Role, name: Option<&str>) -> Grant {
    Grant { role, team: name.map(team) }
}

#[tokio::test]
async fn a_user_reads_back_with_grants() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    assert!(
        teams::insert(conn, &Team { name: team("payments"), description: "Cards".to_owned() }).await.unwrap()
    );
    assert!(
        !teams::insert(conn, &Team { name: team("payments"), description: String::new() }).await.unwrap()
    );
    let given =
        [grant(Role::Admin, None), grant(Role::Operator, Some("payments")), grant(Role::Viewer, None)];
    let id = keep_user(conn, "mira.holt", &given).await.unwrap();

    let user = people::get_by_name(conn, "mira.holt").await.unwrap().unwrap();
    assert_eq!((user.id, user.version, user.disabled_at), (id, 1, None));
    assert_eq!(user.grants, given);
    assert!(user.actor().has(Role::Operator, &team("payments")));
    assert_eq!(people::get(conn, id).await.unwrap().unwrap(), user);
    assert_eq!(people::list(conn).await.unwrap(), [user]);
    assert_eq!(people::get_by_name(conn, "nobody").await.unwrap(), None);

    assert!(!grants::insert(conn, id, &given[1]).await.unwrap(), "a second time changes nothing");
    assert!(grants::delete(conn, id, &given[1]).await.unwrap());
    assert!(!grants::delete(conn, id, &given[1]).await.unwrap());
    assert!(grants::delete(conn, id, &given[2]).await.unwrap());
    assert_eq!(people::get(conn, id).await.unwrap().unwrap().grants, given[..1]);
}

#[tokio::test]
async fn the_database_holds_the_rules_of_people() {
    let database = TestDatabase::new().await;
    let mut conn = database.conn().await;
    let id = keep_user(&mut conn, "mira.holt", &[]).await.unwrap();
    assert_eq!(broken(keep_user(&mut conn, "mira.holt", &[]).await), "user_name_unique");
    assert_eq!(broken(keep_user(&mut conn, "Mira Holt", &[]).await), "user_name_usable");
    assert_eq!(broken(keep_user(&mut conn, "muster", &[]).await), "user_is_not_muster");
    assert_eq!(
        broken(people::insert(&mut conn, Uuid::nil(), "nil", "Nil", None, &[]).await),
        "user_is_not_muster"
    );
    let nowhere = grant(Role::Owner, Some("nowhere"));
    assert_eq!(broken(grants::insert(&mut conn, id, &nowhere).await), "grant_team_exists");
    let payments = Team { name: team("payments"), description: String::new() };
    teams::insert(&mut conn, &payments).await.unwrap();
    let admin_of_a_team = grant(Role::Admin, Some("payments"));
    assert_eq!(broken(grants::insert(&mut conn, id, &admin_of_a_team).await), "grant_admin_has_no_team");
    grants::insert(&mut conn, id, &grant(Role::Owner, Some("payments"))).await.unwrap();
    assert_eq!(broken(teams::delete(&mut conn, &payments.name).await), "grant_team_exists");
}

#[tokio::test]
async fn a_stale_edit_of_a_user_is_refused() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let id = keep_user(conn, "mira.holt", &[]).await.unwrap();
    people::update(conn, id, 1, "Mira Holt", false).await.unwrap();
    let stale = people::update(conn, id, 1, "Somebody Else", false).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
    assert_eq!(people::get(conn, id).await.unwrap().unwrap().display_name, "Mira Holt");
}

#[tokio::test]
async fn a_disabled_user_has_no_password_to_compare_with() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let id = keep_user(conn, "mira.holt", &[]).await.unwrap();
    people::set_password_hash(conn, id, &"$argon2id$new".into()).await.unwrap();
    let (found, hash) = people::password_hash(conn, "mira.holt").await.unwrap().unwrap();
    assert_eq!((found, hash.expose_secret()), (id, "$argon2id$new"));
    people::update(conn, id, 2, "Mira Holt", true).await.unwrap();
    assert!(people::password_hash(conn, "mira.holt").await.unwrap().is_none());
    assert!(people::get(conn, id).await.unwrap().unwrap().disabled_at.is_some());
    let nobody = people::set_password_hash(conn, Uuid::now_v7(), &"x".into()).await;
    assert!(matches!(nobody, Err(StoreError::Rows { got: 0, .. })), "{nobody:?}");
}

#[tokio::test]
async fn of_two_first_runs_at_once_one_makes_the_admin() {
    let database = TestDatabase::new().await;
    let bootstrap = async |name: &str| {
        let mut conn = database.conn().await;
        let mut tx = conn.begin().await.unwrap();
        let first = people::is_first_run(&mut tx).await.unwrap();
        if first {
            keep_user(&mut tx, name, &[grant(Role::Admin, None)]).await.unwrap();
        }
        tx.commit().await.unwrap();
        first
    };
    let (one, other) = tokio::join!(bootstrap("one"), bootstrap("other"));
    assert!(one ^ other, "exactly one");
    assert_eq!(people::list(&mut *database.conn().await).await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_admins_cannot_remove_each_other_at_once() {
    let database = TestDatabase::new().await;
    let admin = grant(Role::Admin, None);
    let one = keep_user(&mut *database.conn().await, "one", std::slice::from_ref(&admin)).await.unwrap();
    let other = keep_user(&mut *database.conn().await, "other", std::slice::from_ref(&admin)).await.unwrap();
    let remove = async |victim: Uuid| {
        let mut conn = database.conn().await;
        let mut tx = conn.begin().await.unwrap();
        let admins = grants::lock_admins(&mut tx).await.unwrap();
        if admins.iter().any(|id| *id != victim) {
            grants::delete(&mut tx, victim, &admin).await.unwrap();
        }
        tx.commit().await.unwrap();
    };
    tokio::join!(remove(one), remove(other));
    assert_eq!(grants::lock_admins(&mut *database.conn().await).await.unwrap().len(), 1);
}
