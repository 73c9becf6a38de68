//! Every drawing says its name and its figures; what was not read is a named gap in it.

use muster_web::samples;

/// Whole drawings, with where they begin; one inside another is part of it.
fn drawings(html: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, _) in html.match_indices("svg") {
        if html[..at].ends_with('<') {
            start = if depth == 0 { at - 1 } else { start };
            depth += 1;
        } else if html[..at].ends_with("</") {
            depth -= 1;
            if depth == 0 {
                found.push((start, &html[start..at + "svg>".len()]));
            }
        }
    }
    found
}

#[test]
fn every_drawing_says_its_name_and_its_figures_and_has_them_in_a_table() {
    let mut seen = std::collections::BTreeSet::new();
    for (page, html) in samples::all() {
        for (start, drawing) in drawings(&html) {
            let tag = &drawing[..=drawing.find('>').expect("a tag ends")];
            if tag.contains(" aria-hidden=\"true\"") {
                continue;
            }
            assert!(tag.contains(" role=\"img\""), "{page}: {tag} is neither decoration nor a drawing");
            let named = tag.split(" aria-labelledby=\"").nth(1).and_then(|rest| rest.split('"').next());
            let (name, figures) = named
                .and_then(|ids| ids.split_once(' '))
                .unwrap_or_else(|| panic!("{page}: {tag} says nothing"));
            for (element, id) in [("title", name), ("desc", figures)] {
                let begin = format!("<{element} id=\"{id}\">");
                let said = drawing.split(&begin).nth(1).and_then(|rest| rest.split('<').next()).unwrap_or("");
                assert!(said.trim().len() > 5, "{page}: {tag}: its {element} says “{said}”");
            }
            let class = tag.split(" class=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("");
            let in_a_row =
                html[..start].rfind("<td").is_some_and(|cell| !html[cell..start].contains("</td>"));
            let below = html[start + drawing.len()..].split("</section>").next().unwrap_or("");
            // The one figure of a bar stands beside it.
            assert!(class == "bar" || in_a_row || below.contains("<table"), "{page}: {tag} has no table");
            seen.insert(class.split(' ').next().unwrap_or("").to_owned());
        }
    }
    let kinds: Vec<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(
        kinds,
        ["bar", "cells", "happenings", "phasebar", "plot", "spark", "topo"],
        "all kinds of drawings"
    );
}

#[test]
fn a_dead_source_is_a_named_gap_in_every_chart_of_lag() {
    let (_, html) = samples::all().into_iter().find(|(page, _)| *page == "lag").expect("it is a sample");
    assert_eq!(html.matches("<div class=\"chart course-chart\"").count(), 3);
    assert_eq!(html.matches("4 m 15 s: source not read</text>").count(), 3, "{html}");
    assert!(
        html.contains("eu-west did not answer: connect to 10.20.0.11:9093: connection refused"),
        "{html}"
    );
    assert!(html.contains("1 of 12 partitions"), "a single partition is named, too: {html}");
}
