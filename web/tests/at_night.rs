//! What somebody acts on at three in the morning says what is so, and leads to where it goes on.

use muster_web::samples;

fn sample(name: &str) -> String {
    samples::all().into_iter().find(|(page, _)| *page == name).expect("it is a sample").1
}

#[test]
fn a_run_says_which_side_takes_writes_by_how_far_its_fence_its_undo_and_the_opening_of_the_other_side_are() {
    for (name, stopped, note) in [
        ("run", "0:07", "since 03:12:32; no side takes writes"),
        ("run-rolling-back", "0:07", "since 03:12:32; being given back to eu-west now"),
        ("run-rolled-back", "4.9 s", "until 03:12:37, when the fence was undone; eu-west takes writes again"),
        ("run-never-fenced", "not stopped", "eu-west takes writes"),
        ("run-stuck", "not known", "undoing the fence failed, so eu-west may not take writes"),
        ("run-closed", "not known", "closed by hand: only the clusters can tell"),
        ("run-not-let-in", "0:39", "since 03:12:00; eu-central is not known to take writes yet"),
        (
            "run-let-in",
            "at least 38 s",
            "until 03:12:39, when eu-central was opened; no write there is seen yet",
        ),
    ] {
        let html = sample(name);
        let stat =
            html.split("<dt>Writers stopped for</dt>").nth(1).and_then(|rest| rest.split("</div>").next());
        let stat = stat.expect("the number is on every page of a run");
        assert!(stat.contains(&format!(">{note}</dd>")), "{name}: {stat}");
        assert!(stat.contains(&format!(">{stopped}</dd>")), "{name}: {stat}");
        assert_eq!(stat.contains("no side takes writes"), name == "run", "{name}: {stat}");
        assert!(!html.contains("after step 0"), "{name}: no step runs");
    }
    assert!(sample("run-let-in").contains("Pause orders</span>"), "between two steps");
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

#[test]
fn the_procedure_for_a_dead_side_is_reached_from_where_it_is_missed_and_no_plan_is_offered_instead() {
    let by_hand =
        "<a href=\"/runbooks#the-active-side-is-dead\">What is done by hand, and in which order</a>";
    assert!(sample("runbooks").contains("id=\"the-active-side-is-dead\""), "the link has its target");
    for name in ["loss", "loss-unknown"] {
        let html = sample(name);
        let first =
            html.split("<ol class=\"numbered\">").nth(1).and_then(|steps| steps.split("</li>").next());
        let first = first.expect("it has steps");
        assert!(first.contains(by_hand), "{name}: {first}");
    }
    let dead = sample("pair-dead");
    let plan = dead.split("id=\"plan\"").nth(1).and_then(|rest| rest.split("</section>").next());
    let plan = plan.expect("the panel is there");
    assert!(plan.contains("a switchover has to drain it") && plan.contains(by_hand), "{plan}");
    assert!(plan.contains("aria-disabled=\"true\"") && !plan.contains("<form"), "{plan}");
    assert!(!dead.contains("href=\"#plan\""), "{dead}");
    assert_eq!(dead.matches(by_hand).count(), 2, "beside the loss as well: {dead}");
    assert_eq!(sample("pair-dark").matches(by_hand).count(), 2, "also while no side is known to be active");
    let waiting = sample("pair-waiting");
    let plan = waiting.split("id=\"plan\"").nth(1).and_then(|rest| rest.split("</section>").next());
    let plan = plan.expect("the panel is there");
    assert!(
        plan.contains("<form") && !plan.contains(by_hand),
        "what answers may be planned away from: {plan}"
    );
    let back = sample("pair-back");
    assert!(!back.contains(by_hand) && back.contains("href=\"#plan\""), "{back}");
}

#[test]
fn the_loss_of_a_pair_is_told_as_its_statement_tells_it() {
    let panel = |name: &str| {
        let html = sample(name);
        let panel = html.split("id=\"loss\"").nth(1).and_then(|rest| rest.split("</section>").next());
        panel.expect("the panel is there").to_owned()
    };
    let dead = panel("pair-dead");
    assert!(dead.contains("12 to 1,931 records") && dead.contains("of payments are missing on eu-central"));
    assert!(dead.contains("<a href=\"/pairs/payments/losses\">1 more open loss</a>"), "{dead}");
    let back = panel("pair-back");
    assert!(back.contains("Nothing was lost") && !back.contains("are missing"), "{back}");
    let then = "Said while eu-west was away: 12 to 1,931 records missing on eu-central.";
    assert!(back.contains(then) && !back.contains("gl bad"), "{back}");
    assert!(!back.contains("more open loss"), "{back}");
}

#[test]
fn a_problem_leads_to_where_more_is_said_of_it_and_says_how_old_it_is() {
    let html = sample("fleet-problems");
    let strip = html.split("<ul class=\"problems\">").nth(1).and_then(|rest| rest.split("</ul>").next());
    let rows: Vec<&str> = strip.expect("there are problems").split("</li>").collect();
    for (said, leads, age) in [
        ("were removed from", "/pairs/payments#alarms", "read 2 s ago"),
        ("did not answer; what had not reached", "/pairs/payments/losses/a-", "noticed 4 m 12 s ago"),
        ("Never observed, so nothing is known of it.", "/pairs/fresh#checks", "never read"),
    ] {
        let row = rows.iter().find(|row| row.contains(said)).unwrap_or_else(|| panic!("{said}: {html}"));
        assert!(row.contains(&format!("<a href=\"{leads}")), "{leads}: {row}");
        assert!(row.contains(&format!("<span class=\"who\">{age}</span>")), "{age}: {row}");
    }
}

#[test]
fn an_alarm_leads_to_the_lag_of_its_flow_and_of_the_partition_it_names() {
    let html = sample("alarms");
    let hole = html.split("id=\"alarm-42\"").nth(1).and_then(|rest| rest.split("</article>").next());
    let hole = hole.expect("it is listed");
    assert!(hole.contains("/pairs/payments/lag?source=eu-west&#38;from="), "{hole}");
    let partition = hole.split("&#38;topic=payments.captured&#38;partition=3\">").nth(1);
    let named = partition.expect("its place is a link");
    assert!(named.starts_with("<code>payments.captured-3</code></a>"), "{named}");
}

#[test]
fn a_bound_is_called_what_it_means_for_who_would_lose() {
    for name in ["pair", "pair-dead", "fleet", "lag", "lag-partitions", "loss", "loss-settled"] {
        let html = sample(name);
        for contradicting in ["lower bound", "upper bound"] {
            assert!(!html.contains(contradicting), "{name}: {contradicting}");
        }
    }
    let lag = sample("loss-settled");
    assert!(lag.contains("<b>at most</b>"), "{lag}");
}

#[test]
fn a_pair_offers_no_button_that_only_looks_like_a_check() {
    for name in ["pair", "pair-dark", "pair-dead"] {
        let html = sample(name);
        assert!(!html.contains("/pairs/payments/check\""), "{name}: every survey checks it anyway");
        assert!(html.contains("href=\"#checks\">Go to readiness of payments</a>"), "{name}");
    }
}
