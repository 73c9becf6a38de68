//! Three processes that are killed at any moment: nothing is lost, and nothing is done twice.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike as _, Timelike as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{House, brokers, until};
use crate::{
    muster::Running,
    notifications::webhook,
    receiver::{Got, Receiver},
};

/// Hourly schedules, and how many hours they are behind.
const SCHEDULES: usize = 8;
const HOURS: i64 = 30;
const DEATHS: usize = 9;

/// Keeps every survey that is written: the table itself has the newest only.
const KEEP_SURVEYS: &str = "
    create table kept_survey (pair text, number bigint, epoch bigint, began_at timestamptz, ended_at timestamptz);
    create function keep_survey() returns trigger language plpgsql as $$
    begin
        insert into kept_survey
        values (new.pair, new.number, new.epoch, new.began_at, new.began_at + make_interval(secs => new.took_ms / 1000.0));
        return new;
    end
    $$;
    create trigger keep_survey after insert or update on survey for each row execute function keep_survey();";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_nothing_is_lost_and_nothing_is_done_twice() {
    let house = House::new().await;
    let sides = brokers(20).await;
    house.add_pairs(&sides, 4).await;
    house.keep_the_simulated_pair().await;
    let receiver = Receiver::start().await;
    webhook(&house.app, "bot", &receiver.url).await;
    fall_behind(&house).await;
    sqlx::raw_sql(KEEP_SURVEYS).execute(house.pool()).await.unwrap();

    let everything = i64::try_from(SCHEDULES).unwrap() * HOURS;
    let mut processes: Vec<Running> = (0..3).map(|_| serve(&house)).collect();
    for (death, byte) in (1..=DEATHS).zip(Uuid::new_v4().into_bytes()) {
        // Each dies when a little more is done than when the one before did: in the midst of work, whichever it is.
        let enough = everything * 3 * i64::try_from(death).unwrap() / i64::try_from(DEATHS + 2).unwrap();
        until("the work to go on", async || progress(&house, &receiver).await >= enough).await;
        let victim = usize::from(byte) % 3;
        println!("death {death} after {enough} of {}: process {victim}", everything * 3);
        bury(&house, processes.swap_remove(victim)).await;
        processes.push(serve(&house));
    }
    let waiting = "select count(*) from delivery where next_at is not null";
    until("everything to be done", async || {
        progress(&house, &receiver).await >= everything * 3 && house.count(waiting).await == 0
    })
    .await;
    let surveyed = "select count(*) from kept_survey where epoch = (select max(epoch) from kept_survey k where k.pair = kept_survey.pair)";
    until("surveys to go on after the last death", async || house.count(surveyed).await >= 8).await;
    for process in processes {
        process.stop();
    }

    occurrences_are_recorded_once(&house).await;
    runs_are_asked_for_once(&house).await;
    surveys_are_one_after_the_other(&house).await;
    messages_arrived(&house, receiver.got()).await;
    let ada = house.app.as_user("ada").await;
    assert_eq!(ada.get("/api/v1/audit/verify").await.done()["whole"], true);
}

/// All at one address, as behind a proxy: what they send is the same.
fn serve(house: &House) -> Running {
    let mut command = house.command();
    command.env("MUSTER_PUBLIC_URL", "http://muster.test");
    Running::serve(command)
}

/// Schedules that nobody looked after for a day and more, and one whose plan is to be made now.
async fn fall_behind(house: &House) {
    let olga = house.app.as_user("olga").await;
    // None of them comes due for real while the test goes on: that one would have a plan of its own.
    let now = chrono::Utc::now();
    for minute in (0..SCHEDULES).map(|nth| (now.minute() as usize + 30 + nth) % 60) {
        let hourly = json!({"pair": "orders", "cadence": {"every": "cron", "expression": format!("{minute} * * * *")},
            "window_minutes": 1, "lead_days": 0, "owners": ["olga"]});
        olga.post("/api/v1/schedules", hourly).await.done();
    }
    sqlx::query(
        "update schedule set next_nominal = next_nominal - make_interval(hours => $1),
        next_at = next_at - make_interval(hours => $1)",
    )
    .bind(i32::try_from(HOURS).unwrap())
    .execute(house.pool())
    .await
    .unwrap();
    // In three days, and the next time is more than eight days away.
    let weekday = (now.weekday().num_days_from_sunday() + 3) % 7;
    let weekly = json!({"pair": "orders", "cadence": {"every": "cron", "expression": format!("0 9 * * {weekday}")},
        "lead_days": 8, "owners": ["olga"]});
    olga.post("/api/v1/schedules", weekly).await.done();
}

