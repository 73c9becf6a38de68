//! ACLs and configs of a side as they are told from what is kept: a state that was kept whole, and changes that came after it.
//!
//! A change says what came, went or is another now, and fits only the state it was made for. One that does not fit, or that another
//! version of Muster wrote, leaves what was so from then on unknown until the next whole state: half of a state is none.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::changes::{FactKind, WhatChanged, difference};

/// What is kept of one survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactRow {
    /// Everything as it was.
    Whole(Value),
    /// What of it changed since the row before.
    Change(Value),
    /// From here on changes were left out, until the next whole state: those of that day had taken too much room.
    LeftOut,
}

/// What changed of ACLs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AclsChange {
    /// Whether there is an authorizer, where that is another answer now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) authorizer: Option<bool>,
    #[serde(default, skip_serializing_if = "Moved::is_empty")]
    pub(super) bindings: Moved,
    #[serde(default, skip_serializing_if = "Moved::is_empty")]
    pub(super) disputed: Moved,
}

/// What came and went of a list of bindings.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Moved {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) added: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) removed: Vec<Value>,
}

impl Moved {
    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// What changed of configs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigsChange {
    /// Entries that are new, numbered on from those there were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) configs: Vec<Value>,
    /// Topics that are new or configured otherwise, with the number of their entry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) topics: BTreeMap<String, usize>,
    /// Topics whose configs are not read any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gone: Vec<String>,
}

/// The lists of a state of ACLs, as its members are called.
const LISTS: [&str; 2] = ["bindings", "disputed"];

/// ACLs or configs at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct FactState {
    kind: FactKind,
    body: Value,
    /// The lists of ACLs by their text, taken out of the body by the first change: each is found at once, however many there are.
    lists: Option<[BTreeMap<String, Value>; 2]>,
}

impl FactState {
    /// A state as it was kept whole, whoever wrote it.
    #[must_use]
    pub fn new(kind: FactKind, body: Value) -> Self {
        Self { kind, body, lists: None }
    }

    /// As [`super::FactCourse`] keeps it whole.
    #[must_use]
    pub fn into_body(mut self) -> Value {
        for (list, entries) in LISTS.into_iter().zip(self.lists.take().into_iter().flatten()) {
            self.body[list] = Value::Array(entries.into_values().collect());
        }
        self.body
    }

    /// What it is after a change; `None` when that cannot be told: the change is of another state, or of a Muster that writes more.
    #[must_use]
    pub fn after(mut self, change: &Value) -> Option<Self> {
        match self.kind {
            FactKind::Acls => self.move_acls(AclsChange::deserialize(change).ok()?)?,
            FactKind::Configs => configure(&mut self.body, ConfigsChange::deserialize(change).ok()?)?,
        }
        Some(self)
    }

    fn move_acls(&mut self, change: AclsChange) -> Option<()> {
        self.index();
        for (list, moved) in self.lists.as_mut()?.iter_mut().zip([change.bindings, change.disputed]) {
            for binding in moved.removed {
                list.remove(&binding.to_string())?;
            }
            for binding in moved.added {
                let before = list.insert(binding.to_string(), binding);
                if before.is_some() {
                    return None;
                }
            }
        }
        if let Some(authorizer) = change.authorizer {
            self.body["authorizer"] = json!(authorizer);
        }
        Some(())
    }

    fn index(&mut self) {
        if self.lists.is_none() && LISTS.into_iter().all(|list| self.body[list].is_array()) {
            self.lists = Some(LISTS.map(|list| by_text(self.body[list].take())));
        }
    }

