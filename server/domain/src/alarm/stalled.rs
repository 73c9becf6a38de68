//! What a pass over the offsets says of standing still: transactions that hold records back, and a flow that copies nothing.

use std::collections::BTreeMap;

use super::{
    Alarm, AlarmCode as Code, Judged, Lost, Memory, Place, Since, connectors::since, copying::Pass,
    view::View,
};
use crate::{
    reading::Observed,
    survey::{ConnectState, ConnectorRole, OpenTransaction},
};

/// Surveys in a row in which records were written and none arrived.
const STILL_FOR: u32 = 2;

/// Transactions that hold the last stable offset, by transactional id; partitions nobody is known to hold by themselves.
pub(super) fn frozen(view: &View<'_>, judged: &mut Judged, pass: &Pass) {
    let way = view.way();
    let open = match view.survey.sides.get(way.from).transactions.as_result() {
        Ok(open) => open.as_slice(),
        Err(reason) => {
            judged.unknown(Code::HungTransaction, reason);
            &[]
        }
    };
    let mut by_holder: BTreeMap<String, (Vec<Place>, Since)> = BTreeMap::new();
    for (key, streak, stable, end) in &pass.frozen {
        let holder = open.iter().find(|transaction| transaction.partitions.contains(key));
        let subject = holder.map_or_else(|| key.to_string(), |holder| holder.transactional_id.clone());
        let said = format!("stands at offset {stable} and ends at {end}");
        let place = Place::new(key.to_string(), said)
            .losing(0, if view.mode.read_committed { Lost::up_to(end - stable) } else { Lost::NOTHING });
        let entry = by_holder.entry(subject).or_insert_with(|| (Vec::new(), since(streak)));
        entry.0.push(place);
        if streak.by < entry.1.by {
            entry.1 = since(streak);
        }
    }
    for (subject, (places, since)) in by_holder {
        let holder = open.iter().find(|transaction| transaction.transactional_id == subject);
        judged.raise(hung(view, &subject, holder).at(places).since(since));
    }
}

fn hung(view: &View<'_>, subject: &str, holder: Option<&OpenTransaction>) -> Alarm {
    let way = view.way();
    let from = view.name(way.from);
    let said = match holder {
        Some(_) => format!(
            "Transaction `{subject}` is open on `{from}`: nothing behind its first record can be read committed, or copied."
        ),
        None => format!(
            "The last stable offset of `{subject}` on `{from}` does not move: an open transaction holds it."
        ),
    };
    let alarm = Alarm::of(Code::HungTransaction, subject, view, said).next(
        "Ask its owner to end it, or abort it; records are waiting, not lost, while the source lives.",
        holder.map(|_| view.tool(way.from, "kafka-transactions", "find-hanging --broker-id 1")),
    );
    match holder.and_then(|holder| Some((holder, holder.began_at?))) {
        Some((holder, began)) => alarm.fact(format!(
            "The coordinator says it is {} since {} UTC, producer id {}.",
            holder.state,
            began.format("%-d %b %Y %H:%M:%S"),
            holder.producer_id
        )),
        None => alarm,
    }
}

/// The source takes writes, nothing arrives anywhere, and Connect says RUNNING.
pub(super) fn still(view: &View<'_>, judged: &mut Judged, memory: &mut Memory, pass: &Pass) {
    let source = match view.connector(ConnectorRole::Source).map(Observed::as_result) {
        Some(Ok(source)) => source,
        Some(Err(reason)) => {
            judged.unknown(Code::WorkerGone, reason);
            return memory.keep_streaks(view, "still");
        }
        None => return,
    };
    if source.state != ConnectState::Running || pass.arrived > 0 || view.previous.is_none() {
        return;
    }
    let before = view.memory.streaks.get("still");
    // Nothing new to copy proves nothing either way: what stood still before still does.
    if pass.written == 0 {
        return memory.keep_streaks(view, "still");
    }
    let streak = memory.again(view, "still".to_owned(), 0);
    if before.is_none() || streak.surveys < STILL_FOR {
        return;
    }
    let (from, to) = (view.name(view.way().from), view.name(view.way().to()));
    judged.raise(
        Alarm::of(
            Code::WorkerGone,
            &source.name,
            view,
            format!("`{}` says RUNNING, `{from}` takes writes and nothing arrives on `{to}`.", source.name),
        )
        .at(pass.waiting.clone())
        .since(since(&streak))
        .fact(format!("{} offsets were written since the survey before and none arrived; so it was {} surveys in a row.", pass.written, streak.surveys))
        .next(
            "Do not believe RUNNING: look at the worker's log, then restart the connector with all its tasks.",
            view.connect().map(|(url, connector)| {
                format!("curl -X POST '{url}/connectors/{connector}/restart?includeTasks=true&onlyFailed=false'")
            }),
        ),
    );
}
