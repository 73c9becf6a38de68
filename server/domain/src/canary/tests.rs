use super::*;
use crate::{
    alarm::{self, Inputs},
    difference::differences,
    lag::{Clock, EndsAt, Pace, Past, ends_of, high_watermarks, judge_flow},
    loss::{Evidence, LastEnds, state_loss},
    pair::{BySide, NamingPolicy, Side},
    patterns::Scope,
    readiness::{CheckCode, CheckResult, CheckStatus, evaluate, judge_canary},
    reading::ReadingClass,
    recorder::partition_samples,
    samples::{self, FORWARD, at, topics},
    survey::Survey,
};

fn pair() -> Pair {
    Pair { canary_topic: Some("muster.canary".to_owned()), ..samples::pair() }
}

fn prefixed() -> Pair {
    let mut pair = pair();
    for flow in &mut pair.flows {
        flow.naming = NamingPolicy::Prefixed { separator: ".".to_owned() };
    }
    pair
}

fn settings() -> CanarySettings {
    CanarySettings::of(&pair()).expect("it has one")
}

fn seen(seconds: i64, ms: i64) -> Seen {
    Seen { written_at: at(seconds) - TimeDelta::milliseconds(ms), seen_at: at(seconds), ms }
}

/// Written since 0 s, the newest seen at 100 s in 400 ms, the last turn at 100 s.
fn track() -> Track {
    let mut track = Track::new(FORWARD, 0, "muster.canary", at(0));
    track.chosen = true;
    track.since = Some(at(0));
    track.wrote(at(100));
    track.arrived(Some(seen(100, 400)), None);
    track.turned(Turn::Wrote, at(100));
    track
}

fn stands(track: Option<&Track>, now: i64) -> Standing {
    judge(&pair(), &settings(), (FORWARD, 0), track, None, at(now))
}

#[test]
fn a_value_is_current_for_two_periods_old_after_that_and_gone_from_sight_after_three() {
    let mut track = track();
    let mut of = |now: i64| {
        track.turned_at = at(now);
        let standing = stands(Some(&track), now);
        (standing.state, standing.end_to_end.class, standing.end_to_end.value)
    };
    assert_eq!(of(100), (CanaryState::Arrives, ReadingClass::Exact, Some(400)));
    assert_eq!(of(110), (CanaryState::Arrives, ReadingClass::Exact, Some(400)));
    assert_eq!(of(111), (CanaryState::Late, ReadingClass::Stale, Some(400)));
    assert_eq!(of(115), (CanaryState::Late, ReadingClass::Stale, Some(400)));
    assert_eq!(of(116), (CanaryState::DoesNotArrive, ReadingClass::Stale, Some(400)));
    assert_eq!(of(3_600), (CanaryState::DoesNotArrive, ReadingClass::Stale, Some(400)));
}

#[test]
fn what_does_not_arrive_says_since_when_and_how_much_waits() {
    let mut track = track();
    for second in [105, 110, 115] {
        track.wrote(at(second));
        track.turned(Turn::Wrote, at(second + 5));
    }
    let standing = stands(Some(&track), 121);
    assert_eq!(
        standing.reason,
        "nothing was seen on `dr` for 21 s; 3 written and not seen, the first 16 s ago"
    );
    assert_eq!(standing.end_to_end.at, at(100), "its age is that of the record, not of the look");
    assert!(standing.next_step.contains("refresh.topics.interval.seconds"), "{}", standing.next_step);
    track.copy_missing = true;
    track.seen = None;
    let never = stands(Some(&track), 121);
    assert!(never.reason.starts_with("`dr` has no copy of `muster.canary`"), "{}", never.reason);
    assert_eq!((never.end_to_end.class, never.end_to_end.value), (ReadingClass::Unknown, None));
}

#[test]
fn silence_of_the_one_who_writes_is_told_whatever_was_measured_last() {
    let track = track();
    assert_eq!(stands(Some(&track), 135).state, CanaryState::Late, "nobody has looked whether it arrived");
    let silent = stands(Some(&track), 136);
    assert_eq!((silent.state, silent.end_to_end.value), (CanaryState::Unwatched, None));
    assert_eq!(silent.seen.map(|seen| seen.ms), Some(400), "what was measured is not lost");
    assert_eq!(stands(None, 100).state, CanaryState::Unwatched);
    let other = Track { topic: "another".to_owned(), ..track };
    assert_eq!(stands(Some(&other), 100).state, CanaryState::Unwatched, "another topic is another canary");
}

