//! What holds of every page: well-formed, nothing inline, every button a verb and an object, every reference with its target.

use muster_web::{assets, samples};

use super::{name_of, tags, text};

/// Elements without an end tag.
const VOID: [&str; 7] = ["meta", "link", "input", "br", "hr", "img", "circle"];

#[test]
fn every_page_is_well_formed() {
    for (page, html) in samples::all() {
        let mut open: Vec<&str> = Vec::new();
        for tag in tags(&html) {
            let name = name_of(tag);
            if tag.starts_with("</") {
                assert_eq!(open.pop(), Some(name), "{page}: {tag} closes something else");
            } else if !tag.ends_with("/>") && !tag.starts_with("<!") && !VOID.contains(&name) {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{page}: never closed: {open:?}");
    }
}

#[test]
fn no_page_needs_more_than_the_strict_policy() {
    for (page, html) in samples::all() {
        for tag in tags(&html) {
            for forbidden in [" style=", " onclick=", " onload=", " hx-on", "javascript:", "js:"] {
                assert!(!tag.contains(forbidden), "{page}: {tag}");
            }
            assert!(name_of(tag) != "style", "{page}: inline style");
        }
        for script in html.split("<script").skip(1) {
            let body = script.split_once('>').expect("a script tag ends").1;
            assert!(body.starts_with("</script>"), "{page}: inline script");
        }
        for reference in html.split("/assets/").skip(1) {
            let path = format!("/assets/{}", reference.split('"').next().unwrap_or(""));
            assert!(assets::find(&path).is_some(), "{page}: {path} is no asset");
        }
    }
}

#[test]
fn every_button_is_a_verb_and_an_object() {
    for (page, html) in samples::all() {
        for button in html.split("<button").skip(1) {
            let inner = button.split_once('>').expect("a tag ends").1;
            let said = text(inner.split("</button>").next().unwrap_or(""));
            assert!(said.split(' ').count() >= 2, "{page}: a button says only “{said}”");
            let first = said.chars().next().unwrap_or(' ');
            assert!(first.is_uppercase(), "{page}: “{said}” does not begin with a verb");
            for word in ["OK", "Submit", "Continue", "Are you sure"] {
                assert!(!said.contains(word), "{page}: “{said}”");
            }
        }
    }
}

#[test]
fn every_page_has_its_landmarks_and_one_heading() {
    for (page, html) in samples::all().into_iter().filter(|(page, _)| *page != "run-live") {
        for once in ["<main ", "<h1", "<header class=\"bridge\"", "<footer "] {
            assert_eq!(html.matches(once).count(), 1, "{page}: {once}");
        }
        // Parts of a drawing have titles, too.
        let head = html.split("</head>").next().unwrap_or("");
        assert_eq!(head.matches("<title>").count(), 1, "{page}: title");
        for field in html.split("<label for=\"").skip(1) {
            let id = field.split('"').next().unwrap_or("");
            assert!(html.contains(&format!("id=\"{id}\"")), "{page}: label of nothing: {id}");
        }
    }
}

#[test]
fn ids_are_unique() {
    for (page, html) in samples::all() {
        let mut seen = std::collections::BTreeSet::new();
        for id in tags(&html).into_iter().filter_map(|tag| tag.split(" id=\"").nth(1)) {
            let id = id.split('"').next().unwrap_or("");
            assert!(seen.insert(id.to_owned()), "{page}: id {id} twice");
        }
    }
}

#[test]
fn every_reference_inside_a_page_has_its_target() {
    for (page, html) in samples::all() {
        for reference in ["aria-labelledby=\"", "aria-describedby=\"", "href=\"#"] {
            let named = html.split(reference).skip(1).map(|rest| rest.split('"').next().unwrap_or(""));
            for id in named.flat_map(str::split_whitespace) {
                let here = page == "run-live" && id.starts_with("i-");
                assert!(
                    here || html.contains(&format!("id=\"{id}\"")),
                    "{page}: {reference}{id} has no target"
                );
            }
        }
    }
}

#[test]
fn what_is_read_again_in_place_is_in_every_page_that_follows() {
    for (page, html) in samples::all() {
        let Some(part) = html.split(" hx-select=\"#").nth(1).and_then(|rest| rest.split('"').next()) else {
            continue;
        };
        for id in [part, "watch", "places", "freshness"] {
            assert_eq!(html.matches(&format!(" id=\"{id}\"")).count(), 1, "{page}: {id}");
        }
        assert!(html.contains("/live.js\" defer>"), "{page}: nothing says when it is old");
    }
}

#[test]
fn no_secret_field_is_ever_filled_in() {
    for (page, html) in samples::all() {
        for tag in tags(&html).into_iter().filter(|tag| tag.contains("type=\"password\"")) {
            let filled = tag.split("value=\"").nth(1).is_some_and(|value| !value.starts_with('"'));
            assert!(!filled, "{page}: {tag}");
        }
    }
}
