//! What becomes of alarms that are open already: seen again, grown, ended, or not looked at.

use super::*;

#[test]
fn what_cannot_be_looked_at_neither_opens_nor_ends_an_alarm() {
    let open = [kept(alarm(Code::GroupActive, "billing"))];
    let unknown = Judged::nothing("connection refused");
    let reason = "connection refused".to_owned();
    assert_eq!(settle(&open, unknown), [Change::NotSeen { id: open[0].id, reason }]);
    assert_eq!(settle(&open, Judged::default()), [Change::End { id: open[0].id }]);
}

#[test]
fn what_happened_stays_until_somebody_says_something_and_grows_when_it_happens_again() {
    let hole = |from: i64| {
        let place = Place::new("orders-0", "gone").losing(from, Lost::up_to(10));
        Alarm {
            since: between(from, from + 5),
            lost: Lost::up_to(10),
            places: vec![place],
            ..alarm(Code::ReplicationHole, "orders")
        }
    };
    let open = [kept(hole(100))];
    assert_eq!(settle(&open, Judged::default()), [Change::Stays { id: open[0].id }]);
    let again = Judged { standing: vec![hole(100)], ..Judged::default() };
    let [Change::Seen { grown: false, .. }] = settle(&open, again).as_slice() else { panic!("it grew") };
    let more = Judged { standing: vec![hole(200)], ..Judged::default() };
    let changes = settle(&open, more);
    let [Change::Seen { alarm, grown: true, .. }] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((alarm.places.len(), alarm.lost, alarm.since), (2, Lost::up_to(20), between(100, 105)));
}

#[test]
fn a_thousand_topics_are_twenty_alarms_and_one_for_the_rest() {
    let standing = (0..1000).map(|n| alarm(Code::EarlyDeletion, &format!("topic-{n:04}"))).collect();
    let changes = settle(&[], Judged { standing, ..Judged::default() });
    assert_eq!(changes.len(), MOST_SUBJECTS + 1);
    let mut opened = changes.iter().filter_map(|change| {
        let Change::Open(alarm) = change else { return None };
        Some(alarm)
    });
    let rest = opened.find(|alarm| alarm.subject == THE_REST);
    let rest = rest.expect("one for the rest");
    assert_eq!(rest.places.len() + rest.more_places, 980);
}
