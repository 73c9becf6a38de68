//! What pages say, by their samples: what holds of every page, and what single ones say and offer. What the files beside this one share
//! is how a page is read.

mod differences;
mod drawings;
mod every_page;
mod known;
mod losses;
mod offers;
mod proofs;

use muster_web::samples;

/// Start and end tags in order with their whole text; comments and the doctype left out.
fn tags(html: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        if rest.starts_with("<!--") {
            rest = &rest[rest.find("-->").expect("a comment ends") + 3..];
            continue;
        }
        let mut quote = None;
        let end = rest
            .char_indices()
            .find(|(_, c)| match (quote, c) {
                (Some(open), c) if *c == open => {
                    quote = None;
                    false
                }
                (Some(_), _) => false,
                (None, '"' | '\'') => {
                    quote = Some(*c);
                    false
                }
                (None, c) => *c == '>',
            })
            .map(|(i, _)| i)
            .expect("a tag ends");
        tags.push(&rest[..=end]);
        rest = &rest[end + 1..];
    }
    tags
}

fn name_of(tag: &str) -> &str {
    tag.trim_start_matches(['<', '/'])
        .split(|c: char| c.is_whitespace() || c == '>' || c == '/')
        .next()
        .unwrap_or("")
}

/// Text between tags, spaces folded.
fn text(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sample(name: &str) -> String {
    samples::all().into_iter().find(|(page, _)| *page == name).expect("it is a sample").1
}
