//! Transforms of a connector that write copies under other names than its naming policy gives them.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::Peekable,
    str::Chars,
};

use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};

use crate::patterns;

/// Those transforms, in the order Connect applies them.
#[derive(Debug, Clone, Default)]
pub struct Renaming {
    routers: Vec<Router>,
    /// Names that copies of several topics get, with what the naming policy calls those.
    shared: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Clone)]
struct Router {
    transform: String,
    class: String,
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    /// A topic that matches in full gets the replacement in place of the first part of it that matches (`replaceFirst`), which
    /// may be shorter.
    Regex { pattern: Regex, part: Regex, replacement: String },
    /// A topic that matches in full may get another name, depending on its records.
    Perhaps { pattern: Regex },
    /// Any topic may.
    Unknown,
}

/// Copies that cannot be looked for under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(untagged)]
pub enum Unnameable {
    /// They are under a name which the connector's config does not tell.
    #[error(
        "the connector's transform `{transform}` ({class}) writes the copies of `{topic}` under another name, and its config does \
         not tell which"
    )]
    Untold {
        /// As the connector calls it.
        transform: String,
        /// Its class.
        class: String,
        /// The name before it.
        topic: String,
    },
    /// Copies of other topics are there, too: offsets of one partition tell nothing of several.
    #[error("the connector's transforms write the copies of several topics to `{copies}`: {}", listed(.topics))]
    Shared {
        /// Where the copies are.
        copies: String,
        /// The names before the transforms.
        topics: BTreeSet<String>,
    },
}

fn listed(topics: &BTreeSet<String>) -> String {
    topics.iter().map(|topic| format!("`{topic}`")).collect::<Vec<_>>().join(", ")
}

impl Renaming {
    /// Reads them from the config of a source connector. Transforms that are no routers leave names alone.
    #[must_use]
    pub fn of(config: &BTreeMap<String, String>) -> Self {
        let list = config.get("transforms").map(String::as_str).unwrap_or_default();
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        Self { routers: names.filter_map(|name| Router::of(name, config)).collect(), shared: BTreeMap::new() }
    }

    /// Whether copies may be under other names at all.
    #[must_use]
    pub fn renames(&self) -> bool {
        !self.routers.is_empty()
    }

    /// Learns what else is copied, as the naming policy names it: where copies of several topics get one name, none is told.
    #[must_use]
    pub fn among(mut self, all_named: impl IntoIterator<Item = String>) -> Self {
        let mut by_copies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for named in all_named {
            if let Ok(copies) = self.routed(&named) {
                by_copies.entry(copies).or_default().insert(named);
            }
        }
        by_copies.retain(|_, topics| topics.len() > 1);
        self.shared = by_copies;
        self
    }

    /// Why nothing can be told from the names the naming policy gives copies, if there are such transforms: what arrives is under
    /// other names, and what is under these may be anything.
    #[must_use]
    pub fn in_the_way(&self) -> Option<String> {
        let Router { transform, class, .. } = self.routers.first()?;
        Some(format!(
            "the connector's transform `{transform}` ({class}) writes copies under other names, so what the target has of them is \
             not known"
        ))
    }

    /// The name of the copies of what the naming policy gives this name.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn name_of_copies(&self, named: &str) -> Result<String, Unnameable> {
        let copies = self.routed(named)?;
        match self.shared.get(&copies) {
            Some(topics) => Err(Unnameable::Shared { copies, topics: topics.clone() }),
            None => Ok(copies),
        }
    }

    fn routed(&self, named: &str) -> Result<String, Unnameable> {
        let mut name = named.to_owned();
        for router in &self.routers {
            name = router.rename(name)?;
        }
        Ok(name)
    }
}

