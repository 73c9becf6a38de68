//! Positions on the standby that are further than their group is: MirrorMaker 2 never moves one back, so it blocks syncing, and
//! after a move records would be skipped.

use super::{Alarm, AlarmCode as Code, Judged, Lost, Memory, Place, Since, connectors::since, view::View};
use crate::{
    group::GroupState,
    pair::Side,
    reading::Observed,
    shell::quoted,
    survey::{ConnectorRole, OffsetPair, PartitionObservation, TopicObservation},
    topic::TopicPartition,
};

/// Surveys in a row in which a position must stand still too far ahead.
const AHEAD_FOR: u32 = 2;
/// Offsets a group must have left to the newest pair before the two sides are compared by what is left: over fewer, markers of
/// transactions that are open at once decide.
const ENOUGH: i64 = 1_000;

pub(super) fn judge(view: &View<'_>, judged: &mut Judged, memory: &mut Memory) {
    let way = view.way();
    let side = |side: Side| view.survey.sides.get(side);
    if let Some(reason) = &view.renamed {
        judged.unknown(Code::OffsetsBlocking, reason.as_str());
        return memory.keep_streaks(view, "ahead:");
    }
    let there = match (side(way.to()).groups.as_result(), view.topics(way.to())) {
        (Ok(groups), Ok(_)) => groups,
        (Err(reason), _) | (_, Err(reason)) => {
            judged.unknown(Code::OffsetsBlocking, reason);
            return memory.keep_streaks(view, "ahead:");
        }
    };
    let here = side(way.from).groups.value();
    let pairs = view.observed().and_then(|flow| flow.newest_pairs.value());
    if here.is_none() || pairs.is_none() {
        judged
            .unknown(Code::OffsetsBlocking, "positions on the active side or offset syncs could not be read");
    }
    for (name, group) in there.iter().filter(|(_, group)| matches!(group.state, GroupState::Empty)) {
        let (mut proven, mut likely) = (Found::default(), Found::default());
        for (key, offset) in group.offsets.iter().filter(|(key, _)| view.is_of_flow(way.to(), &key.topic)) {
            let source_key = source_name(view, key);
            // Where both sides are active a group may read the copies, too, and have come further there.
            let position = here
                .filter(|_| !view.both)
                .zip(source_key.as_ref())
                .and_then(|(here, key)| here.get(name)?.offsets.get(key).copied());
            let pair = pairs.zip(source_key.as_ref()).and_then(|(pairs, key)| pairs.0.get(key).copied());
            let Some((place, is_proven)) = too_far(view, (key, source_key.as_ref()), *offset, position, pair)
            else {
                continue;
            };
            let streak = memory.again(view, format!("ahead:{name}:{key}"), *offset);
            if streak.surveys < AHEAD_FOR {
                continue;
            }
            let found = if is_proven { &mut proven } else { &mut likely };
            found.places.push(place);
            found.since = found.since.or(Some(since(&streak)));
        }
        if let Some(since) = proven.since.or(likely.since) {
            let certain = proven.since.is_some();
            proven.places.append(&mut likely.places);
            judged.raise(blocking(view, name, proven.places, certain).since(since));
        }
    }
}

/// Positions that are too far ahead, and since when the first of them is.
#[derive(Default)]
struct Found {
    places: Vec<Place>,
    since: Option<Since>,
}

/// Whether a position on the standby is further than the group's on the source can be translated to, and whether that is
/// proven.
fn too_far(
    view: &View<'_>,
    (key, source_key): (&TopicPartition, Option<&TopicPartition>),
    offset: i64,
    position: Option<i64>,
    pair: Option<OffsetPair>,
) -> Option<(Place, bool)> {
    let way = view.way();
    let place = |said: String| Place { partition: source_key.cloned(), ..Place::new(key.to_string(), said) };
    let replica = partition(view, way.to(), key);
    let end = replica.and_then(|replica| replica.1.end);
    let reach = position.zip(pair).map(|(position, pair)| furthest(position, pair));
    let furthest = match (end, reach) {
        (Some(end), Some(reach)) => Some(end.min(reach)),
        (end, reach) => end.or(reach),
    };
    if let Some(furthest) = furthest.filter(|furthest| offset > *furthest) {
        let said = format!("stands at {offset}; the group belongs at {furthest} at most");
        return Some((place(said).losing(0, Lost::up_to(offset.saturating_sub(furthest))), true));
    }
    let (position, pair) = position.zip(pair)?;
    let (source, replica) = (partition(view, way.from, source_key?)?, replica?);
    // What the source does not hold any more may never have been copied; what the standby does not hold is not skipped.
    let position = position.max(source.1.start?);
    let skipped = offset.saturating_sub(replica.1.start?);
    let (left_here, left_there) =
        (pair.upstream.saturating_sub(position), pair.downstream.saturating_sub(offset));
    if left_here < ENOUGH || left_there >= left_here / 4 || skipped <= 0 || !is_dense(view, source, replica) {
        return None;
    }
    let said = format!(
        "stands at {offset}, {} offsets before the newest offset sync; the group has {left_here} left to it on the source",
        left_there.max(0)
    );
    Some((place(said).losing(0, Lost::up_to(left_here.min(skipped))), false))
}

