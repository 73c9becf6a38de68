use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::{
    alarm::AlarmCode,
    ids::{ChannelName, PairName, TeamName},
    pair::{Direction, Side},
    readiness::{CheckCode, CheckResult, CheckStatus},
    record::{Person, Run},
    run::{Operation, RunState},
    samples,
    survey::Survey,
};

/// What a topic, a reason or a question could be named to get out of its place.
const HOSTILE: &str = "<!channel> @here <https://evil.example|click> [x](https://evil.example) **b** </at>\r\nBcc: \
                       victim@evil.example\u{202e}\u{2028}&amp; {{DATE()}}";

fn at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn pair() -> PairName {
    PairName::new("payments").unwrap()
}

fn run(state: RunState) -> NamedRun {
    NamedRun {
        id: Uuid::from_u128(7),
        number: 214,
        operation: Operation::Switchover,
        pair: pair(),
        course: "eu-west → eu-central".to_owned(),
        drill: false,
        state,
    }
}

fn message(event: &Event) -> Message {
    let team = TeamName::new("core").unwrap();
    Message::new(Uuid::from_u128(1), at(), &team, event, "https://muster.example")
}

fn paused(failure: &str) -> Event {
    let run = run(RunState::PausedByFailure);
    Event::PausedByFailure { run, driver: "mira".to_owned(), failure: failure.to_owned() }
}

fn ended(state: RunState) -> Event {
    Event::Ended { run: run(state), driver: "mira".to_owned(), why: "2 groups moved".to_owned() }
}

