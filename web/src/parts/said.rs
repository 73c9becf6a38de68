//! Sentences of the rules on a page: names between backticks are set as code.

use askama::{Template, filters::HtmlSafe};

/// A sentence.
#[derive(Debug, Clone, Template)]
#[template(
    source = "{% for (is_name, text) in pieces %}{% if *is_name %}<code>{{ text }}</code>{% else %}{{ text }}{% endif %}{% endfor %}",
    ext = "html"
)]
pub struct Said<'a> {
    pieces: Vec<(bool, &'a str)>,
}
impl HtmlSafe for Said<'_> {}

/// A sentence with names between backticks. A lone backtick is text.
#[must_use]
pub fn said<T: AsRef<str> + ?Sized>(sentence: &T) -> Said<'_> {
    let mut rest = sentence.as_ref();
    let mut pieces = Vec::new();
    while let Some((before, (name, after))) =
        rest.split_once('`').and_then(|(before, behind)| Some((before, behind.split_once('`')?)))
    {
        pieces.extend([(false, before), (true, name)]);
        rest = after;
    }
    pieces.push((false, rest));
    Said { pieces }
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn names_are_code_and_nothing_is_markup() {
        assert_eq!(said("`a` reads <b>, `c").to_string(), "<code>a</code> reads &#60;b&#62;, `c");
        assert_eq!(said("group `<i>` & more").to_string(), "group <code>&#60;i&#62;</code> &#38; more");
        assert_eq!(said("plain").to_string(), "plain");
    }
}
