//! Flows and the pairs they make.

use std::collections::BTreeMap;

use super::{
    PairDraft, Setting,
    lines::{self, Settings},
};
use crate::{
    ids::{ClusterName, PairName},
    pair::{BySide, Direction, Flow, Mechanism, NamingPolicy, PairMode, Side},
    patterns,
};

/// Settings of offset syncing that are kept with the pair, with the kind of value each takes.
const OFFSET_SYNC: [(&str, Kind); 9] = [
    ("emit.checkpoints.enabled", Kind::Switch),
    ("sync.group.offsets.enabled", Kind::Switch),
    ("emit.offset-syncs.enabled", Kind::Switch),
    ("emit.checkpoints.interval.seconds", Kind::Number),
    ("sync.group.offsets.interval.seconds", Kind::Number),
    ("refresh.groups.interval.seconds", Kind::Number),
    ("refresh.topics.interval.seconds", Kind::Number),
    ("offset.lag.max", Kind::Number),
    ("offset-syncs.topic.location", Kind::Location),
];

#[derive(Clone, Copy)]
enum Kind {
    Switch,
    Number,
    Location,
}

/// An alias as a name of Muster.
pub(super) fn cluster_name(alias: &str) -> ClusterName {
    let name: String = alias
        .to_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.') { c } else { '-' }
        })
        .collect();
    let name: String = name.trim_start_matches(['-', '_', '.']).chars().take(63).collect();
    ClusterName::new(if name.is_empty() { "cluster".to_owned() } else { name })
        .expect("made of allowed characters")
}

/// Items of a list, as Kafka reads one.
pub(super) fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(ToOwned::to_owned).collect()
}

pub(super) fn aliases(settings: &mut Settings) -> Vec<String> {
    let Some((key, value)) = settings.take(&["clusters".to_owned()], "aliases of the clusters") else {
        settings.miss("there is no `clusters = A, B`: it names the clusters of the file");
        return Vec::new();
    };
    let mut aliases: Vec<String> = Vec::new();
    for alias in list(&value) {
        if aliases.iter().any(|had| cluster_name(had) == cluster_name(&alias)) {
            settings.refuse(
                &key,
                format!("`{alias}` is there twice, or differs from another alias in case only"),
            );
        } else {
            aliases.push(alias);
        }
    }
    if aliases.len() < 2 {
        settings.refuse(&key, "a pair needs two clusters: write `clusters = A, B`");
    }
    aliases
}

/// The pairs that the flows of a file make.
pub(super) fn pairs(settings: &mut Settings, aliases: &[String]) -> Vec<PairDraft> {
    refuse_strangers(settings, aliases);
    let mut drafts = Vec::new();
    for (n, first) in aliases.iter().enumerate() {
        for second in &aliases[n + 1..] {
            drafts.extend(pair(settings, first, second));
        }
    }
    if drafts.is_empty() && aliases.len() >= 2 {
        let (a, b) = (&aliases[0], &aliases[1]);
        settings.miss(format!("no flow is enabled: add `{a}->{b}.enabled = true`"));
    }
    drafts
}

/// Flows of clusters that the file does not name.
fn refuse_strangers(settings: &mut Settings, aliases: &[String]) {
    let flows: Vec<String> =
        settings.keys().filter(|key| key.contains("->")).map(ToOwned::to_owned).collect();
    let known = |key: &String| {
        aliases.iter().any(|from| {
            key.strip_prefix(from.as_str()).and_then(|rest| rest.strip_prefix("->")).is_some_and(|rest| {
                aliases.iter().any(|to| {
                    to != from && rest.strip_prefix(to.as_str()).is_some_and(|r| r.starts_with('.'))
                })
            })
        })
    };
    for key in flows.iter().filter(|key| !known(key)) {
        settings.refuse(key, format!("this flow is not between two of the clusters {}", aliases.join(", ")));
    }
}

/// What one direction of the file says.
struct Course {
    from: String,
    to: String,
    enabled: bool,
    mentioned: bool,
}

fn pair(settings: &mut Settings, first: &str, second: &str) -> Option<PairDraft> {
    let courses = [course(settings, first, second), course(settings, second, first)];
    let lead = courses.iter().find(|course| course.enabled)?;
    let clusters = BySide { a: cluster_name(&lead.from), b: cluster_name(&lead.to) };
    let name = format!("{}-{}", clusters.a, clusters.b).chars().take(63).collect::<String>();
    let mut draft = PairDraft {
        name: PairName::new(name).expect("made of good names"),
        clusters,
        mode: PairMode::ActivePassive,
        topics: Vec::new(),
        topics_exclude: Vec::new(),
        groups: Vec::new(),
        groups_exclude: Vec::new(),
        flows: Vec::new(),
        kept: BTreeMap::new(),
    };
    let back = courses.iter().find(|course| course.from != lead.from && course.mentioned);
    for (side, course) in [(Side::A, Some(lead)), (Side::B, back)] {
        if let Some(course) = course {
            add_flow(settings, &mut draft, course, side);
        }
    }
    let prefixed = draft.flows.iter().all(|flow| flow.naming != NamingPolicy::Identity);
    if prefixed && draft.flows.iter().filter(|flow| flow.enabled).count() == 2 {
        draft.mode = PairMode::ActiveActive;
    }
    Some(draft)
}

fn course(settings: &mut Settings, from: &str, to: &str) -> Course {
    let prefix = format!("{from}->{to}.");
    let mentioned = settings.keys().any(|key| key.starts_with(&prefix));
    let enabled = settings
        .take(&[format!("{prefix}enabled")], &format!("whether {from} → {to} runs"))
        .is_some_and(|(key, value)| switch(settings, &key, &value));
    Course { from: from.to_owned(), to: to.to_owned(), enabled, mentioned }
}

