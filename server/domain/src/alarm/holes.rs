//! Holes: offsets that were gone from the source before they were copied. Each is judged once, and what may have been markers only is none.

use super::{
    Alarm, AlarmCode as Code, Lost, Memory, Place, stalled,
    view::{Row, View},
};
use crate::{
    reading::Observed,
    shell::quoted,
    survey::{ConnectState, ConnectorRole},
};

/// Surveys in a row in which replication stands before an emptied partition, before that is judged.
const SURE_AFTER: u32 = 2;

/// The source's first offset is past what was copied: what was between is gone from the source. Every offset is judged once,
/// so that what somebody has acknowledged is not told again while it is still so.
pub(super) fn lost_before_copied(view: &View<'_>, memory: &mut Memory, row: &Row<'_>) -> Option<Place> {
    let start = row.source.start?;
    let side = view.way().from;
    let judged = memory.judged_until(side, row.topic, row.number).unwrap_or(0);
    if start <= judged {
        return None;
    }
    let through = row.through(view.mode)?;
    let (from, kind) = match through.saturating_add(1) {
        first if start > first => (first, what_is_gone(view, memory, row, through)),
        _ => (jumped_from(view, row, start, through)?, Gone::Records),
    };
    let from = from.max(judged);
    // Before it counts as judged: nobody looks again at what was judged and not told.
    let surely_copied = row.proven_through(view.mode)?.saturating_add(1).max(judged).min(from);
    match kind {
        Gone::NotKnownYet => return None,
        Gone::Records | Gone::Markers => memory.judged(side, (row.topic, row.id), row.number, start),
    }
    (kind == Gone::Records && start > from).then(|| gone(row, surely_copied, from, start))
}

/// What was gone before it was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    /// Records, as far as anybody can tell.
    Records,
    /// What no flow copies: markers of transactions, in the modes that copy committed records only also what was aborted.
    Markers,
    /// The next survey tells.
    NotKnownYet,
}

/// When all is gone, and replication had a whole period with nothing new, only markers were left to copy. Any topic may hold
/// them: nothing that can be read says that nobody writes there in transactions.
fn what_is_gone(view: &View<'_>, memory: &mut Memory, row: &Row<'_>, through: i64) -> Gone {
    if row.source.end != row.source.start || view.stopped() || !running(view) {
        return Gone::Records;
    }
    let idle = !view.survey.brought_forward
        && row.copyable(view.mode) == row.was_copyable(view.mode)
        && row.was_through(view.mode) == Some(through)
        && !stalled::waits(view, row);
    if idle {
        return Gone::Markers;
    }
    let streak = memory.again(view, format!("gone:{}", row.name()), through);
    if streak.surveys < SURE_AFTER { Gone::NotKnownYet } else { Gone::Records }
}

/// From where replication has jumped already, between two surveys: fewer records came than offsets were passed.
fn jumped_from(view: &View<'_>, row: &Row<'_>, start: i64, through: i64) -> Option<i64> {
    let was = row.was_through(view.mode)?;
    let next = was.saturating_add(1);
    (start > next && row.grown()? < through.saturating_sub(was)).then_some(next)
}

fn running(view: &View<'_>) -> bool {
    let source = view.connector(ConnectorRole::Source).and_then(Observed::value);
    source.is_some_and(|source| source.state == ConnectState::Running && !source.tasks.is_empty())
}

/// How many of these offsets were records nobody can tell: in any mode some may be markers, and there may be as many markers
/// in a row as transactions were open. Of those between what was surely copied and the first that was not some may be missing, too: what
/// the target has for them may be markers.
fn gone(row: &Row<'_>, surely_copied: i64, from: i64, until: i64) -> Place {
    let doubt = match from.saturating_sub(surely_copied) {
        0 => String::new(),
        n => format!(", and of the {n} before them some may not have been"),
    };
    Place::of(row.key(), format!("offsets {from} to {} were not copied{doubt}", until - 1))
        .losing(from, Lost::up_to(until.saturating_sub(surely_copied)))
}

pub(super) fn hole(view: &View<'_>, topic: &str, places: Vec<Place>) -> Alarm {
    let way = view.way();
    let (from, to) = (view.name(way.from), view.name(way.to()));
    Alarm::of(
        Code::ReplicationHole,
        topic,
        view,
        format!("Records of `{topic}` were removed from `{from}` before they were copied: `{to}` will never have them."),
    )
    .at(places)
    .fact("The first offset on the source is past the last one that was copied; replication jumps over it without an error.")
    .fact("Offsets are counted: markers of transactions, and what compaction removed before, are among them and no records.")
    .next(
        "Look whether what wrote these records can write them again. Then keep records longer than replication may be \
         behind, and acknowledge this.",
        Some(view.tool(way.from, "kafka-configs", &format!("--describe --all --entity-type topics --entity-name {}", quoted(topic)))),
    )
}
