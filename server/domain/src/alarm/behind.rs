//! What of a flow's partitions is not known to have arrived: for alarms that are about many of them. The worst are named, all are counted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Lost, MOST_PLACES, Place, positions::waiting, view::View};
use crate::{
    pair::Side,
    survey::{ConnectorObservation, OldPosition, Survey},
    topic::{ByPartition, TopicPartition},
};

/// Some partitions, the worst of them named.
pub(super) struct Behind {
    pub(super) places: Vec<Place>,
    /// Partitions beyond those that are named.
    pub(super) more: usize,
    /// At all of them.
    pub(super) lost: Lost,
}

/// A partition with the offsets on it that are not known to have arrived; `None` where that is not known.
type Waits<'a> = (&'a str, i32, Option<i64>);

/// Every partition of the flow, as both sides show them now.
///
/// # Errors
/// Why the topics of a side are not known, or which are copies.
pub(super) fn of_flow(view: &View<'_>) -> Result<Behind, String> {
    let mut all: Vec<Waits<'_>> = Vec::new();
    view.each_row(|row| all.push((row.topic, row.number, row.waiting(view.mode))))?;
    let (worst, more, most) = worst(all);
    let places = worst.into_iter().map(|(topic, number, most)| {
        Place::of(TopicPartition::new(topic, number), waits(most))
            .losing(0, Lost { at_least: None, at_most: most })
    });
    Ok(Behind { places: places.collect(), more, lost: Lost { at_least: None, at_most: most } })
}

/// The worst of some, how many others there are, and what waits on all of them.
fn worst(mut all: Vec<Waits<'_>>) -> (Vec<Waits<'_>>, usize, Option<i64>) {
    let total = all.iter().try_fold(0_i64, |sum, (_, _, most)| Some(sum.saturating_add((*most)?)));
    // What is not known may be more than anything that is.
    all.sort_by_key(|(topic, number, most)| (std::cmp::Reverse(most.unwrap_or(i64::MAX)), *topic, *number));
    let more = all.len().saturating_sub(MOST_PLACES);
    all.truncate(MOST_PLACES);
    (all, more, total)
}

fn waits(most: Option<i64>) -> String {
    most.map_or_else(
        || "how many offsets wait there is not known".to_owned(),
        |most| format!("{most} offsets are not known to have arrived"),
    )
}

/// Partitions of a source that does not answer, as they were read last. What was written since nobody has seen, so nothing is lost at most.
pub(super) struct LastSeen {
    pub(super) behind: Behind,
    /// When.
    pub(super) at: DateTime<Utc>,
    /// Offsets there were then that are not known to have arrived; `None` where that is not known of a partition.
    pub(super) waited: Option<i64>,
}

/// See [`LastSeen`]; `None` where no survey showed them.
pub(super) fn last_seen(view: &View<'_>) -> Option<LastSeen> {
    let side = view.way().from;
    let committed = committed(view);
    let mut all: Vec<Waits<'_>> = Vec::new();
    let mut ends = BTreeMap::new();
    let flow = view.observed().or_else(|| view.previous_flow());
    let at = each_last_seen(view, side, |topic, number, (start, end)| {
        let key = TopicPartition::new(topic, number);
        let of_another_log =
            flow.and_then(|flow| flow.of_another_log.get(&key)).is_some_and(OldPosition::covers_committed);
        let through = committed.and_then(|all| all.get(&key).copied()).filter(|_| !of_another_log);
        // Where nothing of it was ever copied as far as is known all of it waits.
        let most = end.map(|end| waiting(start, end, through));
        ends.insert((topic, number), end);
        all.push((topic, number, most.filter(|_| committed.is_some())));
    })?;
    let (worst, more, waited) = worst(all);
    let places = worst.into_iter().map(|(topic, number, most)| {
        let end = ends.get(&(topic, number)).copied().flatten();
        let end = end.map_or_else(|| "somewhere".to_owned(), |end| format!("at {end}"));
        let said = format!("ended {end} when it was read last: {}", waits(most));
        Place::of(TopicPartition::new(topic, number), said).losing(0, Lost::UNKNOWN)
    });
    let behind = Behind { places: places.collect(), more, lost: Lost::UNKNOWN };
    Some(LastSeen { behind, at, waited })
}

/// Connect's committed offsets, of now or as they were known last.
fn committed<'a>(view: &View<'a>) -> Option<&'a ByPartition<i64>> {
    let now = view.observed().and_then(|flow| flow.committed.value());
    let before = view.previous_flow().and_then(|flow| flow.committed.value());
    let remembered = view.memory.committed.as_ref().filter(|_| view.memory.active == Some(view.way()));
    now.or(before).or(remembered).map(|committed| &committed.offsets)
}