#[test]
fn what_could_not_be_measured_has_no_value_and_one_miss_is_no_trouble() {
    let mut track = track();
    let failed = Turn::Failed { reason: "no answer within 4 s".to_owned() };
    track.turned(failed.clone(), at(105));
    assert_eq!(stands(Some(&track), 105).state, CanaryState::Late);
    track.turned(failed, at(120));
    let standing = stands(Some(&track), 120);
    assert_eq!((standing.state, standing.end_to_end.value), (CanaryState::NotMeasured, None));
    assert_eq!(standing.end_to_end.reason, "no answer within 4 s");
}

#[test]
fn after_a_pause_silence_counts_from_its_end() {
    let mut track = track();
    track.rested(Turn::Paused { reason: "run 7 holds the pair".to_owned() }, false, at(105));
    assert_eq!((track.since, track.chosen), (None, false));
    let paused = stands(Some(&track), 110);
    assert_eq!((paused.state, paused.end_to_end.class), (CanaryState::Paused, ReadingClass::Stale));
    track.since = Some(at(900));
    track.wrote(at(900));
    track.turned(Turn::Wrote, at(905));
    assert_eq!(stands(Some(&track), 905).state, CanaryState::Late);
    track.turned_at = at(916);
    assert_eq!(stands(Some(&track), 916).state, CanaryState::DoesNotArrive);
    track.seen = None;
    track.turned_at = at(905);
    assert_eq!(stands(Some(&track), 905).state, CanaryState::Beginning);
}

#[test]
fn what_is_outstanding_is_counted_from_the_first() {
    let mut track = Track::new(FORWARD, 0, "muster.canary", at(0));
    track.wrote(at(1));
    track.wrote(at(6));
    assert_eq!(track.outstanding, Some(Outstanding { records: 2, since: at(1) }));
    track.arrived(Some(seen(7, 6_000)), Some(Outstanding { records: 1, since: at(6) }));
    assert_eq!(track.outstanding, Some(Outstanding { records: 1, since: at(6) }));
    track.arrived(Some(seen(8, 2_000)), None);
    assert_eq!((track.outstanding, track.seen.map(|seen| seen.ms)), (None, Some(2_000)));
}

#[test]
fn percentiles_are_measured_values() {
    assert_eq!(Hour::of(vec![], 0, 0), None);
    let one = Hour::of(vec![7], 1, 7).expect("some");
    assert_eq!((one.p50_ms, one.p99_ms, one.max_ms), (7, 7, 7));
    let hundred = Hour::of((1..=100).rev().collect(), 100, 100).expect("some");
    assert_eq!((hundred.p50_ms, hundred.p99_ms, hundred.max_ms), (50, 99, 100));
    let two = Hour::of(vec![100, 1], 2, 100).expect("some");
    assert_eq!((two.p50_ms, two.p99_ms), (1, 100));
    let capped = Hour::of(vec![5, 6], 900, 4_000).expect("some");
    assert_eq!((capped.seen, capped.max_ms), (900, 4_000));
}

#[test]
fn settings_out_of_bounds_are_the_bound() {
    let odd = Pair { canary_partitions: 900, canary_seconds: 0, ..pair() };
    let settings = CanarySettings::of(&odd).expect("it has one");
    assert_eq!((settings.partitions, settings.period), (32, TimeDelta::seconds(2)));
    assert_eq!(CanarySettings::of(&samples::pair()), None);
}

fn whereabouts(active: Option<Side>, a: Option<bool>, b: Option<bool>) -> Whereabouts {
    let active_unknown = active.is_none().then(|| "no flow copies records now".to_owned());
    Whereabouts { active, active_unknown, copying: BySide { a, b } }
}

