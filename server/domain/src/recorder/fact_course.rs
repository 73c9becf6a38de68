//! How ACLs and configs of a side are kept survey by survey: whole at first and then at most once a day, and between only what changed.
//!
//! It is looked at every few seconds, and mostly nothing changed: so a process holds, of each side, a fingerprint of what the last survey saw
//! and not what is kept, which of many pairs would be a large part of its memory. Where a survey saw anything else, what is kept is read
//! once more, held against it as it is, without making JSON of either, and let go.

mod fingerprint;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::fingerprint::fingerprint;
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
    /// Not known yet: it is not as the last survey saw it, and what is kept was let go. Ask the course that [`FactCourse::read`] makes of it,
    /// which never answers this the first time it is asked.
    ReadFirst,
    /// All of it.
    Whole(Value),
    /// What changed. Where the day has no room for it, [`FactCourse::leave_out`] is to be called instead of keeping it.
    Change(Value),
}

/// How ACLs or configs of one side are kept from survey to survey. It holds what is kept until the first survey it follows, and is small from then
/// on, however many there are.
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
    known: Known,
}

/// What is known of what was kept last.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    /// All of it: it was read, and no survey was held against it yet.
    All(Kept),
    /// It was let go. A survey of this fingerprint has nothing that is to be kept: another that saw the same was held against it. Without
    /// one, none that could be read was.
    LetGo(Option<u128>),
    /// Nothing: changes are left out since then.
    LeftOut,
}

impl Last {
    fn let_go(&mut self, seen: Option<u128>) {
        let seen = match &self.known {
            Known::LeftOut => return,
            Known::All(_) => seen,
            Known::LetGo(before) => seen.or(*before),
        };
        self.known = Known::LetGo(seen);
    }
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
        let last = |known| Last { whole_at, at, known };
        let last = match standing {
            FactStanding::Known(state) => {
                Kept::read(kind, &state.into_body()).map(|kept| last(Known::All(kept)))
            }
            FactStanding::LeftOut => Some(last(Known::LeftOut)),
            FactStanding::Nothing | FactStanding::Unreadable => None,
        };
        Self { kind, last }
    }

    /// What of a survey is to be kept; from then on it is taken for kept. A survey that is not after the last by its time, because a
    /// clock was set back, waits: the next that is tells what changed.
    pub fn follow(&mut self, side: &SideObservation, at: DateTime<Utc>) -> Keep {
        let Some(last) = &mut self.last else { return self.keep_whole(side, at) };
        let seen = fingerprint(self.kind, side).filter(|_| at > last.at);
        let Some(seen) = seen else {
            last.let_go(None);
            return Keep::Nothing;
        };
        let new_day = at.date_naive() > last.whole_at.date_naive();
        let change = match &mut last.known {
            Known::All(kept) => kept.follow(side),
            Known::LetGo(before) if *before == Some(seen) => None,
            Known::LetGo(_) => return Keep::ReadFirst,
            Known::LeftOut if new_day => return self.keep_whole(side, at),
            Known::LeftOut => None,
        };
        match change {
            None => {
                last.let_go(Some(seen));
                Keep::Nothing
            }
            Some(_) if new_day => self.keep_whole(side, at),
            Some(change) => {
                last.at = at;
                last.let_go(Some(seen));
                Keep::Change(change)
            }
        }
    }

    fn keep_whole(&mut self, side: &SideObservation, at: DateTime<Utc>) -> Keep {
        let before = match self.last.as_ref().map(|last| &last.known) {
            Some(Known::All(kept)) => Some(kept),
            Some(Known::LetGo(_) | Known::LeftOut) | None => None,
        };
        let Some(kept) = Kept::of(self.kind, side, before) else { return Keep::Nothing };
        let body = kept.body();
        let known = Known::LetGo(fingerprint(self.kind, side));
        self.last = Some(Last { whole_at: at, at, known });
        Keep::Whole(body)
    }

    /// The change that was told last is not kept, nor are those after it until the next day's whole state.
    pub fn leave_out(&mut self) {
        if let Some(last) = &mut self.last {
            last.known = Known::LeftOut;
        }
    }
}

#[cfg(test)]
mod tests;
