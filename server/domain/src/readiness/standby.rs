//! Checks about the standby: would applications find everything there?

use std::collections::{BTreeMap, BTreeSet};

use super::{CheckCode as Code, CheckResult, CheckStatus, Scene};
use crate::{
    access,
    difference::{self, DECISIVE, TopicGap, config_gaps, topic_gaps},
    pair::{Direction, Side},
    patterns::Scope,
    survey::{PartitionObservation, TopicObservation},
};

pub(super) fn evaluate(scene: &Scene<'_>) -> Vec<CheckResult> {
    match (&scene.active, both_topics(scene)) {
        (Ok(active), Ok(topics)) => {
            let view = View { scene, active: *active, topics };
            vec![
                view.topics_there(),
                view.configs(),
                view.durability(),
                view.grants(),
                view.fenced(),
                view.groups_active(),
                view.offsets_stale(),
            ]
        }
        (Err(reason), _) => unknown(reason),
        (_, Err(reason)) => unknown(&reason),
    }
}

fn unknown(reason: &str) -> Vec<CheckResult> {
    let codes = [
        Code::StandbyTopics,
        Code::StandbyConfigs,
        Code::StandbyDurability,
        Code::StandbyGrants,
        Code::StandbyFenced,
        Code::StandbyGroupsActive,
        Code::StandbyOffsetsStale,
    ];
    codes.into_iter().map(|code| CheckResult::unknown(code, reason)).collect()
}

type Topics<'a> = &'a BTreeMap<String, TopicObservation>;

fn both_topics<'a>(scene: &'a Scene<'_>) -> Result<[Topics<'a>; 2], String> {
    let of = |side: Side| scene.survey.sides.get(side).topics.as_result().map_err(ToOwned::to_owned);
    Ok([of(Side::A)?, of(Side::B)?])
}

struct View<'a> {
    scene: &'a Scene<'a>,
    active: Direction,
    topics: [Topics<'a>; 2],
}

