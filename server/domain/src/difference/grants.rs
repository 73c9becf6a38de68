//! Grants and DENYs as they would be for applications after the move.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Affected, Difference, DifferenceKind as Kind, Names, Others, Sides, Weight, affected::covers_some, probes,
};
use crate::{
    access::{self, EVERYBODY},
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    shell::quoted,
};

/// Grants that applications hold on the active side and lack on the standby. Those for writing are left out: that they
/// are not there is the standby fence.
pub(super) fn missing<'a>(sides: &Sides<'a>) -> Result<Vec<Difference>, &'a str> {
    let (here, there) = sides.acls()?;
    if !there.authorizer {
        // Whoever asks may do everything there.
        return Ok(Vec::new());
    }
    if !here.authorizer {
        return Ok(vec![none_to_compare(sides)]);
    }
    let groups: Vec<String> = sides.here.groups.as_result()?.keys().cloned().collect();
    let wanted = access::grants_for_standby(&here.bindings, &sides.scope, &groups, &probes(sides.clusters));
    let mut lacking: BTreeMap<String, Vec<AclBinding>> = BTreeMap::new();
    for grant in wanted.reading.into_iter().filter(|grant| !there.bindings.contains(grant)) {
        lacking.entry(grant.principal.clone()).or_default().push(grant);
    }
    Ok(lacking.into_iter().map(|(principal, grants)| lacks(sides, &principal, &grants)).collect())
}

/// The standby asks for grants and the active side never did: nobody holds one there that could be compared.
fn none_to_compare(sides: &Sides<'_>) -> Difference {
    let (active, standby) = (sides.active(), sides.standby());
    let groups = sides.here.groups.value().into_iter().flat_map(|groups| groups.keys().cloned());
    Difference {
        kind: Kind::Grant,
        weight: Weight::Breaks,
        says: format!("{standby} asks for grants and {active} has none to compare: it has no authorizer"),
        cluster: standby.clone(),
        expected: "everybody may do everything: no authorizer".to_owned(),
        actual: "an authorizer".to_owned(),
        consequence: format!(
            "Whatever nobody has granted on {standby} is refused there, unless allow.everyone.if.no.acl.found is true."
        ),
        affected: Affected {
            topics: Names::all(sides.scope.iter().map(|(topic, _)| topic.clone())),
            groups: Names::all(groups),
            principals: Names::default(),
            others: Others::Everybody,
        },
        next_step: format!(
            "Grant every application on {standby} what it does; a switchover by Muster has no grants to copy either. Or give {active} the same authorizer and grants."
        ),
        commands: Vec::new(),
    }
}

fn lacks(sides: &Sides<'_>, principal: &str, grants: &[AclBinding]) -> Difference {
    let standby = sides.standby();
    let names = names(grants);
    Difference {
        kind: Kind::Grant,
        weight: Weight::Costs,
        says: format!("`{principal}` lacks {} on {standby}: {names}", count(grants.len(), "grant")),
        cluster: standby.clone(),
        expected: names,
        actual: "not granted".to_owned(),
        consequence: format!("Moved by hand, `{principal}` is refused on {standby}. MirrorMaker 2 copies neither WRITE nor grants on groups or prefixes."),
        affected: of(sides, principal, grants),
        next_step: "A switchover by Muster creates them before anything is taken away, and WRITE when writes may come. For a failover without it, create them now.".to_owned(),
        commands: grants.iter().map(|grant| sides.command("kafka-acls.sh", &format!("--add {}", arguments(grant)))).collect(),
    }
}

/// DENYs that stand on the standby only and concern applications: MirrorMaker 2 copies DENYs and never removes them
/// (mm2-verified, result 2).
pub(super) fn denied<'a>(sides: &Sides<'a>) -> Result<Vec<Difference>, &'a str> {
    let (here, there) = sides.acls()?;
    // Under prefixed names applications read the copies and write under their own names.
    let topics: BTreeSet<String> =
        sides.scope.iter().flat_map(|(topic, replica)| [topic.clone(), replica.clone()]).collect();
    let groups: BTreeSet<String> = sides.here.groups.as_result()?.keys().cloned().collect();
    let concerns = |deny: &AclBinding| {
        let hits = match deny.resource {
            ResourceType::Topic => covers_some(deny, &topics),
            ResourceType::Group => covers_some(deny, &groups),
            // What applications need of these only their grants tell.
            ResourceType::Cluster | ResourceType::TransactionalId => {
                !here.authorizer || !takes_from(sides, deny).is_empty()
            }
            ResourceType::DelegationToken | ResourceType::User => false,
        };
        hits && (deny.principal == EVERYBODY || sides.users.know(&deny.principal))
    };
    let mut found: BTreeMap<String, Vec<AclBinding>> = BTreeMap::new();
    let only_there = there.bindings.difference(&here.bindings);
    for deny in only_there.filter(|binding| binding.permission == AclPermission::Deny && concerns(binding)) {
        found.entry(deny.principal.clone()).or_default().push(deny.clone());
    }
    Ok(found.into_iter().map(|(principal, denies)| is_denied(sides, &principal, &denies)).collect())
}

