use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn schedule(cadence: Cadence, zone: Tz) -> Schedule {
    Schedule {
        id: Uuid::nil(),
        pair: PairName::new("orders").expect("a name"),
        drill: Drill::Switchover,
        cadence,
        zone,
        window_minutes: 120,
        blackouts: Vec::new(),
        owners: Vec::new(),
        lead_days: 7,
        enabled: true,
        version: 1,
    }
}

fn cron(expression: &str, zone: Tz) -> Schedule {
    schedule(Cadence::Cron { expression: expression.to_owned() }, zone)
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn nominals(schedule: &Schedule, after: &str, until: &str) -> Vec<String> {
    let found = schedule.between(utc(after), utc(until), 100).expect("a good schedule");
    found.iter().map(|occurrence| occurrence.nominal.to_rfc3339()).collect()
}

#[test]
fn a_quarter_comes_four_times_a_year_at_the_same_local_time() {
    let at = NaiveTime::from_hms_opt(9, 0, 0).expect("a time");
    let quarterly = schedule(Cadence::Quarter { month: 2, day: 12, at }, Tz::Europe__Berlin);
    assert_eq!(
        nominals(&quarterly, "2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z"),
        [
            "2026-02-12T08:00:00+00:00",
            "2026-05-12T07:00:00+00:00",
            "2026-08-12T07:00:00+00:00",
            "2026-11-12T08:00:00+00:00"
        ]
    );
}

#[test]
fn both_daylight_saving_changes_fire_once() {
    let nightly = cron("30 2 * * *", Tz::Europe__Berlin);
    // 02:30 does not exist on 29 March: the first moment after the gap.
    assert_eq!(
        nominals(&nightly, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"),
        ["2026-03-29T01:00:00+00:00", "2026-03-30T00:30:00+00:00"]
    );
    // 02:30 comes twice on 25 October.
    assert_eq!(
        nominals(&nightly, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"),
        ["2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"]
    );
}

#[test]
fn a_blackout_moves_the_due_day_and_not_the_name() {
    let mut monthly = cron("0 9 15 12 *", Tz::Europe__Berlin);
    let day = |d| NaiveDate::from_ymd_opt(2026, 12, d).expect("a day");
    monthly.blackouts = vec![Blackout { from: day(10), until: day(20), reason: "peak season".to_owned() }];
    let next = monthly.next_after(utc("2026-11-24T00:00:00Z")).expect("it comes");
    assert_eq!(next.nominal, utc("2026-12-15T08:00:00Z"));
    assert_eq!(next.due, utc("2026-12-21T08:00:00Z"));
    assert_eq!(next.closes, utc("2026-12-21T10:00:00Z"));
    assert_eq!(monthly.prepare_at(&next), utc("2026-12-14T08:00:00Z"));
    let standing = |passed, at| next.standing(passed, false, utc(at));
    assert_eq!(standing(false, "2026-12-15T09:00:00Z"), Standing::Ahead);
    assert_eq!(standing(false, "2026-12-21T08:00:00Z"), Standing::Due);
    assert_eq!(standing(false, "2026-12-21T10:00:00Z"), Standing::Overdue);
    assert_eq!(standing(true, "2026-12-21T10:00:00Z"), Standing::Satisfied);
    // What a change ended is overdue at no time; a drill held all the same counts.
    let skipped = |passed| next.standing(passed, true, utc("2026-12-21T10:00:00Z"));
    assert_eq!((skipped(false), skipped(true)), (Standing::Skipped, Standing::Satisfied));
}

#[test]
fn what_cannot_be_used_is_said() {
    let now = utc("2026-11-24T00:00:00Z");
    let reason = |schedule: Schedule| schedule.check(now).expect_err("it is wrong").to_string();
    assert!(reason(cron("0 9 * *", Tz::UTC)).contains("five fields: it has 4"));
    assert!(reason(cron("61 9 * * *", Tz::UTC)).contains("`61 9 * * *`"));
    assert!(reason(cron("0 9 30 2 *", Tz::UTC)).contains("never comes"));
    assert!(reason(cron("*/30 9 * * *", Tz::UTC)).contains("once an hour"));
    let at = NaiveTime::MIN;
    assert!(reason(schedule(Cadence::Quarter { month: 4, day: 1, at }, Tz::UTC)).contains("4 and 1"));
    let day = |d| NaiveDate::from_ymd_opt(2026, 12, d).expect("a day");
    let mut backwards = cron("0 9 * * *", Tz::UTC);
    backwards.blackouts = vec![Blackout { from: day(2), until: day(1), reason: String::new() }];
    assert!(reason(backwards).contains("cannot end"));
    assert!(reason(Schedule { window_minutes: 0, ..cron("0 9 * * *", Tz::UTC) }).contains("1 minute"));
    assert!(reason(Schedule { lead_days: 91, ..cron("0 9 * * *", Tz::UTC) }).contains("90 days"));
}

proptest! {
    // Each case looks at ten years.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the moments one looks at, the same occurrences come, each once, in order.
    #[test]
    fn looking_in_pieces_finds_what_looking_at_once_finds(
        cuts in prop::collection::vec(0_i64..3_650 * 24 * 60, 0..20),
        which in 0_usize..5,
        zone in prop::sample::select(vec![Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe]),
    ) {
        let expressions = ["30 2 * * *", "0 9 15 2,5,8,11 *", "0 1 * * 0", "59 23 31 * *", "15 */6 * * *"];
        let schedule = cron(expressions[which], zone);
        let begin = utc("2026-01-01T00:00:00Z");
        let end = begin + TimeDelta::days(3_650);
        let whole = schedule.between(begin, end, usize::MAX).expect("good");
        prop_assert!(whole.windows(2).all(|two| two[0].nominal < two[1].nominal));
        let mut moments: Vec<_> = cuts.into_iter().map(|minutes| begin + TimeDelta::minutes(minutes)).collect();
        moments.extend([begin, end]);
        moments.sort();
        let mut pieces = Vec::new();
        for two in moments.windows(2) {
            pieces.extend(schedule.between(two[0], two[1], usize::MAX).expect("good"));
        }
        prop_assert_eq!(pieces, whole);
    }
}

#[test]
fn a_change_keeps_what_was_asked_for_and_what_is_still_due() {
    let yearly = cron("0 9 10 12 *", Tz::UTC);
    let recorded = yearly.next_after(utc("2026-12-01T00:00:00Z")).expect("it comes");
    let (before, within) = (utc("2026-12-05T00:00:00Z"), utc("2026-12-10T10:00:00Z"));
    assert_eq!(yearly.changes(&recorded, true, before), Fate::Stays);
    assert_eq!(yearly.changes(&recorded, true, within), Fate::Stays);
    assert_eq!(yearly.changes(&recorded, false, within), Fate::Stays);
    // The changed schedule records its own, with its own window and lead.
    assert_eq!(yearly.changes(&recorded, false, before), Fate::Forgotten);
}

#[test]
fn what_a_schedule_no_longer_has_is_forgotten_until_it_is_due_and_skipped_then() {
    let yearly = cron("0 9 10 12 *", Tz::UTC);
    let recorded = yearly.next_after(utc("2026-12-01T00:00:00Z")).expect("it comes");
    let off = Schedule { enabled: false, ..yearly };
    for gone in [off, cron("0 9 11 12 *", Tz::UTC)] {
        for asked in [false, true] {
            assert_eq!(gone.changes(&recorded, asked, utc("2026-12-10T08:59:00Z")), Fate::Forgotten);
            assert_eq!(gone.changes(&recorded, asked, utc("2026-12-10T09:00:00Z")), Fate::Skipped);
        }
    }
}

#[test]
fn what_blackout_dates_put_off_is_recorded_again_on_its_new_day_and_once() {
    let mut yearly = cron("0 9 10 12 *", Tz::UTC);
    let recorded = yearly.next_after(utc("2026-12-01T00:00:00Z")).expect("it comes");
    yearly.blackouts =
        vec![Blackout { from: date("2026-12-09"), until: date("2026-12-19"), reason: String::new() }];
    for now in [utc("2026-12-05T00:00:00Z"), utc("2026-12-10T10:00:00Z")] {
        assert_eq!(yearly.changes(&recorded, true, now), Fate::Forgotten);
        let next = yearly.to_record_changed(now).expect("it comes");
        assert_eq!((next.0.nominal, next.0.due), (recorded.nominal, utc("2026-12-20T09:00:00Z")));
        assert_eq!(
            yearly.to_record_after(next.0.nominal).map(|after| after.0.nominal.to_rfc3339()),
            Some("2027-12-10T09:00:00+00:00".to_owned())
        );
    }
    // An edit while it is put off does not lose it, though the day it is named by has gone by.
    let put_off = yearly.occurrence(recorded.nominal);
    let now = utc("2026-12-15T00:00:00Z");
    assert_eq!(yearly.to_record_changed(now).map(|next| next.0), Some(put_off));
    // On the day itself too, until it is due; then the next one counts.
    let coming = |now| yearly.to_record_changed(utc(now)).map(|next| next.0.due);
    assert_eq!(coming("2026-12-20T08:59:59Z"), Some(put_off.due));
    assert_eq!(coming("2026-12-20T09:00:00Z"), Some(utc("2027-12-10T09:00:00Z")));
    // Without the blackout it would be due in the past: it stays where it is.
    yearly.blackouts.clear();
    assert_eq!(yearly.changes(&put_off, false, now), Fate::Stays);
}
