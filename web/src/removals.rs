//! What the page says before a schedule, a channel, a team, a pair or a cluster is removed, and before a canary is stopped.

use muster_domain::{cluster::Cluster, notification::Channel, pair::Pair, record::Run, schedule::Schedule};

use crate::{
    chrome::Chrome,
    danger::{Danger, DangerPage},
    drills::{cadence, drill_word},
    format,
    parts::Link,
    teams::{TeamSeen, stays},
    words,
};

impl DangerPage {
    /// Before a schedule is removed; `others` is how many more its pair has.
    #[must_use]
    pub fn remove_schedule(chrome: Chrome, schedule: &Schedule, others: usize) -> Self {
        let pair = &schedule.pair;
        let what = format!("{} of {pair}", drill_word(Some(schedule.drill)));
        let next = schedule.enabled.then(|| schedule.next_after(chrome.now()).ok()).flatten();
        let facts = vec![
            ("How often", format!("{}, {}", cadence(&schedule.cadence), schedule.zone.name())),
            (
                "Next due",
                match next {
                    Some(next) => format!("{} UTC", format::date_time(next.due)),
                    None if schedule.enabled => "never again".to_owned(),
                    None => "never: it is switched off".to_owned(),
                },
            ),
            (
                "Owners",
                match schedule.owners.is_empty() {
                    true => "nobody named".to_owned(),
                    false => schedule.owners.join(", "),
                },
            ),
            (
                "Taken back",
                "what it asked for and nobody has begun; a drill that is due now counts as skipped"
                    .to_owned(),
            ),
            ("Stays", "drills that came due, their runs and their reports".to_owned()),
            (
                "Other schedules of the pair",
                match others {
                    0 => format!("none: no drill of {pair} comes due any more"),
                    n => n.to_string(),
                },
            ),
        ];
        let danger = Danger {
            act: format!("Remove the schedule: {what}"),
            verb: "remove",
            lead: "Nothing comes due by it any more. It cannot be brought back; another one can be made."
                .to_owned(),
            facts,
            rule: None,
            action: format!("/drills/{}/remove", schedule.id),
            version: Some(schedule.version),
            typed: None,
            back: Link::new("/drills", format!("Leave the schedule as it is: {what}")),
        };
        Self::new(chrome.under("/drills", "Drills"), danger)
    }

    /// Before a channel is removed. `others` is how many more of its team are switched on, `waiting` how many of the last
    /// messages through it are still to be sent.
    #[must_use]
    pub fn remove_channel(chrome: Chrome, channel: &Channel, others: usize, waiting: usize) -> Self {
        let (name, team) = (&channel.name, &channel.team);
        let to = match channel.recipients.is_empty() {
            true => channel.host.clone(),
            false => channel.recipients.join(", "),
        };
        let kind = words::channel_kind(channel.kind);
        let told: Vec<&str> = channel.events.iter().map(|event| words::event(*event)).collect();
        let facts = vec![
            ("Goes to", if to.is_empty() { kind.to_owned() } else { format!("{kind}: {to}") }),
            ("Told of", told.join(", ")),
            (
                "Not sent any more",
                match waiting {
                    0 => "nothing waits".to_owned(),
                    n => format!("{} not delivered yet", format::count(n, "message")),
                },
            ),
            ("Removed with it", "its address and keys, and what is kept of its last messages".to_owned()),
            (
                "Left for the team",
                match others {
                    0 => format!(
                        "no channel that is switched on: nobody of {team} is told of anything then, not even that somebody \
                         starts a run without approval"
                    ),
                    n => format!("{} switched on", format::count(n, "channel")),
                },
            ),
        ];
        let danger = Danger {
            act: format!("Remove channel {name} of {team}"),
            verb: "remove",
            lead: "Nothing is sent there from now on. To set it up again its address and keys have to be entered anew."
                .to_owned(),
            facts,
            rule: None,
            action: format!("/notifications/{}/remove", channel.id),
            version: Some(channel.version),
            typed: None,
            back: Link::new("/notifications", format!("Leave channel {name} as it is")),
        };
        Self::new(chrome.under("/notifications", "Notifications"), danger)
    }

    /// Before a team is removed; refused while something belongs to it.
    #[must_use]
    pub fn remove_team(chrome: Chrome, team: &TeamSeen) -> Self {
        let name = &team.name;
        let listed = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let members = team.members.iter().filter(|member| !member.roles.is_empty());
        let members: Vec<String> = members.map(|member| member.name.clone()).collect();
        let facts = vec![
            ("Pairs", listed(&team.pairs)),
            ("Channels", listed(&team.channels)),
            ("People with a role for it", listed(&members)),
            ("Stays", "runs and audit entries of the team, under its name".to_owned()),
        ];
        let danger = Danger {
            act: format!("Remove team {name}"),
            verb: "remove",
            lead:
                "No pair, channel or role can be given to it any more. Who has a role for all teams keeps it."
                    .to_owned(),
            facts,
            rule: Some(stays(team)).filter(|rule| !rule.is_empty()),
            action: format!("/teams/{name}/remove"),
            version: Some(team.version),
            typed: None,
            back: Link::new(format!("/teams/{name}"), format!("Leave team {name} as it is")),
        };
        let chrome = chrome.under("/teams", "Teams").under(format!("/teams/{name}"), name.as_str());
        Self::new(chrome, danger)
    }

