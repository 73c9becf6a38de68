//! What others wrote to a canary's topic: bytes, records of ours with something in them changed, and forged ones.

use bytes::Bytes;
use muster_domain::{
    bent::{Bend, bend},
    canary::CanarySettings,
    pair::{Direction, Flow, Mechanism, NamingPolicy, Side},
};
use proptest::prelude::*;

use super::*;
use crate::canary::Sent;

const PROCESS: Uuid = Uuid::from_u128(7);

fn pair() -> PairName {
    PairName::new("orders").expect("a name")
}

/// The fields of a record with that number.
fn fields(sequence: i64) -> Vec<String> {
    vec![
        r#""canary_of": "orders""#.to_owned(),
        r#""from": "eu-west""#.to_owned(),
        r#""to": "eu-central""#.to_owned(),
        r#""partition": 0"#.to_owned(),
        format!(r#""sequence": {sequence}"#),
        r#""epoch": 3"#.to_owned(),
        format!(r#""process": "{PROCESS}""#),
        r#""written_at": "2026-11-30T12:00:00Z""#.to_owned(),
    ]
}

fn value(fields: &[String]) -> Vec<u8> {
    format!("{{{}}}", fields.join(", ")).into_bytes()
}

fn read(value: &[u8]) -> Option<i64> {
    sequence_of(value, PROCESS, &pair())
}

/// A canary of one partition that waits for its records 1 to 5.
fn waiting() -> (FlowCanary, Track) {
    let flow = Flow {
        direction: Direction { from: Side::A },
        mechanism: Mechanism::Unattached,
        source_alias: "A".to_owned(),
        target_alias: "B".to_owned(),
        naming: NamingPolicy::Identity,
        enabled: true,
    };
    let period = chrono::TimeDelta::seconds(5);
    let settings = CanarySettings { topic: "canary".to_owned(), partitions: 1, period };
    let mut canary = FlowCanary::new(&flow, &settings, PROCESS);
    let mut track = Track::new(flow.direction, 0, "canary", DateTime::UNIX_EPOCH);
    for sequence in 1..=5 {
        let sent = Sent { sequence, nth: sequence - 1, at: DateTime::UNIX_EPOCH, instant: Instant::now() };
        canary.sent.entry(0).or_default().push_back(sent);
        track.wrote(DateTime::UNIX_EPOCH);
    }
    (canary, track)
}

fn record(offset: i64, value: Option<Vec<u8>>) -> Record {
    let value = value.map(Bytes::from);
    Record { offset, timestamp: -1, log_append_time: false, key: None, value, headers: Vec::new() }
}

#[test]
fn of_another_pair_or_process_it_is_nobodys() {
    assert_eq!(read(&value(&fields(4))), Some(4));
    assert_eq!(sequence_of(&value(&fields(4)), Uuid::from_u128(8), &pair()), None);
    assert_eq!(sequence_of(&value(&fields(4)), PROCESS, &PairName::new("payments").expect("a name")), None);
    assert_eq!(read(&value(&fields(4)[1..])), None, "a field is missing");
    assert_eq!(read(&b"[".repeat(1 << 20)), None);
}

proptest! {
    #[test]
    fn fuzz_no_bytes_in_a_copy_make_it_panic(bytes in any::<Vec<u8>>(), bends in any::<[Bend; 3]>()) {
        let _ = (read(&bytes), read(&bend(&value(&fields(4)), &bends)));
    }

    #[test]
    fn fuzz_the_order_of_keys_changes_nothing(fields in Just(fields(4)).prop_shuffle()) {
        prop_assert_eq!(read(&value(&fields)), Some(4));
    }

    #[test]
    fn fuzz_forged_numbers_make_nothing_arrive_that_was_not_written(
        numbers in prop::collection::vec(prop_oneof![0_i64..8, any::<i64>()], 0..12),
        offset in any::<i64>(),
        noise in any::<Option<Vec<u8>>>(),
    ) {
        let (mut canary, mut track) = waiting();
        let mut records: Vec<Record> =
            numbers.iter().map(|number| record(offset, Some(value(&fields(*number))))).collect();
        records.push(record(offset, noise));
        let arrived = canary.take(&pair(), &mut track, &records, (Instant::now(), DateTime::UNIX_EPOCH));
        let named = numbers.iter().filter(|number| (1..=5).contains(*number)).count();
        prop_assert!(arrived.len() <= named.min(5), "{arrived:?} of {numbers:?}");
        prop_assert!(track.outstanding.is_none_or(|left| (1..=5).contains(&left.records)), "{track:?}");
        // Nothing is taken for arrived, nor for given up, where no number of ours was named.
        prop_assert!(named > 0 || track.outstanding.is_some_and(|left| left.records == 5));
    }
}
