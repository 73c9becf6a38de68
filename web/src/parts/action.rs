//! A button and what it will do now, to what; or why it is refused and by which rule.

use askama::{Template, filters::HtmlSafe};

use super::Tone;

/// A link as a page prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it goes.
    pub href: String,
    /// What it says: where it goes or what it does.
    pub text: String,
}

impl Link {
    /// A link.
    pub fn new(href: impl Into<String>, text: impl Into<String>) -> Self {
        Self { href: href.into(), text: text.into() }
    }
}

/// How an act is sent.
#[derive(Debug, Clone)]
enum Way {
    /// Posted right here.
    Post(String),
    /// A page first that says what it means and asks for what is needed.
    Page(String),
    /// Not now; the rule is in `effect`.
    Refused,
}

/// See the module.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/action.html")]
pub struct Action {
    id: String,
    label: String,
    icon: &'static str,
    look: &'static str,
    effect: String,
    way: Way,
    hidden: Vec<(&'static str, String)>,
}
impl HtmlSafe for Action {}

impl Action {
    /// An act that is posted at once.
    pub fn post(url: impl Into<String>, label: impl Into<String>, effect: impl Into<String>) -> Self {
        Self::with(Way::Post(url.into()), label.into(), effect.into())
    }

    /// An act with a page before it.
    pub fn page(url: impl Into<String>, label: impl Into<String>, effect: impl Into<String>) -> Self {
        Self::with(Way::Page(url.into()), label.into(), effect.into())
    }

    /// An act that is refused now: it stays visible, with the rule.
    pub fn refused(label: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::with(Way::Refused, label.into(), rule.into())
    }

    fn with(way: Way, label: String, effect: String) -> Self {
        let id: String = label
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect();
        Self { id, label, icon: "", look: "", effect, way, hidden: Vec::new() }
    }

    /// With a glyph.
    #[must_use]
    pub fn icon(self, icon: &'static str) -> Self {
        Self { icon, ..self }
    }

    /// Drawn as dangerous.
    #[must_use]
    pub fn danger(self) -> Self {
        Self { look: " danger", ..self }
    }

    /// Drawn as what is expected next.
    #[must_use]
    pub fn primary(self) -> Self {
        Self { look: " primary", ..self }
    }

    /// With a value sent along.
    #[must_use]
    pub fn sending(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.hidden.push((name, value.into()));
        self
    }

    /// Whether it can be done now.
    #[must_use]
    pub fn offered(&self) -> bool {
        match self.way {
            Way::Post(_) | Way::Page(_) => true,
            Way::Refused => false,
        }
    }

    /// What its button says.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }
}

/// One sentence that changes what a person does next.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/notice.html")]
pub struct Notice {
    tone: Tone,
    icon: &'static str,
    lead: String,
    rest: String,
    more: String,
    link: Option<Link>,
}
impl HtmlSafe for Notice {}

impl Notice {
    /// A bold lead and the rest of the sentence.
    pub fn new(tone: Tone, lead: impl Into<String>, rest: impl Into<String>) -> Self {
        let (lead, rest) = (lead.into(), rest.into());
        Self { tone, icon: tone.icon(), lead, rest, more: String::new(), link: None }
    }

    /// With another glyph.
    #[must_use]
    pub fn icon(self, icon: &'static str) -> Self {
        Self { icon, ..self }
    }

    /// With a second line.
    #[must_use]
    pub fn more(self, more: impl Into<String>) -> Self {
        Self { more: more.into(), ..self }
    }

    /// With a link at the end.
    #[must_use]
    pub fn link(self, href: impl Into<String>, text: impl Into<String>) -> Self {
        Self { link: Some(Link::new(href, text)), ..self }
    }
}