/// What is to be done on the flows from A and from B.
fn courses(pair: &Pair, now: &Whereabouts, chosen: bool) -> [&'static str; 2] {
    [0, 1].map(|flow| match course(pair, &pair.flows[flow], now, chosen) {
        Course::Write => "write",
        Course::Rest { .. } => "rest",
        Course::Unclear { .. } => "unclear",
    })
}

#[test]
fn only_the_active_side_is_written_and_never_a_copy() {
    let a = whereabouts(Some(Side::A), Some(true), Some(false));
    assert_eq!(courses(&pair(), &a, false), ["write", "rest"]);
    assert_eq!(courses(&pair(), &a, true), ["write", "rest"]);
    assert_eq!(courses(&prefixed(), &a, true), ["write", "rest"]);
    let both = whereabouts(None, Some(true), Some(true));
    assert_eq!(courses(&pair(), &both, true), ["unclear", "unclear"], "records would go in circles");
    assert_eq!(courses(&prefixed(), &both, false), ["write", "write"], "active-active with distinct names");
}

#[test]
fn a_flow_that_was_stopped_goes_on_being_written_while_nothing_is_copied_the_other_way() {
    let stopped = whereabouts(None, Some(false), Some(false));
    assert_eq!(courses(&pair(), &stopped, false), ["unclear", "unclear"]);
    assert_eq!(course(&pair(), &pair().flows[0], &stopped, true), Course::Write);
    let unseen = whereabouts(None, None, Some(false));
    assert_eq!(course(&pair(), &pair().flows[0], &unseen, true), Course::Write, "its own worker is gone");
    let turned = whereabouts(None, Some(false), None);
    assert_ne!(course(&pair(), &pair().flows[0], &turned, true), Course::Write, "nobody knows the way back");
}

fn surveyed(status: CheckStatus) -> CheckResult {
    CheckResult {
        code: CheckCode::Canary,
        status,
        reason: "as surveyed".to_owned(),
        evidence: serde_json::Value::Null,
        next_step: String::new(),
    }
}

#[test]
fn readiness_takes_what_was_measured_and_the_worse_of_both() {
    let arrives = stands(Some(&track()), 100);
    let gone = stands(Some(&Track { turned_at: at(200), ..track() }), 200);
    let late = stands(Some(&Track { turned_at: at(111), ..track() }), 111);
    let mut resting = track();
    resting.rested(Turn::Rested { reason: "stands by".to_owned() }, false, at(100));
    let resting = stands(Some(&resting), 100);
    let check = |status, standings: &[Standing]| judge_canary(surveyed(status), &pair(), standings, false);
    assert_eq!(check(CheckStatus::Ok, &[]).reason, "as surveyed");
    let well = check(CheckStatus::Ok, &[arrives.clone(), resting.clone()]);
    assert_eq!(
        (well.status, well.reason.as_str()),
        (
            CheckStatus::Ok,
            "the canary primary → dr, partition 0, arrives: the newest record arrived in 400 ms"
        )
    );
    let bad = check(CheckStatus::Ok, &[arrives, gone.clone(), gone.clone()]);
    assert_eq!(bad.status, CheckStatus::Critical);
    assert!(bad.reason.ends_with("; and 1 more") && !bad.next_step.is_empty(), "{bad:?}");
    assert_eq!(check(CheckStatus::Ok, std::slice::from_ref(&resting)).status, CheckStatus::NotApplicable);
    assert_eq!(check(CheckStatus::Unknown, std::slice::from_ref(&resting)).reason, "as surveyed");
    assert_eq!(check(CheckStatus::Unknown, std::slice::from_ref(&gone)).status, CheckStatus::Critical);
    assert_eq!(check(CheckStatus::Critical, &[stands(None, 0)]).reason, "as surveyed");
    assert_eq!(check(CheckStatus::Ok, &[stands(None, 0)]).status, CheckStatus::Unknown, "nobody writes it");
    assert_eq!(check(CheckStatus::Ok, std::slice::from_ref(&late)).status, CheckStatus::Warning);
    // Who has just taken the pair over cannot have looked yet, and tells nobody that something got worse by that.
    let taken = |standing: &Standing| {
        judge_canary(surveyed(CheckStatus::Ok), &pair(), std::slice::from_ref(standing), true).status
    };
    assert_eq!([taken(&stands(None, 0)), taken(&late)], [CheckStatus::NotApplicable; 2]);
    assert_eq!(taken(&gone), CheckStatus::Critical);
}

