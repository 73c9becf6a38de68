//! The pair's topics, groups and flows, each with both sides.

use chrono::{DateTime, Utc};
use muster_domain::{
    direction::ActiveSides,
    group::GroupState,
    lag::Rpo,
    pair::{Direction, Flow, NamingPolicy, Pair},
    survey::{GroupObservation, Survey, TopicObservation},
    topic::{ConfigSource, Configs},
};

use crate::{
    format,
    lag_address::lag_from,
    pair::{FlowFigures, PairDetail},
    parts::{Mark, ReadingView, Tone, Unit},
    survey_age::is_old,
};

/// A topic and its copy.
#[derive(Debug)]
pub(crate) struct TopicRow {
    pub(crate) name: String,
    /// Its lag over time.
    pub(crate) href: String,
    pub(crate) replica: String,
    pub(crate) partitions: String,
    pub(crate) copy: Mark,
    pub(crate) behind: Option<ReadingView>,
    pub(crate) ms: Option<ReadingView>,
    pub(crate) lost: String,
    pub(crate) config: Mark,
}

/// Topics in scope, those furthest behind first. `Err` says why they are not known.
pub(crate) fn topic_rows(
    detail: &PairDetail<'_>,
    figures: &FlowFigures,
    now: DateTime<Utc>,
) -> Result<Vec<TopicRow>, String> {
    let direction = figures.direction;
    let survey = detail.survey.ok_or("The pair was never surveyed.")?;
    let here = survey.sides.get(direction.from).topics.as_result()?;
    let there = survey.sides.get(direction.to()).topics.as_result();
    let pair = detail.facts.pair;
    let old = is_old(now, survey.began_at);
    let flow = pair.flow(direction);
    // Where one side is active its flow is the one that is shown unasked.
    let source = if detail.flows.len() > 1 { pair.cluster(direction.from).as_str() } else { "" };
    let mut rows: Vec<(i64, TopicRow)> = here
        .iter()
        .filter(|(name, _)| !is_copy(pair, direction, name) && pair.canary_topic.as_ref() != Some(*name))
        .map(|(name, topic)| {
            let replica =
                flow.map_or_else(|| name.clone(), |flow| flow.naming.target_name(&flow.source_alias, name));
            let copy = there.map(|topics| topics.get(&replica));
            let lag = figures.topics.get(name);
            let worst = lag.and_then(|lag| lag.ms.value).unwrap_or(i64::MAX);
            let row = TopicRow {
                partitions: format::number(i64::try_from(topic.partitions.len()).unwrap_or(0)),
                copy: copy_mark(topic, &copy).of_then(old),
                config: config_mark(topic, &copy),
                behind: lag.map(|lag| ReadingView::new(&lag.records, Unit::Records, now).brief()),
                ms: lag.map(|lag| ReadingView::new(&lag.ms, Unit::Milliseconds, now).inline()),
                lost: lag.map(|lag| lost(&lag.lost)).unwrap_or_default(),
                replica: if replica == *name { String::new() } else { replica },
                href: lag_from(pair.name.as_str(), source, name, ""),
                name: name.clone(),
            };
            (worst, row)
        })
        .collect();
    rows.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.name.cmp(&y.name)));
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// What would be lost of a topic if its source died now.
fn lost(rpo: &Rpo) -> String {
    match (rpo.records_at_least, rpo.records_at_most) {
        (Some(least), Some(most)) if least == most => format!("{} records", format::number(most)),
        (Some(least), Some(most)) => {
            format!("{} to {} records", format::number(least), format::number(most))
        }
        (Some(least), None) => format!("{} records or more", format::number(least)),
        (None, _) if rpo.reason.is_empty() => "records not known".to_owned(),
        (None, _) => format!("records not known: {}", rpo.reason),
    }
}

/// Whether a name on the active side is a copy the reverse flow made there.
fn is_copy(pair: &Pair, direction: Direction, name: &str) -> bool {
    match pair.flow(direction.reverse()) {
        Some(Flow { naming: NamingPolicy::Prefixed { separator }, source_alias, .. }) => {
            name.starts_with(&format!("{source_alias}{separator}"))
        }
        Some(_) | None => false,
    }
}

type Copy<'a> = Result<Option<&'a TopicObservation>, &'a str>;

fn copy_mark(topic: &TopicObservation, copy: &Copy<'_>) -> Mark {
    match copy {
        Err(_) => Mark::new(Tone::Unk, "not read"),
        Ok(None) => Mark::new(Tone::Bad, "missing"),
        Ok(Some(copy)) if copy.partitions.len() < topic.partitions.len() => {
            Mark::new(Tone::Bad, format!("only {} partitions", copy.partitions.len()))
        }
        Ok(Some(copy)) => {
            let behind =
                copy.partitions.iter().filter(|p| p.in_sync < p.replicas || !p.trouble.is_empty()).count();
            match behind {
                0 => Mark::new(Tone::Ok, format!("{} of {}", copy.partitions.len(), topic.partitions.len())),
                n => Mark::new(Tone::Warn, format!("{n} of {} under-replicated", copy.partitions.len())),
            }
        }
    }
}

fn config_mark(topic: &TopicObservation, copy: &Copy<'_>) -> Mark {
    match copy {
        Ok(Some(copy)) => match (topic.configs.as_result(), copy.configs.as_result()) {
            (Ok(here), Ok(there)) => {
                let differing = differences(here, there);
                match differing.as_slice() {
                    [] => Mark::new(Tone::Idle, "same"),
                    [(key, here, there)] => Mark::new(Tone::Warn, format!("{key} is {there}, here {here}")),
                    many => {
                        let keys: Vec<String> = many.iter().map(|(key, _, _)| key.clone()).collect();
                        Mark::new(Tone::Warn, format!("differ in {}", format::list(&keys, 2)))
                    }
                }
            }
            (Err(_), _) | (_, Err(_)) => Mark::new(Tone::Unk, "not read"),
        },
        Err(_) | Ok(None) => Mark::new(Tone::Unk, "not comparable"),
    }
}