    /// Before a pair is removed. It is refused while it has schedules, or a run of it that is not over (`open`).
    #[must_use]
    pub fn remove_pair(chrome: Chrome, pair: &Pair, open: &[Run], has_schedules: bool) -> Self {
        let name = &pair.name;
        let runs =
            open.iter().map(|run| format!("{}, {}", words::run_name(run), words::run_state(run.state).2));
        let runs: Vec<String> = runs.collect();
        let facts = vec![
            ("Direction", between(pair)),
            ("Team", pair.team.to_string()),
            ("Runs that are not over", if runs.is_empty() { "none".to_owned() } else { runs.join("; ") }),
            (
                "Removed with it",
                "its settings, what was observed of it, its lag over time, its losses and alarms, its canary's times, and \
                 what is kept of its groups' positions"
                    .to_owned(),
            ),
            (
                "Stays",
                "its plans, runs with their reports, proofs, findings, drills that came due, audit entries; with any of them \
                 its name is not given again"
                    .to_owned(),
            ),
            (
                "On the clusters",
                "nothing is changed: topics, groups, ACLs and connectors stay, and what replicates goes on".to_owned(),
            ),
        ];
        let danger = Danger {
            act: format!("Remove pair {name}, {}", between(pair)),
            verb: "remove",
            lead: format!(
                "Muster observes {name} no longer: nobody is alarmed about it, and nothing can be planned for it. What was \
                 observed cannot be brought back by making the pair anew."
            ),
            facts,
            rule: in_the_way(name.as_str(), open, has_schedules),
            action: format!("/pairs/{name}/remove"),
            version: Some(pair.version),
            typed: Some(("Type the name of the pair", name.to_string())),
            back: Link::new(format!("/pairs/{name}"), format!("Leave pair {name} as it is")),
        };
        Self::new(under_pair(chrome, pair), danger)
    }

    /// Before a pair's canary is stopped.
    #[must_use]
    pub fn stop_canary(chrome: Chrome, pair: &Pair) -> Self {
        let name = &pair.name;
        let topic = pair.canary_topic.as_deref();
        let facts = vec![
            ("Direction", between(pair)),
            ("Topic", topic.unwrap_or("none").to_owned()),
            (
                "Not known any more",
                "how long records take from end to end, and whether they arrive: the check `canary` does not apply then"
                    .to_owned(),
            ),
            ("Stays", "the topic and its records on both sides, until somebody removes them there".to_owned()),
            ("Voided", format!("plans and approvals of {name}, as by every edit of a pair")),
        ];
        let danger = Danger {
            act: format!("Stop the canary of {name}"),
            verb: "stop the canary",
            lead:
                "Muster writes no more records of its own. It can be begun again in the settings of the pair."
                    .to_owned(),
            facts,
            rule: topic.is_none().then(|| format!("{name} has no canary.")),
            action: format!("/pairs/{name}/canary/remove"),
            version: Some(pair.version),
            typed: None,
            back: Link::new(format!("/pairs/{name}"), format!("Leave the canary of {name} as it is")),
        };
        Self::new(under_pair(chrome, pair), danger)
    }

    /// Before a cluster is removed; refused while pairs are made of it.
    #[must_use]
    pub fn remove_cluster(chrome: Chrome, cluster: &Cluster, pairs: &[String]) -> Self {
        let name = &cluster.name;
        let id = cluster.expected_cluster_id.clone();
        let facts = vec![
            ("Bootstrap", cluster.bootstrap.join(", ")),
            ("Cluster id", id.unwrap_or_else(|| "not confirmed yet".to_owned())),
            ("Pairs it is in", if pairs.is_empty() { "none".to_owned() } else { pairs.join(", ") }),
            ("Removed with it", "its addresses, its sealed secrets, and what was last seen of it".to_owned()),
            ("Stays", "audit entries, and the reports of runs that moved applications there or away".to_owned()),
            (
                "On the cluster",
                "nothing is changed: Muster's principal keeps its rights until somebody takes them away there".to_owned(),
            ),
        ];
        let rule = (!pairs.is_empty())
            .then(|| format!("It is still in {}. Remove what is made of it first.", format::list(pairs, 6)));
        let danger = Danger {
            act: format!("Remove cluster {name}"),
            verb: "remove",
            lead: format!(
                "Muster forgets how to reach {name}. To register it again its secrets have to be entered anew."
            ),
            facts,
            rule,
            action: format!("/clusters/{name}/remove"),
            version: Some(cluster.version),
            typed: Some(("Type the name of the cluster", name.to_string())),
            back: Link::new(format!("/clusters/{name}"), format!("Leave cluster {name} as it is")),
        };
        let chrome = chrome.under("/clusters", "Clusters").under(format!("/clusters/{name}"), name.as_str());
        Self::new(chrome, danger)
    }
}

pub(crate) fn under_pair(chrome: Chrome, pair: &Pair) -> Chrome {
    chrome.under("/", "Fleet").under(format!("/pairs/{}", pair.name), pair.name.as_str())
}

/// `eu-west ⇄ eu-central`, or with one arrow for a pair that is replicated one way.
fn between(pair: &Pair) -> String {
    let (a, b) = (&pair.clusters.a, &pair.clusters.b);
    match pair.flows.as_slice() {
        [only] => pair.course(only.direction),
        _ => format!("{a} ⇄ {b}"),
    }
}

/// What keeps a pair from being removed.
fn in_the_way(pair: &str, open: &[Run], has_schedules: bool) -> Option<String> {
    if let Some(run) = open.first() {
        let state = words::run_state(run.state).2.to_lowercase();
        return Some(format!(
            "{} of {pair} is not over: {state}. Let it end, or have it aborted or rejected first.",
            words::capital(&words::run_name(run))
        ));
    }
    has_schedules.then(|| {
        format!(
            "Drills of {pair} are scheduled. Remove its schedules first; what they asked for is taken back."
        )
    })
}
