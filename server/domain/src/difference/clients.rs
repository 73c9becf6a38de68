//! SCRAM users and client quotas.

use std::collections::{BTreeMap, BTreeSet};

use super::{Affected, Difference, DifferenceKind as Kind, Names, Others, Sides, Weight, sides::counted};
use crate::{quota::ClientQuota, shell::quoted};

/// Users that can sign in on the active side and not on the standby. Passwords cannot be compared: Kafka tells names and
/// mechanisms only.
pub(super) fn users<'a>(sides: &Sides<'a>) -> Result<Vec<Difference>, &'a str> {
    let (here, there) = (sides.here.users.as_result()?, sides.there.users.as_result()?);
    // By mechanism and by whether an application goes by the name: one cause each.
    let mut lacking: BTreeMap<(bool, &str), Vec<String>> = BTreeMap::new();
    for (user, mechanisms) in here {
        for mechanism in mechanisms {
            if !there.get(user).is_some_and(|known| known.contains(mechanism)) {
                let application = sides.users.know(&format!("User:{user}"));
                lacking.entry((application, mechanism)).or_default().push(user.clone());
            }
        }
    }
    Ok(lacking
        .into_iter()
        .map(|((application, mechanism), users)| cannot_sign_in(sides, application, mechanism, users))
        .collect())
}

fn cannot_sign_in(sides: &Sides<'_>, application: bool, mechanism: &str, users: Vec<String>) -> Difference {
    let standby = sides.standby();
    let has = if users.len() == 1 { "has" } else { "have" };
    let create = |user: &String| {
        let password = format!("{mechanism}=[password=PASSWORD]");
        let arguments = format!(
            "--alter --entity-type users --entity-name {} --add-config {}",
            quoted(user),
            quoted(&password)
        );
        sides.command("kafka-configs.sh", &arguments)
    };
    Difference {
        kind: Kind::ScramUser,
        weight: if application { Weight::Breaks } else { Weight::Differs },
        says: format!("{} {has} no {mechanism} password on {standby}", counted(&users, "user")),
        cluster: standby.clone(),
        expected: mechanism.to_owned(),
        actual: "none".to_owned(),
        consequence: if application {
            "They cannot sign in there, so nothing of what they are granted helps.".to_owned()
        } else {
            "They cannot sign in there. No grant of theirs on topics of this pair was seen.".to_owned()
        },
        next_step: "Give them their password there; nothing copies SCRAM users between clusters.".to_owned(),
        commands: users.iter().map(create).collect(),
        affected: Affected {
            principals: Names::all(users.iter().map(|user| format!("User:{user}"))),
            ..Affected::default()
        },
    }
}

/// In what way a limit differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// There is one, or a lower one, on the standby.
    Tighter,
    /// There is none, or a higher one, on the standby.
    Looser,
}

/// A limit of both sides.
struct Limit {
    whose: String,
    entity: BTreeMap<String, Option<String>>,
    key: String,
    here: Option<f64>,
    there: Option<f64>,
}

pub(super) fn quotas<'a>(sides: &Sides<'a>) -> Result<Vec<Difference>, &'a str> {
    let (here, there) = (sides.here.quotas.as_result()?, sides.there.quotas.as_result()?);
    let mut causes: BTreeMap<(Way, String), Vec<Limit>> = BTreeMap::new();
    for limit in limits(here, there) {
        let way = match (limit.here, limit.there) {
            (Some(here), Some(there)) if here == there => continue,
            (Some(here), Some(there)) if there < here => Way::Tighter,
            (None, Some(_)) => Way::Tighter,
            (Some(_), Some(_) | None) | (None, None) => Way::Looser,
        };
        causes.entry((way, limit.key.clone())).or_default().push(limit);
    }
    Ok(causes.into_iter().map(|((way, key), limits)| limited(sides, way, &key, &limits)).collect())
}