impl View<'_> {
    fn of(&self, side: Side) -> Topics<'_> {
        match side {
            Side::A => self.topics[0],
            Side::B => self.topics[1],
        }
    }

    /// Application topics on the active side, with the name of their replica.
    fn scope(&self) -> Vec<(String, String)> {
        difference::application_topics(self.scene.pair, self.active, self.of(self.active.from))
    }

    fn topics_there(&self) -> CheckResult {
        let standby = self.scene.name(self.active.to());
        let scope = self.scope();
        let gaps = topic_gaps(&scope, self.of(self.active.from), self.of(self.active.to()));
        let troubles: Vec<String> = gaps
            .into_iter()
            .filter_map(|gap| match gap {
                TopicGap::Missing { replica, .. } => Some(format!("`{replica}` is missing on `{standby}`")),
                TopicGap::Partitions { topic, replica, here, there } if there < here => Some(format!(
                    "`{replica}` has {there} partitions on `{standby}` and `{topic}` has {here}"
                )),
                TopicGap::Partitions { .. } => None,
                TopicGap::NotOwned { topic } => {
                    Some(format!("`{topic}`, which applications would write, is missing on `{standby}`"))
                }
            })
            .collect();
        CheckResult::from_troubles(
            Code::StandbyTopics,
            CheckStatus::Critical,
            &troubles,
            format!("all {} topics are there with enough partitions", scope.len()),
            "Wait for MirrorMaker 2's topic refresh, or create what is missing.",
        )
    }

    fn configs(&self) -> CheckResult {
        let mut troubles = Vec::new();
        for (topic, replica) in self.scope() {
            let (Some(here), Some(there)) =
                (self.of(self.active.from).get(&topic), self.of(self.active.to()).get(&replica))
            else {
                continue;
            };
            match (here.configs.as_result(), there.configs.as_result()) {
                (Err(reason), _) => return configs_unread(&topic, reason),
                (_, Err(reason)) => return configs_unread(&replica, reason),
                (Ok(here), Ok(there)) => {
                    for gap in config_gaps(here, there).iter().filter(|gap| DECISIVE.contains(&gap.key)) {
                        let [a, b] = gap.values();
                        troubles.push(format!("{} of `{topic}` is {a} here and {b} there", gap.key));
                    }
                }
            }
        }
        CheckResult::from_troubles(
            Code::StandbyConfigs,
            CheckStatus::Warning,
            &troubles,
            "the configs that matter are equal on both sides",
            "Set them alike, or accept that applications will find other limits there.",
        )
    }

    fn durability(&self) -> CheckResult {
        let (mut troubles, mut unread, mut untold) = (Vec::new(), Vec::new(), Vec::new());
        for (topic, replica) in self.scope() {
            let Some(found) = self.of(self.active.to()).get(&replica) else { continue };
            let min = min_in_sync(&replica, found);
            match &min {
                Ok(Some(_)) => {}
                Ok(None) => untold.push(format!("min.insync.replicas of `{replica}` was not told")),
                Err(reason) => unread.push(reason.clone()),
            }
            let min = min.ok().flatten();
            let here = self.of(self.active.from).get(&topic);
            troubles.extend(found.partitions.iter().enumerate().find_map(|(number, there)| {
                let here = here.and_then(|topic| topic.partitions.get(number)).map_or(0, |p| p.replicas);
                let less = less_durable(there, here, min)?;
                Some(format!("`{replica}`-{number} has {less}"))
            }));
        }
        if troubles.is_empty()
            && let Some(reason) = unread.first()
        {
            return CheckResult::unknown(Code::StandbyDurability, reason);
        }
        let next_step = if troubles.is_empty() {
            "See how many replicas have to be in sync for a write on the standby: its brokers do not tell Muster. How many there are, and \
             are in sync, is as it should be."
        } else {
            "Raise the replication factor on the standby, or look why replicas are out of sync."
        };
        troubles.extend(unread.into_iter().chain(untold));
        CheckResult::from_troubles(
            Code::StandbyDurability,
            CheckStatus::Warning,
            &troubles,
            "the replication factor there is no lower than here, and all replicas are in sync",
            next_step,
        )
    }

    fn acls(&self) -> Result<[&crate::survey::AclObservation; 2], String> {
        let of = |side: Side| self.scene.survey.sides.get(side).acls.as_result().map_err(ToOwned::to_owned);
        Ok([of(self.active.from)?, of(self.active.to())?])
    }

    fn probes(&self) -> BTreeSet<String> {
        difference::probes(self.scene.clusters)
    }

    fn grants(&self) -> CheckResult {
        let [here, there] = match self.acls() {
            Ok(acls) => acls,
            Err(reason) => return CheckResult::unknown(Code::StandbyGrants, reason),
        };
        if !there.authorizer {
            let reason =
                format!("`{}` has no authorizer: whoever asks may do everything there", self.standby());
            return CheckResult::not_applicable(Code::StandbyGrants, reason);
        }
        if !here.authorizer {
            return self.no_grants_to_compare();
        }
        let groups: Vec<String> = match self.scene.survey.sides.get(self.active.from).groups.as_result() {
            Ok(groups) => groups.keys().cloned().collect(),
            Err(reason) => return CheckResult::unknown(Code::StandbyGrants, reason),
        };
        let grants = access::grants_for_standby(&here.bindings, &self.scope(), &groups, &self.probes());
        let missing: Vec<String> = grants
            .reading
            .iter()
            .filter(|grant| !there.bindings.contains(grant))
            .map(ToString::to_string)
            .collect();
        CheckResult::from_troubles(
            Code::StandbyGrants,
            CheckStatus::Warning,
            &missing,
            format!(
                "{} grants are there; {} for writing wait for the unfence",
                grants.reading.len(),
                grants.writing.len()
            ),
            "A switchover creates them; MirrorMaker 2 copies neither WRITE nor group nor prefixed ones.",
        )
    }

    /// The active side never asked for grants: what applications need on the standby nobody can tell.
    fn no_grants_to_compare(&self) -> CheckResult {
        let (active, standby) = (self.scene.name(self.active.from), self.standby());
        CheckResult::new(
            Code::StandbyGrants,
            CheckStatus::Unknown,
            format!(
                "`{active}` has no authorizer, so nobody holds a grant there that could be compared with those on `{standby}`"
            ),
            "Grant every application on the standby what it does, or give the active side the same authorizer and grants: a switchover \
             has no grants to copy.",
        )
    }

    fn standby(&self) -> &str {
        self.scene.name(self.active.to())
    }

    fn fenced(&self) -> CheckResult {
        let [_, there] = match self.acls() {
            Ok(acls) => acls,
            Err(reason) => return CheckResult::unknown(Code::StandbyFenced, reason),
        };
        let scope = self.scope();
        if scope.iter().any(|(topic, replica)| topic != replica) {
            return CheckResult::not_applicable(
                Code::StandbyFenced,
                "with prefixed names applications own topics on both sides",
            );
        }
        if !there.authorizer {
            return CheckResult::new(
                Code::StandbyFenced,
                CheckStatus::Warning,
                format!("whoever asks may write to `{}` now: it has no authorizer", self.standby()),
                "Turn the authorizer on there and grant no application WRITE: an early write on the standby is a fork of the data.",
            );
        }
        let names: Vec<String> = scope.into_iter().map(|(topic, _)| topic).collect();
        let denied = access::fence_bindings(&names).iter().all(|deny| there.bindings.contains(deny));
        let open = access::unfenced_by(&there.bindings, &names, &self.probes());
        if open.is_empty() || denied {
            return CheckResult::ok(Code::StandbyFenced, "no application may write there");
        }
        CheckResult::new(
            Code::StandbyFenced,
            CheckStatus::Warning,
            format!("{} may write to `{}` now", open.join(", "), self.standby()),
            "Remove their WRITE there: an early write on the standby is a fork of the data.",
        )
    }

    fn groups_active(&self) -> CheckResult {
        let groups = match self.scene.survey.sides.get(self.active.to()).groups.as_result() {
            Ok(groups) => groups,
            Err(reason) => return CheckResult::unknown(Code::StandbyGroupsActive, reason),
        };
        let active = match self.scene.survey.sides.get(self.active.from).groups.as_result() {
            Ok(here) if self.scene.both => {
                let scope = Scope::of(self.scene.pair);
                difference::groups_in_the_way(&scope, self.active, here, groups)
            }
            Err(reason) if self.scene.both => {
                return CheckResult::unknown(Code::StandbyGroupsActive, reason);
            }
            here => difference::active_groups(here.ok(), groups),
        };
        let troubles: Vec<String> = active
            .into_iter()
            .map(|(name, members)| {
                let members = match members {
                    1 => "a member".to_owned(),
                    n => format!("{n} members"),
                };
                format!("`{name}` has {members} there, so MirrorMaker 2 silently skips its offsets")
            })
            .collect();
        CheckResult::from_troubles(
            Code::StandbyGroupsActive,
            CheckStatus::Critical,
            &troubles,
            "no group of the pair has members there",
            &difference::out_of_the_way(self.scene.name(self.active.to()), self.scene.both),
        )
    }

    fn offsets_stale(&self) -> CheckResult {
        let groups = match self.scene.survey.sides.get(self.active.to()).groups.as_result() {
            Ok(groups) => groups,
            Err(reason) => return CheckResult::unknown(Code::StandbyOffsetsStale, reason),
        };
        let there = self.of(self.active.to());
        let (mut troubles, mut unread) = (Vec::new(), None);
        let positions = groups
            .iter()
            .flat_map(|(name, group)| group.offsets.iter().map(move |(tp, offset)| (name, tp, *offset)));
        for (name, tp, offset) in positions {
            let number = usize::try_from(tp.partition).unwrap_or(usize::MAX);
            let Some(found) = there.get(&tp.topic).and_then(|topic| topic.partitions.get(number)) else {
                continue;
            };
            match found.end {
                Some(end) if offset > end => {
                    troubles.push(format!("`{name}` stands at {offset} of {tp}, which ends at {end}"));
                }
                Some(_) => {}
                None => {
                    unread = unread.or_else(|| {
                        let standby = self.scene.name(self.active.to());
                        Some(format!(
                            "the end of {tp} on `{standby}`, on which `{name}` stands, was not read"
                        ))
                    });
                }
            }
        }
        if troubles.is_empty()
            && let Some(reason) = unread
        {
            return CheckResult::unknown(Code::StandbyOffsetsStale, reason);
        }
        CheckResult::from_troubles(
            Code::StandbyOffsetsStale,
            CheckStatus::Critical,
            &troubles,
            "no group stands past the end there",
            "Delete these offsets on the standby: they are of an earlier life of the topic and block syncing for ever.",
        )
    }
}

