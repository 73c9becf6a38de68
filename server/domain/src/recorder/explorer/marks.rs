//! What happened in a time: runs, deaths of a source, alarms, topics that were made anew.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    pair::Side,
    run::{Operation, RunState},
};

/// What a mark is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MarkKind {
    /// A run that was started.
    Run {
        /// Its id.
        id: Uuid,
        /// For people: "run 214".
        number: i64,
        /// What it did.
        operation: Operation,
        /// Whether it was a drill.
        drill: bool,
        /// Where it is.
        state: RunState,
    },
    /// A source did not answer: from when its ends were last read until it could be read again.
    Loss {
        /// When it was found not to answer.
        noticed_at: DateTime<Utc>,
        /// At least so many records were missing on the target.
        records_at_least: i64,
        /// At most so many; null when not known.
        records_at_most: Option<i64>,
        /// How many it turned out to be; null until then.
        records: Option<i64>,
        /// What came back instead of an answer.
        reason: String,
    },
    /// An alarm of silent loss.
    Alarm {
        /// Its id.
        id: Uuid,
        /// For people: "alarm 42".
        number: i64,
        /// What it is of.
        code: String,
        /// What it is about.
        subject: String,
    },
    /// A topic was deleted and made again under its name, on the source or on the target: after the survey that saw the old one last, and
    /// before the one that saw the new one first.
    Recreated {
        /// On which side of the pair.
        side: Side,
        /// Its name there.
        topic: String,
        /// Its id before.
        id_before: Uuid,
        /// Its id since.
        id: Uuid,
    },
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mark {
    /// Begin.
    pub from: DateTime<Utc>,
    /// End; null while it goes on.
    pub to: Option<DateTime<Utc>>,
    /// What.
    #[serde(flatten)]
    pub what: MarkKind,
}

/// Which line each mark is drawn on, so that none lies over another: the first that is free. Marks come in the order of their
/// begins; `now` ends those that go on, and each keeps clear of the next by `apart`.
#[must_use]
pub fn lanes(marks: &[Mark], now: DateTime<Utc>, apart: chrono::TimeDelta) -> Vec<usize> {
    let mut ends: Vec<DateTime<Utc>> = Vec::new();
    marks
        .iter()
        .map(|mark| {
            let end = mark.to.unwrap_or(now).max(mark.from) + apart;
            let free = ends.iter().position(|taken| *taken <= mark.from);
            let lane = free.unwrap_or(ends.len());
            match ends.get_mut(lane) {
                Some(taken) => *taken = end,
                None => ends.push(end),
            }
            lane
        })
        .collect()
}
