//! Form fields: a label, a control, what it means, and what was wrong with what was sent.

use std::borrow::Cow;

use askama::{Template, filters::HtmlSafe};

/// One choice of a select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Value sent.
    pub value: String,
    /// Words shown.
    pub label: String,
}

impl Choice {
    /// A choice.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

/// What the person fills in.
#[derive(Debug, Clone)]
pub enum Control {
    /// One line: `text`, `email`, `password`, `number`, `url`, `date`.
    Line {
        /// Input type.
        kind: &'static str,
        /// Value shown.
        value: String,
        /// `autocomplete`, empty for off.
        autocomplete: &'static str,
    },
    /// One line, with names that are offered while one types.
    Search {
        /// Value shown.
        value: String,
        /// What is offered.
        names: Vec<String>,
    },
    /// Several lines.
    Area {
        /// Value shown.
        value: String,
        /// Height.
        rows: u8,
    },
    /// One of a few.
    Select {
        /// In order.
        choices: Vec<Choice>,
        /// Value chosen.
        chosen: String,
    },
    /// Yes or no, sent as `on`.
    Check {
        /// Whether it is ticked.
        on: bool,
        /// Whether it stays as it is.
        fixed: bool,
    },
    /// Written, never shown again.
    Secret {
        /// Whether one is kept already.
        kept: bool,
        /// Several lines (PEM).
        long: bool,
    },
}

/// A field of a form.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/field.html")]
pub struct Field {
    name: &'static str,
    /// Begins its id: two forms of a page may have fields of one name.
    scope: Cow<'static, str>,
    label: &'static str,
    help: String,
    error: String,
    required: bool,
    control: Control,
}
impl HtmlSafe for Field {}

impl Field {
    fn with(name: &'static str, label: &'static str, control: Control) -> Self {
        Self {
            name,
            scope: Cow::Borrowed("f"),
            label,
            help: String::new(),
            error: String::new(),
            required: false,
            control,
        }
    }

    fn explained(&self) -> bool {
        !self.error.is_empty() || !self.help.is_empty() || matches!(self.control, Control::Secret { .. })
    }

    /// One line of text.
    pub fn text(name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        Self::line(name, label, "text", value, "off")
    }

    /// One line of a kind.
    pub fn line(
        name: &'static str,
        label: &'static str,
        kind: &'static str,
        value: impl Into<String>,
        autocomplete: &'static str,
    ) -> Self {
        Self::with(name, label, Control::Line { kind, value: value.into(), autocomplete })
    }

    /// One line, with names that are offered while one types.
    pub fn search(
        name: &'static str,
        label: &'static str,
        names: Vec<String>,
        value: impl Into<String>,
    ) -> Self {
        Self::with(name, label, Control::Search { value: value.into(), names })
    }

    /// Several lines.
    pub fn area(name: &'static str, label: &'static str, value: impl Into<String>, rows: u8) -> Self {
        Self::with(name, label, Control::Area { value: value.into(), rows })
    }

    /// One of a few.
    pub fn select(
        name: &'static str,
        label: &'static str,
        choices: Vec<Choice>,
        chosen: impl Into<String>,
    ) -> Self {
        Self::with(name, label, Control::Select { choices, chosen: chosen.into() })
    }

    /// Yes or no.
    #[must_use]
    pub fn check(name: &'static str, label: &'static str, on: bool) -> Self {
        Self::with(name, label, Control::Check { on, fixed: false })
    }

    /// Yes, whatever anybody wants.
    #[must_use]
    pub fn always(name: &'static str, label: &'static str) -> Self {
        Self::with(name, label, Control::Check { on: true, fixed: true })
    }

    /// A secret of one line; it is set, never shown.
    #[must_use]
    pub fn secret(name: &'static str, label: &'static str, kept: bool) -> Self {
        Self::with(name, label, Control::Secret { kept, long: false })
    }

    /// A secret of several lines.
    #[must_use]
    pub fn long_secret(name: &'static str, label: &'static str, kept: bool) -> Self {
        Self::with(name, label, Control::Secret { kept, long: true })
    }

    /// With an explanation.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// In a form that filters, beside another form of the page.
    #[must_use]
    pub fn of_filter(self) -> Self {
        Self { scope: Cow::Borrowed("q"), ..self }
    }

    /// In one of many forms of the page that have the same fields; `scope` is the form's own.
    #[must_use]
    pub fn of_form(self, scope: String) -> Self {
        Self { scope: Cow::Owned(scope), ..self }
    }

    /// Must be filled in.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// With what was wrong, if anything: `errors` is field name → sentence.
    #[must_use]
    pub fn errors(self, errors: &[(String, String)]) -> Self {
        let error =
            errors.iter().find(|(name, _)| name == self.name).map(|(_, e)| e.clone()).unwrap_or_default();
        Self { error, ..self }
    }
}

/// Fields that belong together.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/fieldset.html")]
pub struct FieldSet {
    legend: &'static str,
    note: String,
    fields: Vec<Field>,
}
impl HtmlSafe for FieldSet {}

impl FieldSet {
    /// A group of fields under a legend.
    #[must_use]
    pub fn new(legend: &'static str, fields: Vec<Field>) -> Self {
        Self { legend, note: String::new(), fields }
    }

    /// With a sentence under the legend.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}
