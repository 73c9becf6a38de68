//! The ends of a list of which a page shows a part.

use askama::{Template, filters::HtmlSafe};

use super::Link;

/// The ways to the rest of a list; none where the page shows all of it.
#[derive(Debug, Clone, Default, Template)]
#[template(
    source = r#"{% if self.is_part() %}<p class="ends">{% if let Some(link) = first %}<a href="{{ link.href }}">{{ link.text }}</a>{% endif %}{% if first.is_some() && more.is_some() %} · {% endif %}{% if let Some(link) = more %}<a href="{{ link.href }}">{{ link.text }}</a>{% endif %}</p>{% endif %}"#,
    ext = "html"
)]
pub struct Ends {
    first: Option<Link>,
    more: Option<Link>,
}
impl HtmlSafe for Ends {}

impl Ends {
    /// Of a list of `what`: the address of its first page unless that is shown, and that of the page behind this one if there
    /// is one.
    #[must_use]
    pub fn new(what: &str, first: Option<String>, more: Option<String>) -> Self {
        Self {
            first: first.map(|href| Link::new(href, format!("First {what}"))),
            more: more.map(|href| Link::new(href, format!("More {what}"))),
        }
    }

    /// Whether the page shows a part of the list only.
    pub(crate) fn is_part(&self) -> bool {
        self.first.is_some() || self.more.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Ends;

    #[test]
    fn a_whole_list_has_no_ends() {
        assert_eq!(Ends::default().to_string(), "");
        let middle = Ends::new("teams", Some("/teams".to_owned()), Some("/teams?after=team~a".to_owned()));
        let [first, more] =
            [r#"<a href="/teams">First teams</a>"#, r#"<a href="/teams?after=team~a">More teams</a>"#];
        assert_eq!(middle.to_string(), format!(r#"<p class="ends">{first} · {more}</p>"#));
    }
}
