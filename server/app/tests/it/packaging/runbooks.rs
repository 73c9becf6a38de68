//! What the runbooks say for the night: the commands that work without Muster, and the clocks people count on.

use muster_app::acts::pairs::{default_approval, default_objectives};
use muster_domain::{
    access::{consumer_fence_bindings, fence_bindings},
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    plan::PlanRules,
};

use super::RUNBOOKS;

/// At night, without Muster: it has to take away a fence of Muster's and nothing else.
#[test]
fn the_command_that_opens_writes_by_hand_takes_away_what_a_fence_is_made_of() {
    let fence = fence_bindings(&["orders".to_owned()]);
    let literal = (ResourceType::Topic, PatternType::Literal, "orders");
    assert_eq!(fence, [AclBinding::new(AclPermission::Deny, AclOperation::Write, literal, "User:*")]);
    let reads = consumer_fence_bindings(&["orders".to_owned()], &["billing".to_owned()]);
    let of_group = (ResourceType::Group, PatternType::Literal, "billing");
    let denied = [literal, of_group]
        .map(|about| AclBinding::new(AclPermission::Deny, AclOperation::Read, about, "User:*"));
    assert_eq!(reads, denied);
    let lines: Vec<&str> =
        RUNBOOKS.lines().filter_map(|line| line.strip_prefix("    kafka-acls.sh ")).collect();
    let taken_away = [r#"Write --topic "$TOPIC""#, r#"Read --topic "$TOPIC""#, r#"Read --group "$GROUP""#];
    let expected = taken_away.map(|what| {
        format!(
            "--bootstrap-server \"$BROKER\" --command-config admin.properties --remove --force --deny-principal 'User:*' \
             --operation {what}"
        )
    });
    assert_eq!(lines, expected);
}

/// Numbers people count on at night.
#[test]
fn the_clocks_of_the_runbooks_are_those_of_requests_plans_and_pairs() {
    let (rules, approval, objectives) = (PlanRules::default(), default_approval(), default_objectives());
    let (_, clocks) = RUNBOOKS.split_once("\n**Clocks**").unwrap();
    let clocks = clocks.split("\n\n").next().unwrap().replace('\n', " ");
    for said in [
        format!("a request waits {} minutes for its approvals", approval.decide_within_minutes),
        format!("an approval counts for {} (`use_within_minutes`)", approval.use_within_minutes),
        format!("Replication may take {} s to catch up", rules.catch_up_seconds),
        format!("writes may be away for {} s", rules.max_write_outage_seconds),
        format!("groups get {} s to read to the end", rules.group_drain_seconds),
        format!("{} s to hold and {} s to be seen", rules.hold_seconds, rules.resume_watch_seconds),
        format!("open transactions get {} ms", rules.transaction_grace_ms),
        format!("an RPO of {} s and an RTO of {} s", objectives.rpo_seconds, objectives.rto_seconds),
        format!("is to be moved every {} days", objectives.verify_within_days),
    ] {
        assert!(clocks.contains(&said), "{said}: {clocks}");
    }
}
