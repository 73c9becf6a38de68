//! What changed between two facts of one kind: ACLs or configs of a side as they were kept, one after the other.
//!
//! What is kept is read as it was written, whoever wrote it: a fact that does not read back changed in a way nobody can tell, which
//! is not the same as not at all. Neither is a change that was left out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::fact_course::KeptConfigs;
use crate::{
    acl::AclBinding,
    pair::Side,
    survey::AclObservation,
    topic::{ConfigEntry, Configs},
};

/// What of a cluster changes seldom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// Its ACLs.
    Acls,
    /// The configs of its topics in scope. Topics that are configured alike share an entry.
    #[default]
    Configs,
}

impl FactKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Acls, Self::Configs];

    /// As it is kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acls => "acls",
            Self::Configs => "configs",
        }
    }

    /// The other way; `None` for what is no kind.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// ACLs or configs of a side that a survey saw otherwise than those before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactChange {
    /// Whose they are.
    pub side: Side,
    /// What they are.
    pub kind: FactKind,
    /// The survey that saw them so first.
    pub at: DateTime<Utc>,
    /// What changed.
    pub what: WhatChanged,
}

/// What changed of ACLs or configs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhatChanged {
    /// They had never been read before, or what was before is kept no more.
    FirstKept,
    /// One of both does not read back.
    CannotBeTold,
    /// Something, and what is not kept: changes of that day had taken as much room as they may. What changed from then on is not known
    /// until they are kept whole again.
    LeftOut,
    /// They are kept whole again after changes were left out: what is so now is known, what changed meanwhile is not.
    KeptAgain,
    /// This; nothing where only who knew of it or the order of it did.
    These(Vec<Changed>),
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// The cluster has an authorizer now, or has none any more.
    Authorizer(bool),
    /// A binding is there.
    AclAdded(AclBinding),
    /// A binding is gone.
    AclRemoved(AclBinding),
    /// A config of some topics has another value; topics that changed alike are together.
    Config {
        /// Its name.
        key: String,
        /// What it was; `None` when there was none.
        before: Option<ConfigEntry>,
        /// What it is.
        after: Option<ConfigEntry>,
        /// Of these topics, in the order of names.
        topics: Vec<String>,
    },
    /// Topics whose configs had not been read before: new ones, or in scope now.
    TopicsAdded(Vec<String>),
    /// Topics whose configs are not read any more: gone, out of scope, or refused.
    TopicsGone(Vec<String>),
}

impl Changed {
    /// What of it is about names with this text in them: topics of configs; resources and principals of ACLs. `None` when nothing is.
    #[must_use]
    pub fn about(self, text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(self);
        }
        let only = |topics: Vec<String>| -> Option<Vec<String>> {
            let topics: Vec<String> = topics.into_iter().filter(|topic| topic.contains(text)).collect();
            (!topics.is_empty()).then_some(topics)
        };
        let names = |binding: &AclBinding| binding.name.contains(text) || binding.principal.contains(text);
        match self {
            Self::Authorizer(now) => Some(Self::Authorizer(now)),
            Self::AclAdded(binding) => names(&binding).then_some(Self::AclAdded(binding)),
            Self::AclRemoved(binding) => names(&binding).then_some(Self::AclRemoved(binding)),
            Self::Config { key, before, after, topics } => {
                Some(Self::Config { key, before, after, topics: only(topics)? })
            }
            Self::TopicsAdded(topics) => only(topics).map(Self::TopicsAdded),
            Self::TopicsGone(topics) => only(topics).map(Self::TopicsGone),
        }
    }
}

impl FactChange {
    /// What of it is about names with this text in them; `None` when nothing is. What cannot be told may be about anything.
    #[must_use]
    pub fn about(self, text: &str) -> Option<Self> {
        let what = match self.what {
            WhatChanged::These(changes) if !text.is_empty() => {
                let about: Vec<Changed> =
                    changes.into_iter().filter_map(|change| change.about(text)).collect();
                if about.is_empty() {
                    return None;
                }
                WhatChanged::These(about)
            }
            what @ (WhatChanged::These(_)
            | WhatChanged::FirstKept
            | WhatChanged::CannotBeTold
            | WhatChanged::LeftOut
            | WhatChanged::KeptAgain) => what,
        };
        Some(Self { what, ..self })
    }
}

