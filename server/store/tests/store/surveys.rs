use chrono::{DateTime, Duration, Utc};
use muster_domain::{
    pair::{Direction, Side},
    reading::ReadingClass,
    survey::SideObservation,
};
use muster_store::{
    StoreError,
    lag::{self, LagSample},
    leases::{self, survey_lease},
    pairs,
    readiness::{self, CheckStatus},
    surveys,
    testing::TestDatabase,
};
use sqlx::{PgConnection, postgres::PgListener};

use crate::sample::{broken, keep_pair, pair, pair_name, survey};

async fn lease(conn: &mut PgConnection, owner: &str) -> i64 {
    lease_of(conn, "payments", owner).await
}

async fn lease_of(conn: &mut PgConnection, pair: &str, owner: &str) -> i64 {
    let name = survey_lease(&pair_name(pair));
    leases::claim(conn, &name, owner, -1.0).await.expect("a claim").expect("a free lease").epoch
}

#[tokio::test]
async fn the_latest_survey_reads_back_and_watchers_are_told() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let epoch = lease(conn, "one").await;
    let mut listener = PgListener::connect_with(database.pool()).await.unwrap();
    listener.listen(surveys::CHANNEL).await.unwrap();
    assert_eq!(surveys::next_number(conn, &name).await.unwrap(), 1);
    assert_eq!(surveys::latest(conn, &name).await.unwrap(), None);
    for number in [1, 2] {
        surveys::keep(conn, &survey("payments", number), epoch).await.unwrap();
    }
    assert_eq!(surveys::latest(conn, &name).await.unwrap().unwrap(), survey("payments", 2));
    assert_eq!(surveys::head(conn, &name).await.unwrap().unwrap().number, 2);
    assert_eq!(surveys::next_number(conn, &name).await.unwrap(), 3);
    assert_eq!(listener.recv().await.unwrap().payload(), "payments");

    let repeated = surveys::keep(conn, &survey("payments", 2), epoch).await;
    assert!(matches!(repeated, Err(StoreError::Rows { .. })), "{repeated:?}");
    pairs::delete(conn, &name, 1).await.unwrap();
    assert_eq!(surveys::latest(conn, &name).await.unwrap(), None);
    assert_eq!(broken(surveys::keep(conn, &survey("payments", 3), epoch).await), "survey_of_pair");
}

#[tokio::test]
async fn who_lost_the_lease_writes_nothing() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let old = lease(conn, "one").await;
    surveys::keep(conn, &survey("payments", 1), old).await.unwrap();
    lease(conn, "two").await;
    let late = surveys::keep(conn, &survey("payments", 2), old).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    let late = readiness::keep(conn, &name, old, (2, DateTime::UNIX_EPOCH), (&(), &()), &[]).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    let sample = sample(0, Some(1), ReadingClass::Exact);
    let late = lag::keep(conn, &name, old, Direction { from: Side::A }, &sample).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    assert_eq!(surveys::head(conn, &name).await.unwrap().unwrap().number, 1);
}

#[tokio::test]
async fn changes_of_readiness_are_logged_once() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let epoch = lease(conn, "one").await;
    let status = |check, status, reason| CheckStatus { check, status, reason };
    let at = |seconds| DateTime::<Utc>::UNIX_EPOCH + Duration::seconds(seconds);
    let first = [status("lag", "ok", ""), status("acls", "ok", "")];
    let results = serde_json::json!({"said": "all is well", "lag": []});
    assert_eq!(readiness::keep(conn, &name, epoch, (1, at(1)), (&results, &()), &first).await.unwrap(), 2);
    assert_eq!(readiness::keep(conn, &name, epoch, (2, at(2)), (&results, &()), &first).await.unwrap(), 0);
    let next = [status("lag", "critical", "nothing moves"), status("groups", "ok", "")];
    assert_eq!(readiness::keep(conn, &name, epoch, (3, at(3)), (&results, &()), &next).await.unwrap(), 3);

    let kept = readiness::latest::<serde_json::Value>(conn, &name).await.unwrap().unwrap();
    assert_eq!((kept.survey_number, kept.at, kept.results), (3, at(3), results));
    let log: Vec<_> = readiness::changes(conn, &name, None, 3)
        .await
        .unwrap()
        .into_iter()
        .map(|change| {
            (change.check, change.from.unwrap_or_default(), change.to.unwrap_or_default(), change.reason)
        })
        .collect();
    let row = |check: &str, from: &str, to: &str, reason: &str| {
        (check.to_owned(), from.to_owned(), to.to_owned(), reason.to_owned())
    };
    assert_eq!(
        log,
        [
            row("acls", "ok", "", "the check does not apply any more"),
            row("lag", "ok", "critical", "nothing moves"),
            row("groups", "", "ok", ""),
        ]
    );
    let oldest = readiness::changes(conn, &name, Some(3), 10).await.unwrap();
    assert_eq!(oldest.len(), 2);
}

