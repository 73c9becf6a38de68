//! What a drawing says in words, for whoever does not see it: its name, and the figures that matter.

use askama::{Template, filters::HtmlSafe};

/// First inside the drawing, whose `aria-labelledby` is [`Spoken::ids`].
#[derive(Debug, Clone, Template)]
#[template(
    source = r#"<title id="{{ id }}-t">{{ name }}</title><desc id="{{ id }}-d">{{ figures }}</desc>"#,
    ext = "html"
)]
pub(crate) struct Spoken {
    id: String,
    /// What is drawn.
    pub(crate) name: String,
    figures: String,
}
impl HtmlSafe for Spoken {}

impl Spoken {
    /// `id` is the drawing's own on its page.
    pub(crate) fn new(id: impl Into<String>, name: impl Into<String>, figures: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into(), figures: figures.into() }
    }

    /// The same of another drawing of the same thing.
    pub(crate) fn again(&self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self.clone() }
    }

    /// What `aria-labelledby` takes.
    pub(crate) fn ids(&self) -> String {
        format!("{0}-t {0}-d", self.id)
    }
}
