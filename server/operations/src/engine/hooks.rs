//! Points at which a test can kill the worker.

/// Where in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Nothing is committed yet.
    BeforeIntent,
    /// The intent is committed, the effect has not begun.
    AfterIntent,
    /// The effect has happened, the outcome is not committed.
    AfterEffect,
    /// The outcome is committed.
    AfterOutcome,
    /// The undo's intent is committed, its effect has not begun.
    AfterUndoIntent,
    /// The undo's effect has happened, its outcome is not committed.
    AfterUndoEffect,
}

/// Asked at every [`Moment`]; production never kills.
pub trait Hooks: Send + Sync {
    /// True kills the worker here: it commits nothing more and keeps its lease until that runs out.
    fn kill_at(&self, step: &str, moment: Moment) -> bool;

    /// True makes the step fail instead of acting.
    fn fail(&self, step: &str) -> bool;
}

/// Never kills, never fails.
#[derive(Debug)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn kill_at(&self, _step: &str, _moment: Moment) -> bool {
        false
    }

    fn fail(&self, _step: &str) -> bool {
        false
    }
}
