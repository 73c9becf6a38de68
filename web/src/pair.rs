//! A pair: how it stands, what would go wrong, and the way to a plan.

use askama::Template;
use chrono::{DateTime, Duration, Utc};
use muster_domain::{
    canary::Standing,
    direction::ActiveSides,
    lag::Rpo,
    loss::Loss,
    pair::{Direction, Pair},
    people::Role,
    problem::Problem,
    reading::{Reading, ReadingClass},
    record::Run,
    run::RunState,
    survey::Survey,
};

use crate::{
    alarms::{AlarmView, Shown},
    checks_panel::ChecksPanel,
    chrome::Chrome,
    fleet::PairFacts,
    format,
    forms::PlanForm,
    lag_address::lag_of,
    pair_canary::{CanaryPanel, CanaryTried, tried},
    pair_facts::measured_rto,
    pair_flows::{FlowRow, flow_rows},
    pair_loss::LossPanel,
    pair_plan::{DrillButton, Planning, drills, plan_fields, planning, settings},
    pair_sides::{SidePart, side_parts},
    pair_topology::Topology,
    parts::{Action, Course, Field, LagChart, Notice, Pill, ReadingView, RtoTrend, Stamp, Tone, When},
    runs::RunRow,
    sign_in::notice,
    survey_age, words,
};

pub use crate::pair_sides::FlowFigures;

/// How far one topic's copy is behind, worst partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicLag {
    /// In records, over all partitions.
    pub records: Reading,
    /// In milliseconds, worst partition.
    pub ms: Reading,
    /// What would be lost if the source died now.
    pub lost: Rpo,
}

/// What the pair's page is made from besides its facts.
#[derive(Debug, Clone)]
pub struct PairDetail<'a> {
    /// As in the fleet; `history` covers `hours`.
    pub facts: PairFacts<'a>,
    /// Newest survey, if there ever was one.
    pub survey: Option<&'a Survey>,
    /// Of the flow away from each side that is active, the one on the left first; where that cannot be told, of the one away from side A,
    /// with nothing known of the pair.
    pub flows: &'a [FlowFigures],
    /// The canaries of the pair; none when it has none.
    pub canaries: &'a [Standing],
    /// What came of records somebody has just asked for.
    pub tried: Option<Result<Vec<CanaryTried>, Problem>>,
    /// Hours the chart covers: 1, 24 or 168.
    pub hours: i64,
    /// What was lost when a source died lately, if one did.
    pub loss: Option<&'a Loss>,
    /// Runs of this pair, newest first.
    pub runs: &'a [Run],
}

