//! How ACLs and configs of a side are kept survey by survey: whole at first and then at most once a day, and between only what changed.
//!
//! A survey is held against what was kept last as it is, without making JSON of either: it is looked at every few seconds, and mostly
//! nothing changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    changes::FactKind,
    facts::{AclsChange, ConfigsChange, FactStanding, Moved},
};
use crate::{
    acl::AclBinding,
    survey::{AclObservation, SideObservation, TopicObservation},
    topic::Configs,
};

/// Bytes of changes that are kept of a pair and day (UTC), those of both sides' ACLs, and as many of their configs: neither takes the room of
/// the other. Whole states are apart, four a day at most. Ten thousand topics with one made each minute take less than a fifth of it.
pub const MOST_CHANGES_A_DAY: i64 = 4_000_000;

/// Configs as they are kept. Topics that are configured alike share an entry; one that no topic has any more keeps its number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptConfigs {
    pub(super) configs: Vec<Arc<Configs>>,
    pub(super) topics: BTreeMap<String, usize>,
}

impl KeptConfigs {
    /// `None` when a topic has configs that are not kept.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let kept = Self::deserialize(value).ok()?;
        kept.topics.values().all(|number| *number < kept.configs.len()).then_some(kept)
    }

    /// What was seen. A topic whose configs were not read keeps those of before; `None` when there are topics and nothing is known of any.
    fn of(seen: &BTreeMap<String, TopicObservation>, before: Option<&Self>) -> Option<Self> {
        let mut whole = Self::default();
        // The change from nothing; what is kept is the whole.
        let _ = whole.follow(seen);
        if let Some(before) = before {
            let mut numbers = Numbers::default();
            for name in seen.keys() {
                let kept = before.topics.get(name).filter(|_| !whole.topics.contains_key(name));
                if let Some(configs) = kept.and_then(|number| before.configs.get(*number)) {
                    let number = numbers.of(&mut whole.configs, configs);
                    whole.topics.insert(name.clone(), number);
                }
            }
        }
        (before.is_some() || seen.is_empty() || !whole.topics.is_empty()).then_some(whole)
    }

    /// Takes over what was seen; what changed, `None` when nothing did. A topic whose configs were not read is there, and as it was: with one
    /// broker gone those of all topics may not be read, and nothing says that they changed.
    fn follow(&mut self, seen: &BTreeMap<String, TopicObservation>) -> Option<Value> {
        let Self { configs, topics } = self;
        let known = configs.len();
        let mut numbers = Numbers::default();
        let (mut set, mut gone) = (BTreeMap::new(), Vec::new());
        // Both are in the order of names, so one look at each topic is enough.
        let mut kept = topics.iter().peekable();
        for (name, topic) in seen {
            while let Some((missing, _)) = kept.next_if(|(old, _)| *old < name) {
                gone.push(missing.clone());
            }
            let before = kept.next_if(|(old, _)| *old == name).map(|(_, number)| *number);
            let Some(now) = topic.configs.value() else { continue };
            if before.is_some_and(|before| numbers.is(configs, now, before)) {
                continue;
            }
            set.insert(name.clone(), numbers.of(configs, now));
        }
        gone.extend(kept.map(|(missing, _)| missing.clone()));
        if set.is_empty() && gone.is_empty() {
            return None;
        }
        for topic in &gone {
            topics.remove(topic);
        }
        topics.extend(set.clone());
        let configs = configs.iter().skip(known).map(|entry| json!(entry)).collect();
        Some(json!(ConfigsChange { configs, topics: set, gone }))
    }
}

/// Which entries the configs of one survey are. Topics that are configured alike share theirs there, too, so each is looked at once.
#[derive(Default)]
struct Numbers {
    same: BTreeMap<(*const Configs, usize), bool>,
    by_pointer: BTreeMap<*const Configs, usize>,
    /// Made when one is asked for that is no topic's from before.
    by_value: Option<BTreeMap<Arc<Configs>, usize>>,
}

impl Numbers {
    fn is(&mut self, entries: &[Arc<Configs>], configs: &Arc<Configs>, number: usize) -> bool {
        let same = || entries.get(number).is_some_and(|entry| entry == configs);
        *self.same.entry((Arc::as_ptr(configs), number)).or_insert_with(same)
    }

    /// Its number; it is added where it has none.
    fn of(&mut self, entries: &mut Vec<Arc<Configs>>, configs: &Arc<Configs>) -> usize {
        let by_value = self.by_value.get_or_insert_with(|| entries.iter().cloned().zip(0_usize..).collect());
        *self.by_pointer.entry(Arc::as_ptr(configs)).or_insert_with(|| {
            *by_value.entry(Arc::clone(configs)).or_insert_with(|| {
                entries.push(Arc::clone(configs));
                entries.len() - 1
            })
        })
    }
}

