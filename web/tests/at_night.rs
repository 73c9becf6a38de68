//! What somebody acts on at three in the morning says what is so, and leads to where it goes on.

use muster_web::samples;

fn sample(name: &str) -> String {
    samples::all().into_iter().find(|(page, _)| *page == name).expect("it is a sample").1
}

#[test]
fn a_run_on_its_way_back_says_which_side_takes_writes_by_how_far_the_undo_of_the_fence_is() {
    for (name, stopped, note) in [
        ("run", "0:07", "since 03:12:32; no side takes writes"),
        ("run-rolling-back", "0:07", "since 03:12:32; being given back to eu-west now"),
        ("run-rolled-back", "4.9 s", "until 03:12:37, when the fence was undone; eu-west takes writes again"),
        ("run-never-fenced", "not stopped", "eu-west takes writes"),
        ("run-stuck", "not known", "undoing the fence failed, so eu-west may not take writes"),
        ("run-closed", "not known", "closed by hand: only the clusters can tell"),
    ] {
        let html = sample(name);
        let stat =
            html.split("<dt>Writers stopped for</dt>").nth(1).and_then(|rest| rest.split("</div>").next());
        let stat = stat.expect("the number is on every page of a run");
        assert!(stat.contains(&format!(">{note}</dd>")), "{name}: {stat}");
        assert!(stat.contains(&format!(">{stopped}</dd>")), "{name}: {stat}");
        assert_eq!(stat.contains("no side takes writes"), name == "run", "{name}: {stat}");
    }
}

#[test]
fn a_proof_says_from_which_cluster_it_is_asked_for_and_somebody_must_say_it_while_no_side_is_active() {
    for name in ["content-empty", "translation-empty"] {
        let html = sample(name);
        assert!(html.contains("<option value=\"eu-west\" selected>eu-west</option>"), "{name}: {html}");
        assert!(html.contains("<option value=\"eu-central\">eu-central</option>"), "{name}: {html}");
    }
    for name in ["content-side-not-known", "translation-side-not-known"] {
        let html = sample(name);
        let field = html.split("id=\"f-from\"").nth(1).and_then(|rest| rest.split("</div>").next());
        let field = field.expect("the form asks for it");
        assert!(field.contains(" required") && field.contains("say which cluster"), "{name}: {field}");
        assert!(field.contains("Which side is active cannot be told"), "{name}: {field}");
        assert_eq!(
            field.contains("Say from which cluster."),
            name.starts_with("translation"),
            "{name}: {field}"
        );
    }
}
