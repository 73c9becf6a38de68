//! Markdown as the documents of this repository are written: headings, paragraphs, lists, tables, commands by indentation; code, strong
//! words, emphasis and links within a line.
//!
//! It becomes values that templates print, so whatever stands in a document is text on the page: no markup gets through. What else
//! Markdown knows is not read; a test of `document` holds the documents to what is.

#[cfg(test)]
mod tests;

use std::{iter::Peekable, str::Lines};

use askama::{Template, filters::HtmlSafe};

/// Where a link leads on the pages; `None` when it leads to nothing that is served.
pub(crate) type Address = fn(&str) -> Option<String>;

/// What stands under a heading of the second level.
#[derive(Debug, Clone, Default, PartialEq, Eq, Template)]
#[template(path = "parts/section.html")]
pub(crate) struct Section {
    /// Empty before the first heading.
    pub(crate) id: String,
    heading: Line,
    pub(crate) blocks: Vec<Block>,
}
impl HtmlSafe for Section {}

/// A part of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    /// A heading of the third level.
    Heading { anchor: String, text: Line },
    /// Lines that belong together.
    Paragraph(Line),
    /// What is indented.
    Commands(String),
    /// A list, perhaps counted.
    List { numbered: bool, items: Vec<Line> },
    /// A table, under the heading it is called by.
    Table { name: String, heads: Vec<Line>, rows: Vec<Vec<Line>> },
}

/// A line, or lines that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Template)]
#[template(
    source = r#"{% for piece in self.0 %}{% if !piece.href.is_empty() %}<a href="{{ piece.href }}">{% endif %}{% if piece.strong %}<b>{% endif %}{% if piece.emphasis %}<em>{% endif %}{% if piece.code %}<code>{{ piece.text }}</code>{% else %}{{ piece.text }}{% endif %}{% if piece.emphasis %}</em>{% endif %}{% if piece.strong %}</b>{% endif %}{% if !piece.href.is_empty() %}</a>{% endif %}{% endfor %}"#,
    ext = "html"
)]
pub(crate) struct Line(pub(crate) Vec<Piece>);
impl HtmlSafe for Line {}

/// A piece of a line that is set in one way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) code: bool,
    strong: bool,
    emphasis: bool,
    /// Empty where it leads nowhere.
    pub(crate) href: String,
}

/// Reads a document. Its title and comments are left out.
pub(crate) fn read(text: &str, address: Address) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut name = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut name);
            let id = anchor(heading);
            sections.push(Section { id, heading: Line::read(heading, address), blocks: Vec::new() });
            continue;
        }
        if let Some(heading) = line.strip_prefix("### ") {
            heading.clone_into(&mut name);
        }
        let block = block(line, &mut lines, &name, address);
        if let Some(section) = sections.last_mut() {
            section.blocks.extend(block);
        }
    }
    sections.retain(|section| !section.id.is_empty() || !section.blocks.is_empty());
    sections
}

/// The block that begins with a line; `None` for what is not printed.
fn block<'a>(first: &'a str, lines: &mut Peekable<Lines<'a>>, name: &str, address: Address) -> Option<Block> {
    let line = |text: &str| Line::read(text, address);
    if is_blank(first) || first.starts_with("# ") {
        return None;
    }
    if first.starts_with("<!--") {
        if !first.contains("-->") {
            lines.find(|line| line.contains("-->"));
        }
        return None;
    }
    Some(if let Some(heading) = first.strip_prefix("### ") {
        Block::Heading { anchor: anchor(heading), text: line(heading) }
    } else if is_command(first) {
        let commands = together(first, lines, |line| is_command(line) || is_blank(line));
        let outdented = commands.into_iter().map(|line| line.get(4..).unwrap_or_default());
        Block::Commands(outdented.collect::<Vec<_>>().join("\n").trim_end().to_owned())
    } else if first.starts_with('|') {
        let rows = together(first, lines, |line| line.starts_with('|'));
        let row = |row: &str| cells(row).iter().map(|cell| line(cell)).collect::<Vec<Line>>();
        let mut rows = rows.into_iter().map(row);
        let heads = rows.next().unwrap_or_default();
        // Under the heads stands a line of dashes.
        Block::Table { name: name.to_owned(), heads, rows: rows.skip(1).collect() }
    } else if let Some((numbered, _)) = item(first) {
        let said = items(&together(first, lines, |line| !is_blank(line)));
        Block::List { numbered, items: said.iter().map(|said| line(said)).collect() }
    } else {
        let begins =
            |line: &str| line.starts_with(['#', '|']) || line.starts_with("<!--") || item(line).is_some();
        let goes_on = |line: &str| !is_blank(line) && !begins(line);
        Block::Paragraph(line(&together(first, lines, goes_on).join(" ")))
    })
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn is_command(line: &str) -> bool {
    line.starts_with("    ") && !is_blank(line)
}

