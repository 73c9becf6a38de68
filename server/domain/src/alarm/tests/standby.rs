//! What stands on the standby and would be in the way after a failover: denials and groups.

use super::*;
use crate::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    samples::group,
};

#[test]
fn a_deny_on_the_standby_names_the_topics_it_hits_and_where_it_comes_from() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    let resource = (ResourceType::Topic, PatternType::Literal, "orders");
    let deny = AclBinding::new(AclPermission::Deny, AclOperation::Write, resource, "User:*");
    known(&mut survey.sides.b.acls).bindings.insert(deny.clone());
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.places[0].name.as_str()), (Code::DenyCopied, "orders"));
    assert_eq!(alarm.places[0].partition, None, "a topic is none");
    assert!(alarm.facts[0].starts_with("It does not stand on the source"), "{:?}", alarm.facts);
    // As it stands, in a shell: nothing is asked, and a star is no file.
    let command = alarm.command.as_deref().unwrap_or_default();
    assert!(
        command.ends_with("--remove --force --deny-principal 'User:*' --operation Write --topic 'orders'"),
        "{command}"
    );
    known(&mut survey.sides.a.acls).bindings.insert(deny);
    assert!(one(&story.judge(survey)).facts[0].starts_with("The same one stands on the source"));
}

#[test]
fn a_deny_to_describe_stops_clients_as_well() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    let resource = (ResourceType::Topic, PatternType::Literal, "orders");
    for operation in [AclOperation::Describe, AclOperation::AlterConfigs] {
        let deny = AclBinding::new(AclPermission::Deny, operation, resource, "User:shop");
        known(&mut survey.sides.b.acls).bindings.insert(deny);
    }
    let judged = story.judge(survey);
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.places[0].name.as_str()), (Code::DenyCopied, "orders"));
    assert!(alarm.subject.contains("Describe on"), "{}", alarm.subject);
}

#[test]
fn a_group_with_members_on_the_standby_is_not_synced() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    known(&mut survey.sides.a.groups).insert("billing".to_owned(), group(1, 80));
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(1, 60));
    known(&mut survey.sides.b.groups).insert("its-own".to_owned(), group(2, 60));
    let judged = story.judge(survey);
    assert_eq!((one(&judged).code, one(&judged).subject.as_str()), (Code::GroupActive, "billing"));
}

#[test]
fn a_group_is_one_word_of_its_command_whatever_its_name_has_in_it() {
    let name = "team's $(billing) group";
    let (mut story, mut survey) = (Story::new(), Story::survey());
    known(&mut survey.sides.a.groups).insert(name.to_owned(), group(1, 80));
    known(&mut survey.sides.b.groups).insert(name.to_owned(), group(1, 60));
    let judged = story.judge(survey);
    let command = one(&judged).command.clone().unwrap_or_default();
    assert!(command.ends_with(r"--members --group 'team'\''s $(billing) group'"), "{command}");

    let (mut story, mut survey) = (Story::new(), Story::survey());
    known(&mut survey.sides.a.groups).insert(name.to_owned(), group(0, 80));
    known(&mut survey.sides.b.groups).insert(name.to_owned(), group(0, 140));
    story.judge(survey.clone());
    let judged = story.judge(survey);
    assert_eq!(one(&judged).code, Code::OffsetsBlocking);
    let command = one(&judged).command.clone().unwrap_or_default();
    assert!(
        command.ends_with(r"--delete-offsets --group 'team'\''s $(billing) group' --topic 'orders'"),
        "{command}"
    );
}

#[test]
fn offsets_left_over_on_the_standby_block_syncing_and_would_skip_records() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    known(&mut survey.sides.a.groups).insert("billing".to_owned(), group(1, 80));
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(0, 140));
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let judged = story.judge(survey.clone());
    assert_eq!((one(&judged).code, one(&judged).lost), (Code::OffsetsBlocking, Lost::up_to(40)));
    // A position that moves is being synced.
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(0, 90));
    assert_eq!(codes(&story.judge(survey)), []);
}