impl Router {
    fn of(transform: &str, config: &BTreeMap<String, String>) -> Option<Self> {
        let get = |key: &str| config.get(&format!("transforms.{transform}.{key}"));
        let class = get("type")?.trim().to_owned();
        let simple = class.rsplit('.').next().unwrap_or_default();
        if !simple.contains("Router") && !simple.contains("ExtractTopic") {
            return None;
        }
        let rule = match (simple, get("regex"), get("replacement")) {
            ("RegexRouter", Some(regex), Some(replacement)) => match read(regex) {
                None => Rule::Unknown,
                Some((pattern, _)) if get("predicate").is_some() => Rule::Perhaps { pattern },
                Some((pattern, part)) => Rule::Regex { pattern, part, replacement: replacement.clone() },
            },
            _ => Rule::Unknown,
        };
        Some(Self { transform: transform.to_owned(), class, rule })
    }

    fn rename(&self, topic: String) -> Result<String, Unnameable> {
        let renamed = match &self.rule {
            Rule::Regex { pattern, .. } if !pattern.is_match(&topic) => Some(topic.clone()),
            Rule::Regex { part, replacement, .. } => replace_first(&topic, part, replacement),
            Rule::Perhaps { pattern } => (!pattern.is_match(&topic)).then(|| topic.clone()),
            Rule::Unknown => None,
        };
        let (transform, class) = (self.transform.clone(), self.class.clone());
        renamed.ok_or(Unnameable::Untold { transform, class, topic })
    }
}

/// A pattern that matches in full, and the same one that matches a part; `None` for one that Java reads in another way.
fn read(pattern: &str) -> Option<(Regex, Regex)> {
    patterns::check(pattern).ok()?;
    Some((Regex::new(&patterns::in_full(pattern)).ok()?, Regex::new(pattern).ok()?))
}

/// What `java.util.regex.Matcher.replaceFirst` makes of a name: it begins anew, so it replaces the first part that matches,
/// whatever the whole match was. `None` for a replacement it refuses.
fn replace_first(topic: &str, part: &Regex, replacement: &str) -> Option<String> {
    let captures = part.captures(topic)?;
    let found = captures.get(0)?;
    let (before, behind) = (topic.get(..found.start())?, topic.get(found.end()..)?);
    Some(format!("{before}{}{behind}", expand(replacement, &captures)?))
}

/// A replacement as `java.util.regex.Matcher` reads it; `None` for one it refuses.
fn expand(replacement: &str, captures: &Captures<'_>) -> Option<String> {
    let mut expanded = String::new();
    let mut rest = replacement.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => expanded.push(rest.next()?),
            '$' => expanded.push_str(group(&mut rest, captures)?),
            other => expanded.push(other),
        }
    }
    Some(expanded)
}

