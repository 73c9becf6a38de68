//! Two lists of named things compared: what is new, gone, different, or in another order.

use std::collections::BTreeMap;

use super::{ChangeHow, ChangedThing, NAMED, PlanChange, PlanPart};
use crate::plan::{PlanContent, PlannedStep};

/// A thing's name and how it is.
pub(super) type Entry = (String, String);

/// What differs between two lists, by name. A name that comes twice is told apart by its place among its equals.
pub(super) fn compare_lists(part: PlanPart, before: &[Entry], after: &[Entry]) -> Vec<PlanChange> {
    let (old, new) = (by_name(before), by_name(after));
    let (mut added, mut gone, mut changed) = (Found::default(), Found::default(), Found::default());
    for (key, is) in &new {
        match old.get(key) {
            None => added.note(key.0, None, Some(is)),
            Some(was) if was != is => changed.note(key.0, Some(was), Some(is)),
            Some(_) => {}
        }
    }
    for (key, was) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        gone.note(key.0, Some(was), None);
    }
    [
        added.tell(part, ChangeHow::Added),
        gone.tell(part, ChangeHow::Removed),
        changed.tell(part, ChangeHow::Changed),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn by_name(entries: &[Entry]) -> BTreeMap<(&str, usize), &str> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut named = BTreeMap::new();
    for (name, how) in entries {
        let turn = seen.entry(name).or_default();
        named.insert((name.as_str(), *turn), how.as_str());
        *turn += 1;
    }
    named
}

/// Things that differ in one way: all counted, the first ones kept.
#[derive(Debug, Default)]
struct Found {
    count: usize,
    things: Vec<ChangedThing>,
}

impl Found {
    fn note(&mut self, name: &str, before: Option<&str>, after: Option<&str>) {
        self.count += 1;
        if self.things.len() < NAMED {
            let text = |how: Option<&str>| how.filter(|how| !how.is_empty()).map(str::to_owned);
            self.things.push(ChangedThing {
                name: name.to_owned(),
                before: text(before),
                after: text(after),
            });
        }
    }

    fn tell(self, part: PlanPart, how: ChangeHow) -> Option<PlanChange> {
        let Self { count, things } = self;
        if count == 0 {
            return None;
        }
        let noun = part.noun();
        let what = match count {
            1 => format!("1 {noun}"),
            n => format!("{n} {}", plural(noun)),
        };
        let says = format!("{what} {}: {}.", how.verb(count > 1), names(&things, count, part));
        Some(PlanChange { part, how, says, count, things })
    }
}

fn plural(noun: &str) -> String {
    match noun.split_once(' ') {
        Some(("decision", rest)) => format!("decisions {rest}"),
        Some(_) | None => format!("{noun}s"),
    }
}

/// The first three names. Calls are named by their steps, which several of them share.
fn names(things: &[ChangedThing], count: usize, part: PlanPart) -> String {
    let mut distinct: Vec<&str> = things.iter().map(|thing| thing.name.as_str()).collect();
    distinct.dedup();
    let said: Vec<String> = distinct.iter().take(3).map(|name| format!("`{name}`")).collect();
    let more = if part == PlanPart::Call { distinct.len() } else { count }.saturating_sub(said.len());
    match more {
        0 => said.join(", "),
        more => format!("{} and {more} more", said.join(", ")),
    }
}

/// Steps by their stored names, and those that both plans have but in another order.
pub(super) fn steps(old: &PlanContent, new: &PlanContent, same_way: bool) -> Vec<PlanChange> {
    let entries = |content: &PlanContent| -> Vec<Entry> {
        content.steps.iter().map(|step| (step.name.clone(), nature(step, same_way))).collect()
    };
    let mut changes = compare_lists(PlanPart::Step, &entries(old), &entries(new));
    let mut moved = Found::default();
    for name in moved_names(&names_of(old), &names_of(new)) {
        moved.note(name, None, None);
    }
    changes.extend(moved.tell(PlanPart::Step, ChangeHow::Moved));
    changes
}

fn nature(step: &PlannedStep, titled: bool) -> String {
    let mut parts = Vec::new();
    if titled {
        parts.push(step.title.clone());
    }
    parts.push(if step.undoable { "can be undone" } else { "is not undone" }.to_owned());
    if step.point_of_no_return {
        parts.push("passes the point of no return".to_owned());
    }
    if !step.after.is_empty() {
        parts.push(format!("after {}", step.after.join(", ")));
    }
    parts.join("; ")
}

fn names_of(content: &PlanContent) -> Vec<&str> {
    content.steps.iter().map(|step| step.name.as_str()).collect()
}

/// The fewest names that must be taken out so that the others stand in the same order in both.
fn moved_names<'a>(old: &[&str], new: &[&'a str]) -> Vec<&'a str> {
    let place = |name: &&'a str| old.iter().position(|known| known == name).map(|at| (at, *name));
    let common: Vec<(usize, &str)> = new.iter().filter_map(place).collect();
    // Longest rising sequence that ends at each: its length, and the one before in it.
    let mut best: Vec<(usize, Option<usize>)> = Vec::new();
    for (i, (at, _)) in common.iter().enumerate() {
        let before = (0..i).filter(|j| common[*j].0 < *at).max_by_key(|j| best[*j].0);
        best.push((before.map_or(1, |j| best[j].0 + 1), before));
    }
    let mut stays = vec![false; common.len()];
    let mut next = (0..common.len()).max_by_key(|i| best[*i].0);
    while let Some(i) = next {
        stays[i] = true;
        next = best[i].1;
    }
    common.iter().zip(&stays).filter(|(_, stays)| !**stays).map(|((_, name), _)| *name).collect()
}

/// Calls of the steps both plans have. Each is a thing of its own, named by its step.
pub(super) fn calls(old: &PlanContent, new: &PlanContent) -> Vec<PlanChange> {
    let (mut added, mut gone, mut moved) = (Found::default(), Found::default(), Found::default());
    for step in &new.steps {
        let Some(was) = old.steps.iter().find(|known| known.name == step.name) else { continue };
        let (before, after) = (counted(&was.calls), counted(&step.calls));
        if before == after {
            if was.calls != step.calls {
                moved.note(&step.title, None, None);
            }
            continue;
        }
        // The order of the plan, not of the alphabet: what is named first is what happens first.
        note_extra(&mut added, &step.calls, before, |added, call| added.note(&step.title, None, Some(call)));
        note_extra(&mut gone, &was.calls, after, |gone, call| gone.note(&step.title, Some(call), None));
    }
    [
        added.tell(PlanPart::Call, ChangeHow::Added),
        gone.tell(PlanPart::Call, ChangeHow::Removed),
        moved.tell(PlanPart::Call, ChangeHow::Moved),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn counted(calls: &[String]) -> BTreeMap<&str, usize> {
    let mut counted = BTreeMap::new();
    for call in calls {
        *counted.entry(call.as_str()).or_default() += 1;
    }
    counted
}

/// Notes each call that the other side does not have as often.
fn note_extra(
    found: &mut Found,
    calls: &[String],
    mut there: BTreeMap<&str, usize>,
    note: impl Fn(&mut Found, &str),
) {
    for call in calls {
        match there.get_mut(call.as_str()) {
            Some(left) if *left > 0 => *left -= 1,
            Some(_) | None => note(found, call),
        }
    }
}