/// Applications from whose grants on the active side a DENY takes something.
fn takes_from<'a>(sides: &Sides<'a>, deny: &AclBinding) -> BTreeSet<&'a str> {
    let takes = |grant: &&AclBinding| {
        let operation =
            deny.operation == AclOperation::All || access::allows_operation(grant.operation, deny.operation);
        let principal = [&deny.principal, &grant.principal].iter().any(|one| *one == EVERYBODY)
            || deny.principal == grant.principal;
        // Patterns have a name in common where one of them speaks of the other's.
        let name = deny.covers(grant.resource, &grant.name) || grant.covers(deny.resource, &deny.name);
        grant.permission == AclPermission::Allow && operation && principal && name
    };
    let grants = sides.here.acls.value().into_iter().flat_map(|acls| &acls.bindings);
    grants
        .filter(takes)
        .map(|grant| grant.principal.as_str())
        .filter(|principal| *principal == EVERYBODY || sides.users.know(principal))
        .collect()
}

fn is_denied(sides: &Sides<'_>, principal: &str, denies: &[AclBinding]) -> Difference {
    let standby = sides.standby();
    let remove =
        |deny: &AclBinding| sides.command("kafka-acls.sh", &format!("--remove --force {}", arguments(deny)));
    Difference {
        kind: Kind::Deny,
        weight: Weight::Breaks,
        says: format!("{} for `{principal}` only on {standby}: {}", count(denies.len(), "DENY"), names(denies)),
        cluster: standby.clone(),
        expected: "not denied".to_owned(),
        actual: names(denies),
        consequence: "A DENY wins over every grant: what it names stays refused after the move.".to_owned(),
        affected: of(sides, principal, denies),
        next_step: "Remove them if nobody meant them. MirrorMaker 2 copies DENYs and never takes one back, so they may be left from an earlier fence.".to_owned(),
        commands: denies.iter().map(remove).collect(),
    }
}

fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// The first three of them.
fn names(bindings: &[AclBinding]) -> String {
    let short = |binding: &AclBinding| {
        let prefix = if binding.pattern == PatternType::Prefixed { "prefix " } else { "" };
        format!("{} on {} {prefix}`{}`", word(binding.operation), word(binding.resource), binding.name)
    };
    let said: Vec<String> = bindings.iter().take(3).map(short).collect();
    match bindings.len() - said.len() {
        0 => said.join(", "),
        more => format!("{} and {more} more", said.join(", ")),
    }
}

fn of(sides: &Sides<'_>, principal: &str, bindings: &[AclBinding]) -> Affected {
    let covered =
        |resource: ResourceType, name: &str| bindings.iter().any(|binding| binding.covers(resource, name));
    let of_topic = |(topic, replica): &&(String, String)| {
        covered(ResourceType::Topic, topic) || covered(ResourceType::Topic, replica)
    };
    let topics = Names::all(sides.scope.iter().filter(of_topic).map(|(topic, _)| topic.clone()));
    let groups = sides.here.groups.value().into_iter().flat_map(|groups| groups.keys());
    let groups = Names::all(groups.filter(|group| covered(ResourceType::Group, group)).cloned());
    if principal == EVERYBODY {
        // Everybody are those who use what is denied.
        let found = sides.users.of(topics.names.iter().cloned());
        let mut users: BTreeSet<String> = found.principals.names.into_iter().collect();
        for deny in bindings.iter().filter(|binding| is_for_producers(binding)) {
            users.extend(takes_from(sides, deny).into_iter().map(str::to_owned));
        }
        return Affected { principals: Names::all(users), topics, groups, others: found.others };
    }
    Affected { topics, groups, principals: Names::all([principal.to_owned()]), others: Others::None }
}

/// Whether a DENY is about what producers need beside topics.
fn is_for_producers(binding: &AclBinding) -> bool {
    binding.permission == AclPermission::Deny
        && matches!(binding.resource, ResourceType::Cluster | ResourceType::TransactionalId)
}

/// Kafka's word for an operation or a resource type, as its programs take it.
fn word(value: impl serde::Serialize) -> String {
    let stored = serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned));
    let words = stored.unwrap_or_default();
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    };
    words.split('_').map(capital).collect()
}

/// A binding as kafka-acls.sh takes it.
pub(crate) fn arguments(binding: &AclBinding) -> String {
    let who = match binding.permission {
        AclPermission::Allow => "allow",
        AclPermission::Deny => "deny",
    };
    let resource = match binding.resource {
        ResourceType::Topic => format!("--topic {}", quoted(&binding.name)),
        ResourceType::Group => format!("--group {}", quoted(&binding.name)),
        ResourceType::TransactionalId => format!("--transactional-id {}", quoted(&binding.name)),
        ResourceType::Cluster => "--cluster".to_owned(),
        ResourceType::DelegationToken => format!("--delegation-token {}", quoted(&binding.name)),
        ResourceType::User => format!("--user-principal {}", quoted(&binding.name)),
    };
    let pattern = match binding.pattern {
        PatternType::Literal => "",
        PatternType::Prefixed => " --resource-pattern-type prefixed",
    };
    let host = match binding.host.as_str() {
        "*" => String::new(),
        host => format!(" --{who}-host {}", quoted(host)),
    };
    format!(
        "--{who}-principal {}{host} --operation {} {resource}{pattern}",
        quoted(&binding.principal),
        word(binding.operation)
    )
}