/// A survey in which the canary of both sides is busy and differs in everything.
fn with_canary(mut survey: Survey, pair: &Pair, grown: i64) -> Survey {
    let copy = pair.flows[0].naming.target_name("primary", "muster.canary");
    let back = pair.flows[1].naming.target_name("dr", "muster.canary");
    for (side, name, end) in [
        (Side::A, "muster.canary", 700 + grown),
        (Side::A, back.as_str(), 700 + grown),
        (Side::B, copy.as_str(), 20 + 3 * grown),
        (Side::B, "muster.canary", 20 + 3 * grown),
    ] {
        let mut topic = samples::topic(end);
        topic.id = Some(uuid::Uuid::from_u128(u128::from(grown.unsigned_abs()) + 1));
        topic.partitions[0].in_sync = 1;
        topics(&mut survey, side).insert(name.to_owned(), topic);
    }
    survey
}

/// Everything rules say of two surveys in a row.
fn all_that_is_said(pair: &Pair, previous: &Survey, survey: &Survey) -> Vec<String> {
    let clusters = samples::clusters();
    let clock = Clock { now: at(5), period: TimeDelta::seconds(5) };
    let mut said = Vec::new();
    for flow in &pair.flows {
        let history: Vec<EndsAt> =
            [previous, survey].iter().filter_map(|survey| ends_of(flow, survey)).collect();
        let highs: Vec<EndsAt> =
            [previous, survey].iter().filter_map(|survey| high_watermarks(flow, survey)).collect();
        let pace = Pace::of(pair, flow, &highs);
        let past = Past { ends: &history, high: highs.first(), last: None, pace: &pace };
        let (lag, partitions) = judge_flow(pair, flow, survey, past, clock);
        said.push(format!("{:?}", partition_samples(pair, flow, survey, &partitions)));
        said.push(format!("{lag:?} {partitions:?}"));
        let mut dead = survey.clone();
        *dead.sides.get_mut(flow.direction.from) =
            crate::survey::SideObservation::unreachable("it is dead", at(10));
        let mut high = LastEnds::nothing(at(0));
        high.see(&Scope::of(pair), flow.direction.from, survey);
        let evidence = Evidence {
            history: &history,
            high: &high,
            pace: &pace,
            previous: Some(survey),
            said: None,
            active: None,
        };
        said.push(format!("{:?}", state_loss(pair, flow, &dead, &evidence)));
    }
    let memory = alarm::Memory::default();
    let inputs = |survey, previous| Inputs {
        pair,
        clusters: &clusters,
        survey,
        previous,
        memory: &memory,
        period: TimeDelta::seconds(5),
        moved_by: None,
    };
    let (judged, _) = alarm::judge(inputs(survey, Some(previous)));
    said.push(format!("{judged:?}"));
    let checks = evaluate(pair, &clusters, survey, Some(previous), at(5));
    said.extend(
        checks.iter().filter(|check| check.code != CheckCode::Canary).map(|check| format!("{check:?}")),
    );
    said.push(format!("{:?}", differences(pair, &clusters, survey)));
    said
}

#[test]
fn a_canary_changes_nothing_of_what_is_said_of_lag_loss_alarms_readiness_or_differences() {
    for pair in [pair(), prefixed()] {
        // Where everything is in scope too.
        let pair = Pair { topics: vec![".*".to_owned()], ..pair };
        let mut survey = samples::survey();
        topics(&mut survey, Side::A).insert("orders".to_owned(), samples::topic(130));
        let previous = Survey { began_at: at(-5), ..samples::survey() };
        let without = all_that_is_said(&pair, &previous, &survey);
        let (previous, survey) = (with_canary(previous, &pair, 0), with_canary(survey, &pair, 50));
        let with = all_that_is_said(&pair, &previous, &survey);
        for (with, without) in with.iter().zip(&without) {
            assert_eq!(with, without, "{:?}", pair.flows[0].naming);
        }
    }
}