/// What the group behind a `$` matched. Of a number as many digits count as make a group there is.
fn group<'t>(rest: &mut Peekable<Chars<'_>>, captures: &Captures<'t>) -> Option<&'t str> {
    if rest.next_if_eq(&'{').is_some() {
        let name: String = rest.by_ref().take_while(|c| *c != '}').collect();
        return captures.name(&name).map(|matched| matched.as_str());
    }
    let mut number = usize::try_from(rest.next()?.to_digit(10)?).ok()?;
    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
        let longer = number * 10 + usize::try_from(digit).ok()?;
        if longer >= captures.len() {
            break;
        }
        number = longer;
        rest.next();
    }
    (number < captures.len()).then(|| captures.get(number).map_or("", |matched| matched.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: &str = "org.apache.kafka.connect.transforms.RegexRouter";

    fn renaming(entries: &[(&str, &str)]) -> Renaming {
        Renaming::of(&entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    fn router(regex: &str, replacement: &str) -> Renaming {
        renaming(&[
            ("transforms", "move"),
            ("transforms.move.type", ROUTER),
            ("transforms.move.regex", regex),
            ("transforms.move.replacement", replacement),
        ])
    }

    #[test]
    fn a_regex_router_names_copies_as_java_would() {
        let name = |regex, replacement, topic: &str| router(regex, replacement).name_of_copies(topic);
        let is = |name: &str| Ok(name.to_owned());
        assert_eq!(name(r"orders\.(.*)", "copied.$1", "orders.placed"), is("copied.placed"));
        assert_eq!(name(r"orders\.(.*)", "copied.$1", "my.orders.placed"), is("my.orders.placed"));
        assert_eq!(name("(a)(b)", "$2$12$0", "ab"), is("ba2ab"), "there is no group 12");
        assert_eq!(name("(?<what>a)b?", r"\$${what}", "ab"), is("$a"));
        assert_eq!(name("a(x)?", "b$1", "a"), is("b"));
        assert!(name("a", "$1", "a").is_err(), "Connect refuses it, too");
    }

    /// `RegexRouter` asks whether all of a name matches, then has `replaceFirst` look for the first part that does.
    #[test]
    fn a_regex_router_replaces_the_first_part_that_matches() {
        let name = |regex, replacement, topic: &str| router(regex, replacement).name_of_copies(topic);
        let is = |name: &str| Ok(name.to_owned());
        assert_eq!(name("(.*?)", "$1.copied", "orders"), is(".copiedorders"));
        assert_eq!(name("a|ab", "c", "ab"), is("cb"));
        assert_eq!(name("(orders)(.*?)", "$2$1.copied", "orders.placed"), is("orders.copied.placed"));
        assert_eq!(name("(.*)", "copied.$1", "orders"), is("copied.orders"));
        assert_eq!(name("^(.*?)$", "copied.$1", "orders"), is("copied.orders"));
        assert_eq!(name("a|ab", "c", "xab"), is("xab"), "not all of it matches");
    }

    #[test]
    fn a_name_that_copies_of_several_topics_get_is_refused() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let all = names(&["eu.orders", "us.orders", "eu.payments", "returns"]);
        let merged = router(r"(eu|us)\.(.*)", "$2").among(all);
        let why = merged.name_of_copies("us.orders").expect_err("two topics").to_string();
        assert_eq!(
            why,
            "the connector's transforms write the copies of several topics to `orders`: `eu.orders`, `us.orders`"
        );
        assert_eq!(merged.name_of_copies("eu.payments").as_deref(), Ok("payments"));
        // A topic that keeps its name is one of them as well.
        let onto = router("orders", "returns").among(names(&["orders", "returns"]));
        assert!(onto.name_of_copies("returns").is_err());
    }

    #[test]
    fn routers_follow_one_another_and_other_transforms_leave_names_alone() {
        let two = renaming(&[
            ("transforms", "drop, first ,second"),
            ("transforms.drop.type", "org.apache.kafka.connect.transforms.Filter"),
            ("transforms.first.type", ROUTER),
            ("transforms.first.regex", "a"),
            ("transforms.first.replacement", "b"),
            ("transforms.second.type", "RegexRouter"),
            ("transforms.second.regex", "b"),
            ("transforms.second.replacement", "c"),
        ]);
        assert_eq!(two.name_of_copies("a").as_deref(), Ok("c"));
        assert_eq!(two.name_of_copies("d").as_deref(), Ok("d"));
        assert_eq!(renaming(&[]).name_of_copies("a").as_deref(), Ok("a"));
        assert!(two.in_the_way().is_some_and(|why| why.contains("`first`")), "the first of them is named");
        let filter =
            [("transforms", "drop"), ("transforms.drop.type", "org.apache.kafka.connect.transforms.Filter")];
        assert_eq!(renaming(&filter).in_the_way(), None, "it renames nothing");
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let times = "org.apache.kafka.connect.transforms.TimestampRouter";
        let by_time = renaming(&[("transforms", "daily"), ("transforms.daily.type", times)]);
        let why = by_time.name_of_copies("orders").expect_err("it depends on the records").to_string();
        assert!(why.contains("`daily`") && why.contains("TimestampRouter"), "{why}");
        let sometimes = renaming(&[
            ("transforms", "move"),
            ("transforms.move.type", ROUTER),
            ("transforms.move.regex", r"orders\..*"),
            ("transforms.move.replacement", "moved"),
            ("transforms.move.predicate", "deleted"),
        ]);
        assert!(sometimes.name_of_copies("orders.placed").is_err());
        assert_eq!(sometimes.name_of_copies("payments").as_deref(), Ok("payments"));
        assert!(router("(?<!x)orders", "b").name_of_copies("payments").is_err(), "read as Java alone can");
    }
}
