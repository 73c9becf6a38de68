//! Answers of Connect that it never gave: bytes, JSON of any shape, and its own answers with something in them changed.

use muster_domain::{
    bent::{Bend, bend},
    pair::{Direction, Flow, Mechanism, NamingPolicy, Side},
    topic::TopicPartition,
};
use proptest::prelude::*;
use reqwest::StatusCode;

use super::{
    call::{decode, refusal},
    *,
};
use crate::{
    formats::HIGHEST_OFFSET, mm2_on_connect::sort_out, redact::redact_config, settings::FlowSettings,
};

/// What no message may cite: answers hold configs.
const SECRET: &str = "hunter22";

/// Reads the bytes as each answer there is, as callers do.
fn read_all(body: &[u8]) {
    let said = |kind: ReplicationErrorKind| assert!(!kind.to_string().contains(SECRET), "{kind}");
    decode::<Root>(body).map(drop).unwrap_or_else(said);
    match decode::<Status>(body) {
        Ok(status) => {
            let status = ConnectorStatus::from(status);
            assert!(status.tasks.is_sorted_by_key(|task| task.id));
            let one_line =
                |trace: &Option<String>| trace.as_ref().is_none_or(|t| !t.is_empty() && !t.contains('\n'));
            assert!(one_line(&status.trace) && status.tasks.iter().all(|task| one_line(&task.trace)));
        }
        Err(kind) => said(kind),
    }
    match decode::<BTreeMap<String, Option<String>>>(body) {
        Ok(config) => {
            read_config(config.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
        }
        Err(kind) => said(kind),
    }
    decode::<Vec<TaskConfig>>(body).map(drop).unwrap_or_else(said);
    match decode::<Offsets>(body) {
        Ok(answer) => {
            let stored = sort_out(&answer.offsets, "A").for_people();
            let read = |(at, offset): (&TopicPartition, &i64)| {
                at.partition >= 0 && (0..=HIGHEST_OFFSET).contains(offset)
            };
            assert!(stored.0.iter().all(read), "{:?}", stored.0);
            assert!(stored.0.len() + stored.1.len() <= answer.offsets.len());
            assert!(!stored.0.is_empty() || stored.1.len() == answer.offsets.len(), "nothing is left out");
        }
        Err(kind) => said(kind),
    }
    for status in [StatusCode::NOT_FOUND, StatusCode::CONFLICT, StatusCode::INTERNAL_SERVER_ERROR] {
        let _ = refusal(status, body);
    }
}

fn read_config(config: BTreeMap<String, String>) {
    let flow = Flow {
        direction: Direction { from: Side::A },
        mechanism: Mechanism::Unattached,
        source_alias: "A".to_owned(),
        target_alias: "B".to_owned(),
        naming: NamingPolicy::Identity,
        enabled: true,
    };
    let _ = FlowSettings::from_config(&flow, &config);
    assert_eq!(redact_config(&config).len(), config.len());
}

/// Numbers and words that Connect says, and some that it does not.
fn leaf() -> impl Strategy<Value = Value> {
    let words = [
        "A",
        "B",
        "orders",
        "RUNNING",
        "STOPPED",
        "NONE",
        "4.3.1",
        "",
        "\n",
        "source.cluster.alias",
        "exactly.once.support",
        "Exception: x\n\tat y",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![0, 1, -1, i64::MAX, i64::MAX / 2 + 1, i64::MIN]).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::from(u64::MAX)),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from(SECRET)),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys = [
        "version",
        "kafka_cluster_id",
        "connector",
        "tasks",
        "state",
        "trace",
        "id",
        "config",
        "offsets",
        "partition",
        "offset",
        "cluster",
        "topic",
        "message",
        "password",
        "offset-syncs.topic.location",
    ];
    leaf().prop_recursive(4, 48, 6, move |inner| {
        let key = prop_oneof![4 => prop::sample::select(keys.to_vec()).prop_map(str::to_owned), 1 => any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Its own answers.
fn answers() -> Vec<Value> {
    let partition = json!({"cluster": "A", "topic": "orders", "partition": 0});
    vec![
        json!({"version": "4.3.1", "commit": "x", "kafka_cluster_id": "id"}),
        json!({"name": "s", "connector": {"state": "RUNNING", "worker_id": "w"},
            "tasks": [{"id": 1, "state": "FAILED", "trace": "E: x\n\tat y"}, {"id": 0, "state": "RUNNING"}]}),
        json!({"source.cluster.alias": "A", "password": SECRET, "offset-syncs.topic.location": "target"}),
        json!([{"id": {"connector": "s", "task": 0}, "config": {"password": SECRET}}]),
        json!({"offsets": [{"partition": partition, "offset": {"offset": 41}}]}),
        json!({"error_code": 409, "message": "Cannot complete request momentarily due to stale configuration"}),
    ]
}

/// Puts something else into a place of a document.
fn change(document: &mut Value, mut place: usize, with: Value) {
    fn at<'a>(value: &'a mut Value, place: &mut usize) -> Option<&'a mut Value> {
        if *place == 0 {
            return Some(value);
        }
        *place -= 1;
        match value {
            Value::Array(items) => items.iter_mut().find_map(|item| at(item, place)),
            Value::Object(fields) => fields.iter_mut().find_map(|(_, field)| at(field, place)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }
    if let Some(place) = at(document, &mut place) {
        *place = with;
    }
}

#[test]
fn its_own_answers_are_read() {
    let body = |at: usize| answers()[at].to_string().into_bytes();
    assert_eq!(decode::<Root>(&body(0)).map(|root| root.version), Ok("4.3.1".to_owned()));
    let status = ConnectorStatus::from(decode::<Status>(&body(1)).expect("a status"));
    assert_eq!(status.tasks[1].trace.as_deref(), Some("E: x"));
    assert_eq!(decode::<Vec<TaskConfig>>(&body(3)).map(|tasks| tasks.len()), Ok(1));
    let stored = sort_out(&decode::<Offsets>(&body(4)).expect("offsets").offsets, "A");
    assert_eq!(stored.for_people().0, [(TopicPartition::new("orders", 0), 41)].into());
    assert_eq!(refusal(StatusCode::CONFLICT, &body(5)), ReplicationErrorKind::Rebalancing);
    answers().iter().for_each(|answer| read_all(answer.to_string().as_bytes()));
}

proptest! {
    #[test]
    fn fuzz_no_bytes_of_connect_make_it_panic(body: Vec<u8>) {
        read_all(&body);
    }

    #[test]
    fn fuzz_no_json_of_connect_makes_it_panic(answer in any_json()) {
        read_all(answer.to_string().as_bytes());
    }

    #[test]
    fn fuzz_no_change_to_an_answer_of_connect_makes_it_panic(
        which in any::<prop::sample::Index>(),
        place in 0usize..16,
        with in any_json(),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut answers = answers();
        let answer = which.get_mut(&mut answers);
        change(answer, place, with);
        let body = answer.to_string();
        let until = cut.map_or(body.len(), |cut| cut.index(body.len() + 1));
        read_all(&body.as_bytes()[..until]);
    }

    #[test]
    fn fuzz_no_change_to_the_bytes_of_an_answer_makes_it_panic(
        which in any::<prop::sample::Index>(),
        bends in any::<[Bend; 3]>(),
    ) {
        let mut answers = answers();
        let body = which.get_mut(&mut answers).to_string();
        read_all(&bend(body.as_bytes(), &bends));
    }

    #[test]
    fn the_order_of_keys_changes_nothing(
        fields in Just(vec![
            r#""name": "s""#,
            r#""connector": {"worker_id": "w", "trace": null, "state": "RUNNING"}"#,
            r#""tasks": [{"trace": "E: x", "state": "FAILED", "id": 1}, {"id": 0, "state": "RUNNING"}]"#,
            r#""type": "source""#,
        ])
        .prop_shuffle(),
    ) {
        let status = decode::<Status>(format!("{{{}}}", fields.join(", ")).as_bytes());
        let status = ConnectorStatus::from(status.expect("a status"));
        prop_assert_eq!(status.tasks.iter().map(|task| task.id).collect::<Vec<_>>(), [0, 1]);
        prop_assert_eq!(status.tasks[1].trace.as_deref(), Some("E: x"));
    }
}

/// A broken proxy, or somebody else on its port.
#[test]
fn what_is_nested_or_long_beyond_measure_is_refused() {
    let deep = [b"[".repeat(1_000_000), b"]".repeat(1_000_000)].concat();
    read_all(&deep);
    let long = format!(r#"{{"message": "{}"}}"#, "x".repeat(1 << 20));
    read_all(long.as_bytes());
    let many = format!(r#"{{"offsets": [{}{{}}]}}"#, "{},".repeat(100_000));
    read_all(many.as_bytes());
    assert!(decode::<Offsets>(&deep).is_err() && decode::<Offsets>(many.as_bytes()).is_err());
}
