//! ACLs of one cluster: the controller's set, its spreading to brokers, and StandardAuthorizer's decision.

use std::collections::BTreeSet;

use muster_domain::acl::{AclBinding, AclFilter, AclOperation, AclPermission, ResourceType};

/// A change on its way to the brokers.
#[derive(Debug, Clone)]
struct Change {
    at: u64,
    binding: AclBinding,
    create: bool,
}

/// What one broker knows.
#[derive(Debug, Clone)]
struct BrokerView {
    id: i32,
    lag: u64,
    applied: usize,
    bindings: BTreeSet<AclBinding>,
}

/// The authorizer of one cluster.
#[derive(Debug, Clone)]
pub struct Authorizer {
    /// False: the cluster has none, everything is allowed and ACL calls answer `SECURITY_DISABLED`.
    pub enabled: bool,
    super_users: BTreeSet<String>,
    controller: BTreeSet<AclBinding>,
    changes: Vec<Change>,
    brokers: Vec<BrokerView>,
}

impl Authorizer {
    /// Broker number i (from 0) follows the controller after `i * spread` ticks.
    #[must_use]
    pub fn new(brokers: &[i32], spread: u64) -> Self {
        let view = |(i, id): (u64, &i32)| BrokerView {
            id: *id,
            lag: i * spread,
            applied: 0,
            bindings: BTreeSet::new(),
        };
        Self {
            enabled: true,
            super_users: BTreeSet::new(),
            controller: BTreeSet::new(),
            changes: Vec::new(),
            brokers: (0..).zip(brokers).map(view).collect(),
        }
    }

    /// Lets a principal do everything, whatever the ACLs say.
    pub fn add_super_user(&mut self, principal: &str) {
        self.super_users.insert(principal.to_owned());
    }

    /// Creates a binding; an existing one stays.
    pub fn create(&mut self, binding: AclBinding, now: u64) {
        if self.controller.insert(binding.clone()) {
            self.changes.push(Change { at: now, binding, create: true });
        }
    }

    /// Deletes a binding; a missing one is fine.
    pub fn delete(&mut self, binding: &AclBinding, now: u64) {
        if self.controller.remove(binding) {
            self.changes.push(Change { at: now, binding: binding.clone(), create: false });
        }
    }

    /// Carries changes to the brokers that are due.
    pub fn spread(&mut self, now: u64) {
        for broker in &mut self.brokers {
            while let Some(change) = self.changes.get(broker.applied)
                && change.at + broker.lag <= now
            {
                if change.create {
                    broker.bindings.insert(change.binding.clone());
                } else {
                    broker.bindings.remove(&change.binding);
                }
                broker.applied += 1;
            }
        }
    }

    /// The controller's set: what the brokers will know in the end.
    #[must_use]
    pub fn bindings(&self) -> &BTreeSet<AclBinding> {
        &self.controller
    }

    /// What each broker answers to DescribeAcls.
    pub fn views(&self) -> impl Iterator<Item = &BTreeSet<AclBinding>> {
        self.brokers.iter().map(|broker| &broker.bindings)
    }

    /// StandardAuthorizer's decision on one broker: super user, else DENY beats ALLOW, else no.
    #[must_use]
    pub fn allows(
        &self,
        broker: i32,
        principal: &str,
        operation: AclOperation,
        (resource, name): (ResourceType, &str),
    ) -> bool {
        if !self.enabled || self.super_users.contains(principal) {
            return true;
        }
        let Some(view) = self.brokers.iter().find(|view| view.id == broker) else { return false };
        let about = |binding: &&AclBinding| {
            binding.covers(resource, name)
                && (binding.principal == principal || binding.principal == "User:*")
        };
        let denied = view.bindings.iter().filter(about).any(|binding| {
            binding.permission == AclPermission::Deny
                && (binding.operation == operation || binding.operation == AclOperation::All)
        });
        !denied
            && view.bindings.iter().filter(about).any(|binding| {
                binding.permission == AclPermission::Allow && grants(binding.operation, operation)
            })
    }
}

/// Whether an allowed operation carries the asked one: READ, WRITE, DELETE and ALTER imply DESCRIBE; ALTER_CONFIGS
/// implies DESCRIBE_CONFIGS. A denied operation implies nothing.
fn grants(allowed: AclOperation, asked: AclOperation) -> bool {
    use AclOperation as Op;
    allowed == asked
        || allowed == Op::All
        || (asked == Op::Describe && matches!(allowed, Op::Read | Op::Write | Op::Delete | Op::Alter))
        || (asked == Op::DescribeConfigs && allowed == Op::AlterConfigs)
}

/// Whether a binding passes a filter, fields compared exactly.
#[must_use]
pub(super) fn passes(filter: &AclFilter, binding: &AclBinding) -> bool {
    filter.resource.is_none_or(|it| it == binding.resource)
        && filter.name.as_ref().is_none_or(|it| *it == binding.name)
        && filter.pattern.is_none_or(|it| it == binding.pattern)
        && filter.principal.as_ref().is_none_or(|it| *it == binding.principal)
        && filter.operation.is_none_or(|it| it == binding.operation)
        && filter.permission.is_none_or(|it| it == binding.permission)
}

#[cfg(test)]
mod tests {
    use muster_domain::acl::PatternType;

    use super::*;

    #[test]
    fn deny_beats_allow_on_each_broker_when_it_gets_there() {
        let mut acls = Authorizer::new(&[1, 2], 2);
        let topic = (ResourceType::Topic, PatternType::Prefixed, "orders.");
        acls.create(AclBinding::new(AclPermission::Allow, AclOperation::Write, topic, "User:app"), 0);
        acls.spread(5);
        acls.create(AclBinding::new(AclPermission::Deny, AclOperation::Write, topic, "User:*"), 6);
        acls.spread(6);
        let allows = |acls: &Authorizer, broker, op| {
            acls.allows(broker, "User:app", op, (ResourceType::Topic, "orders.placed"))
        };
        assert!(!allows(&acls, 1, AclOperation::Write));
        assert!(allows(&acls, 2, AclOperation::Write));
        acls.spread(8);
        assert!(!allows(&acls, 2, AclOperation::Write));
        assert!(allows(&acls, 2, AclOperation::Describe), "WRITE implies DESCRIBE, its DENY does not");
    }
}