    /// Only what a change is about, as it is in this state: with the same after it, that tells what changed without looking at the rest.
    fn about(&mut self, change: &Value) -> Option<Value> {
        match self.kind {
            FactKind::Acls => {
                let change = AclsChange::deserialize(change).ok()?;
                self.index();
                let both = [&change.bindings, &change.disputed];
                let asked: BTreeSet<String> = both
                    .into_iter()
                    .flat_map(|list| list.added.iter().chain(&list.removed))
                    .map(Value::to_string)
                    .collect();
                let [bindings, disputed] = self.lists.as_ref()?;
                let there = |list: &BTreeMap<String, Value>| -> Vec<Value> {
                    asked.iter().filter_map(|text| list.get(text).cloned()).collect()
                };
                let (bindings, disputed) = (there(bindings), there(disputed));
                Some(
                    json!({"authorizer": self.body["authorizer"], "bindings": bindings, "disputed": disputed}),
                )
            }
            FactKind::Configs => {
                let change = ConfigsChange::deserialize(change).ok()?;
                Some(of_topics(&self.body, change.topics.keys().chain(&change.gone)))
            }
        }
    }
}

fn by_text(list: Value) -> BTreeMap<String, Value> {
    match list {
        Value::Array(items) => items.into_iter().map(|item| (item.to_string(), item)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            BTreeMap::new()
        }
    }
}

fn configure(body: &mut Value, change: ConfigsChange) -> Option<()> {
    let entries = body.get_mut("configs")?.as_array_mut()?;
    entries.extend(change.configs);
    let known = entries.len();
    if change.topics.values().any(|number| *number >= known) {
        return None;
    }
    let topics = body.get_mut("topics")?.as_object_mut()?;
    for topic in &change.gone {
        topics.remove(topic)?;
    }
    topics.extend(change.topics.into_iter().map(|(topic, number)| (topic, json!(number))));
    Some(())
}

/// The configs of some topics, those that are there.
fn of_topics<'a>(body: &Value, wanted: impl Iterator<Item = &'a String>) -> Value {
    let (mut configs, mut topics) = (Vec::new(), Map::new());
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    for topic in wanted {
        let Some(number) = body["topics"][topic.as_str()].as_u64() else { continue };
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let here = *numbers.entry(number).or_insert_with(|| {
            configs.push(body["configs"][number].clone());
            configs.len() - 1
        });
        topics.insert(topic.clone(), json!(here));
    }
    json!({"configs": configs, "topics": topics})
}

/// What is known after some rows, oldest first, that begin with a whole state.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum FactStanding {
    /// Nothing was kept.
    #[default]
    Nothing,
    /// They are so.
    Known(FactState),
    /// Changes were left out: what is so now is not known.
    LeftOut,
    /// A row does not read back: what is so now is not known.
    Unreadable,
}

impl FactStanding {
    /// What is known after one more row.
    #[must_use]
    pub fn after(self, kind: FactKind, row: FactRow) -> Self {
        match row {
            FactRow::Whole(body) => Self::Known(FactState::new(kind, body)),
            FactRow::Change(change) => match self {
                Self::Known(state) => state.after(&change).map_or(Self::Unreadable, Self::Known),
                Self::Nothing | Self::LeftOut | Self::Unreadable => Self::Unreadable,
            },
            FactRow::LeftOut => Self::LeftOut,
        }
    }

    /// The same, and what changed with that row.
    #[must_use]
    pub fn told(self, kind: FactKind, row: FactRow) -> (Self, WhatChanged) {
        match row {
            FactRow::Whole(body) => {
                let what = match self {
                    Self::Nothing => WhatChanged::FirstKept,
                    Self::Known(before) => difference(kind, &before.into_body(), &body),
                    Self::LeftOut => WhatChanged::KeptAgain,
                    Self::Unreadable => WhatChanged::CannotBeTold,
                };
                (Self::Known(FactState::new(kind, body)), what)
            }
            FactRow::Change(change) => {
                let mut before = self;
                let then = before.about(&change);
                let mut after = before.after(kind, FactRow::Change(change.clone()));
                let both = then.zip(after.about(&change));
                let what = both.map(|(then, now)| difference(kind, &then, &now));
                (after, what.unwrap_or(WhatChanged::CannotBeTold))
            }
            FactRow::LeftOut => (Self::LeftOut, WhatChanged::LeftOut),
        }
    }

    fn about(&mut self, change: &Value) -> Option<Value> {
        match self {
            Self::Known(state) => state.about(change),
            Self::Nothing | Self::LeftOut | Self::Unreadable => None,
        }
    }
}
