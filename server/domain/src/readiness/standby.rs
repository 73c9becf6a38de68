//! Checks about the standby: would applications find everything there?

use std::collections::{BTreeMap, BTreeSet};

use super::{CheckCode as Code, CheckResult, CheckStatus, Scene};
use crate::{
    access, alarm,
    pair::{Direction, Side},
    patterns::Scope,
    survey::TopicObservation,
};

/// Configs whose difference changes what applications can do or what is kept.
const COMPARED: [&str; 6] = [
    "cleanup.policy",
    "max.message.bytes",
    "message.timestamp.type",
    "retention.bytes",
    "retention.ms",
    "min.insync.replicas",
];

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
        let flow = self.scene.pair.flow(self.active);
        let scope = Scope::of(self.scene.pair);
        self.of(self.active.from)
            .keys()
            .filter(|topic| scope.application_topic(self.active.from, topic))
            .map(|topic| {
                let replica =
                    flow.map_or_else(|| topic.clone(), |f| f.naming.target_name(&f.source_alias, topic));
                (topic.clone(), replica)
            })
            .collect()
    }

    fn topics_there(&self) -> CheckResult {
        let standby = self.scene.name(self.active.to());
        let there = self.of(self.active.to());
        let mut troubles = Vec::new();
        for (topic, replica) in self.scope() {
            let here = self.of(self.active.from).get(&topic).map_or(0, |t| t.partitions.len());
            match there.get(&replica) {
                None => troubles.push(format!("`{replica}` is missing on `{standby}`")),
                Some(found) if found.partitions.len() < here => troubles.push(format!(
                    "`{replica}` has {} partitions on `{standby}` and `{topic}` has {here}",
                    found.partitions.len()
                )),
                Some(_) => {}
            }
            if topic != replica && !there.contains_key(&topic) {
                troubles
                    .push(format!("`{topic}`, which applications would write, is missing on `{standby}`"));
            }
        }
        CheckResult::from_troubles(
            Code::StandbyTopics,
            CheckStatus::Critical,
            &troubles,
            format!("all {} topics are there with enough partitions", self.scope().len()),
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
                (Err(reason), _) | (_, Err(reason)) => {
                    return CheckResult::unknown(Code::StandbyConfigs, reason);
                }
                (Ok(here), Ok(there)) => {
                    for key in COMPARED {
                        let value =
                            |configs: &crate::topic::Configs| configs.get(key).and_then(|c| c.value.clone());
                        let (a, b) = (value(here), value(there));
                        if a != b {
                            let shown = |v: Option<String>| v.unwrap_or_else(|| "unset".to_owned());
                            troubles.push(format!(
                                "{key} of `{topic}` is {} here and {} there",
                                shown(a),
                                shown(b)
                            ));
                        }
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
        let mut troubles = Vec::new();
        for (topic, replica) in self.scope() {
            let Some(found) = self.of(self.active.to()).get(&replica) else { continue };
            let min_isr = found
                .configs
                .value()
                .and_then(|configs| configs.get("min.insync.replicas")?.value.clone()?.parse::<i32>().ok());
            for (number, partition) in found.partitions.iter().enumerate() {
                let here = self
                    .of(self.active.from)
                    .get(&topic)
                    .and_then(|t| t.partitions.get(number))
                    .map_or(0, |p| p.replicas);
                if partition.replicas < here {
                    troubles.push(format!(
                        "`{replica}` has {} replicas there and {here} here",
                        partition.replicas
                    ));
                    break;
                }
                if min_isr.is_some_and(|min| partition.in_sync < min.min(partition.replicas)) {
                    troubles.push(format!("`{replica}`-{number} has too few replicas in sync"));
                    break;
                }
            }
        }
        CheckResult::from_troubles(
            Code::StandbyDurability,
            CheckStatus::Warning,
            &troubles,
            "replication factor and in-sync replicas there are no worse than here",
            "Raise the replication factor on the standby, or look why replicas are out of sync.",
        )
    }

    fn acls(&self) -> Result<[&crate::survey::AclObservation; 2], String> {
        let of = |side: Side| self.scene.survey.sides.get(side).acls.as_result().map_err(ToOwned::to_owned);
        Ok([of(self.active.from)?, of(self.active.to())?])
    }

    fn probes(&self) -> BTreeSet<String> {
        Side::BOTH
            .into_iter()
            .filter_map(|side| self.scene.clusters.get(side).probe.as_ref())
            .map(|probe| format!("User:{}", probe.username))
            .collect()
    }

    fn grants(&self) -> CheckResult {
        let [here, there] = match self.acls() {
            Ok(acls) => acls,
            Err(reason) => return CheckResult::unknown(Code::StandbyGrants, reason),
        };
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
        let names: Vec<String> = scope.into_iter().map(|(topic, _)| topic).collect();
        let denied = access::fence_bindings(&names).iter().all(|deny| there.bindings.contains(deny));
        let open = access::unfenced_by(&there.bindings, &names, &self.probes());
        if open.is_empty() || denied {
            return CheckResult::ok(Code::StandbyFenced, "no application may write there");
        }
        CheckResult::new(
            Code::StandbyFenced,
            CheckStatus::Warning,
            format!("{} may write to `{}` now", open.join(", "), self.scene.name(self.active.to())),
            "Remove their WRITE there: an early write on the standby is a fork of the data.",
        )
    }

    fn groups_active(&self) -> CheckResult {
        let groups = match self.scene.survey.sides.get(self.active.to()).groups.as_result() {
            Ok(groups) => groups,
            Err(reason) => return CheckResult::unknown(Code::StandbyGroupsActive, reason),
        };
        let here = self.scene.survey.sides.get(self.active.from).groups.value();
        let troubles: Vec<String> = groups
            .iter()
            .filter(|(name, group)| alarm::blocks_syncing(group, here.map(|here| here.get(*name))))
            .map(|(name, group)| {
                let members = match group.members.len() {
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
            "Stop these consumers on the standby.",
        )
    }

    fn offsets_stale(&self) -> CheckResult {
        let groups = match self.scene.survey.sides.get(self.active.to()).groups.as_result() {
            Ok(groups) => groups,
            Err(reason) => return CheckResult::unknown(Code::StandbyOffsetsStale, reason),
        };
        let there = self.of(self.active.to());
        let troubles: Vec<String> = groups
            .iter()
            .flat_map(|(name, group)| group.offsets.iter().map(move |(tp, offset)| (name, tp, *offset)))
            .filter_map(|(name, tp, offset)| {
                let partition = usize::try_from(tp.partition).ok()?;
                let end = there.get(&tp.topic)?.partitions.get(partition)?.end?;
                (offset > end).then(|| format!("`{name}` stands at {offset} of {tp}, which ends at {end}"))
            })
            .collect();
        CheckResult::from_troubles(
            Code::StandbyOffsetsStale,
            CheckStatus::Critical,
            &troubles,
            "no group stands past the end there",
            "Delete these offsets on the standby: they are of an earlier life of the topic and block syncing for ever.",
        )
    }
}
