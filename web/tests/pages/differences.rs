//! Differences in their two orders: by cause, and by who is affected.

use super::{sample, text};

/// What stands in the section of a heading.
fn section<'a>(html: &'a str, heading: &str) -> &'a str {
    let after = html.split_once(&format!("<section class=\"panel\" aria-labelledby=\"{heading}\">"));
    let after = after.unwrap_or_else(|| panic!("{heading}: {html}")).1;
    after.split("</section>").next().unwrap_or("")
}

/// The headings of those who are affected.
fn affected(html: &str) -> Vec<String> {
    let parties = section(html, "parties-h").split("<h3 ").skip(1);
    parties.map(|party| text(&format!("<h3 {}", party.split("</h3>").next().unwrap_or("")))).collect()
}

#[test]
fn either_order_leads_to_the_other_without_scripts_and_says_which_is_shown() {
    let (by_cause, by_who) = (sample("differences"), sample("differences-by-who"));
    for (html, shown, other) in [
        (&by_cause, "By cause", "<a href=\"/pairs/payments/differences?by=who\">By who is affected</a>"),
        (&by_who, "By who is affected", "<a href=\"/pairs/payments/differences\">By cause</a>"),
    ] {
        assert!(html.contains(&format!("<b aria-current=\"true\">{shown}</b>")), "{html}");
        assert!(html.contains(other), "{html}");
    }
    let kept = "<input type=\"hidden\" name=\"by\" value=\"who\">";
    assert!(by_who.contains(kept), "a filter keeps the order: {by_who}");
    assert!(!by_cause.contains(kept), "{by_cause}");
    let typed = sample("differences-by-who-typed");
    assert!(
        typed.contains("<a href=\"/pairs/payments/differences?who=fraud-scorer\">By cause</a>"),
        "{typed}"
    );
    assert!(
        typed.contains("<a href=\"/pairs/payments/differences?by=who\">Show all differences</a>"),
        "{typed}"
    );
}

#[test]
fn whoever_is_affected_worst_stands_first_and_nobody_is_left_out() {
    let html = sample("differences-by-who");
    let names = affected(&html);
    assert_eq!(names.len(), 12, "{names:?}");
    for (name, said) in names.iter().zip([
        ("breaks", "principal User:app-59"),
        ("breaks", "principal User:app-60"),
        ("breaks", "group fraud-scorer"),
        ("costs", "principal User:app-7"),
        ("costs", "principal User:app-0"),
    ]) {
        assert!(name.contains(said.0) && name.contains(said.1), "{said:?}: {names:?}");
    }
    let parties = text(section(&html, "parties-h"));
    assert!(parties.contains("12 of 63 shown, worst first"), "{parties}");
    assert!(parties.contains("2 causes: 1 breaks, 1 costs"), "{parties}");
    assert!(parties.contains("Show 2 causes of User:app-59 with commands"), "{parties}");
    assert!(html.contains("href=\"/pairs/payments/differences?who=User%3Aapp-59\""), "{html}");
    assert!(
        html.contains("/pairs/payments/differences?by=who&#38;after=who~costs~1~principal~x"),
        "more of them: {html}"
    );
    assert!(parties.contains("More principals and groups"), "{parties}");
    // Those without a name of their own are under headings of their own.
    let everybody = text(section(&html, "everybody-h"));
    assert!(everybody.contains("transaction.max.timeout.ms"), "{everybody}");
    let not_known = text(section(&html, "unnamed-h"));
    assert!(not_known.contains("Not known who") && not_known.contains("batch-loader"), "{not_known}");
    assert!(not_known.contains("1 cause: 1 costs"), "{not_known}");
}

#[test]
fn of_those_who_are_affected_a_name_that_is_typed_is_shown() {
    let names = affected(&sample("differences-by-who-typed"));
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(names[0].contains("group fraud-scorer"), "{names:?}");
}

#[test]
fn what_was_compared_last_says_so_under_each_whom_it_affected() {
    let html = sample("differences-by-who-unknown");
    assert!(section(&html, "parties-h").contains("As last compared"), "{html}");
    assert!(html.contains("Not compared"), "{html}");
    assert!(!html.contains("ok-t"), "{html}");
}