/// First offset and end of a partition.
type Ends = (Option<i64>, Option<i64>);

/// Looks at the ends of application partitions of a side by whatever survey read them last; answers when that was.
fn each_last_seen<'a>(
    view: &View<'a>,
    side: Side,
    mut look: impl FnMut(&'a str, i32, Ends),
) -> Option<DateTime<Utc>> {
    let ours = |topic: &str| view.scope.application_topic(side, topic);
    let of = |survey: &'a Survey| Some((survey.sides.get(side).topics.value()?, survey.began_at));
    if let Some((topics, at)) = of(view.survey).or_else(|| of(view.previous?)) {
        for (name, topic) in topics.iter().filter(|(name, _)| ours(name)) {
            let ends = topic.partitions.iter().map(|partition| (partition.start, partition.end));
            (0..).zip(ends).for_each(|(number, ends)| look(name, number, ends));
        }
        return Some(at);
    }
    // Those that were gone before then are remembered, too.
    let remembered = view.memory.topics.get(&side)?;
    let at = remembered.values().map(|topic| topic.seen_at).max()?;
    for (name, topic) in remembered.iter().filter(|(name, topic)| ours(name) && topic.seen_at == at) {
        (0..).zip(&topic.offsets).for_each(|(number, ends)| look(name, number, *ends));
    }
    Some(at)
}

/// What is missed of a source connector's tasks, partition by partition where Connect's own list says which are theirs. `missing` has the
/// number of a task and what is so of it. What else they copy (the canary, heartbeats, topics beyond the pair) is no loss to the pair.
pub(super) fn of_tasks(view: &View<'_>, found: &ConnectorObservation, missing: &[(i32, String)]) -> Behind {
    let side = view.way().from;
    let mut theirs: BTreeMap<TopicPartition, (String, Option<i64>)> = BTreeMap::new();
    let (mut tasks, mut all_known) = (Vec::new(), true);
    for (number, said) in missing {
        let assigned = found.assigned.iter().find(|assigned| assigned.task == *number);
        let named = assigned.map(|assigned| assigned.named.as_slice()).unwrap_or_default();
        let before = theirs.len();
        let ours = named.iter().filter(|at| view.scope.application_topic(side, &at.topic));
        theirs.extend(ours.map(|at| (at.clone(), (format!("its task {number} {said}"), None))));
        // What waits on partitions that are not named nobody knows.
        let (unnamed, lost) = match assigned {
            None => (said.clone(), Lost::UNKNOWN),
            Some(assigned) if assigned.more > 0 => {
                (format!("{said}, with {} more partitions", assigned.more), Lost::UNKNOWN)
            }
            Some(_) if theirs.len() == before => {
                (format!("{said}, and copied no topic of the pair"), Lost::NOTHING)
            }
            Some(_) => continue,
        };
        all_known &= lost == Lost::NOTHING;
        tasks.push(Place::new(format!("{}, task {number}", found.name), unnamed).losing(0, lost));
    }
    if !theirs.is_empty() {
        // Where the sides cannot be compared nothing is known of any.
        let _ = view.each_row(|row| {
            if let Some((_, most)) = theirs.get_mut(&row.key()) {
                *most = row.waiting(view.mode);
            }
        });
    }
    let all = theirs.iter().map(|(at, (_, most))| (at.topic.as_str(), at.partition, *most)).collect();
    let (worst, mut more, most) = worst(all);
    let of_partition = |(topic, number, most): Waits<'_>| {
        let at = TopicPartition::new(topic, number);
        let said = theirs.get(&at).map_or_else(String::new, |(said, _)| format!("{said}: {}", waits(most)));
        Place::of(at, said).losing(0, Lost { at_least: None, at_most: most })
    };
    let mut places: Vec<Place> = worst.into_iter().map(of_partition).collect();
    // Tasks whose partitions are not named keep a place, too.
    let room = MOST_PLACES.saturating_sub(tasks.len().min(MOST_PLACES / 2));
    more = more.saturating_add(places.len().saturating_sub(room));
    places.truncate(room);
    places.append(&mut tasks);
    more = more.saturating_add(places.len().saturating_sub(MOST_PLACES));
    places.truncate(MOST_PLACES);
    let lost = if all_known { Lost { at_least: None, at_most: most } } else { Lost::UNKNOWN };
    Behind { places, more, lost }
}
