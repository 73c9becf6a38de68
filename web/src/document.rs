//! The documents people need while they operate Muster, as pages. They are in the binary, so they are of its version, and there where
//! the repository is not.

use askama::Template;

use crate::{
    chrome::Chrome,
    markdown::{self, Section},
    parts::Link,
};

/// A document that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// What a switchover does, and what to do when an alert fires.
    Runbooks,
    /// How Muster is installed, set up and kept.
    Operating,
}

impl Document {
    /// As the repository has it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Runbooks => include_str!("../../docs/RUNBOOKS.md"),
            Self::Operating => include_str!("../../docs/OPERATING.md"),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Runbooks => "Runbooks",
            Self::Operating => "Operating Muster",
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Runbooks => {
                "What a switchover does, and what to do when something goes wrong. Alerts lead here; it is served while the \
                 database is away, too."
            }
            Self::Operating => {
                "How Muster is installed, set up, backed up and upgraded, and which rights it needs."
            }
        }
    }

    fn link(self) -> Link {
        match self {
            Self::Runbooks => Link::new("/runbooks", self.title()),
            Self::Operating => Link::new("/operating", self.title()),
        }
    }
}

/// `GET /runbooks`, `GET /operating`.
#[derive(Debug, Template)]
#[template(path = "pages/document.html")]
pub struct DocumentPage {
    chrome: Chrome,
    says: &'static str,
    other: Link,
    sections: Vec<Section>,
}

impl DocumentPage {
    /// The page of a document.
    #[must_use]
    pub fn new(chrome: Chrome, document: Document) -> Self {
        let other = match document {
            Document::Runbooks => Document::Operating,
            Document::Operating => Document::Runbooks,
        };
        Self {
            chrome: chrome.titled(document.title()),
            says: document.says(),
            other: other.link(),
            sections: markdown::read(document.text(), address),
        }
    }
}

/// Where a link of a document leads: within it, to the other one, to the codes of the API. What is in the repository only is named and
/// leads nowhere.
fn address(to: &str) -> Option<String> {
    if to.starts_with('#') {
        return Some(to.to_owned());
    }
    let file = to.split('#').next().unwrap_or_default();
    let page = match file {
        "RUNBOOKS.md" => "/runbooks",
        "OPERATING.md" => "/operating",
        "API.md" => "/api",
        _ => return None,
    };
    Some(to.replacen(file, page, 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::markdown::{Block, Line};

    const ALL: [Document; 2] = [Document::Runbooks, Document::Operating];

    fn lines(block: &Block) -> Vec<&Line> {
        match block {
            Block::Heading { text, .. } => vec![text],
            Block::Paragraph(line) => vec![line],
            Block::Commands(_) => Vec::new(),
            Block::List { items, .. } => items.iter().collect(),
            Block::Table { heads, rows, .. } => heads.iter().chain(rows.iter().flatten()).collect(),
        }
    }

    /// Names of what a document links to on a page.
    fn anchors(document: Document) -> BTreeSet<String> {
        let sections = markdown::read(document.text(), address);
        let headings = sections.iter().flat_map(|section| &section.blocks).filter_map(|block| match block {
            Block::Heading { anchor, .. } => Some(anchor.clone()),
            Block::Paragraph(_) | Block::Commands(_) | Block::List { .. } | Block::Table { .. } => None,
        });
        sections.iter().map(|section| section.id.clone()).chain(headings).collect()
    }

    #[test]
    fn the_documents_are_written_in_what_is_read() {
        for document in ALL {
            for (number, line) in document.text().lines().enumerate() {
                let unread = ["```", "> ", "* ", "+ ", "---", "===", "#### ", "  - ", "![", "\t"];
                let begins = unread.iter().find(|begin| line.starts_with(**begin));
                assert_eq!(begins, None, "{document:?}, line {}", number + 1);
            }
            let sections = markdown::read(document.text(), address);
            let blocks = sections.iter().flat_map(|section| &section.blocks);
            let pieces = blocks.flat_map(lines).flat_map(|line| &line.0);
            for piece in pieces.filter(|piece| !piece.code) {
                for sign in ["`", "**", "](", "<", "~~"] {
                    assert!(!piece.text.contains(sign), "{document:?}: {}", piece.text);
                }
            }
        }
    }

    #[test]
    fn every_link_of_a_document_to_a_document_has_its_target() {
        let mut seen = 0;
        for document in ALL {
            let sections = markdown::read(document.text(), address);
            let blocks = sections.iter().flat_map(|section| &section.blocks);
            let pieces = blocks.flat_map(lines).flat_map(|line| &line.0);
            for href in pieces.map(|piece| piece.href.as_str()).filter(|href| href.contains('#')) {
                let (page, anchor) = href.split_once('#').unwrap_or_default();
                let there = match page {
                    "" => anchors(document),
                    "/runbooks" => anchors(Document::Runbooks),
                    "/operating" => anchors(Document::Operating),
                    // A code of the API, which has a test of its own.
                    _ => continue,
                };
                assert!(there.contains(anchor), "{document:?} leads to {href}");
                seen += 1;
            }
        }
        assert!(seen > 0);
    }

    #[test]
    fn what_is_not_served_is_named_only() {
        assert_eq!(address("OPERATING.md#secrets").as_deref(), Some("/operating#secrets"));
        assert_eq!(address("API.md#pair-in-use").as_deref(), Some("/api#pair-in-use"));
        assert_eq!(address("#secrets").as_deref(), Some("#secrets"));
        assert_eq!(address("javascript:alert(1)"), None);
        assert_eq!(address("observability/README.md"), None);
    }
}