/// `GET /pairs/{name}?hours=24`; its plan form posts [`crate::forms::PlanForm`] to `/pairs/{name}/plan`.
#[derive(Debug, Template)]
#[template(path = "pages/pair.html")]
pub struct PairPage {
    chrome: Chrome,
    name: String,
    course: Course,
    pill: Pill,
    stamp: Stamp,
    stamp_ground: String,
    may_edit: bool,
    /// What its owners do, for others.
    not_edited: Vec<Action>,
    notices: Vec<Notice>,
    alarms: Vec<AlarmView>,
    rpo: ReadingView,
    rpo_note: String,
    /// Of each side that is active.
    sides: Vec<SidePart>,
    canaries: Option<CanaryPanel>,
    rto: String,
    rto_note: String,
    loss: Option<LossPanel>,
    topology: Option<Topology>,
    read: Option<When>,
    chart: LagChart,
    spans: Vec<(i64, &'static str, bool)>,
    lag_href: String,
    checks: ChecksPanel,
    here: String,
    there: String,
    flows: Vec<FlowRow>,
    rows: Vec<RunRow>,
    trend: Option<RtoTrend>,
    planning: Planning,
    drills: Vec<DrillButton>,
    plan_refused: Option<Notice>,
    plan_fields: Vec<Field>,
    settings: Vec<(&'static str, String)>,
    unused: Vec<(String, String)>,
}

impl PairPage {
    /// The page for the signed-in person; `refused` is a plan form that was sent before, and what was wrong with it.
    #[must_use]
    pub fn new(chrome: Chrome, detail: &PairDetail<'_>, refused: Option<(&PlanForm, &Problem)>) -> Self {
        let (facts, pair, now) = (&detail.facts, detail.facts.pair, chrome.now());
        let name = pair.name.to_string();
        let from = facts.active.first();
        let direction = Direction { from };
        let (stamp, stamp_ground) = facts.stamp(now);
        let (rto, rto_note) = rto(facts, now);
        let of_which = match facts.active {
            ActiveSides::Both => "; whichever side died, the worse of both flows",
            ActiveSides::One(_) | ActiveSides::NotKnown => "",
        };
        let since = now - Duration::hours(detail.hours);
        let spans = [(1, "1 h"), (24, "24 h"), (168, "7 d")];
        Self {
            course: facts.course().big(),
            pill: facts.readiness_pill(),
            stamp,
            stamp_ground,
            may_edit: chrome.may(Role::Owner, &pair.team),
            not_edited: not_edited(&chrome, pair),
            notices: detail
                .tried
                .iter()
                .map(tried)
                .chain(detail.survey.and_then(|survey| survey_age::notice(now, survey.began_at)))
                .chain(notices(&chrome, facts, now))
                .collect(),
            alarms: facts
                .alarms
                .iter()
                .map(|alarm| {
                    AlarmView::new(alarm, chrome.may(Role::Operator, &alarm.team), Shown::OnPair, now)
                })
                .collect(),
            rpo: facts.rpo_view(now).large(),
            rpo_note: reading_note(
                &facts.rpo,
                &format!("objective {}{of_which}", format::duration(facts.objective_ms())),
            ),
            sides: side_parts(detail, now),
            canaries: CanaryPanel::new(&chrome, facts, detail.canaries),
            rto,
            rto_note,
            loss: detail.loss.map(|loss| LossPanel::new(pair, loss, facts.losses, now)),
            topology: detail
                .survey
                .map(|survey| Topology::new(pair, facts.active, survey, detail.flows, now)),
            read: detail.survey.map(|survey| When::ago(now, survey.began_at)),
            chart: LagChart::new(&name, facts.history, since, now, facts.objective_ms()),
            spans: spans.map(|(hours, label)| (hours, label, hours == detail.hours)).to_vec(),
            lag_href: lag_of(&name, "", hours_word(detail.hours)),
            checks: ChecksPanel::new(facts.checks, now),
            here: pair.cluster(from).to_string(),
            there: pair.cluster(direction.to()).to_string(),
            flows: flow_rows(pair, detail.survey, now),
            trend: RtoTrend::new(&name, detail.runs, pair.objectives.rto_seconds),
            rows: detail.runs.iter().map(|run| RunRow::new(run, now)).collect(),
            planning: planning(&chrome, facts, detail.survey),
            drills: drills(&chrome, facts, detail.survey),
            plan_refused: refused.map(|(_, problem)| notice(problem)),
            plan_fields: plan_fields(refused.map(|(sent, _)| sent)),
            settings: settings(pair),
            unused: pair.unused_settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            chrome: following_unless(
                detail.tried.is_some() || refused.is_some(),
                chrome.titled(name.clone()).under("/", "Fleet"),
            ),
            name,
        }
    }
}

/// What was asked for by a form is not asked for again by looking, and what was wrong with it stays to be read.
fn following_unless(asked: bool, chrome: Chrome) -> Chrome {
    if asked { chrome } else { chrome.following(30) }
}

/// The word of [`crate::lag::RANGES`] for the hours the chart covers.
fn hours_word(hours: i64) -> &'static str {
    crate::lag::RANGES.iter().find(|(_, _, of)| *of == hours).map_or("1h", |(word, ..)| word)
}

/// With the reason of a reading, unless it says it itself.
fn reading_note(reading: &Reading, otherwise: &str) -> String {
    let itself = reading.value.is_none() || reading.class == ReadingClass::Stale;
    if itself || reading.reason.is_empty() {
        otherwise.to_owned()
    } else {
        format!("{otherwise}; {}", reading.reason)
    }
}

fn notices(chrome: &Chrome, facts: &PairFacts<'_>, now: DateTime<Utc>) -> Vec<Notice> {
    let mut notices = Vec::new();
    if let Some((run, steps)) = facts.active_run {
        let doing = words::capital(&words::doing(run.operation, run.pair.as_str()));
        let pill = words::run_pill(run.state, steps);
        let (tone, icon, _) = words::run_state(run.state);
        notices.push(
            Notice::new(tone, format!("{doing}, {}.", run.course), format!("{}.", pill.text()))
                .icon(icon)
                .link(format!("/runs/{}", run.id), format!("Follow run {}", run.number)),
        );
    }
    if let Some(run) = facts.waiting {
        let by = run.use_by.unwrap_or(run.decide_by);
        let approved = run.state == RunState::Approved;
        let verb = if approved { "was approved and waits for its start" } else { "waits for approval" };
        let page = if approved { "" } else { "/approval" };
        let lead = format!("Run {} {verb}.", run.number);
        let text = format!(
            "{}, {}. {} left.",
            words::asks(run.operation, run.pair.as_str()),
            run.course,
            format::left(now, by)
        );
        let link = if approved {
            format!("Open run {}", run.number)
        } else {
            format!("Decide on run {}", run.number)
        };
        notices.push(
            Notice::new(Tone::Warn, lead, text).icon("human").link(format!("/runs/{}{page}", run.id), link),
        );
    }
    if let Some(way) = facts.pair.unattached().next() {
        notices.push(attach(chrome, facts.pair, way));
        return notices;
    }
    match facts.active {
        ActiveSides::Both => notices.push(Notice::new(
            Tone::Idle,
            "Both sides are active.",
            "Records flow both ways, and no side stands by. Each flow has its own figures below; those of the pair are the worse of both.",
        )),
        ActiveSides::NotKnown => notices.push(Notice::new(
            Tone::Unk,
            "Which side is active cannot be told.",
            "It is read from what both sides and the flows show, never assumed. Readiness says what is missing.",
        )),
        ActiveSides::One(_) => {}
    }
    notices
}

/// What an imported pair needs before anything can be said of it.
fn attach(chrome: &Chrome, pair: &Pair, way: Direction) -> Notice {
    let notice = Notice::new(
        Tone::Unk,
        format!("The flow {} is not attached.", pair.course(way)),
        "Until its Connect address and connectors are named, nobody can say which side is active, nor how far replication is.",
    );
    if chrome.may(Role::Owner, &pair.team) {
        notice.link(format!("/pairs/{}/edit", pair.name), format!("Edit {}", pair.name))
    } else {
        notice
    }
}

/// What only owners do, with that rule, to who is none.
fn not_edited(chrome: &Chrome, pair: &Pair) -> Vec<Action> {
    if chrome.may(Role::Owner, &pair.team) {
        return Vec::new();
    }
    [("Edit", "edit"), ("Remove pair", "remove")]
        .map(|(act, does)| {
            let rule = format!("Only owners of {} {does} it.", pair.team);
            Action::refused(format!("{act} {}", pair.name), rule)
        })
        .to_vec()
}

fn rto(facts: &PairFacts<'_>, now: DateTime<Utc>) -> (String, String) {
    let objective = format::seconds(facts.pair.objectives.rto_seconds);
    match facts.last_proof {
        None => ("never measured".to_owned(), format!("objective {objective}; no run yet")),
        Some(run) => {
            let rto = measured_rto(run).map_or_else(|| "not measured".to_owned(), format::duration);
            let when = format::short(now, run.ended_at.unwrap_or(run.created_at));
            let state = words::run_state(run.state).2.to_lowercase();
            (rto, format!("of {objective}; run {}, {when}, {state}", run.number))
        }
    }
}