#[test]
fn a_message_says_what_to_which_pair_by_whom_and_what_next() {
    let asked = Event::ApprovalNeeded {
        run: run(RunState::AwaitingApproval),
        by: "otto".to_owned(),
        reason: "brokers are slow".to_owned(),
        needed: 2,
        decide_by: at(),
    };
    let mail = email(&message(&asked));
    insta::assert_snapshot!(format!("{}\n\n{}", mail.subject, mail.body), @"
    [muster] Approval needed: switchover of payments (run 214)

    otto asks for a switchover of payments, eu-west → eu-central.

    Reason: brokers are slow
    Approvals needed: 2
    Decide by: 4 Oct 2024 00:00 UTC

    Next: Read the plan, then approve or reject it. Nobody approves what they asked for.
    Open the request: https://muster.example/runs/00000000-0000-0000-0000-000000000007/approval

    -- 
    Muster, for team core
    Message 00000000-0000-0000-0000-000000000001
    ");
}

#[test]
fn hostile_text_stays_text_in_every_format() {
    let message = message(&paused(HOSTILE));
    let mail = email(&message);
    assert!(!mail.subject.contains(['\r', '\n']));
    assert_eq!(mail.body.lines().filter(|line| line.starts_with("Bcc")).count(), 0, "{}", mail.body);
    for hidden in ['\u{202e}', '\u{2028}', '\r'] {
        assert!(!mail.body.contains(hidden));
    }
    let ours = format!("<{}|Open the run>", message.link);
    let mut texts = Vec::new();
    collect(&slack(&message), "text", &mut texts);
    assert!(texts.iter().any(|text| text.contains("&lt;!channel&gt;")), "{texts:?}");
    for text in texts {
        let theirs = text.replace(&ours, "");
        assert!(!theirs.contains(['<', '>']), "{text}");
        assert!(!theirs.contains("@here") && !theirs.contains("]("), "{text}");
    }
    let card = teams(&message);
    assert!(!card.to_string().contains("\"TextBlock\""), "a text block reads Markdown: {card}");
    let links = card["attachments"][0]["content"]["actions"].as_array().unwrap();
    assert_eq!((links.len(), &links[0]["url"]), (1, &Value::from(message.link.as_str())));
    assert_eq!(pagerduty(&message)["links"].as_array().unwrap().len(), 1);
}

/// Values of a member, wherever it is.
fn collect(value: &Value, member: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == member => found.push(text.to_owned()),
                    Some(_) | None => collect(value, member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn long_texts_fit_what_receivers_take() {
    let message = message(&paused(&"&<".repeat(5000)));
    let blocks = slack(&message);
    let mut texts = Vec::new();
    collect(&blocks["blocks"], "text", &mut texts);
    assert!(texts.iter().all(|text| text.chars().count() <= 2000));
    assert!(teams(&message).to_string().len() < 28_000);
    assert!(pagerduty(&message).to_string().len() < 512_000);
}

#[test]
fn what_ends_resolves_what_was_opened() {
    let key = |event: &Event| pagerduty(&message(event))["dedup_key"].clone();
    let action = |event: &Event| pagerduty(&message(event))["event_action"].clone();
    let (open, close) = (paused("no leader"), ended(RunState::RolledBack));
    assert_eq!(key(&open), key(&close));
    assert_eq!((action(&open), action(&close)), ("trigger".into(), "resolve".into()));
    let changed = |worse: bool, to| match worse {
        true => Event::ReadinessWorse { pair: pair(), from: CheckStatus::Ok, to, checks: Vec::new() },
        false => Event::ReadinessBetter { pair: pair(), from: CheckStatus::Critical, to, checks: Vec::new() },
    };
    let (worse, better) = (changed(true, CheckStatus::Critical), changed(false, CheckStatus::Ok));
    assert_eq!(key(&worse), key(&better));
    assert_eq!((action(&worse), action(&better)), ("trigger".into(), "resolve".into()));
    let half = changed(false, CheckStatus::Warning);
    assert_eq!(action(&half), "trigger", "a pair that is not well stays an incident");
    assert_eq!(pagerduty(&message(&half))["payload"]["severity"], "warning");
}

fn sample_run(state: RunState) -> Run {
    let person = Person { id: Uuid::from_u128(5), name: "otto".to_owned() };
    Run {
        id: Uuid::from_u128(7),
        number: 214,
        plan: Uuid::nil(),
        plan_hash: String::new(),
        pair: pair(),
        team: TeamName::new("core").unwrap(),
        operation: Operation::Switchover,
        direction: Direction { from: Side::A },
        course: "eu-west → eu-central".to_owned(),
        drill: false,
        state,
        state_reason: String::new(),
        requested_by: person,
        reason: "brokers are slow".to_owned(),
        created_at: at(),
        decide_by: at(),
        use_by: None,
        approvals_needed: 1,
        approved_at: None,
        driver: None,
        started_at: None,
        no_return_at: None,
        ended_at: None,
        epoch: 0,
        outcome: None,
    }
}

#[test]
fn every_state_of_a_run_is_told_or_left_out_on_purpose() {
    let told: Vec<&str> = RunState::ALL
        .into_iter()
        .filter(|state| !of_run(&sample_run(*state), None).is_empty())
        .map(RunState::as_str)
        .collect();
    assert_eq!(
        told,
        [
            "awaiting_approval",
            "rejected",
            "expired",
            "waiting_for_input",
            "paused_by_failure",
            "rolled_back",
            "stuck",
            "closed_manually",
            "succeeded",
            "succeeded_with_exceptions",
            "failed",
            "cleanup_incomplete",
            "awaiting_attestation",
            "passed",
            "inconclusive"
        ]
    );
    let kinds = |from| -> Vec<EventKind> {
        of_run(&sample_run(RunState::Running), Some(from)).iter().map(Event::kind).collect()
    };
    assert_eq!(kinds(RunState::Approved), [EventKind::RunStarted]);
    assert_eq!(kinds(RunState::AwaitingApproval), [EventKind::RunStarted, EventKind::BreakGlass]);
    assert_eq!(kinds(RunState::PausedByOperator), []);
}

#[test]
fn an_event_reads_back_as_it_was_stored() {
    let event = paused(HOSTILE);
    let stored = serde_json::to_value(&event).unwrap();
    assert_eq!(stored["kind"], "paused_by_failure");
    assert_eq!(serde_json::from_value::<Event>(stored).unwrap(), event);
}

fn silent_loss(number: Option<i64>, over: bool) -> Event {
    Event::Alarm {
        pair: pair(),
        id: Uuid::from_u128(9),
        number,
        code: AlarmCode::ReplicationHole,
        likely: false,
        about: "payments.captured".to_owned(),
        said: "Records were removed before they were copied.".to_owned(),
        places: Vec::new(),
        since: "by 4 Oct 2024 00:00 UTC".to_owned(),
        lost: "at most 700 records".to_owned(),
        next: "Look whether they can be written again.".to_owned(),
        over,
    }
}

#[test]
fn a_message_of_an_alarm_leads_to_it_open_or_ended() {
    // The list begins with it, however many came since.
    let there = "https://muster.example/alarms?state=all&pair=payments&after=43#alarm-42";
    for over in [false, true] {
        assert_eq!(message(&silent_loss(Some(42), over)).link, there, "over: {over}");
    }
    // One that was kept before alarms had their number in it.
    let mut stored = serde_json::to_value(silent_loss(Some(42), false)).unwrap();
    assert_eq!(stored["number"], 42);
    stored.as_object_mut().unwrap().remove("number");
    let old: Event = serde_json::from_value(stored).unwrap();
    assert_eq!(old, silent_loss(None, false));
    assert_eq!(message(&old).link, "https://muster.example/alarms?state=all&pair=payments");
}

fn result(code: CheckCode, status: CheckStatus) -> CheckResult {
    CheckResult {
        code,
        status,
        reason: "no record for 90 s".to_owned(),
        evidence: Value::Null,
        next_step: String::new(),
    }
}

fn checks(status: CheckStatus) -> Vec<CheckResult> {
    [CheckStatus::NotApplicable, status].map(|status| result(CheckCode::FlowMoving, status)).into()
}

fn survey(second: i64) -> Survey {
    Survey { pair: pair(), began_at: at() + TimeDelta::seconds(second), ..samples::survey() }
}

#[test]
fn worse_is_told_at_once_and_better_once_it_lasts() {
    use CheckStatus::{Critical, Ok as Well, Warning};
    let mut told = None;
    let mut look = |second: i64, status| {
        let (now, event) = news_of_readiness(told, &survey(second), &checks(status));
        told = Some(now);
        event.map(|event| event.kind())
    };
    assert_eq!(look(0, Warning), None, "the first survey is no change");
    assert_eq!(look(5, Critical), Some(EventKind::ReadinessWorse));
    assert_eq!(look(10, Well), None);
    assert_eq!(look(15, Critical), None, "a flapping check is told once");
    assert_eq!(look(20, Well), None);
    assert_eq!(look(79, Warning), None);
    assert_eq!(look(80, Warning), Some(EventKind::ReadinessBetter));
    assert_eq!(look(85, Warning), None);
    assert_eq!(look(90, Critical), Some(EventKind::ReadinessWorse));
}

#[test]
fn what_only_a_survey_that_was_brought_forward_cannot_tell_is_no_news() {
    use CheckStatus::{Critical, Ok as Well, Unknown, Warning};
    let told = |status, better_since| Some(Told { status, better_since });
    let early = Survey { brought_forward: true, ..survey(50) };
    let moving = |status| result(CheckCode::FlowMoving, status);
    let with = |other, status| vec![result(CheckCode::Rights, other), moving(status)];
    let since = Some(at());
    let untouched = [told(Well, None), told(Unknown, None), told(Critical, None), told(Critical, since)];
    for before in untouched {
        let (now, event) = news_of_readiness(before, &early, &with(Well, Unknown));
        assert_eq!((Some(now), event), (before, None), "neither worse nor better");
    }
    let kinds = |before, survey: &Survey, results: &[CheckResult]| {
        let (now, event) = news_of_readiness(before, survey, results);
        (now.status, event.map(|event| event.kind()))
    };
    let worse = Some(EventKind::ReadinessWorse);
    assert_eq!(
        kinds(told(Well, None), &survey(50), &with(Well, Unknown)),
        (Unknown, worse),
        "one that was due"
    );
    assert_eq!(kinds(told(Well, None), &early, &with(Well, Critical)), (Critical, worse));
    let elsewhere = vec![result(CheckCode::Canary, Unknown), moving(Well)];
    assert_eq!(kinds(told(Well, None), &early, &elsewhere), (Unknown, worse), "another check");

    let (now, event) = news_of_readiness(told(Well, None), &early, &with(Warning, Unknown));
    assert_eq!(now.status, Warning, "what else is worse is told as bad as it is");
    let Some(Event::ReadinessWorse { to: Warning, checks, .. }) = &event else { panic!("{event:?}") };
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert!(checks[0].starts_with(CheckCode::Rights.title()), "{checks:?}");
}

#[test]
fn retries_slow_down_and_end_after_a_day() {
    let (mut now, mut attempts) = (at(), 0);
    let mut pauses = Vec::new();
    while let Next::Again(next) = {
        attempts += 1;
        after_failure(at(), attempts, 0, now)
    } {
        pauses.push((next - now).num_seconds());
        now = next;
    }
    assert_eq!(pauses[..4], [5, 10, 20, 40]);
    assert_eq!(pauses.iter().max(), Some(&300), "what comes later waits for it");
    let hours = (now - at()).num_hours();
    assert_eq!(hours, 24);
    assert!(attempts < 300, "{attempts}");
}

#[test]
fn what_is_refused_as_wrong_again_and_again_is_given_up_within_minutes() {
    let mut now = at();
    for refusals in 1..REFUSED_AT_MOST {
        let Next::Again(next) = after_failure(at(), refusals, refusals, now) else {
            panic!("after {refusals}")
        };
        now = next;
    }
    assert_eq!(after_failure(at(), REFUSED_AT_MOST, REFUSED_AT_MOST, now), Next::GiveUp);
    assert!(now - at() < chrono::TimeDelta::minutes(5), "{now}");
    // One refusal after many other failures is none too many.
    assert!(matches!(after_failure(at(), 40, 1, now), Next::Again(_)));
    let refused: Vec<u16> = (200..600).filter(|status| is_refusal(*status)).collect();
    assert!([400, 401, 403, 404, 410, 413, 422, 499].iter().all(|status| refused.contains(status)));
    assert!([200, 302, 408, 425, 429, 500, 503].iter().all(|status| !refused.contains(status)));
}

fn channel(kind: ChannelKind) -> Channel {
    Channel {
        id: Uuid::from_u128(3),
        team: TeamName::new("core").unwrap(),
        name: ChannelName::new("on-call").unwrap(),
        kind,
        events: BTreeSet::from([EventKind::Ended]),
        enabled: true,
        recipients: Vec::new(),
        host: String::new(),
        version: 1,
    }
}

#[test]
fn a_channel_holds_together() {
    let url = || ChannelSecrets { url: Some(SecretString::from("https://a.example")), ..Default::default() };
    let check = |kind, given: &ChannelSecrets| check_channel(&channel(kind), &[], given);
    assert_eq!(check(ChannelKind::Slack, &url()), Ok(()));
    assert_eq!(check(ChannelKind::Email, &url()), Err(WrongChannel::Recipients(0)));
    let missing = WrongChannel::Missing(ChannelKind::Webhook, SecretField::SigningKey);
    assert_eq!(check(ChannelKind::Webhook, &url()), Err(missing));
    let short = ChannelSecrets { signing_key: Some(SecretString::from("guess me")), ..url() };
    assert_eq!(check(ChannelKind::Webhook, &short), Err(WrongChannel::ShortKey));
    let useless = WrongChannel::Useless(ChannelKind::Teams, SecretField::SigningKey);
    assert_eq!(check(ChannelKind::Teams, &short), Err(useless));
    let kept = check_channel(&channel(ChannelKind::Slack), &[SecretField::Url], &ChannelSecrets::default());
    assert_eq!(kept, Ok(()));
    let nothing = Channel { events: BTreeSet::new(), ..channel(ChannelKind::Slack) };
    assert_eq!(check_channel(&nothing, &[], &url()), Err(WrongChannel::NoEvents));
}

#[test]
fn pagerduty_is_told_of_what_ends_its_incidents() {
    let asked = BTreeSet::from([EventKind::PausedByFailure, EventKind::ReadinessWorse]);
    let told = told_of(ChannelKind::Pagerduty, asked.clone());
    assert!(told.contains(&EventKind::Ended) && told.contains(&EventKind::ReadinessBetter));
    let told = told_of(ChannelKind::Slack, asked.clone());
    assert!(!told.contains(&EventKind::Ended) && told.is_superset(&asked));
}

#[test]
fn every_channel_is_told_when_the_glass_is_broken() {
    for kind in ChannelKind::ALL {
        let told = told_of(kind, BTreeSet::from([EventKind::DrillDue]));
        assert_eq!(told, BTreeSet::from([EventKind::DrillDue, EventKind::BreakGlass]), "{kind:?}");
    }
}