fn limits(here: &[ClientQuota], there: &[ClientQuota]) -> Vec<Limit> {
    let by_entity =
        |quotas: &[ClientQuota]| -> BTreeMap<BTreeMap<String, Option<String>>, BTreeMap<String, f64>> {
            quotas.iter().map(|quota| (quota.entity.clone(), quota.limits.clone())).collect()
        };
    let (old, new) = (by_entity(here), by_entity(there));
    let entities: BTreeSet<_> = old.keys().chain(new.keys()).cloned().collect();
    let mut limits = Vec::new();
    for entity in entities {
        let of = |side: &BTreeMap<BTreeMap<String, Option<String>>, BTreeMap<String, f64>>| {
            side.get(&entity).cloned().unwrap_or_default()
        };
        let (one, other) = (of(&old), of(&new));
        let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        limits.extend(keys.into_iter().map(|key| Limit {
            whose: ClientQuota { entity: entity.clone(), limits: BTreeMap::new() }.whose(),
            entity: entity.clone(),
            key: key.clone(),
            here: one.get(key).copied(),
            there: other.get(key).copied(),
        }));
    }
    limits
}

fn limited(sides: &Sides<'_>, way: Way, key: &str, limits: &[Limit]) -> Difference {
    let (active, standby) = (sides.active(), sides.standby());
    let whose: Vec<String> = limits.iter().map(|limit| limit.whose.clone()).collect();
    let word = match way {
        Way::Tighter => "lower",
        Way::Looser => "higher, or missing,",
    };
    let set = |limit: &Limit| {
        let change = match limit.here {
            Some(value) => format!("--add-config {}", quoted(&format!("{key}={value}"))),
            None => format!("--delete-config {key}"),
        };
        sides.command("kafka-configs.sh", &format!("--alter {} {change}", entity(&limit.entity)))
    };
    Difference {
        kind: Kind::Quota,
        weight: match way {
            Way::Tighter => Weight::Costs,
            Way::Looser => Weight::Differs,
        },
        says: format!("`{key}` is {word} on {standby} for {}", counted(&whose, "quota")),
        cluster: standby.clone(),
        expected: format!("{} for {}", value(limits.first().and_then(|limit| limit.here)), whose[0]),
        actual: format!("{} for {}", value(limits.first().and_then(|limit| limit.there)), whose[0]),
        consequence: match way {
            Way::Tighter => "Their clients are slowed down there below what they have now.".to_owned(),
            Way::Looser => "One of them may take there what others need.".to_owned(),
        },
        affected: limited_are(limits),
        next_step: format!(
            "Set the limits of {active} on {standby} too; nothing copies quotas between clusters."
        ),
        commands: limits.iter().map(set).collect(),
    }
}

/// Whose limits these are. Of a client id or an address nobody knows who goes by it; a default is for all who have none of their own.
fn limited_are(limits: &[Limit]) -> Affected {
    let user = |limit: &Limit| limit.entity.get("user").cloned().flatten();
    let users: BTreeSet<String> =
        limits.iter().filter_map(|limit| Some(format!("User:{}", user(limit)?))).collect();
    let is_default = |limit: &Limit| limit.entity.values().all(Option::is_none);
    let others = if limits.iter().any(is_default) {
        Others::Everybody
    } else if limits.iter().any(|limit| user(limit).is_none()) {
        Others::Unknown
    } else {
        Others::None
    };
    Affected { principals: Names::all(users), others, ..Affected::default() }
}

/// No limit is not zero.
fn value(limit: Option<f64>) -> String {
    limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string())
}

/// An entity as kafka-configs.sh takes it.
fn entity(entity: &BTreeMap<String, Option<String>>) -> String {
    let part = |(kind, name): (&String, &Option<String>)| {
        let kind = match kind.as_str() {
            "user" => "users",
            "client-id" => "clients",
            "ip" => "ips",
            other => other,
        };
        match name {
            Some(name) => format!("--entity-type {kind} --entity-name {}", quoted(name)),
            None => format!("--entity-type {kind} --entity-default"),
        }
    };
    entity.iter().map(part).collect::<Vec<_>>().join(" ")
}