#[tokio::test]
async fn changes_of_readiness_go_after_some_days_however_many_there_are() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let epoch = lease(conn, "one").await;
    let long_ago =
        "insert into readiness_change (pair, check_name, from_status, to_status, reason, at, survey_number)
        select 'payments', 'lag', 'ok', 'critical', '', clock_timestamp() - interval '91 days', n
        from generate_series(1, 12000) as n";
    sqlx::query(long_ago).execute(&mut *conn).await.unwrap();
    for (number, (ago, status)) in (12_001..).zip([(89, "ok"), (0, "critical")]) {
        let lag = [CheckStatus { check: "lag", status, reason: "" }];
        let survey = (number, Utc::now() - Duration::days(ago));
        assert_eq!(readiness::keep(conn, &name, epoch, survey, (&(), &()), &lag).await.unwrap(), 1);
    }
    assert_eq!(readiness::delete_changes_older_than(conn, 90).await.unwrap(), 12_000);
    let left = readiness::changes(conn, &name, None, 10).await.unwrap();
    let numbers: Vec<i64> = left.iter().map(|change| change.survey_number).collect();
    assert_eq!(numbers, [12_002, 12_001]);
    assert_eq!(readiness::delete_changes_older_than(conn, 90).await.unwrap(), 0);
}

#[tokio::test]
async fn a_look_at_many_pairs_is_given_what_is_brief_and_never_shows_an_older_survey() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let epoch = lease(conn, "one").await;
    let results = |records: i64| serde_json::json!({"records": records, "topics": {"orders": records}});
    let brief = serde_json::json!({"records": 7});
    readiness::keep(conn, &name, epoch, (1, DateTime::UNIX_EPOCH), (&results(7), &brief), &[]).await.unwrap();
    let seen = async |conn: &mut PgConnection| {
        let pairs = [pair_name("payments"), pair_name("never-observed")];
        let all = readiness::latest_of_all::<serde_json::Value>(conn, &pairs).await.unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_values().map(|kept| (kept.survey_number, kept.results)).next().unwrap()
    };
    assert_eq!(seen(conn).await, (1, brief));
    assert_eq!(
        readiness::latest::<serde_json::Value>(conn, &name).await.unwrap().unwrap().results,
        results(7),
        "the pair's own page has every topic"
    );

    // As a process of the version before writes it during an upgrade: it knows of no brief.
    sqlx::query("update readiness set survey_number = 2, results = $1 where pair = 'payments'")
        .bind(sqlx::types::Json(results(9)))
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(seen(conn).await, (2, results(9)));
}

fn sample(seconds: i64, records: Option<i64>, class: ReadingClass) -> LagSample {
    LagSample {
        at: DateTime::<Utc>::UNIX_EPOCH + Duration::seconds(seconds),
        worst_lag_records: records,
        total_lag_records: records,
        records_class: class,
        lag_ms: records.map(|records| records * 10),
        ms_class: class,
    }
}

#[tokio::test]
async fn history_shows_the_worst_of_each_stretch_and_never_hides_unknown() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let epoch = lease(conn, "one").await;
    let direction = Direction { from: Side::A };
    let samples = [
        sample(0, Some(5), ReadingClass::Exact),
        sample(5, Some(70), ReadingClass::LowerBound),
        sample(10, Some(1), ReadingClass::Exact),
        sample(15, None, ReadingClass::Unknown),
        sample(20, Some(0), ReadingClass::Exact),
    ];
    for sample in &samples {
        lag::keep(conn, &name, epoch, direction, sample).await.unwrap();
        lag::keep(conn, &name, epoch, direction, sample).await.unwrap();
    }
    let (from, to) = (samples[0].at, samples[0].at + Duration::seconds(30));
    let history = lag::history(conn, &name, direction, from, to, 3).await.unwrap();
    assert_eq!(
        history,
        [
            sample(0, Some(70), ReadingClass::LowerBound),
            sample(10, None, ReadingClass::Unknown),
            sample(20, Some(0), ReadingClass::Exact),
        ]
    );
    assert!(lag::history(conn, &name, direction.reverse(), from, to, 3).await.unwrap().is_empty());
    let fine = lag::history(conn, &name, direction, from, to, 1000).await.unwrap();
    let records = |samples: &[LagSample]| samples.iter().map(|s| s.worst_lag_records).collect::<Vec<_>>();
    assert_eq!(records(&fine), records(&samples));
    assert_eq!(lag::delete_older_than(conn, 30).await.unwrap(), 5);
}

#[tokio::test]
async fn unknown_lag_is_never_a_number_and_a_number_never_unknown() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let epoch = lease(conn, "one").await;
    for bad in [sample(0, Some(0), ReadingClass::Unknown), sample(0, None, ReadingClass::Exact)] {
        let kept = lag::keep(conn, &name, epoch, Direction { from: Side::A }, &bad).await;
        assert_eq!(broken(kept), "lag_unknown_has_no_value");
    }
}