/// A fact as it was kept, beside the one before it.
pub(super) fn difference(kind: FactKind, before: &Value, after: &Value) -> WhatChanged {
    let changes = match kind {
        FactKind::Acls => acl_changes(before, after),
        FactKind::Configs => config_changes(before, after),
    };
    changes.map_or(WhatChanged::CannotBeTold, WhatChanged::These)
}

/// Bindings that only some brokers knew are there, too: they were on their way.
fn acl_changes(before: &Value, after: &Value) -> Option<Vec<Changed>> {
    let read = |value: &Value| AclObservation::deserialize(value).ok();
    let (before, after) = (read(before)?, read(after)?);
    let all = |acls: &AclObservation| -> BTreeSet<AclBinding> {
        acls.bindings.union(&acls.disputed).cloned().collect()
    };
    let (then, now) = (all(&before), all(&after));
    let authorizer = (before.authorizer != after.authorizer).then_some(Changed::Authorizer(after.authorizer));
    let removed = then.difference(&now).cloned().map(Changed::AclRemoved);
    let added = now.difference(&then).cloned().map(Changed::AclAdded);
    Some(authorizer.into_iter().chain(removed).chain(added).collect())
}

fn config_changes(before: &Value, after: &Value) -> Option<Vec<Changed>> {
    let (before, after) = (KeptConfigs::read(before)?, KeptConfigs::read(after)?);
    // Topics that were configured alike and are: what differs between two sets of configs is looked for once.
    let mut alike: BTreeMap<(usize, usize), Vec<&String>> = BTreeMap::new();
    for (topic, now) in &after.topics {
        if let Some(then) = before.topics.get(topic) {
            alike.entry((*then, *now)).or_default().push(topic);
        }
    }
    let mut by_change: BTreeMap<ConfigChange<'_>, Vec<&String>> = BTreeMap::new();
    for ((then, now), topics) in &alike {
        for change in differing(&before.configs[*then], &after.configs[*now]) {
            by_change.entry(change).or_default().extend(topics);
        }
    }
    let mut changes: Vec<Changed> = by_change
        .into_iter()
        .map(|((key, before, after), mut topics)| {
            topics.sort_unstable();
            let topics = topics.into_iter().cloned().collect();
            Changed::Config { key: key.clone(), before: before.cloned(), after: after.cloned(), topics }
        })
        .collect();
    let only = |here: &BTreeMap<String, usize>, there: &BTreeMap<String, usize>| -> Vec<String> {
        here.keys().filter(|topic| !there.contains_key(*topic)).cloned().collect()
    };
    let (gone, added) = (only(&before.topics, &after.topics), only(&after.topics, &before.topics));
    changes.extend((!added.is_empty()).then_some(Changed::TopicsAdded(added)));
    changes.extend((!gone.is_empty()).then_some(Changed::TopicsGone(gone)));
    Some(changes)
}

/// Name, what it was, what it is.
type ConfigChange<'a> = (&'a String, Option<&'a ConfigEntry>, Option<&'a ConfigEntry>);

fn differing<'a>(then: &'a Configs, now: &'a Configs) -> Vec<ConfigChange<'a>> {
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let both = keys.into_iter().map(|key| (key, then.get(key), now.get(key)));
    both.filter(|(_, before, after)| before != after).collect()
}

/// A time of which changes of one kind on one side were left out, since those of the day had taken too much room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactsLeftOut {
    /// Whose.
    pub side: Side,
    /// Of what.
    pub kind: FactKind,
    /// The survey that saw the first change that is not kept.
    pub since: DateTime<Utc>,
    /// The survey with which they were kept whole again; `None` while they are not.
    pub until: Option<DateTime<Utc>>,
}

/// A topic that had more than one id while it was recorded: it was deleted and made anew under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecreatedTopic {
    /// On which side.
    pub side: Side,
    /// Its name.
    pub topic: String,
    /// Each id it had, oldest first.
    pub ids: Vec<TopicIdSeen>,
}

