//! Open transactions that hold the last stable offset of a topic where it is.
//!
//! An alarm is about the topic and not about a transaction. A sink that keeps one open from each checkpoint to the next has a new one, often
//! with another transactional id, after every commit: so the alarm opens once, names whoever holds the topic now, and ends when nobody has
//! for a while.

use std::collections::BTreeMap;

use super::{
    Alarm, AlarmCode as Code, Judged, Memory, Place, Since, connectors::since, copying::Pass, memory::Streak,
    view::View,
};
use crate::{shell::quoted, survey::OpenTransaction, topic::TopicPartition};

/// What is remembered of topics that were told begins with this; the figure is how many surveys that were due have found nothing since.
pub(super) const HELD: &str = "held:";
/// So many have to, before it is over: the next transaction begins with the next records, and is found by the second survey after that.
const OVER_AFTER: i64 = 6;
/// Transactions that are named with one topic; the rest is counted.
const MOST_NAMED: usize = 5;

/// What holds one topic.
struct Held<'a> {
    /// Transactions whose coordinator knows them; none where nobody does.
    holders: Vec<&'a OpenTransaction>,
    /// The first of its partitions, and where that stands.
    first: (&'a TopicPartition, i64),
    places: Vec<Place>,
    /// Offsets behind it.
    waiting: i64,
    since: Since,
}

/// Topics whose last stable offset stands still, and those of which that was so a moment ago.
pub(super) fn frozen(view: &View<'_>, judged: &mut Judged, memory: &mut Memory, pass: &Pass) {
    let open = match view.survey.sides.get(view.way().from).transactions.as_result() {
        Ok(open) => open.as_slice(),
        Err(reason) => {
            judged.unknown(Code::HungTransaction, reason);
            &[]
        }
    };
    let remembered = (view.memory.active == Some(view.way())).then_some(&view.memory.streaks);
    let told: BTreeMap<&str, &Streak> = remembered
        .into_iter()
        .flatten()
        .filter_map(|(key, streak)| Some((key.strip_prefix(HELD)?, streak)))
        .collect();
    let held = by_topic(open, pass);
    for (topic, held) in &held {
        let first = told.get(topic).copied();
        let since = first.map_or(held.since, since);
        let streak = Streak { surveys: 1, after: since.after, by: since.by, figure: 0 };
        memory.streaks.insert(format!("{HELD}{topic}"), streak);
        judged.raise(hung(view, topic, held, since));
    }
    for (topic, streak) in told.into_iter().filter(|(topic, _)| !held.contains_key(topic)) {
        let figure = streak.figure.saturating_add(i64::from(!view.survey.brought_forward));
        if figure < OVER_AFTER {
            memory.streaks.insert(format!("{HELD}{topic}"), Streak { figure, ..streak.clone() });
            judged.raise(held_before(view, topic, streak));
        }
    }
}

fn by_topic<'a>(open: &'a [OpenTransaction], pass: &'a Pass) -> BTreeMap<&'a str, Held<'a>> {
    let mut by_topic: BTreeMap<&str, Held<'_>> = BTreeMap::new();
    for (key, streak, stable, end) in &pass.frozen {
        let held = by_topic.entry(key.topic.as_str()).or_insert_with(|| Held {
            holders: Vec::new(),
            first: (key, *stable),
            places: Vec::new(),
            waiting: 0,
            since: since(streak),
        });
        let holder = open.iter().find(|transaction| transaction.partitions.contains(key));
        let known = |id: &str| held.holders.iter().any(|holder| holder.transactional_id == id);
        if let Some(holder) = holder.filter(|holder| !known(&holder.transactional_id)) {
            held.holders.push(holder);
        }
        held.places.push(Place::of(key.clone(), format!("stands at offset {stable} and ends at {end}")));
        held.waiting = held.waiting.saturating_add(end.saturating_sub(*stable));
        if streak.by < held.since.by {
            held.since = since(streak);
        }
    }
    by_topic
}

