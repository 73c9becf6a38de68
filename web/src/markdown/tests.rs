use super::*;

fn here(to: &str) -> Option<String> {
    to.starts_with('#').then(|| to.to_owned())
}

fn printed(text: &str) -> String {
    Line::read(text, here).to_string()
}

#[test]
fn a_line_is_set_as_it_is_marked() {
    assert_eq!(
        printed("**retry** or `a | b`, *likely*, [the fence](#a-fence), [`code`](#code)"),
        "<b>retry</b> or <code>a | b</code>, <em>likely</em>, <a href=\"#a-fence\">the fence</a>, \
         <a href=\"#code\"><code>code</code></a>"
    );
    assert_eq!(printed("**`/settings`** shows"), "<b><code>/settings</code></b> shows");
    assert_eq!(printed("in [benchmarks](benchmarks.md)."), "in benchmarks.");
}

#[test]
fn nothing_in_a_document_is_markup() {
    assert_eq!(printed("<b>&</b> `<i>`"), "&#60;b&#62;&#38;&#60;/b&#62; <code>&#60;i&#62;</code>");
    assert_eq!(printed("[x](#\"onclick)"), "<a href=\"#&#34;onclick\">x</a>");
    // What is never ended marks nothing.
    assert_eq!(printed("3 * 4, a ` b, [c], **d"), "3 * 4, a ` b, [c], **d");
}

#[test]
fn a_document_is_read_block_by_block() {
    let text = "# Title\n\nBefore\nall.\n\n## When it's on\n<!-- mark -->\n\n    one\n\n      two\n\nText\n- a\n  and b\n- c\n\n\
                ### In short\n\n1. first\n2. second\n\n| head | `x|y` |\n|---|---|\n| cell | |\n";
    let line = |text: &str| Line::read(text, here);
    let blocks = [
        Block::Commands("one\n\n  two".to_owned()),
        Block::Paragraph(line("Text")),
        Block::List { numbered: false, items: vec![line("a and b"), line("c")] },
        Block::Heading { anchor: "in-short".to_owned(), text: line("In short") },
        Block::List { numbered: true, items: vec![line("first"), line("second")] },
        Block::Table {
            name: "In short".to_owned(),
            heads: vec![line("head"), line("`x|y`")],
            rows: vec![vec![line("cell"), line("")]],
        },
    ];
    let expected = [
        Section { blocks: vec![Block::Paragraph(line("Before all."))], ..Section::default() },
        Section { id: "when-its-on".to_owned(), heading: line("When it's on"), blocks: blocks.to_vec() },
    ];
    assert_eq!(read(text, here), expected);
}
