//! Lines of a properties file as settings, and what becomes of each.

use std::collections::BTreeMap;

use java_properties::{LineContent, PropertiesIter};

use super::{
    BadLine, Setting,
    credentials::{shown, shown_line},
};

/// How it is said that a setting has no effect.
pub(super) const REPLACED: &str = "nothing";

/// The settings of a file. Looking one up says what it becomes; what nobody looked up is not used.
pub(super) struct Settings {
    /// By key, in force.
    by_key: BTreeMap<String, Entry>,
    /// Settings that a later line of the same key replaced.
    replaced: Vec<Setting>,
    bad: Vec<BadLine>,
}

struct Entry {
    line: usize,
    value: String,
    /// Whether the line has `=` or `:`; Java takes a space as well.
    separated: bool,
    becomes: Vec<String>,
    why_not: Option<&'static str>,
}

impl Settings {
    pub(super) fn read(text: &str) -> Self {
        let mut settings = Self { by_key: BTreeMap::new(), replaced: Vec::new(), bad: Vec::new() };
        for (line, text) in logical_lines(text) {
            match parse(&text) {
                Ok(Some((key, value))) => settings.insert(line, key, value, &text),
                Ok(None) => {}
                Err(reason) => settings.bad.push(BadLine { line, text: shown_line(&text), reason }),
            }
        }
        settings
    }

    fn insert(&mut self, line: usize, key: String, value: String, text: &str) {
        let (separated, becomes, why_not) = (text.contains(['=', ':']), Vec::new(), None);
        let entry = Entry { line, value: value.trim().to_owned(), separated, becomes, why_not };
        if let Some(before) = self.by_key.insert(key.clone(), entry) {
            self.replaced.push(Setting {
                line: before.line,
                value: shown(&key, &before.value),
                key,
                becomes: format!("{REPLACED}: line {line} sets it again"),
            });
        }
    }

    /// The value of the first of the keys that is set, noting what it becomes.
    pub(super) fn take(&mut self, keys: &[String], becomes: &str) -> Option<(String, String)> {
        let key = keys.iter().find(|key| self.by_key.contains_key(*key))?;
        let entry = self.by_key.get_mut(key)?;
        if !entry.becomes.iter().any(|had| had == becomes) {
            entry.becomes.push(becomes.to_owned());
        }
        let value = entry.value.clone();
        if value.contains("${") {
            self.refuse(
                key,
                "a placeholder that only MirrorMaker 2's config providers can fill; write the value itself",
            );
        }
        Some((key.clone(), value))
    }

    /// Says why a setting is not used, where that is worth saying.
    pub(super) fn explain(&mut self, key: &str, why_not: &'static str) {
        if let Some(entry) = self.by_key.get_mut(key) {
            entry.why_not = Some(why_not);
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.by_key.keys().map(String::as_str)
    }

    /// A setting whose value cannot be used. Said once per setting, however many pairs use it.
    pub(super) fn refuse(&mut self, key: &str, reason: impl Into<String>) {
        let Some(entry) = self.by_key.get(key) else { return };
        let text = format!("{key} = {}", shown(key, &entry.value));
        let bad = BadLine { line: entry.line, text, reason: reason.into() };
        if !self.bad.contains(&bad) {
            self.bad.push(bad);
        }
    }

    /// Something the file does not have.
    pub(super) fn miss(&mut self, reason: impl Into<String>) {
        self.bad.push(BadLine { line: 0, text: String::new(), reason: reason.into() });
    }

    /// Used and unused settings by line, or everything that is bad.
    pub(super) fn finish(mut self) -> Result<(Vec<Setting>, Vec<Setting>), Vec<BadLine>> {
        let no_setting: Vec<String> = (self.by_key.iter())
            .filter(|(_, entry)| !entry.separated && entry.becomes.is_empty())
            .map(|(key, _)| key.clone())
            .collect();
        for key in no_setting {
            self.refuse(&key, "this is not a setting: write `key = value`, or begin a comment with `#`");
        }
        if !self.bad.is_empty() {
            self.bad.sort_by_key(|bad| bad.line);
            return Err(self.bad);
        }
        let (mut used, mut unused) = (Vec::new(), self.replaced);
        for (key, entry) in self.by_key {
            let value = shown(&key, &entry.value);
            let (into, becomes) = if entry.becomes.is_empty() {
                (&mut unused, entry.why_not.unwrap_or("not used by Muster").to_owned())
            } else {
                (&mut used, entry.becomes.join(", "))
            };
            into.push(Setting { line: entry.line, key, value, becomes });
        }
        used.sort_by_key(|setting| setting.line);
        unused.sort_by_key(|setting| setting.line);
        Ok((used, unused))
    }
}

/// Lines with their continuations, without comments. Comments are left out here because a backslash in one means
/// nothing to Java, whereas the parser would choke on `# see C:\users`.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    for (number, line) in (1..).zip(text.split('\n')) {
        let content = line.trim_start_matches([' ', '\t', '\u{c}']);
        match lines.last_mut().filter(|_| continues) {
            Some((_, before)) => {
                before.push('\n');
                before.push_str(line);
            }
            None if content.is_empty() || content.starts_with(['#', '!']) => continue,
            None => lines.push((number, line.to_owned())),
        }
        continues = line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
    }
    lines
}

fn parse(line: &str) -> Result<Option<(String, String)>, String> {
    // The format is ISO 8859-1 with escapes for the rest.
    let escaped: String = line
        .chars()
        .map(|c| {
            if c.is_ascii() {
                c.to_string()
            } else {
                c.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04x}")).collect()
            }
        })
        .collect();
    match PropertiesIter::new(escaped.as_bytes()).next() {
        None => Ok(None),
        Some(Err(error)) => Err(error.to_string().split(" (line").next().unwrap_or_default().to_owned()),
        Some(Ok(read)) => match read.consume_content() {
            LineContent::Comment(_) => Ok(None),
            LineContent::KVPair(key, _) if key.is_empty() => Err("there is no key before the `=`".to_owned()),
            LineContent::KVPair(key, value) => Ok(Some((key, value))),
        },
    }
}