/// A line with those behind it that go on with it.
fn together<'a>(
    first: &'a str,
    lines: &mut Peekable<Lines<'a>>,
    goes_on: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let mut all = vec![first];
    while let Some(line) = lines.next_if(|line| goes_on(line)) {
        all.push(line);
    }
    all
}

/// As Markdown viewers make it of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

/// What a line says that begins an item of a list, and whether the list is counted.
fn item(line: &str) -> Option<(bool, &str)> {
    if let Some(said) = line.strip_prefix("- ") {
        return Some((false, said));
    }
    let (number, said) = line.split_once(". ")?;
    let counted = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    counted.then_some((true, said))
}

/// What each item of a list says, of one line or more.
fn items(lines: &[&str]) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in lines {
        if let Some((_, said)) = item(line) {
            items.push(said.to_owned());
        } else if let Some(said) = items.last_mut() {
            said.push(' ');
            said.push_str(line.trim());
        }
    }
    items
}

/// The cells of a row of a table. A bar within code parts nothing.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = row.strip_suffix('|').unwrap_or(row);
    let (mut cells, mut cell, mut code) = (Vec::new(), String::new(), false);
    for c in row.chars() {
        if c == '|' && !code {
            cells.push(cell.trim().to_owned());
            cell.clear();
            continue;
        }
        code ^= c == '`';
        cell.push(c);
    }
    cells.push(cell.trim().to_owned());
    cells
}

/// What is set in a way of its own.
enum Mark<'a> {
    Code(&'a str),
    Strong(&'a str),
    Emphasis(&'a str),
    Link { text: &'a str, to: &'a str },
}

impl Line {
    fn read(text: &str, address: Address) -> Self {
        let mut line = Self(Vec::new());
        line.add(text, &Piece::default(), address);
        line
    }

    /// Adds what a text says, set like a piece and in the ways the text asks for.
    fn add(&mut self, text: &str, like: &Piece, address: Address) {
        let mut rest = text;
        while let Some(at) = rest.find(['`', '*', '[']) {
            let (before, from) = rest.split_at(at);
            self.push(before, like.clone());
            let Some((mark, behind)) = mark(from) else {
                // A sign that marks nothing is one.
                let (sign, behind) = from.split_at(1);
                self.push(sign, like.clone());
                rest = behind;
                continue;
            };
            match mark {
                Mark::Code(text) => self.push(text, Piece { code: true, ..like.clone() }),
                Mark::Strong(text) => self.add(text, &Piece { strong: true, ..like.clone() }, address),
                Mark::Emphasis(text) => self.add(text, &Piece { emphasis: true, ..like.clone() }, address),
                Mark::Link { text, to } => {
                    let href = address(to).unwrap_or_default();
                    self.add(text, &Piece { href, ..like.clone() }, address);
                }
            }
            rest = behind;
        }
        self.push(rest, like.clone());
    }

    fn push(&mut self, text: &str, like: Piece) {
        if !text.is_empty() {
            self.0.push(Piece { text: text.to_owned(), ..like });
        }
    }
}

/// The mark a text begins with, and what stands behind it; `None` when it is never ended.
fn mark(from: &str) -> Option<(Mark<'_>, &str)> {
    if let Some(rest) = from.strip_prefix('`') {
        let (text, behind) = rest.split_once('`')?;
        return Some((Mark::Code(text), behind));
    }
    if let Some(rest) = from.strip_prefix("**") {
        let (text, behind) = rest.split_once("**")?;
        return Some((Mark::Strong(text), behind));
    }
    if let Some(rest) = from.strip_prefix('*') {
        let (text, behind) = rest.split_once('*')?;
        return (!text.is_empty() && !text.starts_with(' ')).then_some((Mark::Emphasis(text), behind));
    }
    let (text, rest) = from.strip_prefix('[')?.split_once("](")?;
    let (to, behind) = rest.split_once(')')?;
    (!text.contains(['[', ']'])).then_some((Mark::Link { text, to }, behind))
}