/// Keys set on either topic itself whose effective values differ.
fn differences(here: &Configs, there: &Configs) -> Vec<(String, String, String)> {
    let said = |configs: &Configs, key: &str| {
        configs.get(key).and_then(|entry| entry.value.clone()).unwrap_or_else(|| "unset".to_owned())
    };
    let set_on_topic =
        |configs: &Configs, key: &str| configs.get(key).is_some_and(|e| e.source == ConfigSource::Topic);
    let mut keys: Vec<&String> = here.keys().chain(there.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .filter(|key| set_on_topic(here, key) || set_on_topic(there, key))
        .filter(|key| said(here, key) != said(there, key))
        .map(|key| (key.clone(), said(here, key), said(there, key)))
        .collect()
}

/// A group on both sides.
#[derive(Debug)]
pub(crate) struct GroupRow {
    pub(crate) name: String,
    pub(crate) state: Mark,
    pub(crate) members: String,
    pub(crate) lag: String,
    pub(crate) there: Mark,
    pub(crate) positions: String,
}

/// Groups in scope, those with trouble first. `Err` says why they are not known.
pub(crate) fn group_rows(
    detail: &PairDetail<'_>,
    direction: Direction,
    now: DateTime<Utc>,
) -> Result<Vec<GroupRow>, String> {
    let survey = detail.survey.ok_or("The pair was never surveyed.")?;
    let old = is_old(now, survey.began_at);
    let here = survey.sides.get(direction.from).groups.as_result()?;
    let there = survey.sides.get(direction.to()).groups.as_result();
    let mut rows: Vec<(Tone, GroupRow)> = here
        .iter()
        .map(|(name, group)| {
            let copy = there.map(|groups| groups.get(name));
            let (tone, words) = there_words(&copy, detail.facts.active);
            let positions = match copy {
                Err(_) => "not read".to_owned(),
                Ok(None) => format!("0 of {}", group.offsets.len()),
                Ok(Some(copy)) => format!("{} of {}", copy.offsets.len(), group.offsets.len()),
            };
            let row = GroupRow {
                name: name.clone(),
                state: state_mark(group).of_then(old),
                members: group.members.len().to_string(),
                lag: lag(group, survey, direction),
                there: Mark::new(tone, words).of_then(old),
                positions,
            };
            (tone, row)
        })
        .collect();
    rows.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.name.cmp(&y.name)));
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn state_mark(group: &GroupObservation) -> Mark {
    match group.state {
        GroupState::Stable => Mark::new(Tone::Ok, "stable"),
        GroupState::Empty => Mark::new(Tone::Idle, "empty"),
        GroupState::Rebalancing => Mark::new(Tone::Warn, "rebalancing"),
        GroupState::Dead => Mark::new(Tone::Idle, "gone"),
        GroupState::Unrecognised => Mark::new(Tone::Unk, "state not told"),
    }
}

/// Where both sides are active consumers may be on both, if they read the copies as well.
fn there_words(copy: &Result<Option<&GroupObservation>, &str>, active: ActiveSides) -> (Tone, String) {
    match copy {
        Err(_) => (Tone::Unk, "not read".to_owned()),
        Ok(None) => (Tone::Warn, "no position there".to_owned()),
        Ok(Some(group)) if !group.members.is_empty() && active == ActiveSides::Both => (
            Tone::Idle,
            format!(
                "{} there, too; readiness says whether that stops offset sync",
                format::count(group.members.len(), "member")
            ),
        ),
        Ok(Some(group)) if !group.members.is_empty() => (
            Tone::Bad,
            format!("{} reads there, which stops offset sync", format::count(group.members.len(), "member")),
        ),
        Ok(Some(_)) => (Tone::Ok, "has positions, nobody reads".to_owned()),
    }
}

/// Records between the committed positions and the ends; said as unknown when any end is.
fn lag(group: &GroupObservation, survey: &Survey, direction: Direction) -> String {
    let Some(topics) = survey.sides.get(direction.from).topics.value() else { return "not known".to_owned() };
    if group.offsets.is_empty() {
        return "never committed".to_owned();
    }
    let sum: Option<i64> = group
        .offsets
        .iter()
        .map(|(at, offset)| {
            let index = usize::try_from(at.partition).ok()?;
            let end = topics.get(&at.topic)?.partitions.get(index)?.end?;
            Some((end - offset).max(0))
        })
        .sum();
    sum.map_or_else(|| "not known".to_owned(), format::number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_lost_of_a_topic_is_an_interval_and_what_is_not_known_is_said() {
        let said = |records_at_least, records_at_most| {
            let reason = String::new();
            lost(&Rpo { records_at_least, records_at_most, ms_at_most: Some(5_000), reason, unseen: None })
        };
        for (least, most, words) in [
            (Some(0), Some(0), "0 records"),
            (Some(1_904), Some(1_904), "1,904 records"),
            (Some(12), Some(1_904), "12 to 1,904 records"),
            // Stale, or how fast was written is not known yet: no upper end is no good news.
            (Some(12), None, "12 records or more"),
            (None, None, "records not known"),
            // A bound above says nothing while a partition is unknown.
            (None, Some(1_904), "records not known"),
        ] {
            assert_eq!(said(least, most), words);
        }
    }
}