fn switch(settings: &mut Settings, key: &str, value: &str) -> bool {
    match value.to_ascii_lowercase().as_str() {
        "true" => true,
        "false" => false,
        _ => {
            settings.refuse(key, "write `true` or `false`");
            // Nothing will be imported. Read on as if it were on, so that what else is bad is named as well, and it is
            // not said that no flow is enabled.
            true
        }
    }
}

impl Course {
    /// `A->B.key`, else `key`, for several spellings of the key.
    fn take(&self, settings: &mut Settings, keys: &[&str], becomes: &str) -> Option<(String, String)> {
        let of_flow = keys.iter().map(|key| format!("{}->{}.{key}", self.from, self.to));
        let keys: Vec<String> = of_flow.chain(keys.iter().map(|key| (*key).to_owned())).collect();
        settings.take(&keys, &format!("{becomes} of {} → {}", self.from, self.to))
    }

    fn patterns(
        &self,
        settings: &mut Settings,
        keys: &[&str],
        becomes: &str,
        default: &[&str],
    ) -> Vec<String> {
        let Some((key, value)) = self.take(settings, keys, becomes) else {
            return default.iter().map(|pattern| (*pattern).to_owned()).collect();
        };
        let patterns = list(&value);
        for pattern in &patterns {
            if let Err(bad) = patterns::check(pattern) {
                settings.refuse(&key, bad.to_string());
            }
        }
        patterns
    }

    fn naming(&self, settings: &mut Settings) -> NamingPolicy {
        if let Some((key, class)) = self.take(settings, &["replication.policy.class"], "naming") {
            match class.rsplit('.').next() {
                Some("IdentityReplicationPolicy") => return NamingPolicy::Identity,
                Some("DefaultReplicationPolicy") => {}
                Some(_) | None => {
                    let known = "Muster knows IdentityReplicationPolicy and DefaultReplicationPolicy";
                    settings.refuse(&key, format!("{known}; how this class names topics cannot be told"));
                }
            }
        }
        let separator = self.take(settings, &["replication.policy.separator"], "naming");
        let separator = separator.map(|(_, separator)| separator).filter(|separator| !separator.is_empty());
        NamingPolicy::Prefixed { separator: separator.unwrap_or_else(|| ".".to_owned()) }
    }
}

fn add_flow(settings: &mut Settings, draft: &mut PairDraft, course: &Course, side: Side) {
    let lists = [
        (&["topics"][..], "topics", &[".*"][..]),
        (&["topics.exclude", "topics.blacklist"], "topics left out", &patterns::TOPICS_EXCLUDE),
        (&["groups"], "groups", &[".*"]),
        (&["groups.exclude", "groups.blacklist"], "groups left out", &patterns::GROUPS_EXCLUDE),
    ]
    .map(|(keys, becomes, default)| course.patterns(settings, keys, becomes, default));
    if course.enabled {
        merge(draft, lists, side);
    }
    for (key, kind) in OFFSET_SYNC {
        if let Some((key, value)) = course.take(settings, &[key], "offset syncing") {
            check_value(settings, &key, &value, kind);
            draft.kept.insert(key, value);
        }
    }
    draft.flows.push(Flow {
        direction: Direction { from: side },
        mechanism: Mechanism::Unattached,
        source_alias: course.from.clone(),
        target_alias: course.to.clone(),
        naming: course.naming(settings),
        enabled: course.enabled,
    });
}

/// A pair has one scope: what either flow carries is in it, what both leave out is not.
fn merge(
    draft: &mut PairDraft,
    [topics, topics_exclude, groups, groups_exclude]: [Vec<String>; 4],
    side: Side,
) {
    let union = |have: &mut Vec<String>, more: Vec<String>| {
        for pattern in more {
            if !have.contains(&pattern) {
                have.push(pattern);
            }
        }
    };
    union(&mut draft.topics, topics);
    union(&mut draft.groups, groups);
    if side == Side::A {
        (draft.topics_exclude, draft.groups_exclude) = (topics_exclude, groups_exclude);
    } else {
        draft.topics_exclude.retain(|pattern| topics_exclude.contains(pattern));
        draft.groups_exclude.retain(|pattern| groups_exclude.contains(pattern));
    }
}

fn check_value(settings: &mut Settings, key: &str, value: &str, kind: Kind) {
    match kind {
        Kind::Switch => {
            switch(settings, key, value);
        }
        Kind::Number if value.parse::<i64>().is_err() => settings.refuse(key, "write a whole number"),
        Kind::Location if !["source", "target"].contains(&value) => {
            settings.refuse(key, "write `source` or `target`")
        }
        Kind::Number | Kind::Location => {}
    }
}

/// Keeps unused settings with the pairs they are about: those of a flow or cluster with its pairs, others with all.
pub(super) fn with_unused(
    mut pairs: Vec<PairDraft>,
    aliases: &[String],
    unused: &[Setting],
) -> Vec<PairDraft> {
    for setting in unused.iter().filter(|setting| !setting.becomes.starts_with(lines::REPLACED)) {
        let of: Vec<&String> = aliases
            .iter()
            .filter(|alias| {
                let about = [format!("{alias}->"), format!("->{alias}."), format!("{alias}.")];
                setting.key.starts_with(&about[0])
                    || setting.key.contains(&about[1])
                    || setting.key.starts_with(&about[2])
            })
            .collect();
        for pair in &mut pairs {
            let has = |alias: &&String| [&pair.clusters.a, &pair.clusters.b].contains(&&cluster_name(alias));
            if of.iter().all(has) {
                pair.kept.insert(setting.key.clone(), setting.value.clone());
            }
        }
    }
    pairs
}