fn follow_acls(kept: &mut AclObservation, seen: &AclObservation) -> Option<Value> {
    if kept == seen {
        return None;
    }
    let moved = |of: fn(&AclObservation) -> &BTreeSet<AclBinding>| Moved {
        added: of(seen).difference(of(kept)).map(|binding| json!(binding)).collect(),
        removed: of(kept).difference(of(seen)).map(|binding| json!(binding)).collect(),
    };
    let change = AclsChange {
        authorizer: (kept.authorizer != seen.authorizer).then_some(seen.authorizer),
        bindings: moved(|acls| &acls.bindings),
        disputed: moved(|acls| &acls.disputed),
    };
    *kept = seen.clone();
    Some(json!(change))
}

/// ACLs or configs as they were kept last.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kept {
    Acls(AclObservation),
    Configs(KeptConfigs),
}

impl Kept {
    /// `None` when they were not read. What was kept before stands for what of it was not.
    fn of(kind: FactKind, side: &SideObservation, before: Option<&Self>) -> Option<Self> {
        match kind {
            FactKind::Acls => side.acls.value().cloned().map(Self::Acls),
            FactKind::Configs => {
                let before = match before {
                    Some(Self::Configs(before)) => Some(before),
                    Some(Self::Acls(_)) | None => None,
                };
                KeptConfigs::of(side.topics.value()?, before).map(Self::Configs)
            }
        }
    }

    fn read(kind: FactKind, body: &Value) -> Option<Self> {
        match kind {
            FactKind::Acls => AclObservation::deserialize(body).ok().map(Self::Acls),
            FactKind::Configs => KeptConfigs::read(body).map(Self::Configs),
        }
    }

    fn body(&self) -> Value {
        match self {
            Self::Acls(acls) => json!(acls),
            Self::Configs(configs) => json!(configs),
        }
    }

    /// Takes over what was seen; what changed, `None` when nothing did or it was not read.
    fn follow(&mut self, side: &SideObservation) -> Option<Value> {
        match self {
            Self::Acls(kept) => follow_acls(kept, side.acls.value()?),
            Self::Configs(kept) => kept.follow(side.topics.value()?),
        }
    }
}

/// What is to be kept of a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: it is as it was, or was not read.
    Nothing,
    /// All of it.
    Whole(Value),
    /// What changed. Where the day has no room for it, [`FactCourse::leave_out`] is to be called instead of keeping it.
    Change(Value),
}

/// How ACLs or configs of one side are kept from survey to survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactCourse {
    kind: FactKind,
    last: Option<Last>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Last {
    /// When they were kept whole last.
    whole_at: DateTime<Utc>,
    /// When anything was.
    at: DateTime<Utc>,
    /// `None` when changes are left out since then.
    kept: Option<Kept>,
}

impl FactCourse {
    /// Nothing is kept yet.
    #[must_use]
    pub fn new(kind: FactKind) -> Self {
        Self { kind, last: None }
    }

    /// Goes on after what is kept: whole at one time, anything at another. What does not read back is kept whole anew.
    #[must_use]
    pub fn read(
        kind: FactKind,
        (whole_at, at): (DateTime<Utc>, DateTime<Utc>),
        standing: FactStanding,
    ) -> Self {
        let last = |kept| Last { whole_at, at, kept };
        let last = match standing {
            FactStanding::Known(state) => Kept::read(kind, &state.into_body()).map(|kept| last(Some(kept))),
            FactStanding::LeftOut => Some(last(None)),
            FactStanding::Nothing | FactStanding::Unreadable => None,
        };
        Self { kind, last }
    }

    /// What of a survey is to be kept; from then on it is taken for kept. A survey that is not after the last by its time, because a
    /// clock was set back, waits: the next that is tells what changed.
    pub fn follow(&mut self, side: &SideObservation, at: DateTime<Utc>) -> Keep {
        let Some(last) = &mut self.last else { return self.keep_whole(side, at) };
        if at <= last.at {
            return Keep::Nothing;
        }
        let new_day = at.date_naive() > last.whole_at.date_naive();
        let change = match &mut last.kept {
            Some(kept) => kept.follow(side),
            None if new_day => return self.keep_whole(side, at),
            None => None,
        };
        match change {
            None => Keep::Nothing,
            Some(_) if new_day => self.keep_whole(side, at),
            Some(change) => {
                last.at = at;
                Keep::Change(change)
            }
        }
    }

    fn keep_whole(&mut self, side: &SideObservation, at: DateTime<Utc>) -> Keep {
        let before = self.last.as_ref().and_then(|last| last.kept.as_ref());
        let Some(kept) = Kept::of(self.kind, side, before) else { return Keep::Nothing };
        let body = kept.body();
        self.last = Some(Last { whole_at: at, at, kept: Some(kept) });
        Keep::Whole(body)
    }

    /// The change that was told last is not kept, nor are those after it until the next day's whole state.
    pub fn leave_out(&mut self) {
        if let Some(last) = &mut self.last {
            last.kept = None;
        }
    }
}

#[cfg(test)]
mod tests;