fn configs_unread(topic: &str, reason: &str) -> CheckResult {
    CheckResult::unknown(Code::StandbyConfigs, format!("configs of `{topic}`: {reason}"))
}

/// How many replicas have to be in sync for a write that is acknowledged by all. `None` where the brokers tell configs and not that: what
/// is said of replicas does not rest on it, so no plan waits for it.
///
/// # Errors
/// Why the configs of a copy are not known.
fn min_in_sync(replica: &str, found: &TopicObservation) -> Result<Option<i32>, String> {
    let configs = found.configs.as_result().map_err(|reason| format!("configs of `{replica}`: {reason}"))?;
    Ok(configs.get("min.insync.replicas").and_then(|entry| entry.value.as_deref()?.parse().ok()))
}

/// What of a copy's partition keeps less than the `here` replicas of its source do. One that is behind its leader now keeps nothing more
/// of what is acknowledged than those in sync, however few of them a topic asks for.
fn less_durable(there: &PartitionObservation, here: i32, min: Option<i32>) -> Option<String> {
    let (replicas, in_sync) = (there.replicas, there.in_sync);
    if replicas < here {
        Some(format!("{replicas} replicas there and {here} here"))
    } else if min.is_some_and(|min| in_sync < min.min(replicas)) {
        Some("too few replicas in sync".to_owned())
    } else if in_sync < replicas {
        Some(format!("{in_sync} of {replicas} replicas in sync there"))
    } else {
        None
    }
}
