//! Groups: positions of groups without members, and the refusal while there are members.

use muster_domain::{
    group::{CommittedOffset, GroupMember, GroupState, GroupType},
    topic::{ByPartition, TopicPartition},
};

use super::{eventually, fresh_topic};
use crate::admin::ClusterAdmin;

fn positions(at: &TopicPartition, offset: i64) -> ByPartition<CommittedOffset> {
    [(at.clone(), CommittedOffset { offset, metadata: "kept".to_owned(), leader_epoch: None })].into()
}

/// A group that only ever committed.
pub async fn groups(admin: &dyn ClusterAdmin, prefix: &str) {
    let topic = format!("{prefix}groups");
    fresh_topic(admin, &topic, 2).await;
    let at = TopicPartition::new(&topic, 1);
    let group = format!("{prefix}quiet");
    let names = [group.clone()];
    let state = async |kind| admin.describe_groups(&[(group.clone(), kind)]).await.unwrap()[0].state;

    assert_eq!(state(GroupType::Consumer).await, GroupState::Dead);
    assert!(admin.group_offsets(&names, true).await.unwrap()[&group].is_empty());
    admin.delete_group_offsets(&group, std::slice::from_ref(&at)).await.unwrap();

    admin.alter_group_offsets(&group, &positions(&at, 7)).await.unwrap();
    let found = admin.group_offsets(&names, true).await.unwrap();
    assert_eq!(found[&group].len(), 1);
    assert_eq!((found[&group][&at].offset, found[&group][&at].metadata.as_str()), (7, "kept"));
    admin.alter_group_offsets(&group, &positions(&at, 3)).await.unwrap();
    assert_eq!(admin.group_offsets(&names, false).await.unwrap()[&group][&at].offset, 3, "backwards is fine");
    assert_eq!(state(GroupType::Classic).await, GroupState::Empty);
    assert_eq!(state(GroupType::Consumer).await, GroupState::Dead, "asked in the wrong protocol");
    let listed = admin.list_groups().await.unwrap();
    let listed = listed.iter().find(|listed| listed.group == group).unwrap();
    assert_eq!(
        (listed.kind, listed.protocol_type.as_str(), listed.state),
        (GroupType::Classic, "", GroupState::Empty)
    );

    let absent = TopicPartition::new(format!("{prefix}absent"), 0);
    assert_eq!(admin.alter_group_offsets(&group, &positions(&absent, 1)).await.unwrap_err().code(), Some(3));
    let gone = GroupMember {
        member_id: "long-gone".to_owned(),
        group_instance_id: None,
        client_id: String::new(),
        client_host: String::new(),
        assignment: Vec::new(),
    };
    admin.remove_members(&group, GroupType::Classic, &[gone]).await.unwrap();
    admin.delete_group_offsets(&group, std::slice::from_ref(&at)).await.unwrap();
    assert!(admin.group_offsets(&names, true).await.unwrap()[&group].is_empty());
    admin.delete_topic(&topic).await.unwrap();
}

/// A group with one member that holds `at` and may not join again once removed (the caller sees to both).
pub async fn live_group(admin: &dyn ClusterAdmin, group: &str, kind: GroupType, at: &TopicPartition) {
    let describe = async || admin.describe_groups(&[(group.to_owned(), kind)]).await.unwrap().remove(0);
    eventually("the group is stable with its member's assignment", async || {
        let found = describe().await;
        found.state == GroupState::Stable
            && found.members.len() == 1
            && found.members[0].assignment.contains(at)
    })
    .await;
    let listed = admin.list_groups().await.unwrap();
    assert_eq!(listed.iter().find(|listed| listed.group == group).unwrap().kind, kind);
    assert_eq!(admin.alter_group_offsets(group, &positions(at, 0)).await.unwrap_err().code(), Some(25));
    let refused = admin.delete_group_offsets(group, std::slice::from_ref(at)).await.unwrap_err();
    assert_eq!(refused.code(), Some(86));
    let members = describe().await.members;
    admin.remove_members(group, kind, &members).await.unwrap();
    admin.remove_members(group, kind, &members).await.unwrap();
    eventually("the group is empty", async || describe().await.state == GroupState::Empty).await;
    admin.alter_group_offsets(group, &positions(at, 0)).await.unwrap();
    assert_eq!(admin.group_offsets(&[group.to_owned()], true).await.unwrap()[group][at].offset, 0);
}
