//! Brokers that do not know what came later.

use super::*;

/// As Kafka 2.1 offers them.
fn kafka_2_1() -> HashMap<i16, i16> {
    let mut caps: HashMap<i16, i16> = HashMap::from([
        (0, 7),
        (1, 10),
        (2, 4),
        (3, 7),
        (8, 6),
        (9, 5),
        (10, 2),
        (13, 2),
        (15, 2),
        (16, 2),
        (17, 1),
        (18, 2),
        (19, 3),
        (20, 3),
        (22, 1),
        (29, 1),
        (30, 1),
        (31, 1),
        (32, 2),
        (36, 1),
    ]);
    // What came later does not exist there.
    caps.extend((44..=100).map(|key| (key, -1)));
    caps
}

#[tokio::test]
async fn a_broker_of_2_1_is_spoken_to_in_its_own_versions() {
    let world = World { caps: kafka_2_1(), groups: 7, offsets_per_group: 2, ..World::default() };
    let world = world.with_topic("t0", &[0, 1, 0]).with_script(|_, request, _| match request {
        RequestKind::LeaveGroup(request) => {
            assert!(request.members.is_empty(), "one member at a time before version 3");
            Reply::with(ResponseKind::LeaveGroup(LeaveGroupResponse::default().with_error_code(25)))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(2, world).await;
    let admin = brokers.admin();
    assert_eq!(brokers.seen(ApiKey::ApiVersions).len(), 0);
    assert_eq!(admin.topics(None).await.unwrap()[0].partitions.len(), 3);
    assert_eq!(brokers.seen(ApiKey::ApiVersions), vec![(0, 3), (0, 0)], "refused in 3, understood in 0");
    let offsets = admin.offsets(&[tp(0), tp(1), tp(2)], OffsetSpec::Stable).await.unwrap();
    assert_eq!(offsets.into_values().map(Result::unwrap).collect::<Vec<_>>(), vec![100, 101, 102]);
    let groups = admin.list_groups().await.unwrap();
    assert_eq!(groups.len(), 7);
    let names: Vec<String> = groups.into_iter().map(|group| group.group).collect();
    let positions = admin.group_offsets(&names, true).await.unwrap();
    assert_eq!(positions.len(), 7);
    assert!(positions.values().all(|group| group.len() == 2));
    assert_eq!(brokers.seen(ApiKey::OffsetFetch).len(), 7, "one group per request");
    admin
        .remove_members("group-0", GroupType::Classic, &[member("a", None), member("b", None)])
        .await
        .unwrap();
    let unsupported = admin.open_transactions().await.unwrap_err();
    assert_eq!(unsupported.kind, KafkaErrorKind::Unsupported("ListTransactions".to_owned()));
    let too_new = admin.delete_group_offsets("group-0", &[tp(0)]).await.unwrap_err();
    assert_eq!(too_new.kind, KafkaErrorKind::Unsupported("OffsetDelete".to_owned()));
}