#[tokio::test]
async fn long_stretches_are_made_of_minutes_and_one_unknown_makes_a_minute_unknown() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let name = pair_name("payments");
    let epoch = lease(conn, "one").await;
    let direction = Direction { from: Side::A };
    let samples = [
        sample(0, Some(5), ReadingClass::Exact),
        sample(59, Some(70), ReadingClass::LowerBound),
        sample(60, None, ReadingClass::Unknown),
        sample(65, Some(3), ReadingClass::Exact),
        sample(125, Some(0), ReadingClass::Exact),
    ];
    for sample in samples.iter().chain(&samples) {
        lag::keep(conn, &name, epoch, direction, sample).await.unwrap();
    }
    let (from, to) = (samples[0].at, samples[0].at + Duration::minutes(3));
    let history = lag::history(conn, &name, direction, from, to, 3).await.unwrap();
    let minutes = [
        sample(0, Some(70), ReadingClass::LowerBound),
        sample(60, None, ReadingClass::Unknown),
        sample(120, Some(0), ReadingClass::Exact),
    ];
    assert_eq!(history, minutes);
    let of_all = lag::minutes_of_all(conn, &[(name.clone(), direction, from)]).await.unwrap();
    let shown: Vec<_> = of_all[&name].iter().map(|minute| (minute.at, minute.lag_ms)).collect();
    assert_eq!(shown, minutes.map(|minute| (minute.at, minute.lag_ms)));
    let other = [(name.clone(), direction.reverse(), from), (name.clone(), direction, to)];
    assert!(lag::minutes_of_all(conn, &other).await.unwrap().is_empty());
}

/// Seconds for which a look that says the same stands.
const STANDS: f64 = 2.5;

#[tokio::test]
async fn the_survey_that_looked_last_says_what_a_cluster_is() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    assert!(surveys::looks(conn, None).await.unwrap().is_empty());
    let first = survey("payments", 1);
    surveys::keep_looks(conn, &first, STANDS).await.unwrap();
    let looks = surveys::looks(conn, None).await.unwrap();
    assert_eq!(looks.len(), 2, "one of each side");
    let mut later = survey("payments", 2);
    later.sides.a = SideObservation::unreachable("nobody answers", later.began_at);
    surveys::keep_looks(conn, &later, STANDS).await.unwrap();
    surveys::keep_looks(conn, &first, STANDS).await.unwrap();
    let a = pairs::get(conn, &pair_name("payments")).await.unwrap().unwrap().clusters.a;
    let look = surveys::looks(conn, Some(&a)).await.unwrap().pop().unwrap();
    assert_eq!(look.description, later.sides.a.cluster, "an older look does not replace it");
    assert_eq!(look.rights, later.sides.a.rights);
}

/// Whoever would wait for a row fails.
async fn never_waits(conn: &mut PgConnection) {
    sqlx::query("set lock_timeout = '50ms'").execute(conn).await.expect("set");
}

#[tokio::test]
async fn pairs_that_share_clusters_do_not_wait_for_each_others_surveys() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    pairs::insert(conn, &pair("refunds")).await.unwrap();
    let epochs = (lease(conn, "one").await, lease_of(conn, "refunds", "one").await);
    never_waits(conn).await;
    let mut long = muster_store::begin(database.pool()).await.unwrap();
    surveys::keep(&mut long, &survey("payments", 1), epochs.0).await.unwrap();
    // It is still under way: of very many partitions that takes seconds.
    surveys::keep(conn, &survey("refunds", 1), epochs.1).await.unwrap();
    surveys::keep_looks(conn, &survey("refunds", 1), STANDS).await.unwrap();
    long.commit().await.unwrap();
    for name in ["payments", "refunds"] {
        assert_eq!(surveys::head(conn, &pair_name(name)).await.unwrap().unwrap().number, 1, "{name}");
    }
}

#[tokio::test]
async fn a_look_that_says_the_same_a_moment_later_touches_no_row() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    never_waits(conn).await;
    surveys::keep_looks(conn, &survey("payments", 1), STANDS).await.unwrap();
    let mut other = muster_store::begin(database.pool()).await.unwrap();
    sqlx::query("select 1 from cluster_look for update").execute(&mut *other).await.unwrap();
    surveys::keep_looks(conn, &survey("payments", 2), STANDS).await.unwrap();
    let mut news = survey("payments", 2);
    news.sides.a = SideObservation::unreachable("nobody answers", news.began_at);
    assert!(surveys::keep_looks(conn, &news, STANDS).await.is_err(), "the rows are locked");
    other.rollback().await.unwrap();

    let seen = async |conn: &mut PgConnection| -> Vec<DateTime<Utc>> {
        surveys::looks(conn, None).await.unwrap().iter().map(|look| look.description.at()).collect()
    };
    let at = |number| survey("payments", number).began_at;
    assert_eq!(seen(conn).await, [at(1), at(1)]);
    surveys::keep_looks(conn, &survey("payments", 4), STANDS).await.unwrap();
    assert_eq!(seen(conn).await, [at(4), at(4)], "it does not seem older than it is for long");
}