/// An id of a topic, as far as it is kept when it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicIdSeen {
    /// The id; all zero where the cluster had none.
    pub id: Uuid,
    /// When it was seen: by tracks first on the last day on which it was, for they note that once a day; by surveys last, or first while
    /// it is there.
    pub seen_at: DateTime<Utc>,
    /// The first survey that saw it and the last, that one `None` while it is there. `None` where only tracks tell of it.
    pub surveys: Option<(DateTime<Utc>, Option<DateTime<Utc>>)>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        acl::{AclOperation, AclPermission, PatternType, ResourceType},
        topic::ConfigSource,
    };

    fn change(kind: FactKind, before: &Value, after: &Value) -> FactChange {
        FactChange { side: Side::A, kind, at: DateTime::UNIX_EPOCH, what: difference(kind, before, after) }
    }

    fn binding(principal: &str, topic: &str) -> AclBinding {
        let resource = (ResourceType::Topic, PatternType::Literal, topic);
        AclBinding::new(AclPermission::Allow, AclOperation::Write, resource, principal)
    }

    fn acls(authorizer: bool, bindings: &[AclBinding], disputed: &[AclBinding]) -> Value {
        let of = |bindings: &[AclBinding]| bindings.iter().cloned().collect();
        json!(AclObservation { authorizer, bindings: of(bindings), disputed: of(disputed) })
    }

    fn retention(value: &str) -> Value {
        json!({"retention.ms": {"value": value, "source": "topic"}})
    }

    fn entry(value: &str) -> Option<ConfigEntry> {
        Some(ConfigEntry { value: Some(value.to_owned()), source: ConfigSource::Topic })
    }

    #[test]
    fn bindings_that_came_and_went_are_told_and_how_far_they_have_spread_is_none() {
        let [shop, billing] = ["User:shop", "User:billing"].map(|who| binding(who, "orders"));
        let before = acls(true, &[], std::slice::from_ref(&shop));
        let spread = acls(true, std::slice::from_ref(&shop), &[]);
        assert_eq!(change(FactKind::Acls, &before, &spread).what, WhatChanged::These(Vec::new()));
        let replaced = change(FactKind::Acls, &spread, &acls(false, std::slice::from_ref(&billing), &[]));
        let told = vec![
            Changed::Authorizer(false),
            Changed::AclRemoved(shop.clone()),
            Changed::AclAdded(billing.clone()),
        ];
        assert_eq!(replaced.what, WhatChanged::These(told));
        let about = |text: &str| replaced.clone().about(text).map(|change| change.what);
        let of_shop = vec![Changed::Authorizer(false), Changed::AclRemoved(shop)];
        assert_eq!(about("shop"), Some(WhatChanged::These(of_shop)));
        assert_eq!(about("orders"), Some(replaced.what.clone()), "by the resource, too");
    }

    #[test]
    fn topics_whose_configs_changed_alike_are_one_change_whatever_their_configs_are_numbered() {
        let before = json!({"configs": [retention("1"), retention("2")],
            "topics": {"a": 0, "b": 0, "c": 1, "gone": 1}});
        let after = json!({"configs": [retention("2"), retention("3")],
            "topics": {"a": 1, "b": 1, "c": 0, "new": 0}});
        let changed = change(FactKind::Configs, &before, &after);
        let config = Changed::Config {
            key: "retention.ms".to_owned(),
            before: entry("1"),
            after: entry("3"),
            topics: vec!["a".to_owned(), "b".to_owned()],
        };
        let (added, gone) =
            (Changed::TopicsAdded(vec!["new".to_owned()]), Changed::TopicsGone(vec!["gone".to_owned()]));
        assert_eq!(changed.what, WhatChanged::These(vec![config, added, gone.clone()]));
        assert_eq!(
            changed.clone().about("gone").map(|change| change.what),
            Some(WhatChanged::These(vec![gone]))
        );
        assert_eq!(changed.about("c"), None, "it is configured as it was");
    }

    #[test]
    fn what_does_not_read_back_changed_in_a_way_nobody_can_tell() {
        let good = json!({"configs": [retention("1")], "topics": {"a": 0}});
        let cut = json!({"configs": [], "topics": {"a": 0}});
        let newer =
            json!({"configs": [{"retention.ms": {"value": "1", "source": "comet"}}], "topics": {"a": 0}});
        for strange in [json!(null), json!([]), cut, newer] {
            let told = change(FactKind::Configs, &good, &strange);
            assert_eq!(told.what, WhatChanged::CannotBeTold, "{strange}");
            assert!(told.about("a").is_some(), "it may be about anything");
        }
        assert_eq!(change(FactKind::Acls, &good, &good).what, WhatChanged::CannotBeTold);
    }
}
