//! Transforms of a connector that write copies under other names than its naming policy gives them.

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};

use crate::patterns;

/// Those transforms, in the order Connect applies them.
#[derive(Debug, Clone, Default)]
pub struct Renaming(Vec<Router>);

#[derive(Debug, Clone)]
struct Router {
    transform: String,
    class: String,
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    /// A topic that matches in full gets the replacement.
    Regex { pattern: Regex, replacement: String },
    /// A topic that matches in full may get another name, depending on its records.
    Perhaps { pattern: Regex },
    /// Any topic may.
    Unknown,
}

/// Copies that are under a name which the connector's config does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error(
    "the connector's transform `{transform}` ({class}) writes the copies of `{topic}` under another name, and its config does \
     not tell which"
)]
pub struct Unnameable {
    /// As the connector calls it.
    pub transform: String,
    /// Its class.
    pub class: String,
    /// The name before it.
    pub topic: String,
}

impl Renaming {
    /// Reads them from the config of a source connector. Transforms that are no routers leave names alone.
    #[must_use]
    pub fn of(config: &BTreeMap<String, String>) -> Self {
        let list = config.get("transforms").map(String::as_str).unwrap_or_default();
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        Self(names.filter_map(|name| Router::of(name, config)).collect())
    }

    /// Why nothing can be told from the names the naming policy gives copies, if there are such transforms: what arrives is under
    /// other names, and what is under these may be anything.
    #[must_use]
    pub fn in_the_way(&self) -> Option<String> {
        let Router { transform, class, .. } = self.0.first()?;
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
        let mut name = named.to_owned();
        for router in &self.0 {
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
                Some(pattern) if get("predicate").is_some() => Rule::Perhaps { pattern },
                Some(pattern) => Rule::Regex { pattern, replacement: replacement.clone() },
            },
            _ => Rule::Unknown,
        };
        Some(Self { transform: transform.to_owned(), class, rule })
    }

    fn rename(&self, topic: String) -> Result<String, Unnameable> {
        let renamed = match &self.rule {
            Rule::Regex { pattern, replacement } => match pattern.captures(&topic) {
                None => Some(topic.clone()),
                Some(captures) => expand(replacement, &captures),
            },
            Rule::Perhaps { pattern } => (!pattern.is_match(&topic)).then(|| topic.clone()),
            Rule::Unknown => None,
        };
        let (transform, class) = (self.transform.clone(), self.class.clone());
        renamed.ok_or(Unnameable { transform, class, topic })
    }
}

/// A pattern that matches in full; `None` for one that Java reads in another way.
fn read(pattern: &str) -> Option<Regex> {
    patterns::check(pattern).ok()?;
    Regex::new(&patterns::in_full(pattern)).ok()
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