fn hung(view: &View<'_>, topic: &str, held: &Held<'_>, since: Since) -> Alarm {
    let from = view.name(view.way().from);
    let waits = if view.mode.read_committed { "read committed, or copied" } else { "read committed" };
    let (partition, _) = held.first;
    let said = match held.holders.as_slice() {
        [] => format!(
            "The last stable offset of `{partition}` on `{from}` does not move: an open transaction holds it, and nothing behind it can be {waits}."
        ),
        [one] => format!(
            "Transaction `{}` is open on `{topic}` on `{from}`: nothing behind its first record can be {waits}.",
            one.transactional_id
        ),
        some => format!(
            "{} transactions are open on `{topic}` on `{from}`: nothing behind their first records can be {waits}.",
            some.len()
        ),
    };
    let behind = if view.mode.read_committed {
        format!(
            "{} offsets wait behind it. None is lost while the source lives; none of them is on the standby.",
            held.waiting
        )
    } else {
        "This flow copies what is not committed, too: nothing waits for it, and what is aborted is on the standby as well."
            .to_owned()
    };
    let (step, look) = what_to_do(view, held);
    let mut alarm = Alarm::of(Code::HungTransaction, topic, view, said)
        .at(held.places.clone())
        .since(since)
        .fact(behind)
        .next(step, Some(look));
    if since.by < held.since.by {
        let now = held.since.said();
        alarm = alarm.fact(format!("What holds it now does so since {now}; others came before it."));
    }
    for holder in held.holders.iter().take(MOST_NAMED) {
        if let Some(began) = holder.began_at {
            alarm = alarm.fact(format!(
                "The coordinator says `{}` is {} since {} UTC, producer id {}.",
                holder.transactional_id,
                holder.state,
                began.format("%-d %b %Y %H:%M:%S"),
                holder.producer_id
            ));
        }
    }
    match held.holders.len().saturating_sub(MOST_NAMED) {
        0 => alarm,
        more => alarm.fact(format!("{more} more transactions hold it.")),
    }
}

/// The next step, and the commands that show what is so.
fn what_to_do(view: &View<'_>, held: &Held<'_>) -> (String, String) {
    let tool = |arguments: &str| view.tool(view.way().from, "kafka-transactions", arguments);
    let (partition, stable) = held.first;
    let at = format!("--topic {} --partition {}", quoted(&partition.topic), partition.partition);
    let find = tool(&format!("find-hanging {at}"));
    let abort = tool(&format!("abort {at} --start-offset {stable}"));
    if held.holders.is_empty() {
        let step = format!(
            "If `find-hanging` names it (open for more than 15 minutes, and no coordinator knows it), it will never end \
             by itself: abort it: `{abort}`."
        );
        return (step, find);
    }
    let describe = |holder: &&OpenTransaction| {
        tool(&format!("describe --transactional-id {}", quoted(&holder.transactional_id)))
    };
    let looks: Vec<String> = held.holders.iter().take(MOST_NAMED).map(describe).chain([find]).collect();
    let step = format!(
        "Ask its owner to end it: a producer that begins with the same transactional.id aborts it, and so does its \
         coordinator after the timeout. If it outlives that, abort it on each partition: `{abort}`. A sink that keeps one open from \
         each checkpoint to the next does so on purpose, and the shorter these are apart the less waits."
    );
    (step, looks.join("\n"))
}

/// A topic that was told and that nobody holds just now.
fn held_before(view: &View<'_>, topic: &str, streak: &Streak) -> Alarm {
    let from = view.name(view.way().from);
    let said = format!(
        "Open transactions held records of `{topic}` on `{from}` back; the newest survey found none that does."
    );
    Alarm::of(Code::HungTransaction, topic, view, said)
        .since(since(streak))
        .fact(format!("It is over once {OVER_AFTER} surveys in a row have found none: who commits and begins anew is not told each time."))
        .next("Nothing, unless it goes on.", None)
}