/// The furthest a position on the source can be translated to: what lies behind the newest pair is counted double,
/// because each record may have a marker of its transaction behind it. Before it, nothing but the pair itself is known: how
/// many of the offsets between were records, only older pairs would tell.
fn furthest(position: i64, pair: OffsetPair) -> i64 {
    let beyond = position.saturating_sub(pair.upstream).max(0);
    pair.downstream.saturating_add(1).saturating_add(beyond.saturating_mul(2))
}

type InTopic<'a> = (&'a TopicObservation, &'a PartitionObservation);

fn partition<'a>(view: &View<'a>, side: Side, key: &TopicPartition) -> Option<InTopic<'a>> {
    let topic = view.topics(side).ok()?.get(&key.topic)?;
    Some((topic, topic.partitions.get(usize::try_from(key.partition).ok()?)?))
}

/// Whether most offsets of the source are records that are copied, as far as one can see: nothing is compacted or left out on
/// the way, and the replica holds about as many offsets as the source.
fn is_dense(view: &View<'_>, source: InTopic<'_>, replica: InTopic<'_>) -> bool {
    let keeps_all = |topic: &TopicObservation| {
        let configs = topic.configs.value();
        let policy = configs.and_then(|configs| configs.get("cleanup.policy")?.value.as_deref());
        policy.is_some_and(|policy| !policy.contains("compact"))
    };
    let connector = view.connector(ConnectorRole::Source).and_then(Observed::value);
    let untouched = connector.is_some_and(|connector| {
        connector.config.get("transforms").is_none_or(|list| list.trim().is_empty())
    });
    let held = |partition: &PartitionObservation| Some(partition.end?.saturating_sub(partition.start?));
    let as_many = held(source.1).zip(held(replica.1)).is_some_and(|(here, there)| there >= here / 4 * 3);
    keeps_all(source.0) && keeps_all(replica.0) && untouched && as_many
}

fn blocking(view: &View<'_>, group: &str, places: Vec<Place>, certain: bool) -> Alarm {
    let to = view.name(view.way().to());
    let first = places.first().map(|place| place.name.clone()).unwrap_or_default();
    let delete = first.rsplit_once('-').map(|(topic, _)| {
        let arguments = format!("--delete-offsets --group {} --topic {}", quoted(group), quoted(topic));
        view.tool(view.way().to(), "kafka-consumer-groups", &arguments)
    });
    let stands = if certain { "stands" } else { "seems to stand" };
    let alarm = Alarm::of(
        Code::OffsetsBlocking,
        group,
        view,
        format!("`{group}` {stands} too far ahead on `{to}`: its offsets are not synced, and after a move it would skip records."),
    )
    .at(places)
    .fact("MirrorMaker 2 never moves a position back, so one that was left over, or that the group has gone back behind on the source, blocks syncing until it is deleted.")
    .next("Delete these offsets on the standby; the next sync writes the right ones.", delete);
    if certain {
        return alarm;
    }
    alarm.unless(
        "Far less is left to the newest offset sync here than on the source. Nothing is wrong only if three quarters of the \
         offsets between were no records. A translation proof of the pair says where the group belongs.",
    )
}

/// The source's name of a partition of the standby.
fn source_name(view: &View<'_>, key: &TopicPartition) -> Option<TopicPartition> {
    let way = view.way();
    let source = view.topics(way.from).ok()?;
    if view.scope.replica(way, &key.topic) == key.topic && source.contains_key(&key.topic) {
        return Some(key.clone());
    }
    let flow = view.flow()?;
    let prefix = flow.naming.target_name(&flow.source_alias, "");
    let topic = key.topic.strip_prefix(&prefix)?;
    Some(TopicPartition::new(topic, key.partition))
}
