use chrono::{DateTime, Duration, Utc};
use muster_domain::alarm::{Alarm, AlarmCode, Judged, Lost, Memory, Since};
use muster_store::{
    StoreError,
    alarms::{self, AlarmFilter},
    leases::{self, survey_lease},
    testing::TestDatabase,
};
use sqlx::PgConnection;

use crate::sample::{keep_pair, pair_name, team};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + Duration::seconds(seconds)
}

fn alarm(code: AlarmCode) -> Alarm {
    Alarm {
        code,
        subject: "orders".to_owned(),
        course: "eu-west → eu-central".to_owned(),
        said: "so it is".to_owned(),
        places: Vec::new(),
        likely: false,
        more_places: 0,
        since: Since { after: None, by: at(1) },
        lost: Lost::NOTHING,
        facts: Vec::new(),
        next_step: "look".to_owned(),
        command: None,
    }
}

fn judged(codes: &[AlarmCode]) -> Judged {
    Judged { standing: codes.iter().map(|code| alarm(*code)).collect(), ..Judged::default() }
}

async fn lease(conn: &mut PgConnection, owner: &str) -> i64 {
    let name = survey_lease(&pair_name("payments"));
    leases::claim(conn, &name, owner, -1.0).await.expect("a claim").expect("a free lease").epoch
}

/// Keeps a judgement as survey so-and-so; the codes that are told, with whether they are over.
async fn keep(
    conn: &mut PgConnection,
    epoch: i64,
    number: i64,
    judged: Judged,
) -> Result<Vec<(AlarmCode, bool)>, StoreError> {
    let (pair, team) = (pair_name("payments"), team("payments"));
    let of = (number, at(number));
    let news = alarms::keep(conn, (&pair, &team), epoch, of, judged, &Memory::default()).await?;
    Ok(news.into_iter().map(|told| (told.alarm.alarm.code, told.over)).collect())
}

async fn open(conn: &mut PgConnection) -> Vec<AlarmCode> {
    let filter = AlarmFilter { open: Some(true), ..AlarmFilter::default() };
    let open = alarms::list(conn, &filter, None, 10).await.expect("the list");
    open.into_iter().map(|kept| kept.alarm.code).collect()
}

#[tokio::test]
async fn an_alarm_is_open_from_the_survey_that_showed_it_to_the_one_that_does_not() {
    use AlarmCode::GroupActive;
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let epoch = lease(conn, "one").await;
    assert_eq!(keep(conn, epoch, 1, judged(&[GroupActive])).await.unwrap(), [(GroupActive, false)]);
    assert_eq!(keep(conn, epoch, 2, judged(&[GroupActive])).await.unwrap(), [], "told once");
    let dark = Judged::nothing("connection refused");
    assert_eq!(keep(conn, epoch, 3, dark).await.unwrap(), []);
    let kept = alarms::open_of(conn, &[pair_name("payments")]).await.unwrap().remove(0);
    assert_eq!(kept.not_seen_because, "connection refused");
    assert_eq!((kept.opened_survey, kept.opened_at, kept.last_seen_at), (1, at(1), at(2)));
    assert_eq!(keep(conn, epoch, 4, judged(&[])).await.unwrap(), [(GroupActive, true)]);
    assert_eq!(open(conn).await, []);
    assert_eq!(keep(conn, epoch, 5, judged(&[GroupActive])).await.unwrap(), [(GroupActive, false)]);
    let counts = alarms::count_open(conn).await.unwrap();
    assert_eq!(counts, [("payments".to_owned(), "group-active".to_owned(), 1)]);
}

#[tokio::test]
async fn who_lost_the_lease_changes_no_alarm() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let old = lease(conn, "one").await;
    lease(conn, "two").await;
    let late = keep(conn, old, 1, judged(&[AlarmCode::WorkerGone])).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    assert_eq!(open(conn).await, []);
}

#[tokio::test]
async fn what_happened_is_acknowledged_once_and_may_happen_again() {
    use AlarmCode::ReplicationHole;
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let epoch = lease(conn, "one").await;
    keep(conn, epoch, 1, judged(&[ReplicationHole])).await.unwrap();
    assert_eq!(keep(conn, epoch, 2, judged(&[])).await.unwrap(), []);
    assert_eq!(open(conn).await, [ReplicationHole]);
    let id = alarms::open_of(conn, &[pair_name("payments")]).await.unwrap()[0].id;
    assert!(alarms::acknowledge(conn, id, "mira", "seen to").await.unwrap());
    assert!(!alarms::acknowledge(conn, id, "otto", "me too").await.unwrap());
    let kept = alarms::get(conn, id).await.unwrap().unwrap();
    assert_eq!(kept.ended.unwrap().by.as_deref(), Some("mira"));
    keep(conn, epoch, 3, judged(&[ReplicationHole])).await.unwrap();
    assert_eq!(open(conn).await, [ReplicationHole]);
}
