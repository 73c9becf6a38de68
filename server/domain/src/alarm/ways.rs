//! Which flows are judged: the one away from the active side, or each by itself where both copy under distinct names.
//!
//! Of two flows each has a memory of its own (streaks, positions, tasks), so that what is so of one begins and ends nothing of the
//! other. What is about a side and not about a flow (topics as they were last seen, what was gone) is kept once.

use super::{Inputs, Judged, Memory, judge_flow, memory, settings, view::View};
use crate::{
    direction::{self, ActiveSide},
    pair::{Direction, PairMode, Side},
};

/// See the module.
pub(super) enum Ways {
    /// Records flow one way, or why it is not known which.
    One(Result<Direction, String>),
    /// Each by itself.
    Both,
}

impl Ways {
    /// Nobody copying now does not make it unknown: it was known before. Nor does a flow of an active-active pair stop to be one when
    /// it is paused: what its source removes meanwhile is lost to it all the same.
    pub(super) fn of(inputs: Inputs<'_>) -> Self {
        let Inputs { pair, survey, memory, .. } = inputs;
        // One of them may have been taken from the pair since.
        let has_both = Side::BOTH.into_iter().all(|from| pair.flow(Direction { from }).is_some());
        let were_both = memory.is_of_both() && has_both && pair.has_distinct_names();
        match direction::active_side(pair, survey) {
            ActiveSide::Both { .. } => Self::Both,
            ActiveSide::Active(_) if were_both && pair.mode == PairMode::ActiveActive => Self::Both,
            ActiveSide::NeitherKnown { .. } if were_both => Self::Both,
            ActiveSide::Active(way) => Self::One(Ok(way)),
            ActiveSide::NeitherKnown { reason } => Self::One(memory.active.ok_or(reason)),
            ActiveSide::Contested { reason } => Self::One(Err(reason)),
        }
    }

    /// What has to be remembered of a survey of which nothing is judged.
    pub(super) fn remembered(&self, inputs: Inputs<'_>) -> Memory {
        match self {
            Self::One(active) => memory::next(&View::new(inputs, active.clone(), false)),
            Self::Both => memory::next(&View::new(inputs, Ok(Direction { from: Side::A }), true)),
        }
    }
}

/// Judges the flow away from the active side.
pub(super) fn judge_one(inputs: Inputs<'_>, active: Result<Direction, String>) -> (Judged, Memory) {
    let remembered = match &active {
        Ok(way) if inputs.memory.is_of_both() => inputs.memory.of(*way),
        Ok(_) | Err(_) => std::borrow::Cow::Borrowed(inputs.memory),
    };
    let view = View::new(Inputs { memory: &remembered, ..inputs }, active, false);
    let mut memory = memory::next(&view);
    let mut judged = Judged::default();
    settings::judge(&view, &mut judged);
    judge_flow(&view, &mut judged, &mut memory);
    (judged, memory)
}

/// Judges each flow by itself, and once what is about settings of both.
pub(super) fn judge_both(inputs: Inputs<'_>) -> (Judged, Memory) {
    let mut judged = Judged::default();
    let [first, second] = Side::BOTH.map(|from| {
        let way = Direction { from };
        let remembered = inputs.memory.of(way);
        let view = View::new(Inputs { memory: &remembered, ..inputs }, Ok(way), true);
        if from == Side::A {
            settings::judge(&view, &mut judged);
        }
        let (mut of_flow, mut memory) = (Judged::default(), memory::next(&view));
        judge_flow(&view, &mut of_flow, &mut memory);
        judged.add_flow(&view.course(), of_flow);
        memory
    });
    (judged, first.beside(Side::B, second))
}