/// Occurrences recorded, occurrences told, messages that arrived.
async fn progress(house: &House, receiver: &Receiver) -> i64 {
    let done = "select count(*) + count(overdue_told_at) from drill_occurrence";
    house.count(done).await + i64::try_from(receiver.got().len()).unwrap()
}

/// Kills a process; then what it held runs out, which others would have to wait for.
async fn bury(house: &House, process: Running) {
    let pid = process.pid();
    process.signal("KILL");
    assert_eq!(process.ended().0, None);
    sqlx::query("update lease set until = clock_timestamp() where split_part(owner, ':', 2) = $1")
        .bind(pid.to_string())
        .execute(house.pool())
        .await
        .unwrap();
    // Whose a delivery is nobody keeps. Only what was taken before this death and is not ended can be the dead one's:
    // one of another process that runs out early is delivered twice under one id, which receivers must bear anyway.
    sqlx::query("update delivery set next_at = clock_timestamp() where next_at > clock_timestamp() + interval '20 seconds'")
        .execute(house.pool())
        .await
        .unwrap();
}

async fn occurrences_are_recorded_once(house: &House) {
    let rows: Vec<(Uuid, i64, i64, bool)> = sqlx::query_as(
        "select schedule_id, count(*), count(distinct nominal),
            max(nominal) - min(nominal) = make_interval(hours => (count(*) - 1)::int)
        from drill_occurrence where drill = 'switchover' and due < clock_timestamp() group by 1",
    )
    .fetch_all(house.pool())
    .await
    .unwrap();
    assert_eq!(rows.len(), SCHEDULES);
    for (schedule, count, distinct, without_gap) in rows {
        assert!(count == HOURS && count == distinct && without_gap, "{schedule}: {count}");
    }
}

async fn runs_are_asked_for_once(house: &House) {
    let asked: Vec<(Uuid, String, i64)> = sqlx::query_as(
        "select o.run_id, run.state, (select count(*) from plan)
        from drill_occurrence o join run on run.id = o.run_id",
    )
    .fetch_all(house.pool())
    .await
    .unwrap();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!((asked[0].1.as_str(), asked[0].2), ("awaiting_approval", 1), "{asked:?}");
    assert_eq!(house.count("select count(*) from run").await, 1);
    assert_eq!(house.count("select count(*) from audit_entry where action = 'run.request'").await, 1);
}

async fn surveys_are_one_after_the_other(house: &House) {
    let rows: Vec<(String, i64, i64, i64, bool)> = sqlx::query_as(
        "select pair, count(*), min(number), max(number), bool_and(coalesce(in_turn, true))
        from (
            select pair, number,
                began_at >= lag(ended_at) over earlier and epoch >= lag(epoch) over earlier as in_turn
            from kept_survey
            window earlier as (partition by pair order by number)
        ) surveys
        group by pair order by pair",
    )
    .fetch_all(house.pool())
    .await
    .unwrap();
    let pairs: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(pairs, ["pair-1", "pair-2", "pair-3", "pair-4"]);
    for (pair, count, first, last, in_turn) in &rows {
        assert_eq!((*first, last - first + 1), (1, *count), "{pair}: a number is missing or there twice");
        assert!(in_turn, "{pair}: two surveys at once");
    }
    let epochs = "select max(epoch) from lease where name like 'survey:pair-%'";
    assert!(house.count(epochs).await > 1, "no pair changed hands: the test shows nothing");
}

/// Every delivery arrived under its own id with the same text each time; exactly once when one attempt was enough.
async fn messages_arrived(house: &House, got: Vec<Got>) {
    let mut arrived: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for one in &got {
        arrived.entry(one.id().to_owned()).or_default().push(one.json());
    }
    let sent: Vec<(String, i32, bool)> = sqlx::query_as(
        "select notification_id::text, attempts, delivered_at is not null from delivery order by number",
    )
    .fetch_all(house.pool())
    .await
    .unwrap();
    let ids: BTreeSet<&str> = sent.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(arrived.keys().map(String::as_str).collect::<BTreeSet<_>>(), ids);
    for (id, attempts, delivered) in &sent {
        let times = &arrived[id];
        assert!(*delivered && times.len() <= usize::try_from(*attempts).unwrap(), "{id}: {times:#?}");
        assert!(times.iter().all(|text| *text == times[0]), "{id}: {times:#?}");
    }
    let told: BTreeSet<&str> =
        got.iter().filter(|one| one.json()["event"] == "drill_overdue").map(Got::id).collect();
    let occurrences = "select count(*) from drill_occurrence where overdue_told_at is not null";
    assert_eq!(
        i64::try_from(told.len()).unwrap(),
        house.count(occurrences).await,
        "one message for each occurrence"
    );
}
